"""What happened, when, and where on the internet: `incidentSummary` and `internetDetails`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from adapters.ncmec import plan
from adapters.ncmec.loss import Losses
from adapters.ncmec.reading import elements, fact, instant, is_url, member, past, said, stamp, text
from adapters.ncmec.schema import SCHEMA
from adapters.ncmec.tree import Node, branch, leaf, whole
from broker.spi import Json, MinimisedReferral

_CONTENT = "Child Pornography (possession, manufacture, and distribution)"
"""The receiving side's own code; it accepts no other word."""
_ENTICEMENT = "Online Enticement of Children for Sexual Acts"
_TYPES = {
    "csam_dissemination": _CONTENT,
    "csam_production": _CONTENT,
    "live_stream": _CONTENT,
    "child_sexual_abuse_material": _CONTENT,
    "grooming": _ENTICEMENT,
    "sextortion": _ENTICEMENT,
}
_URGENT = "Immediate risk to a child, as assessed by the hotline."
_WHOLE_DATE, _MONTH = 10, 7


def summary(referral: MinimisedReferral, named: Mapping[str, str], losses: Losses) -> Node:
    """`incidentSummary`; type and time are demanded, so both always stand, with what they rest on."""
    at, meaning = _when(referral, losses)
    return whole(
        "incidentSummary",
        [
            *leaf("incidentType", _type(referral, losses)),
            *leaf("platform", _platform(referral, named)),
            *leaf("escalateToHighPriority", _escalation(referral)),
            *branch("reportAnnotations", list(_annotations(referral))),
            *leaf("incidentDateTime", at),
            *leaf("incidentDateTimeDescription", meaning),
        ],
    )


def _type(referral: MinimisedReferral, losses: Losses) -> str:
    offence = text(fact(referral, "case", "offence_type"))
    if offence in _TYPES:
        return _TYPES[offence]
    losses.warn("incident-type-approximate", "/facts/case/offence_type")
    grooming = referral.entities.get("contacts") and not referral.entities.get("items")
    return _ENTICEMENT if grooming else _CONTENT


def _platform(referral: MinimisedReferral, named: Mapping[str, str]) -> str:
    """The first service named: of an account, a contact or a site; nothing where it is too long."""
    known = [text(member(p.get("account"), "service")) for _, p in elements(referral, "persons", named)]
    known += [text(member(c.get("history"), "platform")) for _, c in elements(referral, "contacts", named)]
    known += [text(member(p.get("site"), "domain")) for _, p in elements(referral, "locations", named)]
    limit = SCHEMA.limit("incidentSummary", "platform") or 0
    return next((name for name in known if name.strip() and len(name) <= limit), "")


def _escalation(referral: MinimisedReferral) -> str:
    """Its presence alone escalates, so it stands for U1 only."""
    if fact(referral, "case", "urgency") != "U1":
        return ""
    reason = text(fact(referral, "case", "urgency_reason")).strip() or _URGENT
    return reason[: SCHEMA.limit("incidentSummary", "escalateToHighPriority")]


def _annotations(referral: MinimisedReferral) -> Iterator[Node]:
    if fact(referral, "case", "offence_type") == "sextortion":
        yield from leaf("sextortion", "true")
    histories = [c.get("history") for c in referral.entities.get("contacts", {}).values()]
    if any("images" in (member(h, "demands") or ()) for h in histories):
        yield from leaf("csamSolicitation", "true")
    persons = referral.entities.get("persons", {})
    minors = {e for e, p in persons.items() if p.get("minor_flag") == "minor"}
    if any(member(h, "person") in minors and member(h, "victims") for h in histories):
        yield from leaf("minorToMinorInteraction", "true")


