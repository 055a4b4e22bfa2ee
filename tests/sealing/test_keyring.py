"""Key files: unreadable for others, stretched enough, one purpose each, old keys verify on."""

from __future__ import annotations

import shutil
import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.core import merkle
from broker.core.canonical import decode
from broker.errors import Misconfigured, NotAuthentic, Refused
from broker.sealing import jose, keyfiles, notes
from broker.sealing.keyring import PURPOSES, Keyring
from broker.sealing.trust import Trust, parse_jwks, parse_time
from tests.sealing.conftest import NOW, PASSPHRASE

ORIGIN = "ledger.broker.example"
LATER = NOW + timedelta(days=200)


@pytest.fixture
def folder(keys_folder: Path, keyring: Keyring, tmp_path: Path) -> Path:
    copy = tmp_path / "keys"
    shutil.copytree(keys_folder, copy)
    copy.chmod(0o700)
    return copy


def test_files_are_private_and_openssl_reads_them(keyring: Keyring, keys_folder: Path) -> None:
    pems = sorted(keys_folder.glob("*.pem"))
    assert len(pems) == 5
    for path in [*pems, *keys_folder.glob("*.json")]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in pems:
        assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    if shutil.which("openssl"):
        command = ["openssl", "pkey", "-in", str(pems[0]), "-passin", f"pass:{PASSPHRASE.decode()}"]
        assert subprocess.run([*command, "-noout"], check=False).returncode == 0


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_others_can_touch_is_refused(folder: Path, mode: int) -> None:
    next(folder.glob("release-*.pem")).chmod(mode)
    with pytest.raises(Misconfigured) as caught:
        Keyring.load(folder, PASSPHRASE, {"release"})
    assert caught.value.code == "keys-mode"


def test_folder_others_can_touch_is_refused(folder: Path) -> None:
    folder.chmod(0o750)
    with pytest.raises(Misconfigured):
        Keyring.load(folder, PASSPHRASE, set())
    with pytest.raises(Misconfigured):
        Keyring.load(folder / "missing", PASSPHRASE, set())


def test_few_rounds_are_refused(folder: Path) -> None:
    path = next(folder.glob("release-*.pem"))
    weak = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSPHRASE),
    )
    path.write_bytes(weak)
    with pytest.raises(Misconfigured) as caught:
        Keyring.load(folder, PASSPHRASE, {"release"})
    assert caught.value.code == "keys-rounds"
    assert keyfiles.ROUNDS >= 600_000


