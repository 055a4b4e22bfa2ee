"""What opens and closes: regret, withdrawal, retrieval window, agreements, drafts, batches, new keys."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlmodel import select

from broker.client.api import PartnerApi
from broker.client.auth import BrokerAuth
from broker.client.keys import new_partner_keys
from broker.client.pull import Puller, PullReport
from broker.core.canonical import decode
from broker.demo.house import AGENCIES, House, agreement_body
from broker.desk import (
    agreements,
    casefile,
    confirm,
    draft,
    intake,
    partners,
    publish,
    register,
    release,
    retain,
)
from broker.desk.partners import Registration
from broker.desk.release import Choice
from broker.errors import Conflict, Forbidden, NotFound, Refused
from broker.jobs import note_checker, settle
from broker.sealing.trust import Trust
from broker.sealing.verify import verify_folder
from broker.store import ledger_verify, tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import Document, full_case, minimal_case


class Clock:
    """The real time, moved by hand: tokens and proofs of the client need it to be near."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, **by: float) -> None:
        self.ahead += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(house: House, clock: Clock) -> House:
    settings = house.desk.settings.model_copy(update={"regret_seconds": 180})
    return replace(house, desk=replace(house.desk, clock=clock, settings=settings))


def lead(urgency: str = "U3") -> Document:
    document = minimal_case("person_lead")
    document["case"]["urgency"] = urgency
    document["assessment"] = {"minor_check": "done"}
    return document


def abroad() -> Document:
    """Content in France and the Netherlands: the hotline there gets it, by agreement only."""
    document = minimal_case("content_report")
    document["case"]["urgency"] = "U3"
    document["locations"]["loc1"]["country"] = "NL"
    return document


def signed(house: House, to: str = "police", document: Document | None = None) -> draft.Drafted:
    """Released and signed; published only when it is due."""
    case_id = build.confirmed(house, document or lead())
    made = build.drafted(house, case_id, to)
    build.approve(house, made)
    settle(house.desk)
    return made


def ledger_ok(house: House) -> None:
    with house.desk.db.connect("app") as conn:
        found = ledger_verify.verify_all(conn, note_checker(house.desk))
    assert found.ok, found.words()


def feed_of(house: House, to: str) -> list[tuple[str, str]]:
    with house.desk.db.connect("app") as conn:
        return conn.execute(
            "select event, release_id from feed where partner_id = %s order by seq", [house.partners[to]]
        ).fetchall()


class Partner:
    """A partner's software against a served house, by the house's clock."""

    def __init__(self, house: House, url: str, name: str, folder: Path) -> None:
        self.house, self.url, self.name, self.folder = house, url, name, folder
        self.trust = build.trust(house, folder / f"trust-{name}")

    def api(self) -> PartnerApi:
        held = self.house.partner_keys(self.name)
        auth = BrokerAuth(
            self.url,
            self.house.partners[self.name],
            held.get("auth"),
            held.get("dpop"),
            clock=lambda: self.house.desk.clock().timestamp(),
        )
        return PartnerApi(self.url, auth)

    def pull(self) -> PullReport:
        with self.api() as api:
            return Puller(
                api,
                self.house.partner_keys(self.name),
                self.folder / self.name,
                self.house.partners[self.name],
                trust=Trust.load(self.trust),
                now=self.house.desk.clock,
            ).run()

    def place(self, made: draft.Drafted) -> Path:
        return self.folder / self.name / made.release


@contextmanager
def served(house: House, folder: Path, *names: str) -> Iterator[list[Partner]]:
    with build.serving(house, worker=False, dated=False) as (url, there):
        yield [Partner(there, url, name, folder) for name in names]


def test_nothing_can_be_collected_before_the_regret_is_over(
    timed: House, clock: Clock, tmp_path: Path
) -> None:
    made = signed(timed)
    with served(timed, tmp_path, "police") as (police,):
        assert police.pull().collected == []
        with police.api() as api, pytest.raises(NotFound):
            api.collect(made.release)
        clock.forward(seconds=181)
        settle(timed.desk)
        assert police.pull().collected == [made.release]
    ledger_ok(timed)


