"""`verify_all` finds each kind of tampering, and nothing in a healthy ledger.

The tampering is done as the owner with triggers switched off: what somebody with all rights in the
database could do.
"""

from __future__ import annotations

import pytest

from broker.errors import NotAuthentic
from broker.store import ledger
from broker.store.engine import Database, unit_of_work
from tests.store.world import BEN, NOW, PARTNERS, entry, integrate, populate, publish, sign


def check_note(note: str) -> tuple[int, bytes]:
    if not note.startswith("test\n"):
        raise NotAuthentic("note", "not signed by this log")
    _, size, root = note.split("\n")[:3]
    return int(size), bytes.fromhex(root)


def verify(db: Database) -> ledger.Report:
    with db.connect("app") as conn:
        return ledger.verify_all(conn, check_note)


def codes(db: Database) -> set[str]:
    return {finding.code for finding in verify(db).findings}


@pytest.fixture
def kept(database: Database) -> Database:
    """Three publications, one cancelled, one still waiting, and enough leaves for a full tile."""
    populate(database)
    with unit_of_work(database) as session:
        publish(session, PARTNERS[0], 1)
        publish(session, PARTNERS[1], 1)
    integrate(database)
    with unit_of_work(database) as session:
        for _ in range(300):
            ledger.append(session, entry("key"))
    integrate(database)
    with unit_of_work(database) as session:
        publish(session, PARTNERS[0], 2)
        dropped = publish(session, PARTNERS[1], 2)
        assert ledger.cancel(session, dropped, BEN, NOW)
        ledger.append(session, entry("cancelled", release_id=dropped))
    integrate(database)
    with unit_of_work(database) as session:
        publish(session, PARTNERS[1], 3)
    return database


def tamper(db: Database, *statements: str) -> None:
    """As the owner, with every lock taken off."""
    with db.connect("owner") as owner:
        tables = owner.execute(
            "select c.relname, c.relrowsecurity from pg_class c"
            " where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'"
        ).fetchall()
        for table, _ in tables:
            owner.execute(f"alter table {table} disable trigger user")
            owner.execute(f"alter table {table} no force row level security")
        for statement in (
            "alter table feed drop constraint fk_feed_position",
            "alter table ledger_leaf drop constraint ck_ledger_leaf_leaf_hash",
            *statements,
        ):
            owner.execute(statement)


def test_a_healthy_ledger_has_no_finding(kept: Database) -> None:
    report = verify(kept)
    assert report.findings == []
    assert (report.size, report.checkpoints, report.records) == (308, 3, 308)
    assert (report.expired, report.sealed) == (0, 0)
    with kept.connect("app") as conn:
        head = ledger.latest(conn)
    assert head is not None
    assert head.root == report.root


def test_an_empty_ledger_is_healthy(database: Database) -> None:
    assert verify(database).ok


def test_a_record_expires_by_schedule(kept: Database) -> None:
    with kept.connect("retention") as conn:
        conn.execute("delete from event_record where event_id in (select id from event limit 10)")
    report = verify(kept)
    assert report.ok
    assert report.expired + report.records == report.size
    assert report.expired > 0


def test_sealed_records_are_counted_or_opened(database: Database) -> None:
    key = entry().event_id
    made = entry("key", sealed=(b"cipher", key))
    with unit_of_work(database) as session:
        ledger.append(session, made)
    integrate(database)
    assert verify(database).sealed == 1

    def right(key_id: object, data: bytes) -> bytes:
        assert (key_id, data) == (key, b"cipher")
        return ledger.canonical(made.record)

    def gone(key_id: object, data: bytes) -> bytes:
        raise NotAuthentic("key-destroyed", "the key is gone")

    with database.connect("app") as conn:
        report = ledger.verify_all(conn, check_note, open_record=right)
        assert report.ok
        assert (report.records, report.sealed) == (1, 0)
        wrong = ledger.verify_all(conn, check_note, open_record=lambda *_: b"{}")
        assert [finding.code for finding in wrong.findings] == ["record-altered"]
        assert ledger.verify_all(conn, check_note, open_record=gone).sealed == 1


