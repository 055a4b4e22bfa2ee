"""The urgent path: one person, a reason, domestic police, at once; and what is late afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from broker.core.canonical import decode
from broker.demo.house import House
from broker.desk import confirm, draft, examine, overdue, publish, release
from broker.desk.confirm import Call
from broker.desk.draft import Request
from broker.errors import Conflict, Forbidden, Refused
from broker.jobs import settle
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import Document, full_case, minimal_case

REASON = "live-stream"


class Clock:
    """Moves only when told."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(house: House, clock: Clock) -> House:
    """The house with a regret of three minutes, under a clock of the test's."""
    settings = house.desk.settings.model_copy(update={"regret_seconds": 180})
    return replace(house, desk=replace(house.desk, clock=clock, settings=settings))


def danger(house: House) -> UUID:
    return build.take_in(house, minimal_case("danger"))


def lead() -> Document:
    document = minimal_case("person_lead")
    document["case"]["urgency"] = "U2"
    document["assessment"] = {"minor_check": "done"}
    return document


def sent(house: House, case_id: UUID) -> draft.Drafted:
    """Drafted and released by one person."""
    made = build.drafted(house, case_id, "police", urgent_reason=REASON)
    with unit_of_work(house.desk.db) as session:
        choice = release.Choice(made.release, made.digest)
        release.approve(house.desk, session, house.people["analyst-1"], [choice])
    settle(house.desk)
    return made


def late(house: House) -> list[tuple[str, str]]:
    with unit_of_work(house.desk.db) as session:
        return [(row.kind, row.release) for row in overdue.overdue(house.desk, session)]


def call(house: House, case_id: UUID, *, answered: bool, read_back: bool) -> None:
    with unit_of_work(house.desk.db) as session:
        said = Call("duty-desk", answered, read_back, "Synthetic Officer Quillfeather")
        confirm.log_call(house.desk, session, house.people["analyst-1"], case_id, REASON, said)


def test_one_person_sends_an_unconfirmed_case_at_once_and_it_says_so(timed: House) -> None:
    made = sent(timed, danger(timed))
    payload = decode(made.composition.referral.payload, max_bytes=1 << 24)
    assert payload["unconfirmed"] is True
    with unit_of_work(timed.desk.db) as session:
        row = session.get_one(tables.Release, made.release)
        assert row.urgent
        assert row.drafted_by == row.approved_by
        assert row.due_at == row.released_at  # no regret for a child in danger
    with timed.desk.db.connect("app") as conn:
        events = conn.execute("select event from feed where release_id = %s", [made.release]).fetchall()
    assert events == [("published",)]


def test_the_profile_is_held_to_urgent_child_protection(timed: House) -> None:
    document = full_case("danger")
    document["case"]["urgency"] = "U1"
    made = sent(timed, build.take_in(timed, document))
    assert made.composition.minimised.view.scope.urgent
    fields = made.composition.minimised.manifest["fields"]
    # F57 (series) and F28 (Orb) serve other purposes than P1.
    for field_id in ("F57", "F28"):
        assert fields[field_id]["state"] == "withheld", field_id
    assert fields["F37"]["state"] == "passed"


@pytest.mark.parametrize("to", ["prosecutor", "hotline", "europol", "ncmec"])
def test_nobody_but_the_domestic_police_by_this_path(timed: House, to: str) -> None:
    with pytest.raises(Refused) as refused:
        build.drafted(timed, danger(timed), to, urgent_reason=REASON)
    assert refused.value.code == "no-route"


