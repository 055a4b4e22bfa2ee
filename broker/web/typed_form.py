"""What is typed into the report form: read from a browser, begun anew, an entity or an entry more or less."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from broker.core.fields import COLLECTIONS
from broker.core.form import sections
from broker.desk import case_form
from broker.desk.context import Desk
from broker.errors import NotFound
from broker.web.forms import Form

Typed = dict[str, str | list[str]]
"""Name of an input → what stands in it."""

NOT_TYPED = frozenset({"assessment.confirmations", "reporter.submission_meta"})
"""Imported verdicts come with an import, never from a keyboard; F13 is better not collected."""
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?")


def _last_parts(kind: str) -> frozenset[str]:
    every = [(i.path.rpartition(".")[2], i.type) for s in sections() for g in s.groups for i in g.inputs]
    return frozenset(name for name, t in every if t == kind) - {name for name, t in every if t != kind}


INSTANTS, COUNTRIES = _last_parts("instant"), _last_parts("country")


def typed_in(form: Form, zone: ZoneInfo) -> Typed:
    """What a browser sent, by name; a local time gets its offset, a country its capitals."""
    found: Typed = {}
    for name in form:
        if "." not in name or name.startswith(tuple(NOT_TYPED)):
            continue
        values = [_aided(name, value.strip(), zone) for key, value in form.pairs if key == name]
        found[name] = values[0] if len(values) == 1 else [value for value in values if value]
    return found


def _aided(name: str, value: str, zone: ZoneInfo) -> str:
    last = name.rpartition(".")[2]
    if last in COUNTRIES and len(value) == 2:
        return value.upper()
    if last in INSTANTS and _LOCAL.fullmatch(value):
        local = datetime.fromisoformat(value).replace(tzinfo=zone)
        if local.utcoffset() == local.replace(fold=1).utcoffset():  # an hour that exists once
            return local.isoformat()
    return value


def fresh(desk: Desk, kind: str) -> Typed:
    """A new report of a kind: today, one empty entity where a check of this kind asks for one."""
    typed: Typed = {"case.kind": kind, "case.origin_channel": "public_report"}
    typed["case.dates.opened_at"] = desk.now().astimezone(ZoneInfo(desk.pack.timezone)).isoformat()
    expect(desk, kind, typed)
    return typed


def expect(desk: Desk, kind: str, typed: Typed) -> None:
    """One empty entity where a check of this kind asks for one and none stands on the page."""
    for section in case_form.of_kind(desk, kind).sections:
        if section.collection and section.expected and not entities(typed, section.name):
            add(typed, section.name)


def add(typed: Typed, path: str) -> str:
    """One more entity of a collection, or entry of a list. Returns the name of its first input."""
    if path in COLLECTIONS:
        taken = {name: dict.fromkeys(entities(typed, name), None) for name in COLLECTIONS}
        path = f"{path}.{case_form.next_id(taken, path)}"
        first = next(s for s in sections() if s.name == path.partition(".")[0]).groups[0]
        name = f"{path}.{first.inputs[0].path}"
        if first.repeats:
            name = f"{path}.{first.name}.0{first.inputs[0].path.removeprefix(first.name)}"
    else:
        standing = entries(typed, path)
        name = f"{path}.{int(standing[-1]) + 1 if standing else 0}{_first_below(path)}"
    typed[name] = ""
    return name


def _first_below(path: str) -> str:
    """The first input of an entry of a list, such as `.alg`. Raises `NotFound` for what is no list."""
    section, wanted = path.partition(".")[0], path.rpartition(".")[2]
    groups = next((s.groups for s in sections() if s.name == section), ())
    found = next((g for g in groups if g.name == wanted and g.repeats), None)
    if found is None:
        raise NotFound("list of the form")
    return found.inputs[0].path.removeprefix(wanted)


def remove(typed: Typed, path: str) -> None:
    """Take an entity or an entry away, and what was typed into it."""
    for name in [name for name in typed if name.startswith(path + ".")]:
        del typed[name]


def entities(typed: Mapping[str, object], collection: str) -> list[str]:
    """Ids of the entities that stand on the page."""
    found = dict.fromkeys(n.split(".")[1] for n in typed if n.startswith(collection + "."))
    return sorted(found, key=lambda each: (len(each), each))


def entries(typed: Mapping[str, object], path: str) -> list[str]:
    """Numbers of the entries of a list that stand on the page."""
    start = path + "."
    found = {name.removeprefix(start).partition(".")[0] for name in typed if name.startswith(start)}
    return sorted((each for each in found if each.isdigit()), key=int)
