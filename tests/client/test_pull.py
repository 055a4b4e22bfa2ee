"""Pull: complete or not at all, through crashes, gaps, tampering and withdrawals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from broker.client import folder as folder_module
from broker.client.api import PartnerApi
from broker.client.folder import Folder
from broker.errors import Conflict, Misconfigured
from broker.sealing.jose import SigningKey
from broker.sealing.verify import verify_folder
from tests.client.fake_broker import NAME_CANARY, FakeBroker, Side, release_id

FILES = {
    "documents",
    "opening.json",
    "proof.tlog",
    "receipt.jws",
    "referral.jwe",
    "referral.json",
    "referral.jws",
    "seal.jws",
    "withheld.json",
}


def assert_stored(side: Side, release: str) -> None:
    place = side.root / release
    assert {path.name for path in place.iterdir()} - {"apart.jwe"} == FILES
    report = verify_folder(place, side.trust_folder)
    assert report.ok, report.lines()
    for path in [place, *place.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0


def left_over(side: Side) -> list[str]:
    return [p.name for p in side.root.rglob("*") if ".tmp-" in p.name or p.name.endswith(".new")]


def test_pull_stores_verifies_and_receipts(broker: FakeBroker, side: Side) -> None:
    releases = [broker.publish(number) for number in range(5)]
    report = side.puller().run()
    assert report.ok
    assert report.collected == releases
    for release in releases:
        assert_stored(side, release)
        said = broker.receipt_says(release)
        assert said["verified"] is True
        assert said["seal_sha256"]
        assert [part["name"] for part in said["parts"]] == ["documents/referral.csv"]
    again = side.puller().run()
    assert (again.collected, again.ok) == ([], True)
    broker.publish(7)
    assert side.puller().run().collected == [release_id(7)]


def test_apart_is_collected_and_stays_closed(broker: FakeBroker, side: Side) -> None:
    release = broker.publish(1, apart=True)
    assert side.puller().run().ok
    place = side.root / release
    assert (place / "apart.jwe").read_bytes() == broker.objects[release, "apart"]
    assert not (place / "apart.jws").exists()
    assert {p["name"] for p in broker.receipt_says(release)["parts"]} == {
        "apart",
        "documents/referral.csv",
    }
    assert not any(NAME_CANARY.encode() in path.read_bytes() for path in place.rglob("*") if path.is_file())


class Crash(BaseException):
    """The power fails: no handler of the product may catch it."""


def crash_at(monkeypatch: pytest.MonkeyPatch, step: int) -> Callable[[], int]:
    """Fail at the n-th effect on disk or network; returns how many there were."""
    count = 0

    def counting(real: Any, *, after: bool = False) -> Any:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count == step and not after:
                raise Crash
            result = real(*args, **more)
            if count == step and after:
                raise Crash
            return result

        return call

    monkeypatch.setattr(folder_module, "replace_file", counting(folder_module.replace_file))
    monkeypatch.setattr(folder_module, "sync_directory", counting(folder_module.sync_directory))
    monkeypatch.setattr(Path, "rename", counting(Path.rename))
    monkeypatch.setattr(PartnerApi, "send_receipt", counting(PartnerApi.send_receipt, after=True))
    return lambda: count


@pytest.mark.slow
def test_crash_at_every_step_is_repaired_by_the_next_run(
    broker: FakeBroker, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases = [broker.publish(1), broker.publish(2)]
    crashes = 0
    for step in range(1, 200):
        side.root = side.root.with_name(f"store-{step}")
        broker.receipts.clear()
        with monkeypatch.context() as patch:
            steps = crash_at(patch, step)
            try:
                side.puller().run()
            except Crash:
                crashes += 1
            else:
                break
        for release in releases:  # whatever stands there under its name is whole
            if (side.root / release).exists():
                assert_stored(side, release)
        report = side.puller().run()
        assert report.ok, report.lines()
        assert left_over(side) == []
        for release in releases:
            assert_stored(side, release)
            assert broker.receipts[release] == [(side.root / release / "receipt.jws").read_bytes()]
        assert json.loads((side.root / "cursor.json").read_bytes())["seq"] == 2
    assert crashes == steps() > 20


def test_receipt_is_sent_only_for_what_is_stored(
    broker: FakeBroker, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = broker.publish(1)

    def stored(self: PartnerApi, of: str, receipt: str) -> None:
        assert (side.root / of / "receipt.jws").read_text() == receipt
        raise Crash

    monkeypatch.setattr(PartnerApi, "send_receipt", stored)
    with pytest.raises(Crash):
        side.puller().run()
    monkeypatch.undo()
    assert broker.receipts == {}
    assert side.puller().run().collected == [release]
    first = broker.receipts[release]
    assert first == [(side.root / release / "receipt.jws").read_bytes()]


def test_another_receipt_at_the_broker_is_told_once(broker: FakeBroker, side: Side) -> None:
    release = broker.publish(1)
    assert side.puller().run().ok
    side.root = side.root.with_name("after-the-disk-was-lost")
    report = side.puller().run()
    assert [failure.code for failure in report.failures] == ["receipt-present"]
    assert_stored(side, release)
    assert side.puller().run().ok


def test_gap_is_reported_in_words_and_stays_reported(broker: FakeBroker, side: Side) -> None:
    for number in range(6):
        broker.publish(number)
    broker.lost = {3, 4}
    report = side.puller().run()
    assert not report.ok
    assert len(report.collected) == 4
    (gap,) = report.gaps
    assert gap.startswith("numbers 3 to 4 of the feed never came")
    assert side.puller().run().gaps == [gap]


def test_first_row_missing_is_a_gap(broker: FakeBroker, side: Side) -> None:
    broker.publish(1)
    broker.publish(2)
    broker.lost = {1}
    assert side.puller().run().gaps[0].startswith("number 1 of the feed never came")


def test_feed_that_goes_back_stops_the_run(broker: FakeBroker, side: Side) -> None:
    broker.publish(1)
    broker.publish(2)
    assert side.puller().run().ok
    broker.rows.append({**broker.rows[0], "position": 999})
    report = side.puller().run()
    assert "went back" in report.stopped
    assert report.collected == []


def other_signer(broker: FakeBroker) -> SigningKey:
    typs = broker.issuer.typs
    return SigningKey.load(broker.issuer.kid, typs, ec.generate_private_key(ec.SECP256R1()))


def damage(broker: FakeBroker, release: str, part: str, at: int = -30) -> None:
    body = bytearray(broker.objects[release, part])
    body[at] = ord("A") if body[at] != ord("A") else ord("B")
    broker.objects[release, part] = bytes(body)


TAMPERED: dict[str, Callable[[FakeBroker, str], None]] = {
    "referral damaged": lambda b, r: damage(b, r, "referral"),
    "document damaged": lambda b, r: damage(b, r, "documents/referral.csv"),
    "proof of another": lambda b, r: b.objects.update({(r, "proof"): b.objects[b.other, "proof"]}),
    "document of another size": lambda b, r: b.objects.update({(r, "documents/referral.csv"): b"no JWE"}),
    "signed by a stranger": lambda b, r: b.build(r, signer=other_signer(b)),
    "another genuine release": lambda b, r: b.build(release_id(77), under=r),
    "for another carrier": lambda b, r: b.build(r, carrier="pt_other"),
    "wrong entity tag": lambda b, r: setattr(b, "wrong_tag", True),
    "no proof": lambda b, r: b.objects.__delitem__((r, "proof")),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampered_is_refused_not_stored_not_receipted(broker: FakeBroker, side: Side, name: str) -> None:
    bad, fine = broker.publish(1), broker.publish(2)
    broker.other = fine  # type: ignore[attr-defined]
    TAMPERED[name](broker, bad)
    report = side.puller().run()
    assert bad in [failure.release for failure in report.failures]
    assert not (side.root / bad).exists()
    assert bad not in broker.receipts
    assert left_over(side) == []
    if name != "wrong entity tag":
        assert report.collected == [fine]  # one bad release does not block the others
    assert all(line.count(".") for line in report.lines() if line.startswith("FAILED"))
    broker.wrong_tag = False
    broker.build(bad)
    healed = side.puller().run()
    assert healed.ok, healed.lines()
    assert_stored(side, bad)


def test_withdrawn_before_and_after_collection(broker: FakeBroker, side: Side) -> None:
    kept = broker.publish(1)
    assert side.puller().run().ok
    broker.withdraw(kept)
    never = broker.publish(2)
    broker.withdraw(never)
    report = side.puller().run()
    assert report.ok
    assert report.collected == []
    assert set(report.withdrawn) == {kept, never}
    assert (side.root / "withdrawals" / f"{kept}.json").exists()
    assert (side.root / kept / "referral.json").exists()
    assert not (side.root / never).exists()


def test_a_failed_release_that_is_withdrawn_is_not_tried_for_ever(broker: FakeBroker, side: Side) -> None:
    bad = broker.publish(1)
    damage(broker, bad, "referral")
    assert not side.puller().run().ok
    broker.withdraw(bad)
    assert side.puller().run().ok
    assert json.loads((side.root / "cursor.json").read_bytes())["pending"] == {}


def test_busy_broker_stops_without_losing_the_place(broker: FakeBroker, side: Side) -> None:
    first, second = broker.publish(1), broker.publish(2)
    broker.unavailable = {f"/v1/referrals/{second}"}
    report = side.puller().run()
    assert report.collected == [first]
    assert "wait" in report.stopped
    broker.unavailable = set()
    assert side.puller().run().collected == [second]


def test_unreachable_broker_is_said_in_words(broker: FakeBroker, side: Side) -> None:
    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    side.http = httpx.Client(transport=httpx.MockTransport(down))
    report = side.puller().run()
    assert report.stopped.startswith("The broker was not reached (ConnectError).")


def test_urgent_first_then_all(broker: FakeBroker, side: Side) -> None:
    slow, urgent = broker.publish(1), broker.publish(2, urgency="U1")
    assert side.puller().run("U1").collected == [urgent]
    assert side.puller().run("U4").ok
    report = side.puller().run()
    assert report.ok
    assert set(report.collected) == {slow, urgent}
    assert len(broker.receipts[urgent]) == 1


def test_one_run_at_a_time_and_one_partner_a_folder(broker: FakeBroker, side: Side) -> None:
    broker.publish(1)
    with Folder(side.root, "pt_police").locked(), pytest.raises(Conflict):
        side.puller().run()
    assert side.puller().run().ok
    with pytest.raises(Misconfigured, match="another partner"):
        side.puller(partner="pt_other").run()


def test_damaged_cursor_stops_and_says_what_to_do(broker: FakeBroker, side: Side) -> None:
    broker.publish(1)
    assert side.puller().run().ok
    cursor = side.root / "cursor.json"
    cursor.write_bytes(cursor.read_bytes()[:-5])
    with pytest.raises(Misconfigured) as caught:
        side.puller().run()
    assert "Move it away" in caught.value.hint
    cursor.unlink()
    assert side.puller().run().ok


def test_without_trust_nothing_but_sealed(side: Side) -> None:
    with pytest.raises(Misconfigured, match="trust folder"):
        side.puller(trust=None)


@pytest.mark.parametrize(
    "change",
    [
        {"release": "../../etc/x"},
        {"sizes": {"apart": 0, "documents": [{"name": "../x"}]}},
        {"sizes": {"apart": 0, "documents": [{"name": ".hidden"}]}},
        {"seq": "1"},
        {"event": "other"},
        {"sizes": None},
    ],
)
def test_hostile_feed_row_is_refused(broker: FakeBroker, side: Side, change: Any) -> None:
    broker.publish(1)
    broker.rows[0].update(change)
    report = side.puller().run()
    assert "not of the documented form" in report.stopped
    assert sorted(p.name for p in side.root.iterdir()) == [".lock"]
