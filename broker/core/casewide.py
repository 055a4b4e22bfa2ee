"""Values of the case as a whole, computed from the rows one recipient keeps (ruling 1).

A list entry names what it is `about`. A claim, a verdict and a hold hold for each entity they name, so
they go with what is left of that list; an entry with a value of its own (whom it was sent to, a hash)
could describe a dropped entity and goes only when all of its entities go. An entry about nothing in
particular is about the whole case: only who gets the whole case gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from broker.core.confirmation import Claim
from broker.core.pseudonym import pseudonym
from broker.spi import Json


@dataclass(frozen=True, slots=True)
class Kept:
    """The rows of one recipient. `ids` maps the local ids that show in the document to element ids;
    `rows` are all kept rows, also such of which no field is left; `whole` is true where competence is
    for the whole case."""

    rows: frozenset[str]
    ids: Mapping[str, str]
    whole: bool

    def shown(self, about: Sequence[str]) -> list[str]:
        """Element ids of those that show, sorted: their order in the case tells nothing."""
        return sorted(self.ids[i] for i in about if i in self.ids)


def _with_about(entry: Mapping[str, Json], kept: Kept) -> dict[str, Json]:
    rest = {name: value for name, value in entry.items() if name != "about"}
    about = kept.shown(entry.get("about", ()))
    return {**rest, "about": about} if about else rest


def entire(entries: Json, kept: Kept) -> list[Json]:
    """F65, F66, F69: entries all of whose entities are kept."""
    return [
        _with_about(entry, kept)
        for entry in entries
        if (set(entry["about"]) <= kept.rows if entry.get("about") else kept.whole)
    ]


def jurisdiction(entries: Json, kept: Kept, data: Mapping[str, Json]) -> list[Json]:
    """F05: as `entire`; an entry that names no entity goes where a kept row itself shows the reason."""
    return [
        _with_about(entry, kept)
        for entry in entries
        if (
            set(entry["about"]) <= kept.rows
            if entry.get("about")
            else kept.whole or _shown_by_a_row(entry, kept.rows, data)
        )
    ]


_COUNTRY_OF: Mapping[str, tuple[str, Callable[[Json], Json]]] = {
    "host": ("locations", lambda entity: entity.get("country")),
    "ip": ("events", lambda entity: entity.get("country")),
    "victim": ("victims", lambda entity: entity.get("country")),
    "account": ("persons", lambda entity: entity.get("country_estimate", {}).get("country")),
}


def _shown_by_a_row(entry: Mapping[str, Json], rows: frozenset[str], data: Mapping[str, Json]) -> bool:
    if entry["reason"] not in _COUNTRY_OF:
        return False
    collection, country_of = _COUNTRY_OF[entry["reason"]]
    entities = data.get(collection, {})
    return any(i in rows and country_of(entity) == entry["country"] for i, entity in entities.items())


def hold(value: Json, kept: Kept) -> Json:
    """F81: binds whoever keeps one of its rows; without rows it binds for the whole case."""
    about = value.get("about")
    if about and kept.rows.isdisjoint(about):
        return None
    return _with_about(value, kept)


def confirmations(claims: Sequence[Claim], kept: Kept, key: bytes) -> list[Json]:
    """F60: one entry for each verdict that says yes, the analyst under a pseudonym of this partner."""
    entries: list[Json] = []
    analysts: dict[tuple[str, str], str] = {}
    for claim in claims:
        if claim.about and kept.rows.isdisjoint(claim.about):
            continue
        about = kept.shown(claim.about)
        for verdict in claim.verdicts:
            if not verdict.says:
                continue
            entry: dict[str, Json] = {"claim": claim.kind, "basis": verdict.basis, "at": verdict.at}
            if about:
                entry["about"] = about
            if verdict.organisation is not None:
                entry["organisation"] = verdict.organisation
            if verdict.analyst is not None:
                who = (verdict.organisation or "", verdict.analyst)
                if who not in analysts:
                    analysts[who] = pseudonym(key, "F60.analyst", who)
                entry["analyst"] = analysts[who]
            if verdict.organisations > 1:
                entry["organisations"] = verdict.organisations
            entries.append(entry)
    return entries


def prior_recipients(entries: Sequence[Mapping[str, Json]], kept: Kept) -> list[Json]:
    """F70: authorities that have one of the rows kept here. The desk leaves out what H2 forbids."""
    return [
        {name: value for name, value in entry.items() if name != "about"}
        for entry in entries
        if not entry.get("about") or not kept.rows.isdisjoint(entry["about"])
    ]
