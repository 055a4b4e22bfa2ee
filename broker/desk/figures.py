"""Figures for charts, by month: how long things take, what comes back, what is withheld, missing or late.

Inside the house real counts are shown. Anything that leaves it goes through `for_outside`, which hides
counts under five and what would give them away. Figures are read from codes, times and the field list of
releases; no value of a case is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from broker.auth import Actor
from broker.core import suppression
from broker.core.suppression import LEAST
from broker.desk import overdue
from broker.desk.context import Desk
from broker.errors import Refused

MAX_MONTHS = 24


@dataclass(frozen=True, slots=True)
class Times:
    """One month: how many, and hours at the median and at nine of ten. None without any."""

    month: str
    count: int
    median_hours: float | None
    nine_of_ten_hours: float | None


@dataclass(frozen=True, slots=True)
class Counts:
    """A table of counts, rows by columns, both in order. A cell that is None is hidden."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[str, Mapping[str, int | None]]
    row_totals: Mapping[str, int | None]
    column_totals: Mapping[str, int | None]

    @property
    def suppressed(self) -> bool:
        """Whether anything is hidden."""
        return any(cell is None for row in self.cells.values() for cell in row.values())


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything for the page of charts. Times are by month of release; `late` is now, by kind."""

    months: tuple[str, ...]
    to_release: tuple[Times, ...]
    to_answer: tuple[Times, ...]
    answers: Counts
    """outcome code by partner"""
    withheld: Counts
    """data-subject category of the field by recipient class: fields that did not go, over all releases"""
    missing: Counts
    """gap by month"""
    no_addressee: Counts
    """why nobody got a case, by month in which it was set aside; without those reopened since"""
    late: Counts
    """kind by urgency, now"""


# From a case's intake to its first release, which may be of an earlier version than the newest.
_TO_RELEASE = """
select to_char(r.released_at at time zone 'UTC', 'YYYY-MM') as month, count(*) as n,
  percentile_cont(0.5) within group (order by extract(epoch from r.released_at - c.created_at)) as mid,
  percentile_cont(0.9) within group (order by extract(epoch from r.released_at - c.created_at)) as most
from release r join case_file c on c.id = r.case_id
where r.released_at >= :since and r.released_at < :until and r.version = 1 and r.kind = 'new'
group by 1
"""
_TO_ANSWER = """
select to_char(r.released_at at time zone 'UTC', 'YYYY-MM') as month, count(*) as n,
  percentile_cont(0.5) within group (order by extract(epoch from a.at - r.released_at)) as mid,
  percentile_cont(0.9) within group (order by extract(epoch from a.at - r.released_at)) as most
from release r
cross join lateral (select min(x.at) as at from answer x where x.release_id = r.release_id) a
where a.at is not null and r.released_at >= :since and r.released_at < :until
group by 1
"""
_ANSWERS = """
select r.addressee as col, a.outcome as line, count(*) as n
from release r join answer a on a.release_id = r.release_id
where r.released_at >= :since and r.released_at < :until group by 1, 2
"""
# Releases of one class, matrix and set of fields are alike: they are counted once and multiplied.
_FIELDS = """
select r.addressee_class as class, r.fields, count(*) as n
from release r where r.released_at >= :since and r.released_at < :until group by 1, 2
"""
_MISSING = """
select to_char(r.released_at at time zone 'UTC', 'YYYY-MM') as col, g.gap as line, count(*) as n
from release r, unnest(r.gaps) g (gap)
where r.released_at >= :since and r.released_at < :until group by 1, 2
"""

_NO_ADDRESSEE = """
select to_char(s.at at time zone 'UTC', 'YYYY-MM') as col, s.reason as line, count(*) as n
from set_aside s join case_file c on c.id = s.case_id and c.state in ('set_aside', 'no_addressee')
where s.at >= :since and s.at < :until
  and not exists (select 1 from set_aside x where x.case_id = s.case_id and x.id > s.id)
