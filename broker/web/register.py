"""The register of disclosures: the list with its filters, one in full, and finding one by its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, get_args
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from broker.core.fields import FIELD_IDS
from broker.core.schema import Kind, Urgency
from broker.desk import disclosure, register
from broker.desk.questions import FieldRule
from broker.desk.register import RegisterFilter
from broker.desk.timeline import Moment
from broker.errors import Issue, NotFound, Refused
from broker.web.forms import Form
from broker.web.page import Answer, Go, Show, Visit, page

PATH = "/register"
YES_NO = ("urgent", "withdrawn", "unanswered")
CODES = ("partner", "recipient_class", "release", "case_kind", "urgency", "field")
NAMES = (*CODES, "case_id", "since", "until", *YES_NO)
"""Filters as they stand in a URL: codes, ids and days."""
ROWS = 50


@page(PATH, "dpo", "releaser", menu="Register")
def listing(visit: Visit) -> Answer:
    """Newest first, a page at a time."""
    try:
        chosen = read(visit.query, visit.words.zone)
        found = register.page(
            visit.session, visit.actor, chosen, after=visit.query.get("after") or None, limit=ROWS
        )
    except Refused as refused:
        return _shown(visit, {}, issues=refused.issues, status=400)
    return _shown(visit, asked(visit.query), found=found)


@page(f"{PATH}/find", "dpo", "releaser", methods=("POST",))
def find(visit: Visit) -> Answer:
    """By id or reference; sent in a body, so that a slip of the clipboard stands in no address."""
    typed = visit.form.get("words")
    try:
        chosen = disclosure.find(visit.session, visit.actor, typed)
    except (Refused, NotFound) as error:
        issue = Issue("words", error.code, error.message)
        return _shown(
            visit, {}, issues=(issue,), typed=typed, status=400 if isinstance(error, Refused) else 404
        )
    if chosen.release is not None:
        return Go(f"/desk{PATH}/{chosen.release}")
    return Go(f"/desk{PATH}?{query(chosen)}")


@page(f"{PATH}/{{release}}", "dpo", "releaser")
def one(visit: Visit) -> Answer:
    """One disclosure, field by field."""
    release = visit.params["release"]
    found = disclosure.of(visit.desk, visit.session, visit.actor, release)
    pack, language = visit.desk.pack, visit.words.language
    return Show(
        "register/one.html",
        {
            "one": found,
            "row": found.row.values,
            "ground_texts": {code: texts[language] for code, texts in pack.ground_texts.items()},
            "read_texts": {code: texts[language] for code, texts in pack.read_grounds.items()},
            "condition_texts": {code: texts[language] for code, texts in pack.conditions.items()},
            "gap_texts": {code: texts[language] for code, texts in pack.gap_texts.items()},
            "moment_texts": lambda code: _said(visit, code),
            "moments": _merged(found.moments),
            "by_clause": _by_clause(found),
            "export": {"release": release},
        },
    )


def read(form: Form, zone: ZoneInfo) -> RegisterFilter:
    """The filter a query or form asks for. Days are local, `until` is the last day. Raises `Refused`."""
    wanted: dict[str, Any] = {name: form.get(name) or None for name in CODES}
    wanted |= {name: {"yes": True, "no": False}.get(form.get(name)) for name in YES_NO}
    issues = []
    for name, extra in (("since", 0), ("until", 1)):
        try:
            wanted[name] = _midnight(form.get(name), extra, zone)
        except ValueError:
            issues.append(Issue(name, "format", "is not a day"))
    try:
        wanted["case_id"] = UUID(form.get("case_id")) if form.get("case_id") else None
    except ValueError:
        issues.append(Issue("case_id", "format", "is not an id"))
    if issues:
        raise Refused("filter", "there is no such filter", tuple(issues))
    return RegisterFilter(**wanted)


def query(chosen: RegisterFilter, **more: str) -> str:
    """The same as a query string, without a period."""
    found = {name: getattr(chosen, name) for name in (*CODES, "case_id", *YES_NO)}
    words = {name: {True: "yes", False: "no"}.get(value, value) for name, value in found.items()}
    return urlencode({name: value for name, value in {**words, **more}.items() if value is not None})


def asked(form: Form) -> dict[str, str]:
    """The filters that were given, as they were given."""
    return {name: form.get(name) for name in NAMES if form.get(name)}


def offers(visit: Visit, names: Mapping[str, str]) -> dict[str, Any]:
    """What the filters offer."""
    words = visit.words
    return {
        "partners": list(names.items()),
        "classes": [(c, words.code("class", c)) for c in visit.desk.pack.formats],
        "kinds": [(kind, words.code("kind", kind)) for kind in get_args(Kind)],
        "urgencies": [(code, words.code("urgency", code)) for code in get_args(Urgency)],
        "fields": [(field, f"{field} {words.field(field)}") for field in FIELD_IDS],
        "yes_no": [("yes", words("yes")), ("no", words("no"))],
    }


def _shown(
    visit: Visit,
    given: Mapping[str, str],
    *,
    found: Any = None,
    issues: tuple[Issue, ...] = (),
    typed: str = "",
    status: int = 200,
) -> Show:
    """The list; after a refusal without rows, and with everything that was typed."""
    given, names = given or asked(visit.query), disclosure.recipients(visit.session, visit.actor)
    return Show(
        "register/list.html",
        {
            "given": given,
            "query": urlencode(given),
            "rows": () if found is None else found.rows,
            "after": None if found is None else found.next,
            "issues": {issue.field: visit.words.rule(issue) for issue in issues},
            "typed": typed,
            "refused": status != 200,
            "names": names,
            "offers": offers(visit, names),
        },
        status=status,
    )


def _midnight(day: str, extra: int, zone: ZoneInfo) -> datetime | None:
    if not day:
        return None
    found = date.fromisoformat(day)
    if not 1 < found.year < 9999:
        raise ValueError
    return datetime.combine(found + timedelta(days=extra), time(), zone)


def _said(visit: Visit, code: str) -> str:
    """What a code of the timeline says, whichever list it is of."""
    named = (visit.words.code(kind, code) for kind in ("outcome", "withdraw", "moment"))
    return next((text for text in named if text != code), code)


def _merged(moments: Sequence[Moment]) -> list[tuple[Moment, list[int]]]:
    """Alike moments of one second as one line with all their positions: a pull fetches several parts."""
    lines: list[tuple[Moment, list[int]]] = []
    for each in moments:
        place = [] if each.position is None else [each.position]
        same = lines and replace(lines[-1][0], position=each.position) == each
        if same:
            lines[-1][1].extend(place)
        else:
            lines.append((each, place))
    return lines


def _by_clause(found: disclosure.Disclosure) -> dict[str, list[FieldRule]]:
    """Withheld fields by the clause that withheld them, the largest group last: exceptions first."""
    grouped: dict[str, list[FieldRule]] = {}
    for each in found.withheld:
        grouped.setdefault(each.clause or "", []).append(each)
    return dict(sorted(grouped.items(), key=lambda item: (len(item[1]), item[0])))
