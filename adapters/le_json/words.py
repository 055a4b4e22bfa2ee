"""What the tools have no place for, in lines of words; and which network event is whose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adapters.le_json import plan
from adapters.le_json.reading import elements, fact, member, said, text
from broker.spi import Finding, Json, MinimisedReferral

Events = Mapping[str, Sequence[tuple[str, Mapping[str, Json]]]]
"""Person → (element id, values) of its network events."""


def head(referral: MinimisedReferral) -> Iterator[str]:
    yield f"Hotline referral {referral.reference}, version {referral.version} ({referral.kind})"
    if referral.supersedes is not None:
        yield "An earlier version with the same reference is replaced by this one"
    if referral.unconfirmed:
        yield "Not yet confirmed by a second person"
    summary = referral.facts.get("summary", {}).get("text")
    if isinstance(summary, str):
        yield f"Summary: {said(summary, {})}"


def noted(referral: MinimisedReferral, named: Mapping[str, str]) -> Iterator[str]:
    for place in plan.NOTED:
        words = said(fact(referral, place.section, place.name), named)
        if words:
            yield f"{place.label}: {words}"


def in_words(
    referral: MinimisedReferral, owned: Events, named: Mapping[str, str], losses: list[Finding]
) -> Iterator[str]:
    """What the tools have no place for, each line beginning with the name of what it is about."""
    for element, values in elements(referral, "persons", named):
        yield from _line(named[element], columns(values, plan.PERSON, named))
        for e, event in owned.get(element, ()):
            yield from _line(f"{named[e]} of {named[element]}", columns(event, plan.EVENT, named))
    for element, values in owned.get("", ()):
        losses.append(Finding("le-event-without-account", "note", f"/entities/events/{element}"))
        yield from _line(f"{named[element]} of no reported account", columns(values, plan.EVENT, named))
    for element, values in elements(referral, "victims", named):
        losses.append(Finding("le-victim-in-words", "note", f"/entities/victims/{element}"))
        yield from _line(named[element], columns(values, plan.VICTIM, named))
    for collection, name in (("links", "link"), ("contacts", "history")):
        for element, values in elements(referral, collection, named):
            words = said(values.get(name), named)
            yield from _line(named[element], [words] if words else [])


def _line(about: str, words: Sequence[str]) -> Iterator[str]:
    if words:
        yield f"{about}: {'; '.join(words)}"


def columns(values: Mapping[str, Json], wanted: Mapping[str, str], named: Mapping[str, str]) -> list[str]:
    found = ((name.replace("_", " "), said(values.get(name), named)) for name in wanted)
    return [f"{name}: {words}" for name, words in found if words]


def owned_events(referral: MinimisedReferral, named: Mapping[str, str]) -> Events:
    """Person → its events, by the event's own word or by a link; `""` holds the rest."""
    persons = referral.entities.get("persons", {})
    links = [values.get("link") for _, values in elements(referral, "links", named)]
    by_link = {text(member(link, "event")): text(member(link, "subject")) for link in links}
    found: dict[str, list[tuple[str, Mapping[str, Json]]]] = {}
    for element, values in elements(referral, "events", named):
        owner = text(member(values.get("event"), "account_of")) or by_link.get(element, "")
        found.setdefault(owner if owner in persons else "", []).append((element, values))
    return found
