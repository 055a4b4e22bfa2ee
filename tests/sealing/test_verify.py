"""The offline verifier: a whole folder holds, and any changed byte of it fails with a sentence."""

from __future__ import annotations

import copy
import json
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from broker.cli.main import app
from broker.core import canonical, seal
from broker.core.canonical import b64u, decode, encode
from broker.errors import Misconfigured, NotAuthentic, Refused
from broker.sealing import jose, verify
from broker.sealing.keyring import Keyring
from broker.sealing.trust import Trust
from tests.core.test_seal import UNITS as ANY_UNITS
from tests.sealing.building import DRAFTED, ORIGIN, RELEASE, UNITS, Release, make
from tests.sealing.conftest import NOW, PASSPHRASE


@pytest.fixture(scope="module")
def trust_folder(keyring: Keyring, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trust")
    keyring.export_trust(folder, ORIGIN)
    return folder


@pytest.fixture(scope="module")
def trust(trust_folder: Path) -> Trust:
    return Trust.load(trust_folder)


@pytest.fixture
def release(keyring: Keyring) -> Release:
    return make(keyring.signer("release"), keyring.note_signer(ORIGIN), keyring.pades())


@pytest.fixture
def folder(release: Release, tmp_path: Path) -> Path:
    return release.folder(tmp_path / "release")


def failure(folder: Path, trust_folder: Path, **options: Any) -> verify.Check:
    report = verify.verify_folder(folder, trust_folder, **options)
    found = report.failure
    assert found is not None
    assert not report.ok
    assert report.referral is None
    assert found.what.endswith(".")
    assert found.what[0].isupper()
    assert report.lines()[-1] == "withdrawals not checked: offline"
    return found


def test_a_whole_folder_holds(folder: Path, trust_folder: Path) -> None:
    (folder / "referral.jwe").write_text("x")
    (folder / "synthetic name.txt").write_text("x")
    report = verify.verify_folder(folder, trust_folder)
    assert report.ok, report.lines()
    assert [check.name for check in report.checks] == [
        "referral",
        "seal",
        "values",
        "documents",
        "apart",
        "ledger",
        "referral.json",
        "withheld.json",
        "redacted",
        "referral.pdf",
    ]
    assert report.not_checked == ("referral.jwe", "1 other files")
    assert report.lines()[-1] == "withdrawals not checked: offline"
    assert report.referral is not None
    assert report.referral.position == 6
    assert report.referral.apart == {"/facts/reporter/identity": {"name": "Synthetic Person A"}}


def flips(size: int, dense: int) -> list[int]:
    """All places of a small file; of a large one both ends and an even sample."""
    if size <= dense:
        return list(range(size))
    step = size // dense + 1
    return sorted({*range(64), *range(0, size, step), *range(size - 64, size)})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dense"),
    [
        ("referral.jws", 400),
        ("seal.jws", 400),
        ("opening.json", 400),
        ("proof.tlog", 2000),
        ("apart.jws", 400),
        ("withheld.json", 1000),
        ("referral.json", 400),
        ("redacted.json", 400),
        ("documents/referral.csv", 1000),
        ("documents/referral.pdf", 300),
    ],
)
def test_any_flipped_byte_fails_with_a_sentence(
    folder: Path, trust_folder: Path, name: str, dense: int
) -> None:
    path = folder / name
    original = path.read_bytes()
    rng = random.Random(name)  # noqa: S311 - repeatable
    for place in flips(len(original), dense):
        changed = bytearray(original)
        changed[place] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(changed))
        failure(folder, trust_folder)
    for content in (original[:-1], original + b"\n", b"", original[::-1]):
        path.write_bytes(content)
        failure(folder, trust_folder)
    path.write_bytes(original)
    assert verify.verify_folder(folder, trust_folder).ok