def test_a_cancel_in_time_means_never_and_a_late_one_is_refused(
    timed: House, clock: Clock, tmp_path: Path
) -> None:
    regretted, kept = signed(timed), signed(timed)
    with unit_of_work(timed.desk.db) as session:
        publish.cancel(timed.desk, session, timed.people["releaser"], regretted.release)
    clock.forward(seconds=181)
    settle(timed.desk)
    assert feed_of(timed, "police") == [("published", kept.release)]
    with unit_of_work(timed.desk.db) as session, pytest.raises(Conflict) as refused:
        publish.cancel(timed.desk, session, timed.people["releaser"], kept.release)
    assert refused.value.code == "too-late"
    with served(timed, tmp_path, "police") as (police,):
        assert police.pull().collected == [kept.release]
        with police.api() as api, pytest.raises(NotFound):
            api.collect(regretted.release)
    ledger_ok(timed)


def test_a_withdrawal_answers_gone_supersedes_in_the_feed_and_the_client_says_so(
    timed: House, clock: Clock, tmp_path: Path
) -> None:
    early, late = signed(timed), signed(timed)
    clock.forward(seconds=181)
    settle(timed.desk)
    with served(timed, tmp_path, "police") as (police,):
        with police.api() as api:
            api.collect(early.release)
        with unit_of_work(timed.desk.db) as session:
            for made in (early, late):
                publish.withdraw(timed.desk, session, timed.people["releaser"], made.release, "incorrect")
        with police.api() as api, pytest.raises(Conflict) as gone:
            api.collect(late.release)
        assert gone.value.code == "gone"
        settle(timed.desk)
        with police.api() as api:
            rows = api.feed().items
        assert [row.event for row in rows] == ["published", "published", "withdrawn", "withdrawn"]
        assert [row.raw["supersedes"] for row in rows[2:]] == [early.release, late.release]
        report = police.pull()
    assert set(report.withdrawn) == {early.release, late.release}
    assert f"withdrawn: {late.release}" in report.lines()
    assert (tmp_path / "police" / "withdrawals" / f"{late.release}.json").is_file()
    ledger_ok(timed)


def test_a_withdrawal_inside_the_regret_is_a_cancel_with_its_own_leaf(timed: House, clock: Clock) -> None:
    made = signed(timed)
    with unit_of_work(timed.desk.db) as session:
        publish.withdraw(timed.desk, session, timed.people["releaser"], made.release, "incorrect")
    clock.forward(seconds=181)
    settle(timed.desk)
    assert feed_of(timed, "police") == []
    with timed.desk.db.connect("app") as conn:
        leaves = conn.execute(
            "select e.leaf_type from ledger_leaf l join event e on e.id = l.event_id"
            " where l.release_id = %s order by l.position",
            [made.release],
        ).fetchall()
    assert {leaf for (leaf,) in leaves} == {"approved", "correction", "cancelled"}
    ledger_ok(timed)


def test_the_window_runs_from_the_first_collection_and_the_agreement_narrows_it(
    timed: House, clock: Clock, tmp_path: Path
) -> None:
    body = agreement_body(timed.desk, timed.partners["police"], AGENCIES["police"], version=2)
    body["communication"]["retrieval_window_days"] = 5
    with unit_of_work(timed.desk.db) as session:
        args = (timed.desk, session)
        digest = agreements.propose(*args, timed.people["officer"], timed.partners["police"], body)
        agreements.approve(*args, timed.people["releaser"], timed.partners["police"], digest)
    made = signed(timed)
    clock.forward(days=20)  # nobody came: nothing expires
    settle(timed.desk)
    with served(timed, tmp_path, "police") as (police,), police.api() as api:
        first = api.collect(made.release)
        clock.forward(days=4)
        assert api.collect(made.release) == first
        clock.forward(days=2)
        with pytest.raises(Conflict):
            api.collect(made.release)