def test_the_database_itself_refuses_others(timed: House) -> None:
    """A process that skipped every rule of the program still cannot store it."""
    made = sent(timed, danger(timed))
    with timed.desk.db.connect("app") as conn:
        columns = [
            row[0]
            for row in conn.execute(
                "select column_name from information_schema.columns where table_name = 'release'"
                " and table_schema = 'public' order by ordinal_position"
            )
        ]
        values = ", ".join(
            {
                "release_id": "'" + "b" * 26 + "'",
                "addressee": "%(other)s",
                "addressee_class": "'EUR'",
                "version": "2",
                "agreement_version": "null",
            }.get(name, f"r.{name}")
            for name in columns
        )
        names = ", ".join(columns)
        query = f"insert into release ({names}) select {values} from release r where release_id = %(of)s"
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            conn.execute(query, {"other": timed.partners["europol"], "of": made.release})
        assert refused.value.diag.constraint_name == "ck_release_urgent_is_domestic_police"


@pytest.mark.parametrize("reason", ["", "because", "live stream"])
def test_a_reason_is_one_of_the_coded_ones(timed: House, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        build.drafted(timed, danger(timed), "police", urgent_reason=reason)
    assert "urgent-reason-missing" in {issue.rule for issue in refused.value.issues}


def test_the_path_is_for_u1_and_for_analysts(timed: House) -> None:
    slow = build.take_in(timed, lead())
    with pytest.raises(Refused) as refused:
        build.drafted(timed, slow, "police", urgent_reason=REASON)
    assert "not-u1" in {issue.rule for issue in refused.value.issues}
    case_id = danger(timed)
    request = Request(case_id, timed.partners["police"], urgent_reason=REASON)
    with unit_of_work(timed.desk.db) as session, pytest.raises(Forbidden):
        draft.draft(timed.desk, session, timed.people["officer"], request)


def test_without_a_second_look_within_a_day_the_path_locks_for_that_person(
    timed: House, clock: Clock
) -> None:
    made = sent(timed, danger(timed))
    other = danger(timed)
    clock.forward(hours=23)
    build.drafted(timed, other, "police", urgent_reason=REASON)
    clock.forward(hours=2)
    with pytest.raises(Refused) as refused:
        build.drafted(timed, danger(timed), "police", urgent_reason=REASON)
    assert "urgent-path-locked" in {issue.rule for issue in refused.value.issues}
    assert ("retrospective-missing", made.release) in late(timed)
    with unit_of_work(timed.desk.db) as session:  # for that person only
        request = Request(other, timed.partners["police"], urgent_reason=REASON)
        draft.preview(timed.desk, session, timed.people["analyst-2"], request)
    with unit_of_work(timed.desk.db) as session:
        release.approve_afterwards(timed.desk, session, timed.people["releaser"], made.release)
    build.drafted(timed, other, "police", urgent_reason=REASON)
    assert ("retrospective-missing", made.release) not in late(timed)


def test_who_takes_an_urgent_release_back_has_looked_at_it(timed: House, clock: Clock) -> None:
    """Else the path would stay locked until somebody approved what should not have left."""
    made = sent(timed, danger(timed))
    own = sent(timed, danger(timed))
    with unit_of_work(timed.desk.db) as session:
        publish.withdraw(timed.desk, session, timed.people["releaser"], made.release, "incorrect")
        both = replace(timed.people["analyst-1"], roles=frozenset({"analyst", "releaser"}))
        publish.withdraw(timed.desk, session, both, own.release, "incorrect")
    clock.forward(hours=25)
    missing = {release for kind, release in late(timed) if kind == "retrospective-missing"}
    assert missing == {own.release}  # one's own second thought is no second look
    with unit_of_work(timed.desk.db) as session:
        locking = confirm.overdue_approvals(timed.desk, session, timed.people["analyst-1"].id)
        waiting = examine.second_looks(session, timed.people["releaser"])
    assert [row.release_id for row in locking] == [own.release]
    assert [row["release"] for row in waiting] == [own.release]


def test_nobody_looks_again_at_their_own(timed: House) -> None:
    made = sent(timed, danger(timed))
    both = replace(timed.people["analyst-1"], roles=frozenset({"analyst", "releaser"}))
    with unit_of_work(timed.desk.db) as session, pytest.raises(Conflict) as refused:
        release.approve_afterwards(timed.desk, session, both, made.release)
    assert refused.value.code == "own-draft"
    with timed.desk.db.connect("app") as conn, pytest.raises(psycopg.errors.CheckViolation):
        conn.execute(
            "insert into approval select release_id, 'retrospective', approved_by, drafted_by, urgent,"
            " digest, at, batch from approval where release_id = %s",
            [made.release],
        )


def test_only_a_desk_that_answered_stops_the_clock(timed: House, clock: Clock) -> None:
    case_id = danger(timed)
    call(timed, case_id, answered=True, read_back=True)  # before there was a reference to read back
    clock.forward(minutes=1)
    made = sent(timed, case_id)
    clock.forward(minutes=59)
    assert ("urgent-unanswered", made.release) not in late(timed)
    clock.forward(minutes=2)
    assert ("urgent-unanswered", made.release) in late(timed)
    call(timed, case_id, answered=False, read_back=False)
    call(timed, case_id, answered=True, read_back=False)
    assert ("urgent-unanswered", made.release) in late(timed)
    call(timed, case_id, answered=True, read_back=True)
    assert ("urgent-unanswered", made.release) not in late(timed)


def test_a_machine_that_collects_does_not_stop_it(timed: House, clock: Clock, tmp_path: Path) -> None:
    made = sent(timed, danger(timed))
    trust = build.trust(timed, tmp_path / "trust")
    # Tokens and proofs run by the real clock; the desk's goes on from it.
    with build.serving(timed, worker=False) as (url, served):
        build.pull(served, url, "police", tmp_path / "pulled", trust)
    clock.forward(hours=2)
    found = late(timed)
    assert ("uncollected", made.release) not in found
    assert ("urgent-unanswered", made.release) in found


def test_who_answered_rests_encrypted(timed: House) -> None:
    case_id = danger(timed)
    sent(timed, case_id)
    call(timed, case_id, answered=True, read_back=True)
    with timed.desk.db.connect("app") as conn:
        (row,) = conn.execute(
            "select u.*, r.record, r.key_id from urgent_call u"
            " join event_record r on r.event_id = u.record_event"
        ).fetchall()
    assert row[-1] is not None
    assert b"Quillfeather" not in row[-2]
    assert not any("Quillfeather" in str(value) for value in row[:-2])


def test_uncollected_turns_overdue_by_urgency_and_stays_a_child_s_case(timed: House, clock: Clock) -> None:
    urgent = sent(timed, danger(timed))
    slow = build.released(timed, "police", lead())
    clock.forward(minutes=4)
    settle(timed.desk)
    clock.forward(minutes=57)
    assert ("uncollected", urgent.release) in late(timed)
    assert ("uncollected", slow.release) not in late(timed)
    clock.forward(hours=24)
    assert ("uncollected", slow.release) in late(timed)
    clock.forward(days=60)
    with unit_of_work(timed.desk.db) as session:
        assert ("uncollected", slow.release) in late(timed)
        assert session.get(tables.SealedObject, (slow.release, "referral", 1)) is not None
        publish.withdraw(timed.desk, session, timed.people["releaser"], slow.release, "incorrect")
    assert ("uncollected", slow.release) not in late(timed)


def test_what_nobody_signs_or_publishes_and_what_was_closed_is_on_the_same_list(
    timed: House, clock: Clock
) -> None:
    case_id = build.confirmed(timed, lead())
    made = build.drafted(timed, case_id, "police")
    build.approve(timed, made)
    clock.forward(minutes=2)
    assert late(timed) == [("not-signed", made.release)]
    release.sign_approved(timed.desk)
    assert late(timed) == []
    clock.forward(minutes=5)
    assert late(timed) == [("not-published", made.release)]
    settle(timed.desk)
    assert late(timed) == []
    other = build.drafted(timed, build.confirmed(timed, lead()), "police")
    clock.forward(hours=25)
    draft.expire_old(timed.desk)
    assert ("draft-anew", other.release) in late(timed)
