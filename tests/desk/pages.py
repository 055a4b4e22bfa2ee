"""Every page's query, by name, as the founder's pages call them: for plans, counts and times."""

# ruff: noqa: E501 - a table of calls is read better whole

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from broker.auth import Actor
from broker.demo.house import House
from broker.desk import (
    caselist,
    figures,
    formdraft,
    overdue,
    questions,
    register,
    sample,
    timeline,
    views,
    worklist,
)
from broker.desk.caselist import CaseFilter
from broker.desk.register import RegisterFilter
from broker.store import tables

MIDDLE = datetime(2024, 7, 1, tzinfo=UTC)
Ask = Callable[[Session], Any]


def pages(house: House, session: Session) -> Mapping[str, Ask]:
    """Page → what it asks. A person with every role of the desk sees the most."""
    desk = house.desk
    one = session.exec(select(tables.Release).where(tables.Release.urgency == "U2").limit(1)).one()
    all_roles = Actor(house.people["analyst-2"].id, frozenset({"analyst", "releaser", "dpo"}))
    police, month = house.partners["police"], timedelta(days=31)
    found: dict[str, Ask] = {
        "my work": lambda s: worklist.my_work(desk, s, all_roles),
        "late": lambda s: overdue.overdue(desk, s, limit=100),
        "case list": lambda s: caselist.cases(desk, s, all_roles),
        "case timeline": lambda s: timeline.of_case(s, all_roles, one.case_id),
        "referral timeline": lambda s: timeline.of_release(s, all_roles, one.release_id),
        "register": lambda s: register.page(s, all_roles),
        "reads": lambda s: questions.reads(s, all_roles),
        "rules": lambda s: questions.rules(desk, s, all_roles, one.release_id),
        "draws": lambda s: sample.draws(s, all_roles),
        "population of a month": lambda s: sample.population(s, MIDDLE, MIDDLE + month),
        "figures of three months": lambda s: figures.figures(desk, s, all_roles, MIDDLE, MIDDLE + 3 * month),
        "views": lambda s: views.views(s, all_roles),
        "preferences": lambda s: views.preferences(s, all_roles),
        "forms": lambda s: formdraft.listing(desk, s, all_roles),
    }
    for name in worklist.SECTIONS:
        found[f"section {name}"] = lambda s, name=name: worklist.section(desk, s, all_roles, name)
    for gap in questions.GAPS:
        found[f"gap {gap}"] = lambda s, gap=gap: questions.open_ends(desk, s, all_roles, gap)
    for name, chosen in {
        "kind": CaseFilter(kind="danger"), "kind and urgency": CaseFilter(kind="danger", urgency="U1"),
        "urgency": CaseFilter(urgency="U1"), "state": CaseFilter(state="draft"), "mine": CaseFilter(mine=True),
        "month": CaseFilter(since=MIDDLE, until=MIDDLE + month),
    }.items():  # fmt: skip
        found[f"case list by {name}"] = lambda s, chosen=chosen: caselist.cases(desk, s, all_roles, chosen)
    for name, asked in {
        "partner": RegisterFilter(partner=police), "class": RegisterFilter(recipient_class="INH"),
        "case": RegisterFilter(case_id=one.case_id), "month": RegisterFilter(since=MIDDLE, until=MIDDLE + month),
        "kind": RegisterFilter(case_kind="danger"), "urgency": RegisterFilter(urgency="U1"),
        "urgent": RegisterFilter(urgent=True), "common field": RegisterFilter(field="F29"),
        "rare field": RegisterFilter(field="F12"), "withdrawn": RegisterFilter(withdrawn=True),
        "unanswered": RegisterFilter(unanswered=True), "partner and field": RegisterFilter(partner=police, field="F12"),
    }.items():  # fmt: skip
        found[f"register by {name}"] = lambda s, asked=asked: register.page(s, all_roles, asked)
    return found