def test_a_suspended_agreement_stops_collecting_but_not_what_follows_it(
    timed: House, clock: Clock, tmp_path: Path
) -> None:
    got, waiting = signed(timed, "hotline", abroad()), signed(timed, "hotline", abroad())
    statutory = signed(timed, "police")
    clock.forward(seconds=181)
    settle(timed.desk)
    with served(timed, tmp_path, "hotline", "police") as (hotline, police):
        report = hotline.pull()
        assert report.collected == [got.release, waiting.release], report.lines()
        with unit_of_work(timed.desk.db) as session:
            for name in ("hotline", "police"):
                agreements.set_status(
                    timed.desk, session, timed.people["officer"], timed.partners[name], 1, "suspended"
                )
        with hotline.api() as api:
            with pytest.raises(Forbidden):
                api.collect(waiting.release)
            with pytest.raises(Forbidden):
                api.document(waiting.release, "referral.pdf")
            receipt = (hotline.place(got) / "receipt.jws").read_text()
            api.send_receipt(got.release, receipt)
            api.read(got.release, "triage")
            api.answer(got.release, uuid4(), "O10")
            assert api.proof(got.release)
        assert police.pull().collected == [statutory.release]
        with pytest.raises(Refused):
            signed(timed, "hotline", abroad())
        again = build.drafted(timed, build.confirmed(timed, lead()), "police")
        assert again.composition.minimised.view.scope.statutory
        with unit_of_work(timed.desk.db) as session:
            agreements.set_status(
                timed.desk, session, timed.people["officer"], timed.partners["hotline"], 1, "active"
            )
        with hotline.api() as api:
            assert api.collect(waiting.release)


def renew(house: House, name: str, version: int, **data: list[str]) -> None:
    """The next agreement with a partner, in force at once; `data` narrows it."""
    body = agreement_body(house.desk, house.partners[name], AGENCIES[name], version=version)
    body["data"].update(data)
    with unit_of_work(house.desk.db) as session:
        args = (house.desk, session)
        digest = agreements.propose(*args, house.people["officer"], house.partners[name], body)
        agreements.approve(*args, house.people["releaser"], house.partners[name], digest)


def test_what_lies_under_a_lapsed_agreement_does_not_hold_up_what_came_after_it(
    timed: House, clock: Clock, tmp_path: Path
) -> None:
    lapsed = signed(timed, "hotline", abroad())
    with unit_of_work(timed.desk.db) as session:
        officer, hotline_id = timed.people["officer"], timed.partners["hotline"]
        agreements.set_status(timed.desk, session, officer, hotline_id, 1, "ended")
    renew(timed, "hotline", 2)
    later = signed(timed, "hotline", abroad())
    clock.forward(seconds=181)
    settle(timed.desk)
    with served(timed, tmp_path, "hotline") as (hotline,):
        report = hotline.pull()
        assert report.collected == [later.release], report.lines()
        assert [(f.release, f.code) for f in report.failures] == [(lapsed.release, "agreement-not-in-force")]
        assert report.stopped == ""
        with unit_of_work(timed.desk.db) as session:
            agreements.set_status(timed.desk, session, officer, hotline_id, 1, "active")
        assert hotline.pull().collected == [lapsed.release]


def test_a_window_that_closed_is_not_told_as_a_withdrawal(timed: House, clock: Clock, tmp_path: Path) -> None:
    """The partner lost its folder after the window: what it has elsewhere still stands."""
    made = signed(timed)
    clock.forward(seconds=181)
    settle(timed.desk)
    with served(timed, tmp_path, "police") as (police,):
        assert police.pull().collected == [made.release]
        shutil.rmtree(tmp_path / "police")
        clock.forward(days=40)
        report = police.pull()
        assert (report.withdrawn, [f.code for f in report.failures]) == ([], ["window-closed"])
        assert "ask the broker's desk" in report.lines()[-1].lower()
        assert not (tmp_path / "police" / "withdrawals" / f"{made.release}.json").exists()
        assert police.pull().ok  # told once: it does not come back


def test_an_erased_referral_of_ones_own_feed_is_gone_and_not_a_404_for_ever(
    timed: House, clock: Clock, tmp_path: Path
) -> None:
    made = signed(timed)
    clock.forward(seconds=181)
    settle(timed.desk)
    with unit_of_work(timed.desk.db) as session:
        case_id = session.get_one(tables.Release, made.release).case_id
    retain.erase_case(timed.desk, timed.people["officer"], case_id)
    with served(timed, tmp_path, "police", "hotline") as (police, hotline):
        with hotline.api() as api, pytest.raises(NotFound):
            api.collect(made.release)
        report = police.pull()
        assert [(f.release, f.code) for f in report.failures] == [(made.release, "erased")]
        assert police.pull().ok


def test_what_is_erased_inside_its_regret_is_never_published(timed: House, clock: Clock) -> None:
    made = signed(timed)
    with unit_of_work(timed.desk.db) as session:
        case_id = session.get_one(tables.Release, made.release).case_id
    retain.erase_case(timed.desk, timed.people["officer"], case_id)
    clock.forward(seconds=181)
    settle(timed.desk)
    assert feed_of(timed, "police") == []
    ledger_ok(timed)


