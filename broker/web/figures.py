"""Charts for the data protection officer: how long, what comes back, what is withheld, missing or late."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from broker.desk import disclosure, figures, outside
from broker.desk.figures import Counts, Times
from broker.errors import Issue, Refused
from broker.web.forms import Form
from broker.web.page import Answer, File, Show, Visit, page

PATH = "/figures"
YEAR = 12
SHOWN = 8
"""Bars of a chart; what is rarer stands in the table."""


@page(PATH, "dpo", "releaser", menu="Figures")
def charts(visit: Visit) -> Answer:
    """Real numbers, for inside."""
    return _shown(visit)


@page(f"{PATH}/outside", "dpo", methods=("POST",))
def leave(visit: Visit) -> Answer:
    """The same with small counts hidden, as a file that may leave the house."""
    names = disclosure.recipients(visit.session, visit.actor)
    try:
        since, until = _period(visit, visit.form)
        made = outside.leave(visit.desk, visit.session, visit.actor, since, until, names)
    except Refused as refused:
        return _shown(visit, refused)
    return File(made.name, "text/csv; charset=utf-8", made.content)


def _shown(visit: Visit, refused: Refused | None = None) -> Show:
    given = visit.query if refused is None else visit.form
    typed = {name: given.get(name) for name in ("since", "until")}
    found = None
    try:
        since, until = _period(visit, Form() if refused else given)
        found = figures.figures(visit.desk, visit.session, visit.actor, since, until)
        typed = {name: typed[name] or _day(at) for name, at in (("since", since), ("until", until))}
    except Refused as error:
        refused = error
    values: dict[str, Any] = {
        "typed": typed,
        "refused": "" if refused is None else visit.words.problem(refused),
        "issues": {} if refused is None else {i.field: visit.words.rule(i) for i in refused.issues},
        "may_leave": visit.may("dpo"),
        "found": found,
    }
    if found is not None:
        names = disclosure.recipients(visit.session, visit.actor)
        values |= _charts(visit, found, names)
    return Show("figures/charts.html", values, status=200 if refused is None else 400)


def _charts(visit: Visit, found: figures.Figures, names: Any) -> dict[str, Any]:
    words = visit.words
    return {
        "times": [
            ("release", words("From intake to release"), _hours(visit, found.to_release)),
            ("answer", words("From release to the first answer"), _hours(visit, found.to_answer)),
        ],
        "answers": _columns(
            visit, found.answers, "outcome", {p: names.get(p, p) for p in found.answers.columns}
        ),
        "withheld": _columns(
            visit, found.withheld, "dsc", {c: words.code("class", c) for c in found.withheld.columns}
        ),
        "missing": _lines(visit, found.missing, {gap: _gap(visit, gap) for gap in found.missing.rows}),
        "no_addressee": _lines(
            visit, found.no_addressee, {r: words.code("aside", r) for r in found.no_addressee.rows}
        ),
        "late": _lines(visit, found.late, {kind: words.code("late", kind) for kind in found.late.rows}),
        "names": names,
    }


def _hours(visit: Visit, rows: tuple[Times, ...]) -> list[dict[str, Any]]:
    return [
        {
            "month": row.month,
            "count": row.count,
            "median": row.median_hours,
            "most": row.nine_of_ten_hours,
            "median_text": _span(visit, row.median_hours),
            "most_text": _span(visit, row.nine_of_ten_hours),
        }
        for row in rows
    ]


def _span(visit: Visit, hours: float | None) -> str:
    return "–" if hours is None else visit.words.span(timedelta(hours=hours))


def _columns(visit: Visit, table: Counts, kind: str, heads: dict[str, str]) -> dict[str, Any]:
    """A small chart for each column, all to one scale, and the whole table."""
    most = max((n or 0 for row in table.cells.values() for n in row.values()), default=0)
    labels = {line: visit.words.code(kind, line) for line in table.rows}
    small = [
        (head, [(labels[line], table.cells[line][column] or 0) for line in table.rows[:SHOWN]])
        for column, head in heads.items()
    ]
    return {"small": small, "most": most, "labels": labels, "heads": heads, "table": table}


def _gap(visit: Visit, code: str) -> str:
    texts = visit.desk.pack.gap_texts.get(code)
    return code if texts is None else texts[visit.words.language]


def _lines(visit: Visit, table: Counts, labels: dict[str, str]) -> dict[str, Any]:
    """One chart of the totals, the largest first, and the table of the columns that hold anything."""
    bars = [(labels[line], table.row_totals[line] or 0) for line in table.rows[:SHOWN]]
    shown = tuple(column for column in table.columns if table.column_totals[column])
    return {
        "bars": bars,
        "most": max((n for _, n in bars), default=0),
        "labels": labels,
        "heads": {column: visit.words.code("column", column) for column in shown},
        "table": table,
    }


def _period(visit: Visit, form: Form) -> tuple[datetime, datetime]:
    """The days asked for, or the twelve months up to now, by UTC as the months. Raises `Refused`."""
    issues, found = [], {}
    today = visit.now.astimezone(UTC).date()
    first = date(today.year - 1, today.month, 1) + timedelta(days=31)
    for name, default, extra in (("since", first.replace(day=1), 0), ("until", today, 1)):
        try:
            day = date.fromisoformat(form.get(name)) if form.get(name) else default
            found[name] = datetime.combine(day + timedelta(days=extra), time(), UTC)
        except (ValueError, OverflowError):
            issues.append(Issue(name, "format", "is not a day"))
    if issues:
        raise Refused("period", "there is no such period", tuple(issues))
    return found["since"], min(found["until"], visit.now + timedelta(seconds=1))


def _day(at: datetime) -> str:
    return at.date().isoformat()
