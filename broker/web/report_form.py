"""The report form as a page sees it: which inputs stand there now, what was typed, what is wrong where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from broker.core.fields import COLLECTIONS
from broker.core.form import Input
from broker.core.pack_types import KINDS
from broker.desk import case_form
from broker.desk.case_form import FormField, FormSection, Missing
from broker.desk.context import Desk
from broker.errors import Issue
from broker.web.typed_form import NOT_TYPED, Typed, entities, entries

LAST = ("evidence", "actions", "assessment", "reporter")
"""Sections that come after the collections."""
_POINTS_TO: Mapping[str, tuple[str, ...]] = {
    "found_at": ("locations",), "item": ("items",), "event": ("events",), "victims": ("victims",),
    "person": ("persons",), "account_of": ("persons",), "subject": ("persons", "victims"),
}  # fmt: skip
"""What a reference may name; the others may name every entity."""


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

    def input_of(self, field_id: str) -> str:
        """The first input of a field; empty where the form asks for none."""
        return next((slot.name for slot in self._slots() if slot.input.field == field_id), "")

    def _slots(self) -> Iterator[Slot]:
        """Every input, in the order of the page."""
        for part in (part for block in self.every for part in block.parts):
            yield from (slot for group in part.groups for row in group.rows for slot in row.slots)

    def anchor_of(self, entity: str) -> str:
        """Where an entity stands; empty for one that does not."""
        return next((p.anchor for b in self.every for p in b.parts if p.entity == entity), "")

    def first_wrong(self) -> str:
        """The input that the cursor goes to."""
        return next((slot.name for slot in self._slots() if slot.error), "")


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
            rows = tuple(self._row(f"{name}.{n}", field) for n in entries(self.typed, name))
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