def test_who_does_not_get_the_urgency_gets_no_clock_either(timed: House, clock: Clock) -> None:
    renew(timed, "police", 2, fields_removed=["F06", "F84"])
    signed(timed, "police", lead("U2"))
    clock.forward(seconds=181)
    settle(timed.desk)
    with timed.desk.db.connect("app") as conn:
        ((row, urgency),) = conn.execute("select row, urgency from feed").fetchall()
    shown = json.loads(bytes(row))
    assert (shown["urgency"], urgency, shown["caseKind"]) == ("U4", "U4", "content_report")
    assert shown["deadline"] is None


def test_a_no_after_the_draft_stops_it(timed: House, waiting: draft.Drafted) -> None:
    """Two people confirmed what was drafted; a third one says no before it is signed."""
    with unit_of_work(timed.desk.db) as session:
        row = session.get_one(tables.Draft, waiting.release)
        case_id = session.get_one(tables.Referral, row.referral_id).case_id
        (kind,) = session.exec(select(tables.Claim.kind).where(tables.Claim.case_id == case_id)).all()
        third = replace(timed.people["releaser"], roles=frozenset({"analyst"}))
        confirm.claim(timed.desk, session, third, case_id, kind, says=False)
    approve(timed, "releaser", Choice(waiting.release, waiting.digest))
    settle(timed.desk)
    with unit_of_work(timed.desk.db) as session:
        assert session.get(tables.Release, waiting.release) is None
        assert session.get_one(tables.DraftRefusal, waiting.release).code == "claim-disputed"


def test_an_ended_agreement_does_not_bring_the_one_before_it_back(timed: House) -> None:
    partner = timed.partners["hotline"]
    with unit_of_work(timed.desk.db) as session:
        body = agreement_body(timed.desk, partner, AGENCIES["hotline"], version=2)
        digest = agreements.propose(timed.desk, session, timed.people["officer"], partner, body)
        agreements.approve(timed.desk, session, timed.people["releaser"], partner, digest)
    with unit_of_work(timed.desk.db) as session:
        agreements.set_status(timed.desk, session, timed.people["officer"], partner, 2, "ended")
    with unit_of_work(timed.desk.db) as session:
        assert agreements.terms_in_force(session, partner, timed.desk.now()) is None


@pytest.fixture
def waiting(timed: House) -> draft.Drafted:
    """A draft that nobody approved yet."""
    return build.drafted(timed, build.confirmed(timed, lead()), "police")


def approve(house: House, who: str, *choices: Choice, **roles: frozenset[str]) -> str | None:
    person = replace(house.people[who], **roles) if roles else house.people[who]
    with unit_of_work(house.desk.db) as session:
        return release.approve(house.desk, session, person, choices)


def test_an_expired_draft_is_not_approved_and_its_content_goes(
    timed: House, clock: Clock, waiting: draft.Drafted
) -> None:
    clock.forward(hours=25)
    with pytest.raises(Conflict) as refused:
        approve(timed, "releaser", Choice(waiting.release, waiting.digest))
    assert refused.value.code == "draft-expired"
    assert draft.expire_old(timed.desk) == 1
    with unit_of_work(timed.desk.db) as session:
        assert session.get(tables.DraftBlob, waiting.release) is None
        assert session.get(tables.Draft, waiting.release) is not None


def test_an_approved_draft_that_expires_before_it_is_signed_is_closed(
    timed: House, clock: Clock, waiting: draft.Drafted
) -> None:
    approve(timed, "releaser", Choice(waiting.release, waiting.digest))
    clock.forward(hours=25)
    settle(timed.desk)
    with unit_of_work(timed.desk.db) as session:
        assert session.get(tables.Release, waiting.release) is None
        assert session.get_one(tables.DraftRefusal, waiting.release).code == "expired"


