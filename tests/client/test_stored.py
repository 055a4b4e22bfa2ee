"""What a pull stored, opened and checked later: sealed apart, one damaged among others, the receipt."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker.client.folder import Folder
from broker.client.keys import PartnerKeys, new_partner_keys
from broker.client.stored import open_stored
from broker.core.canonical import decode, encode
from broker.errors import Misconfigured
from broker.sealing.jose import KeySet, parse, sign
from broker.sealing.receipts import registered_keys
from broker.sealing.verify import Report, verify_folder
from tests.client.fake_broker import NAME_CANARY, PARTNER, START, FakeBroker, Side


@pytest.fixture
def pulled(broker: FakeBroker, side: Side) -> Path:
    """A release that was pulled and opened at once, with something sealed apart in it."""
    release = broker.publish(1, apart=True)
    assert side.puller().run().ok
    return side.root / release


@pytest.fixture
def signers(key_folder: Path) -> KeySet:
    return registered_keys((key_folder / "registration.json").read_bytes())


def test_what_is_sealed_apart_opens_later_and_only_when_asked(side: Side, pulled: Path) -> None:
    nothing: tuple[list[str], dict[str, str]] = ([], {})
    assert open_stored(side.root, side.keys, side.trust, partner=PARTNER) == nothing
    assert not (pulled / "apart.json").exists()
    opened = open_stored(side.root, side.keys, side.trust, partner=PARTNER, with_apart=True)
    assert opened == ([pulled.name], {})
    assert json.loads((pulled / "apart.json").read_bytes()) == {"/facts/reporter/identity": NAME_CANARY}
    report = verify_folder(pulled, side.trust_folder)
    assert report.ok, report.lines()
    assert open_stored(side.root, side.keys, side.trust, partner=PARTNER, with_apart=True) == nothing
    assert Folder(side.root, PARTNER).unsent() == []  # nothing about the receipt changed
    (pulled / "apart.json").write_bytes(encode({"/facts/reporter/identity": "Synthetic Person B"}))
    assert not verify_folder(pulled, side.trust_folder).ok


def test_sealed_apart_of_another_release_is_not_taken(broker: FakeBroker, side: Side, pulled: Path) -> None:
    other = broker.publish(2, apart=True)
    assert side.puller().run().ok
    shutil.copy(side.root / other / "apart.jwe", pulled / "apart.jwe")
    opened, failed = open_stored(side.root, side.keys, side.trust, partner=PARTNER, with_apart=True)
    assert opened == [other]
    assert failed.keys() == {pulled.name}
    assert not (pulled / "apart.json").exists()


def test_a_damaged_release_does_not_keep_the_others_closed(broker: FakeBroker, side: Side) -> None:
    releases = sorted(broker.publish(number) for number in (1, 2, 3))
    assert side.puller(sealed=True, trust=None).run().ok
    (side.root / releases[0] / "referral.jwe").write_bytes(b"x")
    opened, failed = open_stored(side.root, side.keys, side.trust, partner=PARTNER)
    assert opened == releases[1:]
    assert failed.keys() == {releases[0]}
    assert failed[releases[0]].endswith(".")


def test_only_the_releases_that_are_named(broker: FakeBroker, side: Side) -> None:
    first, second = (broker.publish(number) for number in (1, 2))
    assert side.puller(sealed=True, trust=None).run().ok
    opened, failed = open_stored(side.root, side.keys, side.trust, partner=PARTNER, only=[second, "none"])
    assert opened == [second]
    assert failed.keys() == {"none"}
    assert not (side.root / first / "referral.json").exists()


def test_any_flipped_byte_of_the_receipt_fails_with_a_sentence(
    side: Side, pulled: Path, signers: KeySet
) -> None:
    def check() -> Report:
        return verify_folder(pulled, side.trust_folder, receipt_keys=signers)

    whole = check()
    assert whole.ok, whole.lines()
    assert whole.not_checked == ()
    rng = random.Random("receipt")  # noqa: S311 - repeatable
    for name in ("receipt.jws", "referral.jwe", "apart.jwe"):
        path = pulled / name
        original = path.read_bytes()
        step = 1 if name == "receipt.jws" else 97
        for place in range(0, len(original), step):
            changed = bytearray(original)
            changed[place] ^= 1 << rng.randrange(8)
            path.write_bytes(bytes(changed))
            found = check().failure
            assert found is not None, (name, place)
            assert found.what.endswith(".")
        path.write_bytes(original)
    assert check().ok


def test_without_the_registration_the_signature_is_said_to_be_unchecked(side: Side, pulled: Path) -> None:
    report = verify_folder(pulled, side.trust_folder)
    assert report.ok
    assert report.not_checked == ("the receipt's signature (--registration)",)


def _parts(change: Callable[[list[Any]], object]) -> Callable[[dict[str, Any]], object]:
    return lambda said: change(said["parts"])


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "another release": lambda said: said.update(release="x" * 26),
    "another partner": lambda said: said.update(partner="pt_other"),
    "another object": lambda said: said.update(object_sha256="0" * 64),
    "another seal": lambda said: said.update(seal_sha256="0" * 64),
    "no seal, yet verified": lambda said: said.update(seal_sha256=None),
    "verified is text": lambda said: said.update(verified="true"),
    "a member more": lambda said: said.update(more=1),
    "a member less": lambda said: said.pop("received_at"),
    "another schema": lambda said: said.update(schema="broker-receipt/2"),
    "a time of another form": lambda said: said.update(received_at="2026-03-02"),
    "parts are no list": lambda said: said.update(parts={}),
    "a part is text": _parts(lambda parts: parts.append("x")),
    "a part has no name": _parts(lambda parts: parts[0].pop("name")),
    "a part has no digest": _parts(lambda parts: parts[0].pop("sha256")),
    "a part's digest is a number": _parts(lambda parts: parts[0].update(sha256=1)),
    "a part's digest is no digest": _parts(lambda parts: parts[0].update(sha256="x")),
    "parts out of order": _parts(lambda parts: parts.reverse()),
    "a part twice": _parts(lambda parts: parts.append(parts[-1])),
    "a document that is not there": _parts(lambda parts: parts[-1].update(name="documents/other.pdf")),
    "sealed apart is not named": _parts(lambda parts: parts.pop(0)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_receipt_that_says_something_else_fails(
    side: Side, pulled: Path, signers: KeySet, what: str
) -> None:
    """Signed by the partner itself: only what it says can give it away, and never a traceback."""
    path = pulled / "receipt.jws"
    said = decode(parse(path.read_text(), require_typ="receipt+jws").payload, max_bytes=1 << 16)
    assert [part["name"] for part in said["parts"]] == ["apart", "documents/referral.csv"]
    CHANGES[what](said)
    path.write_text(sign(encode(said), side.keys.get("receipt").signer("receipt+jws"), "receipt+jws"))
    for keys in (signers, None):
        report = verify_folder(pulled, side.trust_folder, receipt_keys=keys)
        assert report.failure is not None, what
        assert report.failure.what.endswith(".")


def test_a_receipt_of_another_key_fails(side: Side, pulled: Path, signers: KeySet, tmp_path: Path) -> None:
    new_partner_keys(tmp_path / "other", PARTNER, START, unencrypted=True)
    other = PartnerKeys.load(tmp_path / "other").get("receipt")
    path = pulled / "receipt.jws"
    payload = parse(path.read_text(), require_typ="receipt+jws").payload
    path.write_text(sign(payload, other.signer("receipt+jws"), "receipt+jws"))
    assert verify_folder(pulled, side.trust_folder).ok
    assert not verify_folder(pulled, side.trust_folder, receipt_keys=signers).ok


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"keys":[1]}', b'{"keys":[{"use":"receipt"}]}'])
def test_a_file_that_is_no_registration(content: bytes) -> None:
    with pytest.raises(Misconfigured):
        registered_keys(content)
