"""One flat pass over a case for one recipient: rows, then fields, then actions.

Works on the plain document and builds a new one; it never edits what came in. Whatever is not put into
the new document is collected as withheld, so that nothing can be lost without being counted. What needs
the whole result (masks, gaps, summary) is left to `minimise`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from broker.core.actions import DROP, Self, apply
from broker.core.casewide import Kept
from broker.core.fields import COLLECTIONS, MINOR_RULE, SECTIONS
from broker.core.manifest import Scope, View, compile_view
from broker.core.rows import RowDecision, account_of
from broker.spi import Finding, Json, Unit

APART = "apart"
Rules = Mapping[str, tuple[str, str]]
Plan = Mapping[str, Rules]
"""section or collection → field name → (field id, action or `apart`)."""


@lru_cache(maxsize=512)
def plan_of(scope: Scope) -> Plan:
    """The view laid out by place, so that a value's fate is one look-up."""
    decisions = compile_view(scope).decisions
    return MappingProxyType(
        {
            group: {
                name: (f, APART if decisions[f].state == APART else decisions[f].action)
                for name, f in names.items()
            }
            for group, names in (*SECTIONS.items(), *COLLECTIONS.items())
        }
    )


@dataclass(slots=True)
class Pending:
    """A human text that still needs its mask: where it goes, and what it is.

    `held` is its pointer with local ids: the name a person clears it under, which stays the same from
    one preview to the next while element ids may be drawn anew.
    """

    target: dict[str, Json]
    name: str
    field: str
    pointer: str
    held: str
    value: Json


@dataclass(slots=True)
class Document:
    """What the pass makes. `facts` and `entities` have the shape of docs/spec/referral.md."""

    facts: dict[str, dict[str, Json]] = field(default_factory=dict)
    entities: dict[str, dict[str, dict[str, Json]]] = field(default_factory=dict)
    apart: list[Unit] = field(default_factory=list)
    withheld: list[Unit] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def values(self) -> Iterator[tuple[str, Json]]:
        """(field id, value) of every disclosure unit that has a field."""
        for section, facts in self.facts.items():
            if fields := SECTIONS.get(section):
                yield from [(fields[name], value) for name, value in facts.items()]
        for collection, elements in self.entities.items():
            ids = COLLECTIONS[collection]
            for element in elements.values():
                yield from [(ids[name], value) for name, value in element.items()]

    def units(self) -> Iterator[Unit]:
        """Every disclosure unit, unsorted; generated text has no field id."""
        for section, facts in self.facts.items():
            fields = SECTIONS.get(section)
            for name, value in facts.items():
                yield Unit("" if fields is None else fields[name], f"/facts/{section}/{name}", value)
        for collection, elements in self.entities.items():
            ids = COLLECTIONS[collection]
            for element, values in elements.items():
                for name, value in values.items():
                    yield Unit(ids[name], f"/entities/{collection}/{element}/{name}", value)