def test_another_digest_ones_own_draft_and_a_second_approval_are_refused(
    timed: House, waiting: draft.Drafted
) -> None:
    right = Choice(waiting.release, waiting.digest)
    with pytest.raises(Conflict) as refused:
        approve(timed, "releaser", Choice(waiting.release, "0" * 64))
    assert refused.value.code == "other-digest"
    with pytest.raises(Conflict) as refused:
        approve(timed, "analyst-1", right, roles=frozenset({"analyst", "releaser"}))
    assert refused.value.code == "own-draft"
    with pytest.raises(Forbidden):
        approve(timed, "analyst-2", right)
    approve(timed, "releaser", right)
    with pytest.raises(Conflict) as refused:
        approve(timed, "releaser", right)
    assert refused.value.code == "already-approved"


def test_a_case_that_changed_meanwhile_takes_its_drafts_along(timed: House, waiting: draft.Drafted) -> None:
    with unit_of_work(timed.desk.db) as session:
        row = session.get_one(tables.Draft, waiting.release)
        case_id = session.get_one(tables.Referral, row.referral_id).case_id
        raw = json.dumps(lead("U2")).encode()
        intake.amend(timed.desk, session, timed.people["analyst-1"], case_id, raw)
    approve(timed, "releaser", Choice(waiting.release, waiting.digest))
    settle(timed.desk)
    with unit_of_work(timed.desk.db) as session:
        assert session.get(tables.Release, waiting.release) is None
        assert session.get_one(tables.DraftRefusal, waiting.release).code == "case-changed"


def test_a_batch_is_for_what_needs_no_second_thought(timed: House) -> None:
    plain = [build.drafted(timed, build.confirmed(timed, lead()), "police") for _ in range(2)]
    urgent = build.drafted(timed, build.confirmed(timed, lead("U2")), "police")
    minor = lead()
    minor["persons"]["person1"]["minor_flag"] = "minor"
    young = build.drafted(timed, build.confirmed(timed, minor), "police")
    other = build.drafted(timed, build.confirmed(timed, abroad()), "hotline")
    choices = [Choice(d.release, d.digest) for d in (*plain, urgent, young, other)]
    for odd in (choices[2], choices[3]):
        with pytest.raises(Refused) as refused:
            approve(timed, "releaser", choices[0], odd)
        assert [issue.field for issue in refused.value.issues] == [odd.release]
    batch = approve(timed, "releaser", *choices[:2])
    with unit_of_work(timed.desk.db) as session:
        rows = [session.get_one(tables.Approval, (d.release, "release")) for d in plain]
    assert {row.batch for row in rows} == {batch}
    settle(timed.desk)
    with unit_of_work(timed.desk.db) as session:
        assert all(session.get(tables.Release, d.release) for d in plain)


def test_a_justified_field_is_released_singly(timed: House) -> None:
    document = full_case("person_lead")
    document["case"]["urgency"] = "U3"
    case_id = build.confirmed(timed, document)
    plain = build.drafted(timed, build.confirmed(timed, lead()), "police")
    opened = build.drafted(timed, case_id, "police", grounds={"F39": "identify-person"})
    with pytest.raises(Refused) as refused:
        approve(timed, "releaser", *(Choice(d.release, d.digest) for d in (plain, opened)))
    assert opened.release in {issue.field for issue in refused.value.issues}


def test_a_stored_draft_that_is_not_what_was_approved_is_not_signed(
    timed: House, waiting: draft.Drafted
) -> None:
    """Somebody with the keys of the case swaps the stored draft for another whole, decodable one."""
    approve(timed, "releaser", Choice(waiting.release, waiting.digest))
    with unit_of_work(timed.desk.db) as session:
        row = session.get_one(tables.Draft, waiting.release)
        case_id = session.get_one(tables.Referral, row.referral_id).case_id
        record = waiting.composition.record
        changed = replace(record, payload=record.payload.replace(b'"version":1', b'"version":9'))
        assert decode(changed.payload, max_bytes=1 << 24)["version"] == 9
        key_id, blob = casefile.seal_blob(
            timed.desk, session, case_id, "draft_blob", waiting.release, changed.encode()
        )
        session.delete(session.get_one(tables.DraftBlob, waiting.release))
        session.flush()
        session.add(tables.DraftBlob(release_id=waiting.release, blob=blob, key_id=key_id))
    settle(timed.desk)
    with unit_of_work(timed.desk.db) as session:
        assert session.get(tables.Release, waiting.release) is None