group by 1, 2
"""


def figures(desk: Desk, session: Session, actor: Actor, since: datetime, until: datetime) -> Figures:
    """The figures of a period of at most two years; real counts."""
    actor.needs("dpo", "releaser", "analyst")
    months = months_of(since, until)
    period = {"since": since, "until": until}
    return Figures(
        months=months,
        to_release=_times(session, _TO_RELEASE, period, months),
        to_answer=_times(session, _TO_ANSWER, period, months),
        answers=_counted(session, _ANSWERS, period),
        withheld=_withheld(desk, session, period),
        missing=_counted(session, _MISSING, period, months),
        no_addressee=_counted(session, _NO_ADDRESSEE, period, months),
        late=_late(desk, session),
    )


def for_outside(found: Figures) -> Figures:
    """The same with small counts hidden: a median of fewer than five says nothing either."""
    return Figures(
        months=found.months,
        to_release=tuple(map(_hidden, found.to_release)),
        to_answer=tuple(map(_hidden, found.to_answer)),
        answers=hide(found.answers),
        withheld=hide(found.withheld),
        missing=hide(found.missing),
        no_addressee=hide(found.no_addressee),
        late=hide(found.late),
    )


def hide(counts: Counts) -> Counts:
    """A table as it may leave the house."""
    real = {row: {c: n or 0 for c, n in cells.items()} for row, cells in counts.cells.items()}
    seen = suppression.suppress(real, counts.columns)
    return Counts(counts.rows, counts.columns, seen.cells, seen.row_totals, seen.column_totals)


def months_of(since: datetime, until: datetime) -> tuple[str, ...]:
    """The months of a period, `2026-03`. Raises `Refused` when it is none or longer than two years."""
    start, end = since.astimezone(UTC), until.astimezone(UTC)
    if not start < end:
        raise Refused("period", "a period ends after it begins")
    count = (end.year - start.year) * 12 + end.month - start.month + (end.day > 1 or end.hour > 0)
    if count > MAX_MONTHS:
        raise Refused("period", f"figures are of at most {MAX_MONTHS} months")
    first = start.year * 12 + start.month - 1
    return tuple(f"{(first + n) // 12:04}-{(first + n) % 12 + 1:02}" for n in range(max(count, 1)))


def _times(
    session: Session, query: str, period: Mapping[str, Any], months: tuple[str, ...]
) -> tuple[Times, ...]:
    rows = {row[0]: row for row in session.connection().execute(text(query), period)}
    return tuple(
        Times(month, rows[month][1], _hours(rows[month][2]), _hours(rows[month][3]))
        if month in rows
        else Times(month, 0, None, None)
        for month in months
    )


def _hours(seconds: Any) -> float | None:
    return None if seconds is None else round(float(seconds) / 3600, 1)


def _hidden(times: Times) -> Times:
    return times if times.count >= LEAST or not times.count else Times(times.month, 0, None, None)


def _counted(
    session: Session, query: str, period: Mapping[str, Any], columns: tuple[str, ...] | None = None
) -> Counts:
    table: dict[str, dict[str, int]] = {}
    for row in session.connection().execute(text(query), period).mappings():
        table.setdefault(row["line"], {})[row["col"]] = row["n"]
    return counts_of(table, columns)


def _withheld(desk: Desk, session: Session, period: Mapping[str, Any]) -> Counts:
    table: dict[str, dict[str, int]] = {}
    for row in session.connection().execute(text(_FIELDS), period).mappings():
        for field, rule in desk.pack.fields.items():
            if field not in row["fields"]:
                line = table.setdefault(rule.dsc, {})
                line[row["class"]] = line.get(row["class"], 0) + row["n"]
    return counts_of(table)


def _late(desk: Desk, session: Session) -> Counts:
    table: dict[str, dict[str, int]] = {kind: {} for kind in overdue.WHAT_TO_DO}
    for each in overdue.overdue(desk, session, limit=1000):
        line = table[each.kind]
        line[each.urgency or "none"] = line.get(each.urgency or "none", 0) + 1
    return counts_of(table, ("U1", "U2", "U3", "U4", "none"))


def counts_of(table: Mapping[str, Mapping[str, int]], columns: tuple[str, ...] | None = None) -> Counts:
    """A table with its totals; lines with more come first, columns in the order given or of their names."""
    totals = {row: sum(cells.values()) for row, cells in table.items()}
    rows = tuple(sorted(table, key=lambda row: (-totals[row], row)))
    names = columns or tuple(sorted({column for cells in table.values() for column in cells}))
    return Counts(
        rows=rows,
        columns=names,
        cells={row: {column: table[row].get(column, 0) for column in names} for row in rows},
        row_totals={row: totals[row] for row in rows},
        column_totals={column: sum(table[row].get(column, 0) for row in rows) for column in names},
    )
