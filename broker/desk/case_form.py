"""The report form: what to fill in for a kind of case, which checks ask for it, and what is still missing.

All of it is derived: inputs from the schema (`core.form`), what asks for them from the checks of the pack.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from broker.core import case as core_case
from broker.core import form, quality
from broker.core.checks import DOCUMENT, Document, Entity
from broker.core.fields import COLLECTIONS, SECTIONS
from broker.core.form import Group, Input, from_form, next_id, to_form
from broker.core.pack import Pack
from broker.core.pack_types import KINDS, CheckRule
from broker.desk.context import Desk
from broker.errors import Issue, NotFound, Refused
from broker.spi import Json

__all__ = ["CaseForm", "FormField", "FormSection", "Missing", "from_form", "missing", "next_id", "of_kind",
           "to_form"]  # fmt: skip

ASKS: Mapping[str, str] = {"Q06": "assessment.minor_check"}
"""Checks of the process that an input of the form answers; the others are gates of the desk."""


@dataclass(frozen=True, slots=True)
class FormField:
    """A member with its inputs. `blocks` and `warns` are the checks that miss it for this kind of case;
    `help` is the key of its words; `free` says that it is free text, which comes last."""

    name: str
    field: str
    inputs: tuple[Input, ...]
    repeats: bool
    blocks: tuple[str, ...]
    warns: tuple[str, ...]
    help: str
    free: bool


@dataclass(frozen=True, slots=True)
class FormSection:
    """A section, or with `collection` the form of one entity. `expected`: a check of this kind asks here."""

    name: str
    collection: bool
    expected: bool
    fields: tuple[FormField, ...]
    """Structured ones first, free text last."""


@dataclass(frozen=True, slots=True)
class CaseForm:
    """The form of one kind."""

    kind: str
    sections: tuple[FormSection, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing to do. `input` is the name to jump to: in a collection without an entity it is that of
    the id a new one would have. `code` is a gap of the pack, or the rule that the schema saw broken."""

    code: str
    check: str
    level: Literal["block", "warn", "refused"]
    input: str
    field: str


def of_kind(desk: Desk, kind: str, recipient_class: str | None = None) -> CaseForm:
    """The form of a kind; checks are those of the class, the domestic police by default."""
    if kind not in KINDS:
        raise NotFound("kind of case")
    checks = tuple(_checks(desk.pack, kind, recipient_class))
    return CaseForm(kind, tuple(_section(desk.pack, section, checks) for section in form.sections()))


def missing(
    desk: Desk, document: Mapping[str, Json], recipient_class: str | None = None
) -> tuple[Missing, ...]:
    """What an unsaved case still lacks: broken rules first, then what blocks, then what should be there.

    It reads and stores nothing. A check that trips over a value which the schema refuses says nothing:
    the broken rule already does.
    """
    kind = document.get("case", {}).get("kind")
    refused = [_refused(issue) for issue in _issues(document)]
    if kind not in KINDS:
        return tuple(refused)
    found: list[Missing] = []
    for check in _checks(desk.pack, kind, recipient_class):
        try:
            found += _gaps(desk, check, document, kind)
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
    found.sort(key=lambda each: each.level != "block")
    return (*refused, *found)


def _checks(pack: Pack, kind: str, recipient_class: str | None) -> Iterator[CheckRule]:
    wanted = recipient_class or pack.roles["domestic_police"]
    for check in pack.checks.values():
        if (
            wanted in check.classes
            and kind in check.kinds
            and (check.scope == "document" or check.id in ASKS)
        ):
            yield check


def _section(pack: Pack, section: form.Section, checks: tuple[CheckRule, ...]) -> FormSection:
    fields = [_field(pack, section.name, group, checks) for group in section.groups]
    return FormSection(
        section.name,
        section.collection,
        any(each.blocks or each.warns for each in fields),
        tuple(sorted(fields, key=lambda each: each.free)),
    )


