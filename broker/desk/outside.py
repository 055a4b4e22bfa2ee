"""Figures that leave the house: small counts hidden, and the file itself an entry of the ledger."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlmodel import Session

from broker.auth import Actor
from broker.desk import events, figures, register
from broker.desk.context import Desk
from broker.desk.figures import Counts, Times
from broker.spi import Json

HIDDEN = "hidden"
"""What stands in the place of a count that is hidden: a small one, or one that would give it away."""
HEADS = ("figure", "line", "column", "value")


@dataclass(frozen=True, slots=True)
class Leaving:
    """A finished file."""

    name: str
    content: bytes
    sha256: str


def leave(
    desk: Desk,
    session: Session,
    actor: Actor,
    since: datetime,
    until: datetime,
    partners: Mapping[str, str],
) -> Leaving:
    """Write the figures of a period as CSV and record that they left. `partners`: id → name."""
    actor.needs("dpo")
    real = figures.figures(desk, session, actor, since, until)
    found = figures.for_outside(real)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADS)
    for row in _rows(found, partners):
        writer.writerow([register.cell(each) for each in row])
    content = buffer.getvalue().encode()
    digest = sha256(content).hexdigest()
    record: dict[str, Json] = {
        "at": events.stamp(desk.now()),
        "by": actor.id,
        "since": events.stamp(since),
        "until": events.stamp(until),
        "format": "csv",
        "sha256": digest,
    }
    events.leaf(desk, session, "export", "figures:exported", actor.id, record)
    return Leaving(f"figures-{desk.now():%Y%m%dT%H%M%SZ}.csv", content, digest)


def _rows(found: figures.Figures, partners: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    yield from _times("hours to release", found.to_release)
    yield from _times("hours to first answer", found.to_answer)
    yield from _counts("answers", found.answers, partners)
    yield from _counts("fields withheld", found.withheld, {})
    yield from _counts("missing", found.missing, {})
    yield from _counts("no addressee", found.no_addressee, {})
    yield from _counts("late now", found.late, {})


def _times(name: str, rows: tuple[Times, ...]) -> Iterator[tuple[str, str, str, str]]:
    for row in rows:
        for column, value in (("median", row.median_hours), ("nine of ten", row.nine_of_ten_hours)):
            yield name, row.month, column, HIDDEN if value is None else f"{value}"


def _counts(name: str, table: Counts, names: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    for line in table.rows:
        for column in table.columns:
            yield name, line, names.get(column, column), _shown(table.cells[line][column])
        yield name, line, "total", _shown(table.row_totals[line])


def _shown(count: int | None) -> str:
    return HIDDEN if count is None else str(count)
