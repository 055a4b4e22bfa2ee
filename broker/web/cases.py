"""The list of cases, and a case as it is held."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from broker.desk import case_form, casefile, caselist, claims, disclosure, timeline
from broker.desk.caselist import CaseFilter
from broker.errors import Issue, Refused
from broker.store import tables
from broker.web import held
from broker.web.page import Answer, Show, Visit, page
from broker.web.report import identity
from broker.web.work import kept

FILTERS = ("kind", "urgency", "state", "since", "until", "mine")


@page("/cases", "analyst", "releaser", menu="Cases")
def listing(visit: Visit) -> Answer:
    """Cases by codes and days only: what is asked stands in the URL and names nobody."""
    asked = {name: visit.query.get(name) for name in FILTERS if visit.query.get(name)}
    try:
        chosen = _filter(visit, asked)
    except Refused as refused:
        wrong = {issue.field: visit.words.rule(issue) for issue in refused.issues}
        return _list(visit, {}, CaseFilter(), wrong)
    return _list(visit, asked, chosen, {})


def _list(visit: Visit, asked: dict[str, str], chosen: CaseFilter, wrong: dict[str, str]) -> Show:
    found = caselist.cases(
        visit.desk, visit.session, visit.actor, chosen, after=visit.query.get("after") or None
    )
    values = {
        "rows": found.rows,
        "after": found.next,
        "asked": asked,
        "query": urlencode(asked),
        "choices_of": {
            name: [(code, visit.words.code(name, code)) for code in codes]
            for name, codes in caselist.CODES.items()
        },
        "views": kept(visit, "cases"),
        "wrong": wrong,
    }
    return Show("cases/list.html", values, status=400 if wrong else 200)


def _filter(visit: Visit, asked: dict[str, str]) -> CaseFilter:
    return CaseFilter(
        kind=asked.get("kind"),
        urgency=asked.get("urgency"),
        state=asked.get("state"),
        since=_day(visit, asked, "since"),
        until=_day(visit, asked, "until"),
        mine=asked.get("mine") == "yes",
    )


def _day(visit: Visit, asked: dict[str, str], name: str) -> datetime | None:
    if name not in asked:
        return None
    try:
        day = datetime.strptime(asked[name], "%Y-%m-%d")  # noqa: DTZ007 - the zone is set in the next line
    except ValueError:
        raise Refused("filter", "there is no such filter", (Issue(name, "date", "is no day"),)) from None
    return day.replace(tzinfo=ZoneInfo(visit.desk.pack.timezone))


@page("/cases/{case}", "analyst", "releaser")
def show(visit: Visit) -> Answer:
    """The case as it is held, how its claims stand, what is missing, where it went."""
    case_id = identity(visit.params["case"], "case")
    case, version = casefile.read_version(visit.desk, visit.session, case_id)
    file = visit.session.get_one(tables.CaseFile, case_id)
    shown = held.values(visit, case)
    missing = [
        (each, shown["view"].anchor(each.input))
        for each in case_form.missing(visit.desk, case.data)
        if each.level != "refused"
    ]
    values = {
        **shown,
        "file": file,
        "version": version,
        "questions": claims.questions(visit.desk, visit.session, visit.actor, case_id, case, version),
        "missing": missing,
        "referrals": timeline.of_case(visit.session, visit.actor, case_id).referrals,
        "names": disclosure.recipients(visit.session, visit.actor),
    }
    return Show("cases/case.html", values)
