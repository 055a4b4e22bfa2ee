"""Sampled review: the same draw for everybody, two people with no hand in it, half an hour, no identity."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from broker.auth import Actor, add_staff
from broker.core import form, sampling
from broker.core.fields import PERSONAL_INDEX_BAN
from broker.demo.house import House
from broker.desk import publish, review, sample
from broker.errors import Conflict, Forbidden, Refused
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build

PEOPLE = {
    f"r{n:03}": ("BEP|danger|U1" if n % 50 == 0 else "BEP|danger|U3" if n % 3 else "INH|danger|U4")
    for n in range(300)
}


def test_the_same_seed_draws_the_same() -> None:
    one = sampling.sample(PEOPLE, "ab" * 16, 20)
    assert one == sampling.sample(dict(reversed(PEOPLE.items())), "ab" * 16, 20)
    assert {d.unit for d in one} != {d.unit for d in sampling.sample(PEOPLE, "cd" * 16, 20)}
    assert Counter(d.stratum for d in one) == sampling.shares(Counter(PEOPLE.values()), 20)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 299, 300, 1000])
def test_shares_are_exact_and_rare_strata_are_seen(size: int) -> None:
    strata = Counter(PEOPLE.values())
    shares = sampling.shares(strata, size)
    assert sum(shares.values()) == min(size, 300)
    assert all(0 <= shares[name] <= strata[name] for name in strata)
    if size >= 3:
        assert min(shares.values()) >= 1


def test_the_algorithm_of_the_page_is_the_one_that_runs() -> None:
    """A frozen example: whoever writes it anew from the description gets these."""
    units = {f"u{n}": "a" if n < 4 else "b" for n in range(6)}
    assert [d.unit for d in sampling.sample(units, "00" * 16, 3)] == ["u3", "u2", "u5"]


def officer2(house: House) -> Actor:
    with unit_of_work(house.desk.db) as session:
        return add_staff(
            session, login="officer-2", roles=frozenset({"dpo"}), password="synthetic-demo-only",
            vetted_until=house.desk.now() + timedelta(days=90), now=house.desk.now(),
        )  # fmt: skip


def moved(house: House, **ahead: Any) -> House:
    start = house.desk.clock
    return replace(house, desk=replace(house.desk, clock=lambda: start() + timedelta(**ahead)))


@pytest.fixture
def drawn(house: House) -> tuple[House, str, UUID, Actor]:
    made = build.released(house)
    later = moved(house, hours=1)
    second = officer2(house)
    with unit_of_work(house.desk.db) as session:
        now = later.desk.now()
        draw = sample.draw(later.desk, session, house.people["officer"], now - timedelta(days=1), now)
    return later, made.release, draw, second


def ticket(house: House, draw: UUID, release: str) -> UUID:
    with unit_of_work(house.desk.db) as session:
        return review.ask(house.desk, session, house.people["officer"], draw, release)


def granted(house: House, second: Actor, draw: UUID, release: str) -> UUID:
    made = ticket(house, draw, release)
    with unit_of_work(house.desk.db) as session:
        review.grant(house.desk, session, second, made)
    return made


def test_a_ticket_opens_for_half_an_hour(drawn: tuple[House, str, UUID, Actor]) -> None:
    house, release, draw, second = drawn
    officer = house.people["officer"]
    made = ticket(house, draw, release)
    with unit_of_work(house.desk.db) as session:
        with pytest.raises(Conflict, match="not-granted"):
            review.open_ticket(house.desk, session, officer, made)
        until = review.grant(house.desk, session, second, made)
        opened = review.open_ticket(house.desk, session, officer, made)
        assert (opened.until, opened.release) == (until, release)
        with pytest.raises(Forbidden):
            review.open_ticket(house.desk, session, second, made)
        review.say(house.desk, session, officer, made, {"F29": "necessary", "F37": "excessive"})
        with pytest.raises(Conflict, match="verdict-given"):
            review.say(house.desk, session, officer, made, {"F29": "wrong"})
        with pytest.raises(Refused):
            review.say(house.desk, session, officer, made, {"F13": "wrong"})
        assert sample.results(session, officer, draw) == {"F29": {"necessary": 1}, "F37": {"excessive": 1}}
        (item,) = sample.items(house.desk, session, officer, draw)
        assert (item.state, item.verdicts) == ("reviewed", 2)
    late = moved(house, minutes=31)
    with unit_of_work(house.desk.db) as session:
        for act in (
            lambda: review.open_ticket(late.desk, session, officer, made),
            lambda: review.say(late.desk, session, officer, made, {"F33": "wrong"}),
        ):
            with pytest.raises(Conflict, match="ticket-over"):
                act()
    with house.desk.db.connect("app") as conn:
        seen = conn.execute("select action from event where action like 'review:%' order by at").fetchall()
    assert Counter(row[0] for row in seen) == {
        "review:drawn": 1, "review:asked": 1, "review:granted": 1, "review:opened": 1, "review:verdict": 1
    }  # fmt: skip


def test_no_identity_is_shown(drawn: tuple[House, str, UUID, Actor]) -> None:
    house, release, draw, second = drawn
    made = granted(house, second, draw, release)
    with unit_of_work(house.desk.db) as session:
        opened = review.open_ticket(house.desk, session, house.people["officer"], made)
        record = publish.open_record(house.desk, session, session.get_one(tables.Release, release))
    secret = set()
    for unit in (*record.units, *record.apart):
        if unit.field in PERSONAL_INDEX_BAN:
            secret |= {text for text in leaves(unit.value) if len(text) >= 4 and text not in form.codes()}
    assert len(secret) > 10
    text = json.dumps([each.value for each in opened.shown], ensure_ascii=False).casefold()
    assert [value for value in secret if value.casefold() in text] == []
    hidden = {each.field for each in opened.shown if each.hidden}
    assert {"F37", "F38", "F40", "F46", "F48"} <= hidden <= PERSONAL_INDEX_BAN
    assert any(each.field == "F29" and "https://" in json.dumps(each.value) for each in opened.shown)


def leaves(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(leaves, value.values()), set())
    if isinstance(value, list | tuple):
        return set().union(*map(leaves, value), set())
    return {value} if isinstance(value, str) else set()


def test_nobody_reviews_or_opens_their_own_work(drawn: tuple[House, str, UUID, Actor]) -> None:
    house, release, draw, _ = drawn
    officer, releaser = house.people["officer"], house.people["releaser"]
    drafter = Actor(house.people["analyst-1"].id, frozenset({"dpo"}))
    made = ticket(house, draw, release)
    with unit_of_work(house.desk.db) as session:
        for person, code in ((officer, "own-ticket"), (releaser, "own-work"), (drafter, "own-work")):
            with pytest.raises(Conflict, match=code):
                review.grant(house.desk, session, person, made)
        with pytest.raises(Conflict, match="own-work"):
            review.ask(house.desk, session, drafter, draw, release)
        with pytest.raises(Forbidden):
            review.ask(house.desk, session, releaser, draw, release)


def add(house: House, row: tables.ReviewGrant | tables.ReviewVerdict) -> None:
    with unit_of_work(house.desk.db) as session:
        session.add(row)


def grant_row(house: House, release: str, made: UUID, **changes: Any) -> tables.ReviewGrant:
    now = datetime.fromisoformat("2030-01-01T00:00:00+00:00")
    values: dict[str, Any] = {
        "ticket_id": made, "officer": house.people["officer"].id, "release_id": release,
        "drafted_by": house.people["analyst-1"].id, "approved_by": house.people["releaser"].id,
        "granted_by": house.people["analyst-2"].id, "at": now, "expires_at": now + timedelta(minutes=30),
    }  # fmt: skip
    return tables.ReviewGrant(**(values | changes))


def test_the_database_holds_four_eyes_and_the_half_hour(drawn: tuple[House, str, UUID, Actor]) -> None:
    house, release, draw, _ = drawn
    made = ticket(house, draw, release)
    people = {name: actor.id for name, actor in house.people.items()}
    late = datetime.fromisoformat("2030-01-01T00:31:00+00:00")
    for constraint, changes in (
        ("ck_review_grant_four_eyes", {"granted_by": people["officer"]}),
        ("ck_review_grant_four_eyes", {"granted_by": people["releaser"]}),
        ("ck_review_grant_four_eyes", {"granted_by": people["analyst-1"]}),
        ("ck_review_grant_half_hour", {"expires_at": late}),
        # the ways around the CHECK: another drafter, another officer
        ("fk_review_grant_release_id_drafted_by_approved_by", {"drafted_by": people["custodian"]}),
        ("fk_review_grant_ticket_id_officer_release_id", {"officer": people["custodian"]}),
    ):
        with pytest.raises(IntegrityError) as error:
            add(house, grant_row(house, release, made, **changes))
        assert constraint in str(error.value.orig)
    early = tables.ReviewVerdict(
        ticket_id=made, field="F29", officer=people["officer"], verdict="wrong", at=late
    )
    with pytest.raises(IntegrityError) as error:
        add(house, early)
    assert "fk_review_verdict_ticket_id_officer" in str(error.value.orig)


def test_a_stored_draw_is_drawn_again_from_its_seed(drawn: tuple[House, str, UUID, Actor]) -> None:
    house, _, draw, _ = drawn
    with unit_of_work(house.desk.db) as session:
        (stored,) = sample.draws(session, house.people["officer"]).rows
        again = sampling.sample(
            sample.population(session, stored.since, stored.until), stored.seed, stored.size
        )
        found = sample.items(house.desk, session, house.people["officer"], draw)
    assert [(i.rank, i.release, i.stratum) for i in found] == [(d.rank, d.unit, d.stratum) for d in again]


def test_a_review_is_of_a_period_that_is_over(house: House) -> None:
    now = house.desk.now()
    for since, until in ((now - timedelta(days=1), now + timedelta(days=1)), (now, now)):
        with unit_of_work(house.desk.db) as session, pytest.raises(Refused, match="review-period"):
            sample.draw(house.desk, session, house.people["officer"], since, until)