def test_wrong_passphrase_swapped_key_and_damage(folder: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        Keyring.load(folder, b"other", {"release"})
    assert caught.value.code == "keys-passphrase"
    release, token = (next(folder.glob(f"{purpose}-*.pem")) for purpose in ("release", "token"))
    release.write_bytes(token.read_bytes())
    with pytest.raises(Misconfigured) as caught:
        Keyring.load(folder, PASSPHRASE, {"release"})
    assert caught.value.code == "keys-mismatch"
    release.write_bytes(b"damaged")
    with pytest.raises(Misconfigured):
        Keyring.load(folder, PASSPHRASE, {"release"})
    release.unlink()
    with pytest.raises(Misconfigured):
        Keyring.load(folder, PASSPHRASE, {"release"})
    next(folder.glob("token-*.json")).write_bytes(b"{}")
    with pytest.raises(Misconfigured):
        Keyring.load(folder, PASSPHRASE, set())


def test_a_process_has_only_the_keys_it_asked_for(keys_folder: Path, keyring: Keyring) -> None:
    ring = Keyring.load(keys_folder, PASSPHRASE, {"token"})
    assert ring.signer("token").typs == {"at+jwt", "register-export+jws"}
    for use in (lambda: ring.signer("release"), lambda: ring.note_signer(ORIGIN), ring.pades):
        with pytest.raises(Misconfigured):
            use()
    with pytest.raises(Misconfigured):
        Keyring.load(keys_folder, PASSPHRASE, {"pades-root"})
    with pytest.raises(Misconfigured):
        keyring.signer("checkpoint")
    with pytest.raises(Misconfigured):
        Keyring.init(keys_folder, PASSPHRASE, NOW)


def test_public_lists_hold_no_private_member(keyring: Keyring) -> None:
    for purpose in ("release", "token"):
        for jwk in keyring.public(purpose)["keys"]:
            assert jwk.keys() == {"alg", "crv", "kid", "kty", "not_before", "typs", "use", "x", "y"}


def test_purposes_do_not_mix(keyring: Keyring) -> None:
    token = jose.sign(b"{}", keyring.signer("token"), "at+jwt")
    with pytest.raises(NotAuthentic):
        jose.verify(token, keyring.keys("release"), "at+jwt")
    assert jose.verify(token, keyring.keys("token"), "at+jwt", LATER) == b"{}"
    assert {record.purpose for record in keyring.records()} == {*PURPOSES, "pades-root"}


def test_rotation_keeps_old_signatures_and_retirement_ends_them(folder: Path) -> None:
    ring = Keyring.load(folder, PASSPHRASE, {"release", "checkpoint"})
    old, old_kid = ring.signer("release"), ring.signer("release").kid
    before = jose.sign(b"{}", old, "referral+jws")
    note = notes.sign_checkpoint(ORIGIN, 1, merkle.leaf_hash(b""), ring.note_signer(ORIGIN))
    pending = ring.add("release", PASSPHRASE, NOW + timedelta(days=100), state="pending")
    assert ring.keys("release").find(pending.kid) is not None
    assert ring.rotate("release", PASSPHRASE, LATER).kid == pending.kid == ring.signer("release").kid
    ring.rotate("checkpoint", PASSPHRASE, LATER)
    again = Keyring.load(folder, PASSPHRASE, {"release"})
    assert again.signer("release").kid == pending.kid != old_kid
    again.export_trust(folder.parent / "trust", ORIGIN)
    trust = Trust.load(folder.parent / "trust")
    assert len(trust.keys) == len(trust.ledger) == 2
    assert jose.verify(before, trust.keys, "referral+jws", NOW) == b"{}"
    with pytest.raises(NotAuthentic) as caught:
        jose.verify(before, trust.keys, "referral+jws", LATER + timedelta(seconds=1))
    assert caught.value.code == "jws-key-time"
    assert notes.verify_checkpoint(note, trust.ledger).size == 1
    with pytest.raises(Refused):
        again.retire(pending.kid, LATER)
    again.retire(old_kid, LATER)
    with pytest.raises(NotAuthentic):
        jose.verify(before, again.keys("release"), "referral+jws")


def test_trust_folder_is_public_and_strict(keyring: Keyring, tmp_path: Path) -> None:
    keyring.export_trust(tmp_path, ORIGIN)
    assert {path.name for path in tmp_path.iterdir()} == {
        "jwks.json",
        "ledger.vkey",
        "pades-root.pem",
    }
    assert b"PRIVATE" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    trust = Trust.load(tmp_path)
    assert trust.ledger[0].text() == keyring.vkey(ORIGIN)
    assert set(trust.thumbprints()) == {
        keyring.signer("release").kid,
        trust.ledger[0].key_id.hex(),
        "root 1",
    }
    jwks = (tmp_path / "jwks.json").read_bytes()
    for name, content in [
        ("jwks.json", b"[]"),
        ("jwks.json", b'{"keys":[{"kid":"x"}]}'),
        ("jwks.json", jwks.replace(b'"typs"', b'"typz"')),
        ("jwks.json", jwks.replace(b"Z", b"+")),
        ("ledger.vkey", b""),
        ("ledger.vkey", b"x\n"),
        ("ledger.vkey", b"\xff"),
        ("pades-root.pem", b"x"),
    ]:
        before = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Misconfigured):
            Trust.load(tmp_path)
        (tmp_path / name).write_bytes(before)
    (tmp_path / "ledger.vkey").unlink()
    with pytest.raises(Misconfigured):
        Trust.load(tmp_path)
    assert len(parse_jwks(decode(jwks, max_bytes=10**6))) == 1


@pytest.mark.parametrize("text", ["2026-3-02T09:30:00Z", "2026-03-02T09:30:00+00:00", 5, None, ""])
def test_times_have_one_text(text: object) -> None:
    with pytest.raises(Refused):
        parse_time(text)
