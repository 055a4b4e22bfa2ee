"""Check the whole ledger from its leaves: nothing is believed because it is stored.

Everything is recomputed in one snapshot: leaf hashes, tiles, the root at every checkpoint. Then the
business tables are held against it: each release has its leaves, each publication its feed row,
each partner's numbers are without a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import psycopg
from psycopg.pq import TransactionStatus

from broker.errors import BrokerError
from broker.store import tree
from broker.store.ledger_append import commitment, leaf_body
from broker.store.ledger_tiles import Checkpoint

Conn = psycopg.Connection[Any]
CheckNote = Callable[[str], tuple[int, bytes]]
"""Verify a signed note and give its size and root; raises NotAuthentic."""
OpenRecord = Callable[[UUID, bytes], bytes]
"""(key id, ciphertext) → the canonical record; raises a BrokerError when the key is gone."""

_BATCH = 4096


class Finding(NamedTuple):
    """Something that does not hold, and where; never a value."""

    code: str
    where: str


@dataclass
class Report:
    """What was checked. `expired` leaves have no record any more, by schedule: that is no finding.

    `sealed` records were not opened (no key was given, or it is destroyed).
    """

    size: int = 0
    root: bytes = tree.EMPTY_ROOT
    checkpoints: int = 0
    records: int = 0
    expired: int = 0
    sealed: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """For programs: counts, root and findings."""
        return {
            "ok": self.ok,
            "size": self.size,
            "root": self.root.hex(),
            "checkpoints": self.checkpoints,
            "records": self.records,
            "expired": self.expired,
            "sealed": self.sealed,
            "findings": [finding._asdict() for finding in self.findings],
        }

    def words(self) -> str:
        """For people: one line a finding, and what was looked at."""
        lines = [f"{finding.code}: {finding.where}" for finding in self.findings]
        lines.append(
            f"{self.size} leaves and {self.checkpoints} checkpoints recomputed;"
            f" {self.records} records checked, {self.expired} records expired by schedule,"
            f" {self.sealed} records sealed; {len(self.findings)} findings"
        )
        return "\n".join(lines)

    def add(self, code: str, where: object) -> None:
        """Note a finding."""
        self.findings.append(Finding(code, str(where)))


def verify_all(conn: Conn, check_note: CheckNote, *, open_record: OpenRecord | None = None) -> Report:
    """Recompute everything as broker_app, in one read-only snapshot of an idle connection."""
    if conn.info.transaction_status != TransactionStatus.IDLE:
        raise ValueError("verify on an idle connection: it takes a snapshot of its own")
    report = Report()
    with _snapshot(conn):
        _verify_tree(conn, report, check_note, open_record)
        for code, query in _QUERIES:
            for (where,) in conn.execute(query).fetchall():
                report.add(code, where)
        _verify_feed_rows(conn, report)
    return report


@contextmanager
def _snapshot(conn: Conn) -> Iterator[None]:
    with conn.transaction():
        conn.execute("set transaction isolation level repeatable read, read only")
        yield


class _Leaf(NamedTuple):
    position: int
    body: bytes
    leaf_hash: bytes
    leaf_type: str
    nonce: bytes | None
    record: bytes | None
    key_id: UUID | None


_LEAVES = """
select l.position, l.body, l.leaf_hash, e.leaf_type, r.nonce, r.record, r.key_id
from ledger_leaf l
join event e on e.id = l.event_id
left join event_record r on r.event_id = l.event_id
order by l.position
"""


def _verify_tree(conn: Conn, report: Report, check_note: CheckNote, open_record: OpenRecord | None) -> None:
    heads = {
        row[0]: Checkpoint(*row)
        for row in conn.execute("select size, root, note from ledger_checkpoint order by size", binary=True)
    }
    frontier, edge, tiles = tree.Frontier(), tree.Edge(), 0
    with conn.cursor("leaves", binary=True) as cursor:
        cursor.execute(_LEAVES)
        while rows := cursor.fetchmany(_BATCH):
            leaves = [_Leaf(*row) for row in rows]
            for leaf in leaves:
                if leaf.position != frontier.size:
                    report.add("position-missing", frontier.size)
                    return
                computed = tree.leaf_hash(leaf.body)
                if computed != leaf.leaf_hash:
                    report.add("leaf-hash-altered", leaf.position)
                _verify_record(report, leaf, open_record)
                frontier.append(computed)
                if frontier.size in heads:
                    _verify_head(report, heads.pop(frontier.size), frontier.root(), check_note)
            full = edge.extend(b"".join(tree.leaf_hash(leaf.body) for leaf in leaves))
            _verify_tiles(conn, report, full)
            tiles += len(full)
    report.size, report.root = frontier.size, frontier.root()
    for size in heads:
        report.add("leaves-missing", size)  # a checkpoint was signed over leaves that are gone
    count = conn.execute("select count(*) from ledger_tile").fetchone()
    if count != (tiles,):
        report.add("tile-missing-or-extra", tiles)
    if frontier.size and not report.checkpoints:
        report.add("checkpoint-missing", frontier.size)
    elif frontier.size != _last_head(conn):
        report.add("leaves-without-checkpoint", frontier.size)


def _last_head(conn: Conn) -> int:
    row = conn.execute("select coalesce(max(size), 0) from ledger_checkpoint").fetchone()
    return int(row[0]) if row else 0


def _verify_record(report: Report, leaf: _Leaf, open_record: OpenRecord | None) -> None:
    if leaf.nonce is None or leaf.record is None:
        report.expired += 1
        if orjson.loads(leaf.body).get("type") != leaf.leaf_type:
            report.add("event-altered", leaf.position)
        return
    record: bytes | None = leaf.record
    if leaf.key_id is not None:
        try:
            record = open_record(leaf.key_id, leaf.record) if open_record else None
        except BrokerError:
            record = None
    if record is None:
        report.sealed += 1
        return
    report.records += 1
    if leaf.body != leaf_body(leaf.leaf_type, commitment(leaf.nonce, record)):
        report.add("record-altered", leaf.position)


def _verify_head(report: Report, head: Checkpoint, root: bytes, check_note: CheckNote) -> None:
    report.checkpoints += 1
    if head.root != root:
        report.add("root-differs", head.size)
    try:
        signed = check_note(head.note)
    except BrokerError:
        report.add("checkpoint-not-authentic", head.size)
        return
    if signed != (head.size, root):
        report.add("checkpoint-differs", head.size)


def _verify_tiles(conn: Conn, report: Report, full: list[tree.Tile]) -> None:
    if not full:
        return
    rows = conn.execute(
        "select t.level, t.idx, t.hashes, t.root from ledger_tile t"
        " join unnest(%s::int[], %s::bigint[]) w (level, idx) using (level, idx)",
        [[tile.level for tile in full], [tile.idx for tile in full]],
        binary=True,
    )
    stored = {tree.Tile(*row) for row in rows}
    for tile in full:
        if tile not in stored:
            report.add("tile-altered", f"{tile.level}/{tile.idx}")


# Each gives one column: where. In a snapshot nothing is on its way but what stands in `pending`.
_QUERIES: tuple[tuple[str, str], ...] = (
    (
        "release-without-leaf",
        """
        select r.release_id || ' ' || want.leaf_type
        from release r cross join (values ('approved'), ('published')) want (leaf_type)
        where not exists (select 1 from ledger_leaf l join event e on e.id = l.event_id
                          where l.release_id = r.release_id and e.leaf_type = want.leaf_type)
          and not exists (select 1 from pending p
                          where p.release_id = r.release_id and p.leaf_type = want.leaf_type)
          and not (want.leaf_type = 'published' and exists
                   (select 1 from cancellation c where c.release_id = r.release_id))
        """,
    ),
    (
        "event-without-leaf",
        """
        select e.id from event e
        where e.leaf_type is not null
          and not exists (select 1 from ledger_leaf l where l.event_id = e.id)
          and not exists (select 1 from pending p where p.event_id = e.id)
          and not (e.leaf_type = 'published' and exists
                   (select 1 from cancellation c where c.release_id = e.release_id))
        """,
    ),
    (
        "cancelled-yet-published",
        """
        select l.position from ledger_leaf l
        join event e on e.id = l.event_id and e.leaf_type = 'published'
        join cancellation c on c.release_id = l.release_id
        """,
    ),
    (
        "publication-without-feed-row",
        """
        select l.position from ledger_leaf l
        join event e on e.id = l.event_id and e.leaf_type = 'published'
        where not exists (
          select 1 from feed f where f.position = l.position and f.release_id = l.release_id
            and f.partner_id = e.partner_id and f.event = 'published')
        """,
    ),
    (
        "feed-row-without-leaf",
        """
        select f.partner_id || ' ' || f.seq from feed f
        left join ledger_leaf l on l.position = f.position
        left join event e on e.id = l.event_id
        where l.release_id is distinct from f.release_id
           or e.partner_id is distinct from f.partner_id
        """,
    ),
    (
        "feed-gap",
        """
        select partner_id || ' ' || seq from (
          select partner_id, seq, row_number() over (partition by partner_id order by position) n
          from feed) numbered
        where seq <> n
        """,
    ),
)


def _verify_feed_rows(conn: Conn, report: Report) -> None:
    """The stored bytes say what the columns say."""
    with conn.cursor("feed_rows", binary=True) as cursor:
        cursor.execute("select partner_id, position, seq, event, release_id, urgency, row from feed")
        while rows := cursor.fetchmany(_BATCH):
            for partner, *columns, row in rows:
                item = orjson.loads(row)
                names = ("position", "seq", "event", "release", "urgency")
                if [item.get(name) for name in names] != columns:
                    report.add("feed-row-altered", f"{partner} {columns[1]}")