@pytest.mark.parametrize("change", ["apart", "documents", "grounds"])
def test_no_part_of_a_draft_can_be_exchanged(timed: House, change: str) -> None:
    case_id = build.confirmed(timed, lead())
    made = build.drafted(timed, case_id, "police")
    record = made.composition.record
    swapped = {
        "apart": {"apart": record.units[:1]},
        "documents": {"documents": record.documents[:1]},
        "grounds": {"grounds": {"F39": "identify-person"}},
    }[change]
    approve(timed, "releaser", Choice(made.release, made.digest))
    with unit_of_work(timed.desk.db) as session:
        changed = replace(record, **swapped).encode()
        key_id, blob = casefile.seal_blob(timed.desk, session, case_id, "draft_blob", made.release, changed)
        session.delete(session.get_one(tables.DraftBlob, made.release))
        session.flush()
        session.add(tables.DraftBlob(release_id=made.release, blob=blob, key_id=key_id))
    settle(timed.desk)
    with unit_of_work(timed.desk.db) as session:
        assert session.get(tables.Release, made.release) is None


def test_a_flipped_byte_of_a_stored_draft_stops_that_release_and_no_other(
    timed: House, waiting: draft.Drafted
) -> None:
    other = build.drafted(timed, build.confirmed(timed, lead()), "police")
    for made in (waiting, other):
        approve(timed, "releaser", Choice(made.release, made.digest))
    with unit_of_work(timed.desk.db) as session:
        row = session.get_one(tables.DraftBlob, waiting.release)
        blob = bytearray(row.blob)
        blob[len(blob) // 2] ^= 1
        session.delete(row)
        session.flush()
        session.add(tables.DraftBlob(release_id=waiting.release, blob=bytes(blob), key_id=row.key_id))
    settle(timed.desk)
    with unit_of_work(timed.desk.db) as session:
        assert session.get(tables.Release, waiting.release) is None
        assert session.get(tables.Release, other.release) is not None


def test_two_approved_drafts_of_one_version_give_one_release_and_hold_nobody_up(timed: House) -> None:
    case_id = build.confirmed(timed, lead())
    twins = [build.drafted(timed, case_id, "police") for _ in range(2)]
    other = build.drafted(timed, build.confirmed(timed, lead()), "police")
    for made in (*twins, other):
        approve(timed, "releaser", Choice(made.release, made.digest))
    settle(timed.desk)
    with unit_of_work(timed.desk.db) as session:
        assert session.get(tables.Release, other.release) is not None
        lost = [made.release for made in twins if session.get(tables.Release, made.release) is None]
        assert len(lost) == 1
        assert session.get_one(tables.DraftRefusal, lost[0]).code == "overtaken"
    ledger_ok(timed)


def test_a_reseal_is_for_a_new_key_and_changes_neither_seal_nor_proof(
    timed: House, clock: Clock, tmp_path: Path
) -> None:
    made = signed(timed)
    clock.forward(seconds=181)
    settle(timed.desk)
    fresh = tmp_path / "fresh"
    document = new_partner_keys(fresh, "Synthetic Federal Police (example)", clock(), unencrypted=True)
    (enc,) = [key for key in Registration.read(document).keys if key.use == "enc"]
    clock.forward(seconds=2)  # the newest key is the one in use
    with unit_of_work(timed.desk.db) as session:
        partners.add_key(timed.desk, session, timed.partners["police"], enc)
    with unit_of_work(timed.desk.db) as session:
        assert publish.reseal(timed.desk, session, timed.people["custodian"], made.release) == 2
    with served(timed, tmp_path, "police") as (police,):
        report = police.pull()
        assert [failure.release for failure in report.failures] == [made.release]  # only the old key
        keys = timed.keys / timed.partners["police"]
        renewed = tmp_path / "both"
        shutil.copytree(keys, renewed / keys.name)
        shutil.copy(fresh / "enc.pem", renewed / keys.name / "enc-next.pem")
        there = replace(police.house, keys=renewed)
        again = Partner(there, police.url, "police", tmp_path)
        report = again.pull()
        assert report.collected == [made.release], report.lines()
        verified = verify_folder(again.place(made), again.trust)
        assert verified.ok, verified.lines()
    with unit_of_work(timed.desk.db) as session:
        (row,) = csv.DictReader(io.StringIO("".join(register.to_csv(session))))
        sealed = session.get_one(tables.Release, made.release).seal_sha256
    assert row["receipt_verified"] == "yes"
    assert row["seal_sha256"] == sealed
    ledger_ok(timed)
