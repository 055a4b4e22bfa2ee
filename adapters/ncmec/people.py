"""Who: `reporter`, the one `personOrUserReported` the format has, and `victim`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.ncmec import plan
from adapters.ncmec.incident import noted
from adapters.ncmec.loss import Losses
from adapters.ncmec.reading import (
    elements,
    fact,
    is_address,
    is_mail,
    is_url,
    member,
    past,
    said,
    stamp,
    text,
)
from adapters.ncmec.schema import SCHEMA
from adapters.ncmec.tree import Node, branch, leaf, whole
from broker.spi import Json, MinimisedReferral

_EVENTS = {"upload": "Upload", "login": "Login", "registration": "Registration", "message": "Other"}
_PROXIES = frozenset({"proxy", "vpn", "tor"})
_MAX_PORT = 65535


def reporter(referral: MinimisedReferral) -> Node:
    """The hotline's desk: never a person's name; an address is demanded (lint blocks without)."""
    desk = fact(referral, "operator", "desk")
    organisation = _fitting("person", "firstName", text(member(desk, "organisation")))
    person = [
        *leaf("firstName", organisation),
        *leaf("phone", text(member(desk, "phone"))),
        *_mail(text(member(desk, "mail"))),
    ]
    about = said({name: member(desk, name) for name in ("organisation", "phone", "hours", "languages")}, {})
    template = f"Hotline desk. {about}" if about else ""
    return whole("reporter", [whole("reportingPerson", person), *leaf("companyTemplate", template)])


@dataclass(frozen=True, slots=True)
class Suspects:
    """The account that stands as an element, and lines about the others and about loose events."""

    element: tuple[Node, ...]
    lines: tuple[str, ...]


def suspects(referral: MinimisedReferral, named: Mapping[str, str], losses: Losses) -> Suspects:
    """The format has room for one: the account with the most events and links; the others in words."""
    persons = elements(referral, "persons", named)
    owned = _owned(referral, named)
    ranked = sorted(persons, key=lambda p: -len(owned.get(p[0], ())) - _links(referral, p[0]))
    lines: list[str] = []
    for element, values in ranked[1:]:
        losses.warn("one-account-only", f"/entities/persons/{element}")
        lines += [f"Further {named[element]}:", *_person_lines(element, values, owned, named)]
    for element, values in owned.get("", ()):
        losses.note("event-without-account", f"/entities/events/{element}")
        lines.append(f"{named[element]}, of no reported account: {'; '.join(_event_lines(values, named))}")
    first = ranked[:1]
    nodes = tuple(_suspect(e, v, owned, named, losses, referral.drafted_at) for e, v in first)
    return Suspects(nodes, tuple(lines))


Owned = Mapping[str, Sequence[tuple[str, Mapping[str, Json]]]]


def _owned(referral: MinimisedReferral, named: Mapping[str, str]) -> Owned:
    """Person → its events, by the event's own word or by a link; `""` holds the rest."""
    persons = referral.entities.get("persons", {})
    links = [values.get("link") for _, values in elements(referral, "links", named)]
    by_link = {text(member(link, "event")): text(member(link, "subject")) for link in links}
    found: dict[str, list[tuple[str, Mapping[str, Json]]]] = {}
    for element, values in elements(referral, "events", named):
        owner = text(member(values.get("event"), "account_of")) or by_link.get(element, "")
        found.setdefault(owner if owner in persons else "", []).append((element, values))
    return found


def _links(referral: MinimisedReferral, person: str) -> int:
    links = [values.get("link") for values in referral.entities.get("links", {}).values()]
    return sum(member(link, "subject") == person for link in links)


