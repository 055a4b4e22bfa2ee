"""Counts statements and reads plans: what a page costs, never by a clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, text
from sqlmodel import Session

from broker.store.engine import Database

BIG = frozenset(
    {"case_file", "claim", "verdict", "referral", "draft", "approval", "release", "collection", "receipt",
     "event", "ledger_leaf", "feed", "answer", "read_act"}
)  # fmt: skip
"""Tables that grow with every case. Withdrawals are few: reading them whole is the better plan."""


@contextmanager
def statements(db: Database, role: Any = "app") -> Iterator[list[tuple[str, Any]]]:
    """Every statement with its values, while the block runs."""
    seen: list[tuple[str, Any]] = []

    def note(conn: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        seen.append((statement, values))

    engine = db.engine(role)
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def plan(session: Session, statement: str, values: Any) -> dict[str, Any]:
    """What PostgreSQL really did for a statement."""
    cursor = session.connection().connection.cursor()
    cursor.execute("explain (analyze, buffers, format json) " + statement, values)
    row = cursor.fetchone()
    assert row is not None
    return dict(row[0][0]["Plan"])


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan node and all below it."""
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


def big_scans(session: Session, seen: list[tuple[str, Any]]) -> list[str]:
    """The big tables that any of the statements read from end to end."""
    return [
        f"{node['Relation Name']}: {statement[:60]}"
        for statement, values in seen
        if statement.lstrip().lower().startswith(("select", "with"))
        for node in nodes(plan(session, statement, values))
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in BIG and node["Actual Loops"]
    ]


__all__ = ["BIG", "big_scans", "nodes", "plan", "statements", "text"]
