"""What is missing in a referral, how complete it is, and how soon somebody should look at it.

Three different things (ruling 6): `blocks` stop a draft, `score` says how complete it is and orders
the analyst's work, `priority` says how urgent. A low score never stops anything, so it can never
refuse a statutory route. Outward go only the named gaps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from broker.core.checks import DOCUMENT, PROCESS, Document, Entity, Gaps, Process
from broker.core.fields import COLLECTIONS, SECTIONS
from broker.core.pack import Pack
from broker.core.pack_types import CheckRule
from broker.spi import Json

_URGENCY = {"U1": 40, "U2": 25, "U3": 10}
_ACCESS = {"confirmed": 25, "likely": 15, "claimed": 10}
_HANDS_ON = frozenset({"csam_production", "live_stream"})


@dataclass(frozen=True, slots=True)
class Quality:
    """`score` 0-100 (completeness), `priority` 0-100, gap codes by check order, and gaps that block.

    `by_check` keeps which check named which gap, for the page that explains it.
    """

    score: int
    priority: int
    gaps: tuple[str, ...]
    blocks: tuple[str, ...]
    by_check: Mapping[str, tuple[str, ...]]


def assess(
    facts: Mapping[str, Entity],
    entities: Mapping[str, Mapping[str, Entity]],
    *,
    pack: Pack,
    recipient_class: str,
    kind: str,
    mask: Collection[str],
    now: datetime,
    process: Process,
) -> Quality:
    """All checks of a class and a kind of case, on what this recipient gets.

    Only checks whose inputs are all in `mask` count. An empty set of checks scores 100.
    """
    document = _document(pack, facts, entities, kind, mask=mask, at=now)
    passed = total = 0
    found: dict[str, tuple[str, ...]] = {}
    blocks: list[str] = []
    for check in _applicable(pack, recipient_class, kind, mask):
        gaps = _run(check, document, process)
        if gaps is None:
            continue
        total += check.weight
        if not gaps:
            passed += check.weight
            continue
        found[check.id] = gaps
        if check.level == "block":
            blocks += gaps
    return Quality(
        score=100 if total == 0 else 100 * passed // total,
        priority=priority(facts, entities),
        gaps=tuple(gap for gaps in found.values() for gap in gaps),
        blocks=tuple(blocks),
        by_check=found,
    )


def named_gaps(
    facts: Mapping[str, Entity],
    entities: Mapping[str, Mapping[str, Entity]],
    *,
    pack: Pack,
    recipient_class: str,
    kind: str,
    mask: Collection[str],
    at: datetime | None = None,
) -> tuple[str, ...]:
    """F63: codes of what is missing, from the minimised document alone.

    Only checks all of whose inputs this recipient gets may name a gap, so that a gap never tells
    whether something withheld is held (ruling 1). Without `at` nothing is called stale.
    """
    document = _document(pack, facts, entities, kind, mask=mask, at=at)
    found: dict[str, None] = {}
    for check in _applicable(pack, recipient_class, kind, mask):
        if check.scope == "document":
            found.update(dict.fromkeys(_run(check, document, None) or ()))
    return tuple(found)


def priority(facts: Mapping[str, Entity], entities: Mapping[str, Mapping[str, Entity]]) -> int:
    """How soon a person should look: urgency, access to a child, new material, hands-on, a child
    nobody knows. Says nothing about completeness."""
    case = facts.get("case", {})
    access = [_ACCESS.get(str(p.get("child_access")), 0) for p in entities.get("persons", {}).values()]
    items = entities.get("items", {}).values()
    new = any(_status(item) == "new" for item in items)
    victims = entities.get("victims", {}).values()
    unknown = any(v.get("identification") in {"unknown", "possibly_known"} for v in victims)
    return min(
        100,
        _URGENCY.get(str(case.get("urgency")), 0)
        + max(access, default=0)
        + 15 * new
        + 15 * (case.get("offence_type") in _HANDS_ON)
        + 5 * unknown,
    )


def texts(pack: Pack, gaps: Collection[str], language: str) -> tuple[str, ...]:
    """Gaps in words of one language of the pack."""
    return tuple(pack.gap_texts[gap][language] for gap in gaps)


def as_document(
    data: Mapping[str, Json],
) -> tuple[dict[str, dict[str, Json]], dict[str, dict[str, dict[str, Json]]]]:
    """A whole case in the shape of a referral (facts, entities), for checks before minimisation."""
    facts = {
        section: {name: data[section][name] for name in names if name in data[section]}
        for section, names in SECTIONS.items()
        if section in data
    }
    entities: dict[str, dict[str, dict[str, Json]]] = {}
    for collection in COLLECTIONS:
        flat = {"links": "link", "contacts": "history"}.get(collection)
        entities[collection] = {
            local_id: {flat: entity} if flat else dict(entity)
            for local_id, entity in data.get(collection, {}).items()
        }
    return facts, entities


def minor_check_needed(released_rows: Collection[str], data: Mapping[str, Json]) -> bool:
    """Q06 applies where a reported person, or content that may be self-made, is to leave."""
    persons = any(local_id in released_rows for local_id in data.get("persons", {}))
    own = any(
        local_id in released_rows
        and item.get("self_generated", {}).get("self_generated", "no") in {"yes", "unknown"}
        for local_id, item in data.get("items", {}).items()
        if "self_generated" in item
    )
    return persons or own


def _document(
    pack: Pack,
    facts: Mapping[str, Entity],
    entities: Mapping[str, Mapping[str, Entity]],
    kind: str,
    *,
    mask: Collection[str],
    at: datetime | None,
) -> Document:
    """What the checks may see: nothing outside the mask, whoever calls."""
    wanted = frozenset(mask)
    return Document(
        {name: _within(values, SECTIONS[name], wanted) for name, values in facts.items() if name in SECTIONS},
        {
            name: {local_id: _within(entity, COLLECTIONS[name], wanted) for local_id, entity in group.items()}
            for name, group in entities.items()
        },
        kind,
        at,
        pack.clocks["online_check_urgent"].span,
        pack.clocks["online_check"].span,
    )


def _within(values: Entity, places: Mapping[str, str], mask: frozenset[str]) -> Entity:
    return {name: value for name, value in values.items() if places.get(name) in mask}


def _applicable(pack: Pack, recipient_class: str, kind: str, mask: Collection[str]) -> Iterator[CheckRule]:
    given = frozenset(mask)
    for check in pack.checks.values():
        if recipient_class in check.classes and kind in check.kinds and check.inputs <= given:
            yield check


def _run(check: CheckRule, document: Document, process: Process | None) -> Gaps:
    if check.id in DOCUMENT:
        return DOCUMENT[check.id](document)
    return None if process is None else PROCESS[check.id](process)


def _status(item: Entity) -> object:
    known = item.get("known_status")
    return known.get("status") if isinstance(known, Mapping) else known
