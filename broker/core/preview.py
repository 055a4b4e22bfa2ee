"""What is held beside what one recipient would get, and why: the data of the preview, as codes and values.

Pages and the command line find the words. Exceptions carry marks, so that a reader begins with them;
everything else goes, or stays, exactly as the matrix and the agreement have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from broker.core.clearing import MaskedLine, masked_line, unit_of
from broker.core.explain import Why, why_field
from broker.core.fields import COLLECTIONS, MINOR_RULE, SECTIONS
from broker.core.minimise import Minimised
from broker.core.rows import RowDecision, account_of
from broker.core.values import TEXTS
from broker.spi import Finding, Json, Unit

Mark = Literal["blocked", "justified", "masked", "implied", "changed", "unusual"]
Fate = Literal["passed", "transformed", "withheld", "apart", "made"]
"""`made`: the broker computes it, nothing of the kind is held."""
_FLAT = {"links": "link", "contacts": "history"}
USUAL = 0.9
"""Share of the class's recent releases from which another treatment of a field is unusual."""


@dataclass(frozen=True, slots=True)
class Line:
    """One value: held, sent, why. `clause` says why it is withheld where it is; `human` that it is text a
    person wrote; `before` what the last version said where that differs."""

    field: str
    name: str
    pointer: str
    held: Json
    sent: Json
    fate: Fate
    clause: str
    why: Why
    human: bool
    marks: tuple[Mark, ...] = ()
    before: Json = None


