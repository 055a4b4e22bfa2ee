"""The report form as a page sees it: which inputs stand there now, what was typed, what is wrong where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from broker.core.fields import COLLECTIONS
from broker.core.form import Input, sections
from broker.core.pack_types import KINDS
from broker.desk import case_form
from broker.desk.case_form import FormField, FormSection, Missing
from broker.desk.context import Desk
from broker.errors import Issue, NotFound
from broker.web.forms import Form

Typed = dict[str, str | list[str]]
"""Name of an input → what stands in it."""

NOT_TYPED = frozenset({"assessment.confirmations", "reporter.submission_meta"})
"""Imported verdicts come with an import, never from a keyboard; F13 is better not collected."""
LAST = ("evidence", "actions", "assessment", "reporter")
"""Sections that come after the collections."""
_POINTS_TO: Mapping[str, tuple[str, ...]] = {
    "found_at": ("locations",), "item": ("items",), "event": ("events",), "victims": ("victims",),
    "person": ("persons",), "account_of": ("persons",), "subject": ("persons", "victims"),
}  # fmt: skip
"""What a reference may name; the others may name every entity."""
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?")


def _last_parts(kind: str) -> frozenset[str]:
    every = [(i.path.rpartition(".")[2], i.type) for s in sections() for g in s.groups for i in g.inputs]
    return frozenset(name for name, t in every if t == kind) - {name for name, t in every if t != kind}


INSTANTS, COUNTRIES = _last_parts("instant"), _last_parts("country")


@dataclass(frozen=True, slots=True)
class Slot:
    """One input on the page."""

    name: str
    input: Input
    value: str | list[str]
    error: str
    options: tuple[str, ...] = ()
    """Of a reference: ids of entities that it may name."""

    @property
    def values(self) -> list[str]:
        """What stands in it as a list."""
        return [self.value] if isinstance(self.value, str) else self.value

    @property
    def text(self) -> str:
        """What stands in it as one text."""
        return self.values[-1] if self.values else ""


@dataclass(frozen=True, slots=True)
class Row:
    """A group once: all of it, or one entry where it repeats."""

    name: str
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A field with its inputs; `name` is also its anchor."""

    name: str
    field: FormField
    rows: tuple[Row, ...]
    asked: bool
    """A check asks for it, or the schema does; the others are folded while they are empty."""

    @property
    def filled(self) -> bool:
        """Whether something stands in it or is wrong with it."""
        return any(slot.error or any(slot.values) for row in self.rows for slot in row.slots)


@dataclass(frozen=True, slots=True)
class Part:
    """A section, or one entity of a collection (`entity` is then its id)."""

    name: str
    entity: str
    groups: tuple[Group, ...]

    @property
    def anchor(self) -> str:
        """Where links lead."""
        return f"{self.name}.{self.entity}" if self.entity else self.name

    @property
    def filled(self) -> bool:
        """Whether something stands in it."""
        return any(group.filled for group in self.groups)


@dataclass(frozen=True, slots=True)
class Block:
    """A heading of the form with its parts; a collection has an entity in each."""

    name: str
    collection: bool
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class FormView:
    """The whole form. `words` is the free text of the case, which comes last."""

    kind: str
    blocks: tuple[Block, ...]
    words: Block

    @property
    def every(self) -> tuple[Block, ...]:
        """The blocks in their order, the words last."""
        return (*self.blocks, self.words)

    def anchors(self) -> frozenset[str]:
        """Every place that a link can lead to."""
        return frozenset(self._anchors())

    def _anchors(self) -> Iterator[str]:
        for block in self.every:
            yield block.name
            for part in block.parts:
                yield part.anchor
                for group in part.groups:
                    yield group.name
                    yield from (slot.name for row in group.rows for slot in row.slots)

    def anchor(self, name: str) -> str:
        """The nearest place for the name of an input that may not stand there; empty for none."""
        known = self.anchors()
        while name and name not in known:
            name = name.rpartition(".")[0]
        return name

    def anchor_of(self, entity: str) -> str:
        """Where an entity stands; empty for one that does not."""
        return next((p.anchor for b in self.every for p in b.parts if p.entity == entity), "")

    def first_wrong(self) -> str:
        """The input that the cursor goes to."""
        for block in self.every:
            for part in block.parts:
                for group in part.groups:
                    for slot in (s for row in group.rows for s in row.slots):
                        if slot.error:
                            return slot.name
        return ""


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
    for section in case_form.of_kind(desk, kind).sections:
        if section.collection and section.expected:
            add(typed, section.name)
    return typed


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
        entries = _entries(typed, path)
        name = f"{path}.{int(entries[-1]) + 1 if entries else 0}{_first_below(path)}"
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