@dataclass(slots=True)
class EntityPass:
    """The entities of a case. `ids` maps every kept row to its element id."""

    data: Mapping[str, Json]
    view: View
    rows: Mapping[str, RowDecision]
    ids: Mapping[str, str]
    me: Self
    whole: bool
    out: Document
    minors: frozenset[str] = frozenset()

    def run(self) -> Kept:
        """Fill the document; returns the rows that have something to show."""
        plan = plan_of(self.view.scope)
        self.minors = frozenset(
            i for i, person in self.data.get("persons", {}).items() if person.get("minor_flag") == "minor"
        )
        for collection in ("persons", "locations", "events", "victims", "items"):
            self._collection(collection, plan[collection])
        kept = Kept(frozenset(self.ids), self._shown(plan), self.whole)
        self._references(plan, kept)
        return kept

    def _collection(self, collection: str, plan: Rules) -> None:
        elements: dict[str, dict[str, Json]] = {}
        for local_id, entity in self.data.get(collection, {}).items():
            element = self.ids.get(local_id)
            if element is None:
                self._withhold_all(collection, local_id, entity, plan)
                continue
            minor = local_id in self.minors or account_of(entity) in self.minors
            here = f"/entities/{collection}/{element}/"
            shown = self._fields(f"/entities/{collection}/{local_id}/", here, entity, plan, minor)
            if shown:
                elements[element] = shown
        if elements:
            self.out.entities[collection] = elements

    def _fields(
        self, held: str, here: str, entity: Mapping[str, Json], plan: Rules, minor: bool
    ) -> dict[str, Json]:
        shown: dict[str, Json] = {}
        withheld, me = self.out.withheld, self.me
        for name, value in entity.items():
            rule = plan.get(name)
            # Structural members such as found_at are no units; an empty list or object holds nothing.
            if rule is None or (not value and isinstance(value, list | dict)):
                continue
            field_id, action = rule
            if action == "F" and not (minor and self._minor_closed(field_id)):
                shown[name] = value
                continue
            if action == APART:
                self.out.apart.append(Unit(field_id, here + name, value))
                continue
            withheld.append(Unit(field_id, held + name, value))
            if action == "M":
                shown[name] = None
                self.out.pending.append(Pending(shown, name, field_id, here + name, held + name, value))
            elif action not in ("F", "-"):
                left = apply(action, field_id, value, me)
                if left is not DROP:
                    shown[name] = left
        return shown

    def _minor_closed(self, field_id: str) -> bool:
        """F43: of a person who is a minor, F becomes C."""
        return field_id in MINOR_RULE and field_id not in self.view.minor_open

    def _withhold_all(self, collection: str, local_id: str, entity: Mapping[str, Json], plan: Rules) -> None:
        pointer = f"/entities/{collection}/{local_id}/"
        self.out.withheld += [
            Unit(plan[name][0], pointer + name, value)
            for name, value in entity.items()
            if name in plan and not (not value and isinstance(value, list | dict))
        ]

    def _shown(self, plan: Plan) -> Mapping[str, str]:
        """local id → element id of rows with a unit to show. Items and victims have one in their ref."""
        entities = self.out.entities
        groups = [(c, entities.get(c, {})) for c in ("persons", "locations", "events", "items", "victims")]
        numbered = {c for c in ("items", "victims") if plan[c]["ref"][1] not in ("-", "A")}
        return {
            local_id: element
            for collection, elements in groups
            for local_id in self.data.get(collection, ())
            if (element := self.ids.get(local_id)) is not None
            and (collection in numbered or element in elements)
        }

    def _references(self, plan: Plan, kept: Kept) -> None:
        """What refers to other elements, once it is known which of them show."""
        self._events(kept)
        self._items(plan["items"]["ref"][1], kept)
        self._victims(*plan["victims"]["ref"], kept)
        self._links(*plan["links"]["link"], kept)
        self._contacts(*plan["contacts"]["history"], kept)

    def _events(self, kept: Kept) -> None:
        for element in self.out.entities.get("events", {}).values():
            event = element.get("event")
            if event and "account_of" in event:
                element["event"] = _with_ids(event, kept.ids)

    def _items(self, action: str, kept: Kept) -> None:
        if action != "F":
            return
        shown = sorted((kept.ids[i], i) for i in self.data.get("items", ()) if i in kept.ids)
        elements = self.out.entities.setdefault("items", {}) if shown else {}
        for number, (element, local_id) in enumerate(shown, 1):
            ref: dict[str, Json] = {"ref": f"item {number}"}
            if places := kept.shown(self.data["items"][local_id].get("found_at", ())):
                ref["found_at"] = places
            elements.setdefault(element, {})["ref"] = ref

    def _victims(self, field_id: str, action: str, kept: Kept) -> None:
        shown = sorted(kept.ids[i] for i in self.data.get("victims", ()) if i in kept.ids)
        if action in ("-", "A") or not shown:
            return
        elements = self.out.entities.setdefault("victims", {})
        for number, element in enumerate(shown, 1):
            ref = {"ref": f"victim {number}", "of": len(shown)}
            elements.setdefault(element, {})["ref"] = apply(action, field_id, ref, self.me)

    def _links(self, field_id: str, action: str, kept: Kept) -> None:
        events = self.data.get("events", {})
        elements: dict[str, dict[str, Json]] = {}
        for local_id, link in self.data.get("links", {}).items():
            element = self.ids.get(local_id)
            account = account_of(events.get(link.get("event"), {}))
            minor = link["subject"] in self.minors or account in self.minors
            value: Json = DROP
            if element is not None and not (minor and action == "F" and self._minor_closed(field_id)):
                value = apply(action, field_id, link, self.me)
            if value is link:
                value = _link(link, kept.ids)
            if value is DROP or element is None:
                self.out.withheld.append(Unit(field_id, f"/entities/links/{local_id}/link", link))
            else:
                elements[element] = {"link": value}
        if elements:
            self.out.entities["links"] = elements

    def _contacts(self, field_id: str, action: str, kept: Kept) -> None:
        elements: dict[str, dict[str, Json]] = {}
        for local_id, contact in self.data.get("contacts", {}).items():
            element = self.ids.get(local_id)
            value: Json = DROP if element is None else apply(action, field_id, contact, self.me)
            if value is DROP or element is None:
                self.out.withheld.append(Unit(field_id, f"/entities/contacts/{local_id}/history", contact))
            else:
                elements[element] = {"history": _with_ids(value, kept.ids)}
        if elements:
            self.out.entities["contacts"] = elements


_ENDS = frozenset({"subject", "item", "event", "person", "account_of"})


def _with_ids(value: Mapping[str, Json], ids: Mapping[str, str]) -> dict[str, Json]:
    """References become element ids; those to what does not show are gone."""
    out: dict[str, Json] = {}
    for name, child in value.items():
        if name in _ENDS:
            if child in ids:
                out[name] = ids[child]
        elif name == "victims":
            if shown := _all(child, ids):
                out[name] = shown
        else:
            out[name] = child
    return out


def _all(local_ids: Sequence[str], ids: Mapping[str, str]) -> list[str]:
    return sorted(ids[i] for i in local_ids if i in ids)


def _link(link: Mapping[str, Json], ids: Mapping[str, str]) -> Json:
    """A link needs who it speaks of, and at least one other end if it had any."""
    if link["subject"] not in ids:
        return DROP
    shown = _with_ids(link, ids)
    had = any(link.get(name) for name in ("item", "event", "victims"))
    has = any(name in shown for name in ("item", "event", "victims"))
    return shown if has or not had else DROP