def _suspect(
    element: str,
    values: Mapping[str, Json],
    owned: Owned,
    named: Mapping[str, str],
    losses: Losses,
    now: datetime,
) -> Node:
    account, contact, profile = values.get("account"), values.get("contact"), values.get("profile")
    kind = "personOrUserReported"
    url = text(member(profile, "url"))
    reached = [*leaf("phone", text(member(contact, "phone"))), *_mail(text(member(contact, "email")))]
    handle = _fitting(kind, "screenName", text(values.get("handle")))
    shown = _fitting(kind, "displayName", text(values.get("self_declared_name")))
    account_id = _fitting(kind, "espIdentifier", text(member(account, "account_id")) or text(account))
    bio = text(member(profile, "bio"))
    events = [node for e, event in owned.get(element, ()) for node in _captured(e, event, losses, now)]
    children = [
        *branch("personOrUserReportedPerson", reached),
        *leaf("espIdentifier", account_id),
        *leaf("espService", _fitting(kind, "espService", text(member(account, "service")))),
        *leaf("screenName", handle),
        *leaf("displayName", shown),
        *(leaf("profileUrl", url) if is_url(url) else ()),
        *leaf("profileBio", bio if bio.strip() else ""),
        *events,
        *leaf("thirdPartyUserReported", "true"),
        *_place(values.get("country_estimate")),
        *leaf("additionalInfo", "\n".join([named[element], *_person_lines(element, values, owned, named)])),
    ]
    return whole(kind, children)


def _person_lines(
    element: str, values: Mapping[str, Json], owned: Owned, named: Mapping[str, str]
) -> Iterator[str]:
    """Everything in words as well: meaning, confidence and access provider have no element."""
    yield from noted(values, plan.PERSON, named)
    for e, event in owned.get(element, ()):
        yield f"{named[e]}: {'; '.join(_event_lines(event, named))}"


def _event_lines(values: Mapping[str, Json], named: Mapping[str, str]) -> Sequence[str]:
    return noted(values, plan.EVENT, named)


def _captured(element: str, values: Mapping[str, Json], losses: Losses, now: datetime) -> tuple[Node, ...]:
    """`ipCaptureEvent`, where there is one exact address; a network is told in words."""
    address = text(values.get("ip"))
    if not is_address(address):
        losses.note("event-without-address", f"/entities/events/{element}")
        return ()
    at = past(values.get("timestamp"), now)
    if at is None:
        losses.note("event-time-as-text", f"/entities/events/{element}/timestamp")
    port = values.get("port")
    kind = text(member(values.get("event"), "type"))
    return branch(
        "ipCaptureEvent",
        [
            *leaf("ipAddress", address),
            *leaf("eventName", _EVENTS.get(kind, "Unknown")),
            *leaf("dateTime", stamp(at) if at else ""),
            *leaf("possibleProxy", "true" if values.get("ip_role") in _PROXIES else ""),
            *leaf("port", str(port) if isinstance(port, int) and 1 <= port <= _MAX_PORT else ""),
        ],
    )


def _place(estimate: Json) -> tuple[Node, ...]:
    country = text(member(estimate, "country"))
    known = country if country in SCHEMA.countries else ""
    return branch("estimatedLocation", leaf("countryCode", known), verified="false")


def victims(referral: MinimisedReferral, named: Mapping[str, str]) -> tuple[list[Node], list[str]]:
    """A `victim` only where an account is known: an empty one tells nothing; the others in words."""
    nodes, lines = [], []
    for element, values in elements(referral, "victims", named):
        words = noted(values, plan.VICTIM, named)
        account = _fitting("victim", "espIdentifier", text(values.get("account_id")))
        if account:
            info = leaf("additionalInfo", "\n".join([named[element], *words]))
            nodes.append(whole("victim", [Node("victimPerson"), *leaf("espIdentifier", account), *info]))
        else:
            lines.append(f"{named[element]}: {'; '.join(words)}")
    return nodes, lines


def _mail(value: str) -> tuple[Node, ...]:
    return leaf("email", value) if is_mail(value) else ()


def _fitting(parent: str, child: str, value: str) -> str:
    """The value where it fits whole: an identifier cut short is somebody else's."""
    limit = SCHEMA.limit(parent, child)
    return value if value.strip() and (limit is None or len(value) <= limit) else ""
