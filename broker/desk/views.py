"""Saved views and preferences of a member of staff: codes only, checked word by word.

A view is a page and a query. A query may hold codes, ids and days; what could hold a name or an address
is refused, because it would rest in clear and stand in a URL (ruling 17).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, delete, select

from broker.auth import Actor
from broker.core.fields import FIELD_IDS
from broker.desk import caselist, register
from broker.desk.context import Desk
from broker.errors import Conflict, Issue, Refused
from broker.store import tables

MAX_VIEWS = 40
LANGUAGES = ("nl", "fr", "de", "en")
THEMES = ("system", "light", "dark")
BREAKS = (0, 15, 30, 45, 60, 90)
"""Minutes between reminders to rest; 0 is none. The person decides."""
_ID = re.compile(r"(pt|st)_[a-z0-9]{4,32}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DAY = re.compile(r"\d{4}-\d{2}(-\d{2})?")
_CLASS = re.compile(r"[A-Z]{3}")
_NAME = re.compile(r"[^\W_][\w -]{0,39}")
_YES_NO = ("yes", "no")
_CASES: Mapping[str, Any] = {
    "kind": caselist.CODES["kind"], "urgency": caselist.CODES["urgency"], "state": caselist.CODES["state"],
    "since": _DAY, "until": _DAY, "mine": _YES_NO,
}  # fmt: skip
_REGISTER: Mapping[str, Any] = {
    "partner": _ID, "recipient_class": _CLASS, "case_id": _UUID, "since": _DAY, "until": _DAY,
    "case_kind": register.CODES["case_kind"], "urgency": register.CODES["urgency"], "field": FIELD_IDS,
    "urgent": _YES_NO, "withdrawn": _YES_NO, "unanswered": _YES_NO,
}  # fmt: skip
PAGES: Mapping[str, Mapping[str, Any]] = {
    "work": {"section": ("to-confirm", "to-draft", "to-release", "waiting", "late")},
    "cases": _CASES,
    "register": _REGISTER,
    "reads": {"partner": _ID, "since": _DAY, "until": _DAY},
    "figures": {"since": _DAY, "until": _DAY},
}
"""Page → what its query may hold: a list of codes or the form of an id or a day."""


@dataclass(frozen=True, slots=True)
class View:
    """A named query of a page."""

    name: str
    page: str
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Preferences:
    """How a person likes the pages."""

    language: Literal["nl", "fr", "de", "en"] = "nl"
    theme: Literal["system", "light", "dark"] = "system"
    single_keys: bool = True
    break_minutes: int = 0


def save_view(desk: Desk, session: Session, actor: Actor, view: View) -> None:
    """Keep a view under its name, in the place of one of the same name. Raises `Refused`, `Conflict`."""
    _check(view)
    names = {each.name for each in views(session, actor)}
    if view.name not in names and len(names) >= MAX_VIEWS:
        raise Conflict("too-many-views", f"a person keeps at most {MAX_VIEWS} views", "delete one first")
    _put(desk, session, actor, "view", view.name, {"page": view.page, "query": dict(view.query)})


def views(session: Session, actor: Actor, page: str | None = None) -> tuple[View, ...]:
    """One's own views by name. A view that the page no longer understands is left out."""
    row = tables.StaffSetting
    found = session.exec(
        select(row.name, row.value)
        .where(col(row.staff_id) == actor.id, col(row.kind) == "view")
        .order_by(col(row.name))
    )
    kept = []
    for name, value in found:
        view = View(name, value["page"], value["query"])
        if (page is None or view.page == page) and not _issues(view):
            kept.append(view)
    return tuple(kept)


def delete_view(session: Session, actor: Actor, name: str) -> None:
    """Forget a view; an unknown name is no error."""
    row = tables.StaffSetting
    session.exec(
        delete(row).where(col(row.staff_id) == actor.id, col(row.kind) == "view", col(row.name) == name)
    )


def preferences(session: Session, actor: Actor) -> Preferences:
    """How this person likes the pages; the defaults until they said."""
    row = session.get(tables.StaffSetting, (actor.id, "preference", "pages"))
    return Preferences() if row is None else Preferences(**row.value)


def prefer(desk: Desk, session: Session, actor: Actor, chosen: Preferences) -> None:
    """Keep preferences. Raises `Refused` for what is no choice."""
    wrong = [
        Issue(name, "code", "is not one of the choices")
        for name, value, choices in (
            ("language", chosen.language, LANGUAGES),
            ("theme", chosen.theme, THEMES),
            ("single_keys", chosen.single_keys, (True, False)),
            ("break_minutes", chosen.break_minutes, BREAKS),
        )
        if value not in choices
    ]
    if wrong:
        raise Refused("preference", "this is no choice", tuple(wrong))
    value = {
        "language": chosen.language,
        "theme": chosen.theme,
        "single_keys": chosen.single_keys,
        "break_minutes": chosen.break_minutes,
    }
    _put(desk, session, actor, "preference", "pages", value)


def _put(desk: Desk, session: Session, actor: Actor, kind: str, name: str, value: dict[str, Any]) -> None:
    row = {"staff_id": actor.id, "kind": kind, "name": name, "value": value, "updated_at": desk.now()}
    adding = insert(tables.StaffSetting).values(**row)
    session.connection().execute(
        adding.on_conflict_do_update(
            index_elements=["staff_id", "kind", "name"],
            set_={"value": adding.excluded.value, "updated_at": adding.excluded.updated_at},
        )
    )
    session.expire_all()


def _check(view: View) -> None:
    wrong = _issues(view)
    if wrong:
        raise Refused("view", "this view cannot be kept: it holds more than codes, ids and days", wrong)


def _issues(view: View) -> tuple[Issue, ...]:
    """What is not a code. The value is never repeated."""
    allowed = PAGES.get(view.page)
    if allowed is None:
        return (Issue("page", "code", "is not one of the pages"),)
    found = [] if _NAME.fullmatch(view.name) else [Issue("name", "format", "is up to 40 letters and digits")]
    for name, value in view.query.items():
        rule = allowed.get(name)
        if rule is None:
            found.append(Issue("query", "unknown-filter", "the page has no such filter"))
        elif not isinstance(value, str) or not (
            rule.fullmatch(value) if isinstance(rule, re.Pattern) else value in rule
        ):
            found.append(Issue(f"query/{name}", "code", "is not a code, an id or a day"))
    return tuple(found)