def _field(pack: Pack, section: str, group: Group, checks: tuple[CheckRule, ...]) -> FormField:
    place = f"{section}.{group.name}"
    asking = [c for c in checks if group.field in c.inputs or ASKS.get(c.id) == place]
    rule = pack.fields.get(group.field)
    return FormField(
        name=group.name,
        field=group.field,
        inputs=group.inputs,
        repeats=group.repeats,
        blocks=tuple(c.id for c in asking if c.level == "block"),
        warns=tuple(c.id for c in asking if c.level == "warn"),
        help=f"field.{group.field}" if group.field else f"place.{place}",
        free=rule is not None and rule.free_text,
    )


def _issues(document: Mapping[str, Json]) -> tuple[Issue, ...]:
    try:
        core_case.from_json(dict(document))
    except Refused as refused:
        return refused.issues
    return ()


def _refused(issue: Issue) -> Missing:
    parts = issue.field.split("/")[1:]
    names = COLLECTIONS if parts and parts[0] in COLLECTIONS else SECTIONS
    at = 2 if names is COLLECTIONS else 1
    known: Mapping[str, str] = names.get(parts[0], {}) if parts else {}
    if parts and parts[0] in ("links", "contacts"):
        field = next(iter(known.values()))
    else:
        field = known.get(parts[at], "") if len(parts) > at else ""
    return Missing(issue.rule, "", "refused", form.name_of(issue.field), field)


def _gaps(desk: Desk, check: CheckRule, document: Mapping[str, Json], kind: str) -> Iterator[Missing]:
    if check.id in ASKS:
        everything = {local_id for name in COLLECTIONS for local_id in document.get(name, {})}
        section, name = ASKS[check.id].split(".")
        if quality.minor_check_needed(everything, document) and name not in document.get(section, {}):
            yield Missing(check.gaps[0], check.id, check.level, ASKS[check.id], "")
        return
    facts, entities = quality.as_document(document)
    for gap in _run(desk, check, facts, entities, kind):
        place = _place(desk, check, facts, entities, kind)
        yield Missing(gap, check.id, check.level, place[0], place[1])


def _run(desk: Desk, check: CheckRule, facts: Any, entities: Any, kind: str) -> tuple[str, ...]:
    clocks = desk.pack.clocks
    seen = Document(
        facts, entities, kind, desk.now(), clocks["online_check_urgent"].span, clocks["online_check"].span
    )
    return DOCUMENT[check.id](seen) or ()


def _place(desk: Desk, check: CheckRule, facts: Any, entities: Any, kind: str) -> tuple[str, str]:
    """The input to jump to: the first entity that fails the check alone, and there the first field of the
    check that is absent."""
    read_facts, read_collections = _reads(check.id, kind)
    absent = [(s, n) for s, n in read_facts if n not in facts.get(s, {})] or read_facts
    for section, name in absent:
        if SECTIONS[section][name] in check.inputs:
            return f"{section}.{name}", SECTIONS[section][name]
    for collection in read_collections:
        wanted = [(n, f) for n, f in COLLECTIONS[collection].items() if f in check.inputs]
        group = entities.get(collection, {})
        for local_id, entity in group.items():
            if wanted and _run(desk, check, facts, {**entities, collection: {local_id: entity}}, kind):
                name, field = _first_absent(wanted, entity)
                return _entity_input(collection, local_id, name), field
        if wanted and not group:
            return _entity_input(collection, next_id(entities, collection), wanted[0][0]), wanted[0][1]
    return "", ""


@cache
def _reads(check: str, kind: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What a check looks at, as (facts, collections): seen by letting it look at an empty case."""
    facts: list[tuple[str, str]] = []
    collections: list[str] = []

    class Watched(Document):
        def fact(self, section: str, name: str) -> Json:
            facts.append((section, name))
            return None

        def each(self, collection: str) -> tuple[Entity, ...]:
            collections.append(collection)
            return ()

    DOCUMENT[check](Watched({}, {}, kind))
    return tuple(dict.fromkeys(facts)), tuple(dict.fromkeys(collections))


def _entity_input(collection: str, local_id: str, name: str) -> str:
    """Links and contacts are one field each: the entity itself is the place."""
    return (
        f"{collection}.{local_id}"
        if collection in ("links", "contacts")
        else f"{collection}.{local_id}.{name}"
    )


def _first_absent(wanted: list[tuple[str, str]], values: Collection[str]) -> tuple[str, str]:
    return next(((name, field) for name, field in wanted if name not in values), wanted[0])
