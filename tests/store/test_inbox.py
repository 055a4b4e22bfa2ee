"""What people of a partner see of its referrals: in which order, how far each came, and nobody else's."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import orjson
import pytest

from broker.errors import NotFound
from broker.store import inbox, tables
from broker.store.engine import Database, unit_of_work
from tests.store.test_feed import run
from tests.store.world import ANN, NOW, PARTNERS, integrate, populate, publish, release_id

ONE, TWO = PARTNERS


@pytest.fixture
def filled(database: Database) -> Database:
    """Seven referrals to each partner, the only U1 last; the first is answered, the second withdrawn, the
    third collected and read."""
    populate(database)
    with unit_of_work(database) as session:
        for partner in PARTNERS:
            for version in range(1, 8):
                publish(session, partner, version, urgency="U1" if version == 7 else "U2")
    integrate(database)
    with unit_of_work(database) as session:
        for partner in PARTNERS:
            first, second, third = (release_id(partner, version) for version in (1, 2, 3))
            for release in (first, third):
                session.add(
                    tables.Collection(
                        id=uuid4(), release_id=release, partner_id=partner, part="referral", at=NOW,
                        generation=1, sha256="00" * 32,
                    )
                )  # fmt: skip
            session.add(
                tables.ReadAct(
                    id=uuid4(), release_id=third, partner_id=partner, ground="triage", user_reference=None,
                    own_case_number=None, at=NOW,
                )
            )  # fmt: skip
            session.add(
                tables.Answer(
                    id=uuid4(), partner_id=partner, release_id=first, outcome="O10", body={},
                    at=NOW + timedelta(hours=1),
                )
            )  # fmt: skip
            session.add(
                tables.Withdrawal(
                    release_id=second, partner_id=partner, reason_code="incorrect", by=ANN, at=NOW
                )
            )
    return database


def told(lines: inbox.Lines) -> list[str]:
    return [orjson.loads(line.row)["release"] for line in lines.shown]


def own(*versions: int, partner: str = ONE) -> list[str]:
    return [release_id(partner, version) for version in versions]


def test_what_waits_is_told_the_most_urgent_first_however_old_the_rest_is(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run(filled, lambda pool: inbox.waiting(pool, ONE))
    assert (told(found), found.more) == (own(7, 3, 4, 5, 6), False)
    monkeypatch.setattr(inbox, "MOST", 2)  # a full first page: the U1 came last and still stands on it
    found = run(filled, lambda pool: inbox.waiting(pool, ONE))
    assert (told(found), found.more) == (own(7, 3), True)


def test_a_line_says_how_far_it_came(filled: Database) -> None:
    waiting = run(filled, lambda pool: inbox.waiting(pool, ONE))
    assert [(line.collected is not None, line.read) for line in waiting.shown] == [
        (False, False), (True, True), (False, False), (False, False), (False, False),
    ]  # fmt: skip
    done = run(filled, lambda pool: inbox.done(pool, ONE, before=2**62))
    assert told(done) == own(2, 1)
    assert [(line.answered, line.withdrawn) for line in done.shown] == [(False, "incorrect"), (True, None)]
    for line in (*waiting.shown, *done.shown):
        release = orjson.loads(line.row)["release"]
        assert run(filled, lambda pool, one=release: inbox.line(pool, ONE, one)) == line


def test_what_is_done_comes_in_pages(filled: Database) -> None:
    first = run(filled, lambda pool: inbox.done(pool, ONE, before=2**62, limit=1))
    assert (told(first), first.more) == (own(2), True)
    rest = run(filled, lambda pool: inbox.done(pool, ONE, before=first.shown[-1].position, limit=1))
    assert (told(rest), rest.more) == (own(1), False)


def test_anothers_is_not_there(filled: Database) -> None:
    with pytest.raises(NotFound):
        run(filled, lambda pool: inbox.line(pool, ONE, release_id(TWO, 4)))


@pytest.mark.parametrize("partner", PARTNERS)
def test_row_level_security_alone_says_no(filled: Database, partner: str) -> None:
    """The application's own predicate taken away: the second lock still shows one partner alone."""
    waiting = run(filled, lambda pool: inbox.waiting(pool, partner, predicate=False))
    assert told(waiting) == own(7, 3, 4, 5, 6, partner=partner)
    done = run(filled, lambda pool: inbox.done(pool, partner, before=2**62, predicate=False))
    assert told(done) == own(2, 1, partner=partner)