def _entries(typed: Mapping[str, object], path: str) -> list[str]:
    start = path + "."
    found = {name.removeprefix(start).partition(".")[0] for name in typed if name.startswith(start)}
    return sorted((each for each in found if each.isdigit()), key=int)


def view(
    desk: Desk,
    typed: Typed,
    issues: Sequence[Issue] = (),
    say: Mapping[Issue, str] | None = None,
    *,
    whole: bool = False,
) -> FormView:
    """The form with what was typed. An issue stands at its input, or at the first one below its place.

    `whole` is the case as it is held: also what the form does not ask for.
    """
    kind = str(typed.get("case.kind") or "")
    made = case_form.of_kind(desk, kind if kind in KINDS else KINDS[0])
    blank = _Builder(typed, {}, whole)
    blocks = [blank.block(section) for section in made.sections]
    errors = _errors([s for b in blocks for s in _slots(b)], issues, say or {})
    builder = _Builder(typed, errors, whole)
    by_name = {section.name: builder.block(section) for section in made.sections}
    order = sorted(made.sections, key=lambda s: (s.name in LAST, LAST.index(s.name) if s.name in LAST else 0,
                                                 s.collection and not s.expected))  # fmt: skip
    structured = tuple(_split(by_name[section.name], free=False) for section in order)
    free = [part for s in order if not s.collection for part in _split(by_name[s.name], free=True).parts]
    return FormView(kind, tuple(b for b in structured if b.collection or b.parts),
                    Block("words", False, tuple(free)))  # fmt: skip


def _slots(block: Block) -> Iterator[Slot]:
    yield from (s for part in block.parts for group in part.groups for row in group.rows for s in row.slots)


def _errors(slots: Sequence[Slot], issues: Sequence[Issue], say: Mapping[Issue, str]) -> dict[str, str]:
    names = [slot.name for slot in slots]
    found: dict[str, str] = {}
    for issue in issues:
        name = issue.field.removeprefix("/").replace("/", ".")
        at = next((n for n in names if n == name), None)
        at = at or next((n for n in names if n.startswith(name + ".")), None)
        at = at or next((n for n in names if name.startswith(n + ".")), None)
        if at is not None:
            found.setdefault(at, say.get(issue, issue.detail))
    return found


def _split(block: Block, *, free: bool) -> Block:
    """The structured groups of a section, or its free text; entities stay whole."""
    if block.collection:
        return block
    parts = [replace(p, groups=tuple(g for g in p.groups if g.field.free == free)) for p in block.parts]
    return replace(block, parts=tuple(part for part in parts if part.groups))


@dataclass(frozen=True, slots=True)
class _Builder:
    typed: Typed
    errors: Mapping[str, str]
    whole: bool

    def block(self, section: FormSection) -> Block:
        if not section.collection:
            return Block(section.name, False, (self._part(section, ""),))
        found = entities(self.typed, section.name)
        return Block(section.name, True, tuple(self._part(section, entity) for entity in found))

    def _part(self, section: FormSection, entity: str) -> Part:
        start = f"{section.name}.{entity}." if entity else f"{section.name}."
        groups = [
            self._one(start, field)
            for field in section.fields
            if self.whole or f"{start}{field.name}" not in NOT_TYPED
        ]
        return Part(section.name, entity, tuple(groups))

    def _one(self, start: str, field: FormField) -> Group:
        name = start + field.name
        if field.repeats:
            rows = tuple(self._row(f"{name}.{n}", field) for n in _entries(self.typed, name))
        else:
            rows = (self._row(name, field),)
        direct = any(each.needed and each.path == field.name for each in field.inputs)
        return Group(name, field, rows, bool(field.blocks or field.warns or direct or field.name == "dates"))

    def _row(self, name: str, field: FormField) -> Row:
        slots = []
        for each in field.inputs:
            full = name + each.path.removeprefix(field.name)
            options: tuple[str, ...] = ()
            if each.type == "reference":
                where = _POINTS_TO.get(each.path.rpartition(".")[2], tuple(COLLECTIONS))
                options = tuple(i for c in where for i in entities(self.typed, c))
            slots.append(Slot(full, each, self.typed.get(full, ""), self.errors.get(full, ""), options))
        return Row(name, tuple(slots))


def jump(view: FormView, missing: Sequence[Missing]) -> list[tuple[Missing, str]]:
    """What is missing, each with the place to jump to."""
    return [(each, view.anchor(each.input)) for each in missing]
