"""Appending, integrating and proving, against the RFC's own recursion."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta

import orjson
import psycopg
import pytest

from broker.errors import NotAuthentic, NotFound
from broker.store import ledger
from broker.store.engine import Database, unit_of_work
from tests.store import rfc6962
from tests.store.world import (
    BEN,
    NOW,
    PARTNERS,
    entry,
    integrate,
    item,
    populate,
    publish,
    release_id,
    sign,
)


def grow(db: Database, batches: tuple[int, ...]) -> list[bytes]:
    bodies = []
    for batch in batches:
        with unit_of_work(db) as session:
            bodies += [ledger.append(session, entry("key")) for _ in range(batch)]
        assert integrate(db) == batch
    return bodies


def test_positions_tiles_roots_and_proofs(database: Database) -> None:
    bodies = grow(database, (1, 2, 254, 300, 40))
    leaves = [rfc6962.leaf(body) for body in bodies]
    size = len(leaves)
    with database.connect("feed") as conn:
        stored = conn.execute("select position, body from ledger_leaf order by 1").fetchall()
        assert stored == list(enumerate(bodies))
        head = ledger.latest(conn)
        assert head is not None
        assert (head.size, head.root) == (size, rfc6962.mth(leaves))
        assert head.note == sign(head.size, head.root)
        assert ledger.checkpoint_at(conn, 3).root == rfc6962.mth(leaves[:3])
        for upto in (1, 3, 257, 300, size):
            assert ledger.root(conn, upto) == rfc6962.mth(leaves[:upto])
            for position in {0, upto - 1, upto // 2}:
                assert ledger.proof(conn, position, upto) == rfc6962.path(position, leaves[:upto])
            assert ledger.consistency(conn, upto, size) == rfc6962.subproof(upto, leaves)
        assert ledger.consistency(conn, 0, size) == []
        assert ledger.tile(conn, 0, 1) == b"".join(leaves[256:512])
        assert ledger.tile(conn, 0, 2, 10) == b"".join(leaves[512:522])
        assert ledger.tile(conn, 1, 0, 2) == rfc6962.mth(leaves[:256]) + rfc6962.mth(leaves[256:512])
        bundle = ledger.entries(conn, 2, 3)
        assert bundle == b"".join(len(b).to_bytes(2, "big") + b for b in bodies[512:515])


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: ledger.proof(c, 3, 3),
        lambda c: ledger.proof(c, 0, 4),
        lambda c: ledger.proof(c, -1, 3),
        lambda c: ledger.consistency(c, 3, 4),
        lambda c: ledger.consistency(c, 3, 2),
        lambda c: ledger.tile(c, 0, 0),
        lambda c: ledger.tile(c, 0, 0, 4),
        lambda c: ledger.tile(c, 1, 0, 1),
        lambda c: ledger.tile(c, 9, 0, 1),
        lambda c: ledger.entries(c, 0, 4),
        lambda c: ledger.checkpoint_at(c, 2),
    ],
)
def test_nothing_is_shown_beyond_the_checkpoint(database: Database, ask) -> None:  # type: ignore[no-untyped-def]
    grow(database, (3,))
    with database.connect("feed") as conn, pytest.raises(NotFound):
        ask(conn)


def test_an_empty_ledger_has_no_checkpoint(database: Database) -> None:
    assert integrate(database) == 0
    with database.connect("feed") as conn:
        assert ledger.latest(conn) is None
        with pytest.raises(NotFound):
            ledger.root(conn, 1)


def test_a_leaf_commits_and_the_record_opens_it(database: Database) -> None:
    made = entry("agreement", record={"é": 1, "a": "ü"})
    with unit_of_work(database) as session:
        body = ledger.append(session, made)
    integrate(database)
    with database.connect("app") as conn:
        nonce, record = conn.execute("select nonce, record from event_record").fetchone() or ()
    commit = hashlib.sha256(nonce + record).hexdigest()
    assert body == orjson.dumps({"commit": commit, "type": "agreement"})
    assert orjson.loads(record) == made.record


def test_what_may_not_rest_in_clear_is_stored_sealed(database: Database) -> None:
    made = entry("key", sealed=(b"ciphertext", entry().event_id))
    with unit_of_work(database) as session:
        body = ledger.append(session, made)
    with database.connect("app") as conn:
        row = conn.execute("select record, key_id is not null from event_record").fetchone()
    assert row == (b"ciphertext", True)
    commit = ledger.commitment(made.nonce, ledger.canonical(made.record))
    assert body == ledger.leaf_body("key", commit)


def test_nothing_is_appended_when_the_work_fails(database: Database) -> None:
    def work() -> None:
        with unit_of_work(database) as session:
            ledger.append(session, entry())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert integrate(database) == 0


def test_feed_rows_are_numbered_without_gaps_and_served_as_stored(database: Database) -> None:
    populate(database)
    for version in (1, 2):
        with unit_of_work(database) as session:
            for partner in PARTNERS:
                publish(session, partner, version)
        integrate(database, NOW + timedelta(minutes=version))
    with database.connect("app") as conn:
        rows = conn.execute("select partner_id, seq, position, row from feed order by 1, 2")
        seen = [(p, s, position, orjson.loads(row)) for p, s, position, row in rows]
    assert [(p, s, at) for p, s, at, _ in seen] == [
        (PARTNERS[0], 1, 1),
        (PARTNERS[0], 2, 5),
        (PARTNERS[1], 1, 3),
        (PARTNERS[1], 2, 7),
    ]
    assert seen[1][3] == item(release_id(PARTNERS[0], 2)) | {
        "position": 5,
        "seq": 2,
        "publishedAt": "2030-01-02T03:06:05Z",
    }


def test_a_publication_waits_until_it_is_due(database: Database) -> None:
    populate(database)
    with unit_of_work(database) as session:
        publish(session, PARTNERS[0], 1, due_at=NOW + timedelta(minutes=3))
    assert integrate(database) == 1  # the leaf `approved` goes at once
    assert integrate(database, NOW + timedelta(minutes=2)) == 0
    assert integrate(database, NOW + timedelta(minutes=3)) == 1


def test_a_cancelled_publication_never_gets_a_leaf(database: Database) -> None:
    populate(database)
    with unit_of_work(database) as session:
        release = publish(session, PARTNERS[0], 1, due_at=NOW + timedelta(minutes=3))
    integrate(database)
    with unit_of_work(database) as session:
        assert ledger.cancel(session, release, BEN, NOW)
        ledger.append(session, entry("cancelled", release_id=release))
    assert integrate(database, NOW + timedelta(hours=1)) == 1
    with database.connect("app") as conn:
        types = conn.execute("select e.leaf_type from ledger_leaf l join event e on e.id = event_id")
        assert [row[0] for row in types] == ["approved", "cancelled"]
        assert conn.execute("select count(*) from pending, feed").fetchone() == (0,)


def test_what_is_published_cannot_be_cancelled(database: Database) -> None:
    populate(database)
    with unit_of_work(database) as session:
        release = publish(session, PARTNERS[0], 1)
    integrate(database)
    with unit_of_work(database) as session:
        assert not ledger.cancel(session, release, BEN, NOW)


def test_a_cancel_under_way_wins_against_the_integrator(database: Database) -> None:
    """The integrator passes over a row that a cancel holds, and drops it afterwards."""
    populate(database)
    with unit_of_work(database) as session:
        release = publish(session, PARTNERS[0], 1)
    with unit_of_work(database) as session:
        assert ledger.cancel(session, release, BEN, NOW)
        assert integrate(database) == 1  # only `approved`; does not wait either
    assert integrate(database) == 0
    with database.connect("app") as conn:
        assert conn.execute("select count(*) from feed").fetchone() == (0,)
        assert conn.execute("select count(*) from pending").fetchone() == (0,)


def test_a_cancel_that_is_rolled_back_does_not_stop_publication(database: Database) -> None:
    populate(database)
    with unit_of_work(database) as session:
        release = publish(session, PARTNERS[0], 1)

    def work() -> None:
        with unit_of_work(database) as session:
            assert ledger.cancel(session, release, BEN, NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert integrate(database) == 2


def test_no_signature_no_publication(database: Database) -> None:
    """A signer that fails takes positions, tiles and feed rows back with it."""
    populate(database)
    with unit_of_work(database) as session:
        publish(session, PARTNERS[0], 1)

    def broken(size: int, root: bytes) -> str:
        raise OSError("no key")

    with database.connect("integrator") as conn:
        with pytest.raises(OSError, match="no key"):
            ledger.integrate_once(conn, broken, NOW)
        assert conn.execute("select count(*) from ledger_leaf").fetchone() == (0,)
    assert integrate(database) == 2


def test_the_checkpoint_is_not_visible_before_the_commit(database: Database) -> None:
    with unit_of_work(database) as session:
        ledger.append(session, entry())

    def spying(size: int, root: bytes) -> str:
        with database.connect("feed") as other:
            assert ledger.latest(other) is None
            assert other.execute("select count(position) from ledger_leaf").fetchone() == (0,)
        return sign(size, root)

    with database.connect("integrator") as conn:
        assert ledger.integrate_once(conn, spying, NOW) == 1


def test_the_integrator_will_not_build_on_an_altered_edge(database: Database) -> None:
    grow(database, (5,))
    with unit_of_work(database) as session:
        ledger.append(session, entry())
    with database.connect("owner") as owner:
        owner.execute("alter table ledger_leaf disable trigger insert_only")
        owner.execute("delete from ledger_leaf where position = 4")
    with (
        database.connect("integrator") as conn,
        pytest.raises(NotAuthentic, match="ledger-altered"),
    ):
        ledger.integrate_once(conn, sign, NOW)


def test_integrating_insists_on_a_connection_it_can_commit(database: Database) -> None:
    with database.connect("integrator") as conn:
        conn.execute("select 1")
        with pytest.raises(ValueError, match="idle"):
            ledger.integrate_once(conn, sign, NOW)


def test_a_second_integrator_stands_back(database: Database) -> None:
    with unit_of_work(database) as session:
        ledger.append(session, entry())

    def meanwhile(size: int, root: bytes) -> str:
        assert integrate(database) == 0
        return sign(size, root)

    with database.connect("integrator") as conn:
        assert ledger.integrate_once(conn, meanwhile, NOW) == 1


def test_leadership_is_held_by_a_connection(database: Database) -> None:
    with database.connect("app") as asking:
        assert not ledger.has_leader(asking)
        with database.connect("integrator") as first, database.connect("integrator") as second:
            assert ledger.lead(first)
            assert not ledger.lead(second)
            assert ledger.has_leader(asking)
        # The server lets go of the lock when it notices that the client has gone: soon, not at once.
        end = time.monotonic() + 30
        while ledger.has_leader(asking) and time.monotonic() < end:
            time.sleep(0.02)
        assert not ledger.has_leader(asking)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": b"short"},
        {"feed": item("R")},
        {"feed": item("R") | {"seq": 1}, "partner_id": "pt_one"},
        {"feed": {"release": "R"}, "partner_id": "pt_one"},
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(database: Database, wrong) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"nonce|feed item"), unit_of_work(database) as session:
        ledger.append(session, entry("published", **wrong))


def test_only_the_unit_of_work_commits(database: Database) -> None:
    with pytest.raises(RuntimeError, match="only the unit"), unit_of_work(database) as session:
        session.commit()


def test_a_leaf_with_a_wrong_hash_cannot_be_stored(database: Database) -> None:
    with database.connect("integrator") as conn, pytest.raises(psycopg.errors.CheckViolation):
        conn.execute(
            "insert into ledger_leaf (position, body, leaf_hash, event_id)"
            " values (0, 'x', %s, gen_random_uuid())",
            [bytes(32)],
        )