@dataclass(frozen=True, slots=True)
class Group:
    """A section of the case, or one entity with the decision on its row (None for a section)."""

    name: str
    local_id: str
    row: RowDecision | None
    lines: tuple[Line, ...]

    @property
    def kept(self) -> bool:
        """Whether it goes at all."""
        return self.row is None or self.row.kept


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything about one recipient. `exceptions` and `agreed` together are every line of a kept row."""

    groups: tuple[Group, ...]
    dropped: tuple[Group, ...]
    masked: tuple[MaskedLine, ...]
    blocking: tuple[Finding, ...]
    other: tuple[Finding, ...]
    asked_for: tuple[str, ...]

    def exceptions(self) -> Iterator[tuple[Group, Line]]:
        """What to look at first."""
        return ((group, line) for group in self.groups for line in group.lines if line.marks)

    @property
    def agreed(self) -> int:
        """How many values are treated exactly as agreed."""
        return sum(not line.marks for group in self.groups for line in group.lines)

    @property
    def sent(self) -> int:
        """How many values go, opened or sealed apart."""
        return sum(line.fate != "withheld" for group in self.groups for line in group.lines)


def preview(
    data: Mapping[str, Json],
    minimised: Minimised,
    findings: Sequence[Finding],
    *,
    cleared: Iterable[str] = (),
    last: Sequence[Unit] | None = None,
    usual: Mapping[str, str] | None = None,
) -> Preview:
    """`last` are the units of the version sent before; `usual` is field → action as this class mostly
    gets it."""
    made = _Maker(data, minimised, findings, last, usual or {})
    groups = [*made.sections(), *made.entities()]
    done = frozenset(cleared)
    return Preview(
        groups=tuple(g for g in groups if g.kept and g.lines),
        dropped=tuple(g for g in groups if not g.kept),
        masked=tuple(
            masked_line(pointer, text, cleared=pointer in done)
            for pointer, text in sorted(minimised.masked.items())
        ),
        blocking=tuple(f for f in findings if f.severity == "block"),
        other=tuple(f for f in findings if f.severity != "block"),
        asked_for=tuple(f for f, d in minimised.view.decisions.items() if d.asks),
    )


class _Maker:
    """One pass over the case beside its minimised form."""

    def __init__(
        self,
        data: Mapping[str, Json],
        minimised: Minimised,
        findings: Sequence[Finding],
        last: Sequence[Unit] | None,
        usual: Mapping[str, str],
    ) -> None:
        self.data, self.minimised, self.usual = data, minimised, usual
        self.apart = {unit.pointer: unit.value for unit in minimised.apart}
        self.last = None if last is None else {unit.pointer: unit.value for unit in last}
        self.masked = {unit_of(pointer) for pointer in minimised.masked}
        self.marked: dict[str, set[Mark]] = {}
        for finding in findings:
            mark: Mark | None = "blocked" if finding.severity == "block" else None
            mark = "implied" if finding.code == "implied" else mark
            if mark and finding.pointer:
                self.marked.setdefault(unit_of(finding.pointer), set()).add(mark)
        persons = data.get("persons", {})
        self.minors = {i for i, person in persons.items() if person.get("minor_flag") == "minor"}

    def sections(self) -> Iterator[Group]:
        """Facts of the case as a whole, generated text last."""
        facts = self.minimised.facts
        for section, names in SECTIONS.items():
            held, sent = self.data.get(section, {}), facts.get(section, {})
            lines = [
                self._line(field, name, f"/facts/{section}/{name}", held.get(name), sent.get(name))
                for name, field in names.items()
                if name in held or name in sent
            ]
            yield Group(section, "", None, tuple(lines))
        if "summary" in facts:
            sent = facts["summary"]
            lines = [self._line("", name, f"/facts/summary/{name}", None, sent[name]) for name in sent]
            yield Group("summary", "", None, tuple(lines))

    def entities(self) -> Iterator[Group]:
        """Every entity of the case, those that stay as well."""
        for collection, names in COLLECTIONS.items():
            for local_id, entity in self.data.get(collection, {}).items():
                row = self.minimised.rows[local_id]
                held = {_FLAT[collection]: entity} if collection in _FLAT else entity
                element = self.minimised.element_ids.get(local_id, "")
                sent = self.minimised.entities.get(collection, {}).get(element, {})
                here, there = f"/entities/{collection}/{local_id}/", f"/entities/{collection}/{element}/"
                minor = self._of_minor(collection, local_id, entity)
                lines = [
                    self._line(
                        field, name, here + name, held.get(name), sent.get(name), row, there + name, minor
                    )
                    for name, field in names.items()
                    if held.get(name) not in (None, [], {}) or name in sent
                ]
                yield Group(collection, local_id, row, tuple(lines))

    def _of_minor(self, collection: str, local_id: str, entity: Mapping[str, Json]) -> bool:
        """Whether an entity concerns a reported person who is a minor, as minimising asks it."""
        events = self.data.get("events", {})
        if collection == "links":
            ends = {entity["subject"], account_of(events.get(entity.get("event"), {}))}
        else:
            ends = {local_id, account_of(entity) if collection == "events" else ""}
        return not ends.isdisjoint(self.minors)

    def _line(
        self,
        field: str,
        name: str,
        pointer: str,
        held: Json,
        sent: Json,
        row: RowDecision | None = None,
        there: str = "",
        minor: bool = False,
    ) -> Line:
        there = there or pointer
        why = why_field(self.minimised.view, field or "F64", row)
        fate: Fate = "withheld"
        if there in self.apart:
            fate, sent = "apart", self.apart[there]
        elif sent is not None:
            alike = sent == held or why.decision.action == "F"
            fate = "made" if held is None else "passed" if alike else "transformed"
        line = Line(field, name, pointer, held, sent, fate, "", why, field in TEXTS)
        if fate == "withheld":
            line = replace(line, clause=_clause(why, row, minor and field in MINOR_RULE))
        if row is not None and not row.kept:
            return line
        changed = self.last is not None and fate != "apart" and self.last.get(there) != sent
        before = self.last.get(there) if changed and self.last is not None else None
        return replace(line, marks=tuple(self._marks(line, there, changed, minor)), before=before)

    def _marks(self, line: Line, there: str, changed: bool, minor: bool) -> Iterator[Mark]:
        found = self.marked.get(there, set()) | self.marked.get(line.pointer, set())
        if "blocked" in found:
            yield "blocked"
        decision = line.why.decision
        opened = line.why.ground is not None or (decision.asks and line.fate != "withheld")
        if line.held is not None and (decision.column == "C" or opened or (minor and line.clause == "minor")):
            yield "justified"
        if line.pointer in self.masked:
            yield "masked"
        if "implied" in found:
            yield "implied"
        if changed:
            yield "changed"
        usual = self.usual.get(line.field)
        applied = "apart" if line.fate == "apart" else decision.action
        if usual is not None and line.fate != "withheld" and usual != applied:
            yield "unusual"


def _clause(why: Why, row: RowDecision | None, minor: bool) -> str:
    """Why nothing of a held value goes: the row, the field's clause, a minor, or nothing is left of it."""
    if row is not None and not row.kept:
        return "row"
    if why.decision.state == "withheld":
        return why.decision.clause
    if why.decision.action == "A":
        return "aggregate"
    return "minor" if minor else "nothing-left"