@pytest.mark.parametrize("name", ["referral.jws", "seal.jws", "opening.json", "proof.tlog"])
def test_missing_files(folder: Path, trust_folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert failure(folder, trust_folder).name == "package-missing"


def test_missing_folder_and_missing_trust(folder: Path, trust_folder: Path, tmp_path: Path) -> None:
    failure(tmp_path / "none", trust_folder)
    with pytest.raises(Misconfigured) as caught:
        verify.verify_folder(folder, tmp_path / "none")
    assert "outside" in caught.value.hint


def test_documents_missing_unlisted_and_named(folder: Path, trust_folder: Path) -> None:
    (folder / "documents" / "referral.csv").unlink()
    assert failure(folder, trust_folder).name == "document-missing"
    report = verify.verify_folder(folder, trust_folder, not_collected=["referral.csv"])
    assert report.ok
    assert report.referral is not None
    assert report.referral.not_collected == ("referral.csv",)
    (folder / "documents" / "extra.txt").write_text("x")
    options = {"not_collected": ["referral.csv"]}
    assert failure(folder, trust_folder, **options).name == "document-unlisted"
    (folder / "documents" / "extra.txt").unlink()
    (folder / "documents" / "more").mkdir()
    assert failure(folder, trust_folder, **options).name == "document-unlisted"


def change_referral(**members: Any) -> Callable[[Release], None]:
    def change(release: Release) -> None:
        release.referral = {**release.referral, **members}
        release.sign()

    return change


def change_seal(**members: Any) -> Callable[[Release], None]:
    def change(release: Release) -> None:
        release.sealed = {**release.sealed, **members}
        release.sign()

    return change


def change_doc(change: Callable[[Any], object]) -> Callable[[Release], None]:
    def apply(release: Release) -> None:
        release.referral = copy.deepcopy(release.referral)
        change(release.referral["doc"])
        release.sign()

    return apply


def drop_member(release: Release) -> None:
    del release.sealed["conditions"]
    release.sign()


def other_opening(release: Release) -> None:
    release.texts["opening.json"] = encode(release.tree.opening("b" * 26))


def other_seal(release: Release) -> None:
    release.sealed["handling"] = {"code": "H1"}
    before = dict(release.texts)
    release.sign()
    release.texts["proof.tlog"] = before["proof.tlog"]


def other_record(**members: Any) -> Callable[[Release], None]:
    def change(release: Release) -> None:
        text = release.proof(release.texts["seal.jws"].decode(), **members)
        release.texts["proof.tlog"] = text.encode()

    return change


def apart_with(change: Callable[[list[Any]], object], **members: Any) -> Callable[[Release], None]:
    def apply(release: Release) -> None:
        units = release.tree.apart_units()
        change(units)
        payload = {"schema": "broker-apart/1", "release": RELEASE, "units": units, **members}
        token = jose.sign(encode(payload), release.key, "referral-apart+jws")
        release.texts["apart.jws"] = token.encode()

    return apply


def other_document(release: Release) -> None:
    """A second document for the same seal: differs only where the seal does not repeat it."""
    payload = encode({**release.referral, "purposes": ["research"]})
    release.texts["referral.jws"] = jose.sign(payload, release.key, "referral+jws").encode()


def swapped(release: Release) -> None:
    texts = release.texts
    texts["referral.jws"], texts["seal.jws"] = texts["seal.jws"], texts["referral.jws"]


# What a broker that is itself wrong (or holds the signing key only) could sign.
SIGNED_BUT_WRONG: dict[str, tuple[Callable[[Release], None], str]] = {
    "value": (change_doc(lambda d: d["facts"]["report"].update(count=3)), "seal-root"),
    "type": (change_doc(lambda d: d["facts"]["report"].update(count=True)), "seal-root"),
    "added": (change_doc(lambda d: d["facts"]["report"].update(more=1)), "seal-set"),
    "removed": (change_doc(lambda d: d["facts"]["report"].pop("count")), "seal-set"),
    "empty": (change_doc(lambda d: d["facts"].update(none={})), "seal-shape"),
    "other document": (other_document, "package-mixed"),
    "release": (change_referral(release="c" * 26), "package-mixed"),
    "addressee": (change_referral(addressee={"partner": "pt_other"}), "package-mixed"),
    "version": (change_referral(version=True), "package-mixed"),
    "drafted": (change_referral(drafted_at="2026-03-02T10:00:01Z"), "package-mixed"),
    "schema": (change_referral(schema="broker-referral/2"), "package-form"),
    "tree alg": (change_referral(seal={"alg": "x", "root": "", "depth": 8}), "package-mixed"),
    "seal root": (change_seal(root=b64u(bytes(32))), "package-mixed"),
    "seal root form": (change_seal(root="x"), "package-mixed"),
    "seal documents": (change_seal(documents={}), "package-form"),
    "seal document": (change_seal(documents=[{"name": "x"}]), "package-form"),
    "seal time": (change_seal(drafted_at="yesterday"), "package-form"),
    "seal schema": (change_seal(schema="broker-seal/2"), "package-form"),
    "seal member": (drop_member, "package-form"),
    "opening": (other_opening, "package-mixed"),
    "swapped": (swapped, "jws-typ"),
    "other seal": (other_seal, "proof-other"),
    "proof release": (other_record(release="c" * 26), "proof-other"),
    "proof carrier": (other_record(carrier="pt_other"), "proof-other"),
    "proof kind": (other_record(kind="withdraw"), "proof-other"),
    "proof member": (other_record(more=1), "package-form"),
    "apart value": (apart_with(lambda u: u[0].__setitem__(3, "x")), "seal-apart"),
    "apart position": (apart_with(lambda u: u[0].__setitem__(0, u[0][0] ^ 1)), None),  # type: ignore[dict-item]
    "apart pointer": (apart_with(lambda u: u[0].__setitem__(1, "/facts/x/y")), "seal-apart"),
    "apart twice": (apart_with(lambda u: u.append(u[0])), "package-form"),
    "apart line": (apart_with(lambda u: u[0].pop()), "package-form"),
    "apart release": (apart_with(lambda u: None, release="c" * 26), "package-mixed"),
    "apart kind": (apart_with(lambda u: None, units=5), "package-mixed"),
}


@pytest.mark.parametrize("name", SIGNED_BUT_WRONG)
def test_what_is_signed_but_wrong_fails(
    release: Release, trust_folder: Path, tmp_path: Path, name: str
) -> None:
    change, code = SIGNED_BUT_WRONG[name]
    change(release)
    found = failure(release.folder(tmp_path / "x"), trust_folder)
    assert code is None or found.name == code


def test_payload_that_is_not_canonical(release: Release, trust_folder: Path, tmp_path: Path) -> None:
    payload = json.dumps(release.referral).encode()
    release.texts["referral.jws"] = jose.sign(payload, release.key, "referral+jws").encode()
    assert failure(release.folder(tmp_path / "x"), trust_folder).name == "package-form"


def test_another_brokers_keys_are_not_believed(
    release: Release, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = tmp_path_factory.mktemp("stranger")
    keys.chmod(0o700)
    stranger = Keyring.init(keys, PASSPHRASE, NOW, {"release", "checkpoint"})
    stranger.export_trust(tmp_path / "trust", ORIGIN)
    found = failure(release.folder(tmp_path / "x"), tmp_path / "trust")
    assert found.name == "jws-key-unknown"
    assert "thumbprint" in found.hint


def test_rotated_keys_verify_old_referrals_and_late_ones_fail(keys_folder: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    shutil.copytree(keys_folder, keys)
    keys.chmod(0o700)
    ring = Keyring.load(keys, PASSPHRASE, {"release", "checkpoint", "pades"})
    old_key = ring.signer("release")
    old = make(old_key, ring.note_signer(ORIGIN), ring.pades())
    rotation = DRAFTED + timedelta(days=90)
    for purpose in ("release", "checkpoint", "pades"):
        ring.rotate(purpose, PASSPHRASE, rotation)
    ring.export_trust(tmp_path / "trust", ORIGIN)
    report = verify.verify_folder(old.folder(tmp_path / "old"), tmp_path / "trust")
    assert report.ok, report.lines()
    # A new release, drafted just before the new key existed.
    fresh = make(
        ring.signer("release"),
        ring.note_signer(ORIGIN),
        ring.pades(),
        drafted=rotation - timedelta(hours=20),
    )
    report = verify.verify_folder(fresh.folder(tmp_path / "fresh"), tmp_path / "trust")
    assert report.ok, report.lines()
    # The old key is used after its time: with an honest date, and backdated.
    late = make(old_key, ring.note_signer(ORIGIN), drafted=rotation + timedelta(seconds=1))
    assert failure(late.folder(tmp_path / "late"), tmp_path / "trust").name == "package-key-time"
    backdated = make(old_key, ring.note_signer(ORIGIN))
    text = backdated.proof(backdated.texts["seal.jws"].decode(), rotation + timedelta(days=3))
    backdated.texts["proof.tlog"] = text.encode()
    found = failure(backdated.folder(tmp_path / "back"), tmp_path / "trust")
    assert found.name == "package-key-time"
    # Only the document is signed with a key that is out of its time.
    mixed = make(
        ring.signer("release"),
        ring.note_signer(ORIGIN),
        ring.pades(),
        drafted=rotation + timedelta(hours=1),
    )
    token = jose.sign(encode(mixed.referral), old_key, "referral+jws")
    mixed.texts["referral.jws"] = token.encode()
    assert failure(mixed.folder(tmp_path / "mixed"), tmp_path / "trust").name == "package-key-time"
    # The new key far before its time.
    early = make(ring.signer("release"), ring.note_signer(ORIGIN))
    assert failure(early.folder(tmp_path / "early"), tmp_path / "trust").name == "package-key-time"


def test_package_without_documents_apart_and_proof(release: Release, trust: Trust) -> None:
    texts = release.texts
    verified = verify.verify_package(
        texts["referral.jws"].decode(), texts["seal.jws"].decode(), texts["opening.json"], trust
    )
    assert verified.not_collected == ("referral.csv", "referral.pdf")
    assert verified.position is None
    assert canonical.same(verified.payload, release.referral)


def test_what_the_command_redacts_is_for_its_owner_only(folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "redacted.json"
    to.write_text("an older one, open to others")
    to.chmod(0o644)
    done = CliRunner().invoke(app, ["redact", str(folder), "--keep", "/facts/report", "--to", str(to)])
    assert done.exit_code == 0, done.output
    assert (to.stat().st_mode & 0o777, b"broker" in to.read_bytes()) == (0o600, True)


def test_redaction_of_a_folder(folder: Path, trust: Trust) -> None:
    proof = (folder / "proof.tlog").read_text()
    data = verify.redact_folder(folder, drop=["/entities/items/*/url", "/facts/summary"])
    form = verify.verify_redacted(data, trust, proof)
    left = set(seal.units_of(form.doc))
    assert left == UNITS.keys() - {
        "/entities/items/abcdefghij/url",
        "/entities/items/bcdefghijk/url",
        "/facts/summary/text",
    }
    assert b"host-a" not in data
    assert form.seal["conditions"]
    assert form.seal["addressee"]
    kept = verify.verify_redacted(verify.redact_folder(folder, keep=["/facts/report"]), trust)
    assert set(seal.units_of(kept.doc)) == {"/facts/report/count", "/facts/report/received_at"}
    nothing = verify.verify_redacted(verify.redact_folder(folder, keep=[]), trust)
    assert nothing.doc == {"facts": {}, "entities": {}}
    for options in ({}, {"keep": ["/facts"], "drop": ["/facts"]}, {"drop": ["/facts/none"]}):
        with pytest.raises(Refused):
            verify.redact_folder(folder, **options)  # type: ignore[arg-type]


def test_a_changed_folder_is_not_redacted(folder: Path, release: Release) -> None:
    release.referral["doc"]["facts"]["report"]["count"] = 3
    token = jose.sign(encode(release.referral), release.key, "referral+jws")
    (folder / "referral.jws").write_text(token)
    with pytest.raises(NotAuthentic):
        verify.redact_folder(folder, keep=["/facts"])


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ANY_UNITS.filter(bool), st.data())
def test_any_changed_added_or_moved_value_in_a_redacted_form_fails(
    keyring: Keyring, trust: Trust, values: dict[str, Any], data: st.DataObject
) -> None:
    built = make(keyring.signer("release"), keyring.note_signer(ORIGIN), units=values)
    keep = data.draw(st.sets(st.sampled_from(sorted(values)), min_size=1))
    seal_jws, opening = built.texts["seal.jws"].decode(), built.tree.opening(RELEASE)
    form = seal.redact(seal_jws, built.referral["doc"], opening, keep=keep)
    verify.verify_redacted(encode(form), trust)
    units = seal.units_of(form["doc"])
    pointer = data.draw(st.sampled_from(sorted(keep)))
    changed = {**units, pointer: [units[pointer]]}
    added = {**units, "/facts/added/value": 1}
    moved = {**units, "/facts/added/value": units[pointer]}
    del moved[pointer]
    removed = {other: value for other, value in units.items() if other != pointer}
    for wrong in (changed, added, moved, removed):
        with pytest.raises(NotAuthentic):
            verify.verify_redacted(encode({**form, "doc": seal.assemble(wrong)}), trust)
    # The same, with the opening made to fit by someone who has all of it but the key.
    lines = [[p, n if n != pointer else "/facts/added/value", s] for p, n, s in opening["units"]]
    fitted = {**opening, "units": sorted(lines, key=lambda line: line[1])}
    whole = {**values, "/facts/added/value": values[pointer]}
    del whole[pointer]
    with pytest.raises(NotAuthentic):
        verify.verify_redacted(encode({**form, "doc": seal.assemble(whole), "opening": fitted}), trust)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "broker-redacted/2"},
        {"seal": 5},
        {"doc": []},
        {"opening": []},
        {"more": 1},
    ],
)
def test_redacted_forms_of_another_shape(folder: Path, trust: Trust, change: dict[str, Any]) -> None:
    form = decode((folder / "redacted.json").read_bytes(), max_bytes=10**6)
    with pytest.raises(NotAuthentic):
        verify.verify_redacted(encode({**form, **change}), trust)
    with pytest.raises(NotAuthentic):
        verify.verify_redacted(json.dumps(form).encode(), trust)


def test_redacted_form_of_another_release(folder: Path, keyring: Keyring, trust_folder: Path) -> None:
    other = make(keyring.signer("release"), keyring.note_signer(ORIGIN))
    other.referral["release"] = other.sealed["release"] = "c" * 26
    other.sign()
    opening = other.tree.opening("c" * 26)
    form = seal.redact(other.texts["seal.jws"].decode(), other.referral["doc"], opening, keep=())
    (folder / "redacted.json").write_bytes(encode(form))
    failure(folder, trust_folder)


def test_verification_opens_no_network_connection(
    folder: Path, trust_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert verify.verify_folder(folder, trust_folder).ok


def test_the_verifier_imports_neither_server_nor_network() -> None:
    program = (
        "import sys, broker.sealing.verify\n"
        "bad = {'sqlalchemy', 'sqlmodel', 'fastapi', 'psycopg', 'httpx', 'broker.settings',"
        " 'broker.store', 'pyhanko'} & set(sys.modules)\n"
        "sys.exit(str(bad) if bad else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