def _when(referral: MinimisedReferral, losses: Losses) -> tuple[str, str]:
    """The earliest exact time in the past, else the best date, and what it is the time of."""
    now = referral.drafted_at
    exact: list[tuple[datetime, str]] = []
    coarse: list[tuple[str, str]] = []
    for what, pointer, value in _times(referral):
        at = past(value, now)
        if at is not None:
            exact.append((at, what))
        elif instant(value) is not None:
            losses.warn("time-in-future", pointer)
        else:
            coarse += [(day, what) for day in _day(value, now)]
    if exact:
        at, what = min(exact)
        return stamp(at), f"Time of: {what} (earliest of {len(exact)})."
    losses.warn("incident-time-not-exact")
    if coarse:
        day, what = min(coarse)
        whole_day = f"{day}-01"[:_WHOLE_DATE]
        return f"{whole_day}T00:00:00Z", f"Date of: {what}. Only {day} is known; the time of day is not."
    opened = past(member(fact(referral, "case", "dates"), "opened_at"), now)
    if opened is not None:
        return stamp(
            opened
        ), "Time at which the hotline opened the case; the time of the incident is unknown."
    return stamp(now), "Time of this report; the time of the incident is unknown."


def _times(referral: MinimisedReferral) -> Iterator[tuple[str, str, Json]]:
    for e, event in sorted(referral.entities.get("events", {}).items()):
        yield "network event", f"/entities/events/{e}/timestamp", event.get("timestamp")
    for e, item in sorted(referral.entities.get("items", {}).items()):
        seen = item.get("seen")
        yield "item first seen", f"/entities/items/{e}/seen", member(seen, "first") or seen
    for e, contact in sorted(referral.entities.get("contacts", {}).items()):
        yield "first contact", f"/entities/contacts/{e}/history", member(contact.get("history"), "first")
    offence = fact(referral, "case", "offence_at")
    yield "start of the offence", "/facts/case/offence_at", member(offence, "start") or offence


def _day(value: Json, now: datetime) -> list[str]:
    """A date or a month that has begun, as it was written."""
    day = text(member(value, "at")) or text(value)
    if len(day) not in {_WHOLE_DATE, _MONTH}:
        return []
    try:
        begun = datetime.fromisoformat(f"{day}-01"[:_WHOLE_DATE]).replace(tzinfo=UTC) <= now
    except ValueError:
        return []
    return [day] if begun else []


def internet(referral: MinimisedReferral, named: Mapping[str, str], losses: Losses) -> list[Node]:
    """One `internetDetails` for each location and each contact."""
    found = [
        _location(element, values, named, losses)
        for element, values in elements(referral, "locations", named)
    ]
    found += [
        _contact(element, member_value, named)
        for element, values in elements(referral, "contacts", named)
        if (member_value := values.get("history")) is not None
    ]
    return [Node("internetDetails", "", (node,)) for node in found]


def _location(element: str, values: Mapping[str, Json], named: Mapping[str, str], losses: Losses) -> Node:
    urls: list[Node] = []
    notes = [named[element]]
    for name in ("url", "page_url"):
        value = text(values.get(name))
        if value and is_url(value):
            urls += leaf("url", value)
        elif value:
            losses.note("url-as-text", f"/entities/locations/{element}/{name}")
            notes.append(f"{name.replace('_', ' ')}: {value}")
    notes += noted(values, plan.LOCATION, named)
    peer = not urls and member(values.get("site"), "type") == "p2p"
    if peer:
        return whole("peer2peerIncident", leaf("additionalInfo", "\n".join(notes)))
    info = leaf("additionalInfo", "\n".join(notes))
    return whole("webPageIncident", [*urls, *info], thirdPartyHostedContent="true")


def _contact(element: str, history: Json, named: Mapping[str, str]) -> Node:
    platform = text(member(history, "platform"))
    limit = SCHEMA.limit("chatImIncident", "chatClient") or 0
    client = platform if platform.strip() and len(platform) <= limit else ""
    words = f"{named[element]}\n{said(history, named)}"
    return whole("chatImIncident", [*leaf("chatClient", client), *leaf("additionalInfo", words)])


def noted(values: Mapping[str, Json], columns: Mapping[str, str], named: Mapping[str, str]) -> Sequence[str]:
    """One line for each of the named columns that holds something."""
    lines = ((name.replace("_", " "), said(values.get(name), named)) for name in columns)
    return [f"{name}: {words}" for name, words in lines if words]
