"""The generated text of a referral, in the recipient's language (action T, and beside human narratives).

Computed from the minimised document and from nothing else, out of codes, counts, dates and country
codes: no free value of a case can get into it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from broker.spi import Json, Language

LANGUAGES: tuple[Language, ...] = ("nl", "fr", "de", "en")
_ACCESS = ("none", "claimed", "likely", "confirmed")
_UNIDENTIFIED = frozenset({"unknown", "possibly_known"})
_SYNTHETIC = frozenset({"suspected_ai", "ai", "drawn"})

Facts = Mapping[str, Mapping[str, Json]]
Elements = Mapping[str, Mapping[str, Json]]


@cache
def texts(language: Language) -> Mapping[str, Any]:
    """The phrases of one language; every language has the same keys."""
    raw = files("broker.core").joinpath("texts", f"{language}.json").read_text("utf-8")
    return MappingProxyType(json.loads(raw))


def generate(facts: Facts, entities: Mapping[str, Elements], language: Language) -> str:
    """A few sentences; empty when the recipient gets nothing to speak of."""
    phrases = texts(language)
    sentences = [
        *_case(phrases, facts.get("case", {})),
        *_items(phrases, entities.get("items", {})),
        *_locations(phrases, entities.get("locations", {})),
        *_persons(phrases, entities.get("persons", {})),
        *_count(phrases, "events", len(entities.get("events", {}))),
        *_victims(phrases, entities.get("victims", {})),
        *_contacts(phrases, entities.get("contacts", {})),
        *_end(phrases, facts),
    ]
    return " ".join([*sentences, phrases["generated"]]) if sentences else ""


def _count(phrases: Mapping[str, Any], name: str, number: int, **values: str) -> Iterator[str]:
    if number:
        form = "one" if number == 1 else "many"
        yield phrases[f"{name}_{form}"].format(n=number, **values)


def _code(phrases: Mapping[str, Any], kind: str, code: Json) -> str:
    """The words for a code; one without words is left out rather than repeated."""
    return str(phrases["codes"][kind].get(code, ""))


def _words(phrases: Mapping[str, Any], kind: str, codes: Iterable[Json]) -> str:
    return ", ".join(filter(None, (_code(phrases, kind, code) for code in sorted(set(codes)))))


def _case(phrases: Mapping[str, Any], case: Mapping[str, Json]) -> Iterator[str]:
    kind = _code(phrases, "kind", case.get("kind"))
    offence = _code(phrases, "offence", case.get("offence_type"))
    form = "kind" if kind and offence else "kind_only" if kind else "offence_only" if offence else ""
    if form:
        yield phrases[form].format(kind=kind, offence=offence)
    if urgency := _code(phrases, "urgency", case.get("urgency")):
        yield phrases["urgency"].format(urgency=urgency)
    if period := case.get("offence_at"):
        ends = dict.fromkeys(filter(None, (period.get("start"), period.get("end"))))
        yield phrases["offence_at"].format(period=" – ".join(ends))


def _items(phrases: Mapping[str, Any], items: Elements) -> Iterator[str]:
    every = items.values()
    yield from _count(phrases, "items", len(items))
    yield from _count(phrases, "known", sum(_is_known(item.get("known_status")) for item in every))
    viewed = sum(bool(item.get("human_viewed", {}).get("viewed")) for item in every)
    yield from _count(phrases, "viewed", viewed)
    yield from _count(phrases, "synthetic", sum(i.get("synthetic_flag") in _SYNTHETIC for i in every))


def _is_known(value: Json) -> bool:
    """F23 in full or as G8."""
    return bool(value) and (value.get("status") == "known" or value.get("known") is True)


def _locations(phrases: Mapping[str, Any], locations: Elements) -> Iterator[str]:
    countries = {place["country"] for place in locations.values() if "country" in place}
    named = ", ".join(sorted(countries)) or phrases["country_unknown"]
    yield from _count(phrases, "locations", len(locations), countries=named)


def _persons(phrases: Mapping[str, Any], persons: Elements) -> Iterator[str]:
    every = persons.values()
    yield from _count(phrases, "persons", len(persons))
    yield from _count(phrases, "minor", sum(person.get("minor_flag") == "minor" for person in every))
    access = [p["child_access"] for p in every if p.get("child_access") in _ACCESS]
    if access:
        yield phrases["access"].format(access=_code(phrases, "access", max(access, key=_ACCESS.index)))


def _victims(phrases: Mapping[str, Any], victims: Elements) -> Iterator[str]:
    every = list(victims.values())
    refs = [victim["ref"] for victim in every if "ref" in victim]
    if refs and "ref" not in refs[0]:  # G7: the number is known as a bucket only
        yield phrases["victims_bucket"].format(n=refs[0]["of"])
    else:
        yield from _count(phrases, "victims", len(every))
        unidentified = sum(victim.get("identification") in _UNIDENTIFIED for victim in every)
        yield from _count(phrases, "unidentified", unidentified)
    ages = {victim["age_band"] for victim in every if "age_band" in victim}
    if ages:
        yield phrases["ages"].format(ages=", ".join(sorted(ages, key=lambda band: int(band.split("-")[0]))))


def _contacts(phrases: Mapping[str, Any], contacts: Elements) -> Iterator[str]:
    yield from _count(phrases, "contacts", len(contacts))
    asked = [code for contact in contacts.values() for code in contact["history"].get("demands", ())]
    if words := _words(phrases, "demands", asked):
        yield phrases["demands"].format(demands=words)


def _end(phrases: Mapping[str, Any], facts: Facts) -> Iterator[str]:
    hold = facts.get("actions", {}).get("hold", {})
    if hold.get("state") == "active" or hold.get("hold") is True:
        yield phrases["hold"]
    yield from _count(phrases, "gaps", len(facts.get("assessment", {}).get("known_gaps", ())))