REWRITE = (
    "update ledger_leaf set body = '{}', leaf_hash = sha256('\\x00'::bytea || '{}'::bytea) where position = 7"
)


@pytest.mark.parametrize(
    ("found", "statement"),
    [
        ("leaf-hash-altered", "update ledger_leaf set leaf_hash = sha256('') where position = 7"),
        ("root-differs", REWRITE),
        ("record-altered", REWRITE),
        ("position-missing", "delete from ledger_leaf where position = 7"),
        ("leaves-missing", "delete from ledger_leaf where position > 305"),
        ("tile-altered", "update ledger_tile set root = sha256('') where level = 0"),
        ("tile-altered", "update ledger_tile set hashes = overlay(hashes placing 'x' from 9)"),
        ("tile-missing-or-extra", "delete from ledger_tile"),
        (
            "tile-missing-or-extra",
            "insert into ledger_tile select 0, 77, hashes, root from ledger_tile",
        ),
        ("root-differs", "update ledger_checkpoint set root = sha256('') where size = 304"),
        ("checkpoint-not-authentic", "update ledger_checkpoint set note = 'forged' where size = 4"),
        ("checkpoint-differs", "update ledger_checkpoint set note = replace(note, '304', '305')"),
        ("checkpoint-missing", "delete from ledger_checkpoint"),
        ("leaves-without-checkpoint", "delete from ledger_checkpoint where size = 308"),
        ("record-altered", "update event_record set record = '{}'"),
        ("record-altered", "update event set leaf_type = 'read' where leaf_type = 'key'"),
        ("release-without-leaf", "delete from pending"),
        ("event-without-leaf", "delete from pending"),
        ("feed-gap", "delete from feed where seq = 1"),
        ("feed-gap", "update feed set seq = seq + 5"),
        ("publication-without-feed-row", "delete from feed where seq = 2"),
        ("feed-row-without-leaf", "update feed set position = 100 where seq = 2"),
        ("feed-row-altered", "update feed set urgency = 'U1' where seq = 2"),
        (
            "cancelled-yet-published",
            "insert into cancellation select release_id, 'x', now() from feed limit 1",
        ),
    ],
)
def test_tampering_is_found(kept: Database, found: str, statement: str) -> None:
    tamper(kept, statement)
    assert found in codes(kept)


def test_a_history_rewritten_in_full_is_found_by_the_signature(kept: Database) -> None:
    """All hashes, tiles and roots consistent again; only the signed note cannot be made."""
    tamper(
        kept,
        "delete from feed",
        "delete from ledger_tile",
        "delete from ledger_checkpoint",
        "create temp table kept as select * from ledger_leaf where position < 2",
        "delete from ledger_leaf",
        "insert into ledger_leaf select * from kept",
        "insert into ledger_checkpoint select 2,"
        " sha256('\\x01'::bytea || a.leaf_hash || b.leaf_hash), 'forged', now()"
        " from ledger_leaf a, ledger_leaf b where a.position = 0 and b.position = 1",
    )
    assert "checkpoint-not-authentic" in codes(kept)
    assert "event-without-leaf" in codes(kept)


def test_an_expired_leaf_still_tells_its_type(kept: Database) -> None:
    tamper(kept, "delete from event_record", "update event set leaf_type = 'read'")
    assert "event-altered" in codes(kept)


def test_a_report_speaks_to_people_and_programs(kept: Database) -> None:
    report = verify(kept)
    assert report.as_json()["ok"] is True
    assert report.as_json()["root"] == report.root.hex()
    assert report.words().startswith("308 leaves and 3 checkpoints recomputed; 308 records")
    tamper(kept, "delete from feed where seq = 1")
    report = verify(kept)
    assert {"code": "feed-gap", "where": "pt_one 2"} in report.as_json()["findings"]
    assert "feed-gap: pt_one 2\n" in report.words()


def test_a_report_never_holds_a_value(kept: Database) -> None:
    tamper(kept, "update event_record set record = 'canary-value'")
    assert "canary" not in repr(verify(kept))


def test_the_note_of_these_tests_is_what_was_signed() -> None:
    assert check_note(sign(3, b"r" * 32)) == (3, b"r" * 32)
