"""The report in the shape that triage tools of investigators read, as plain JSON values.

There is no published schema: the names are those the tools look up. A name that is known but has no
value here is null, as in the files those tools were written for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapters.le_json import plan
from adapters.le_json.reading import (
    elements,
    fact,
    instant,
    is_address,
    member,
    names,
    said,
    stamp,
    text,
)
from adapters.le_json.words import Events, columns, head, in_words, noted, owned_events
from broker.spi import Finding, Json, MinimisedReferral

_CONTENT = "Child Pornography (possession, manufacture, and distribution)"
"""The code the tools know from the CyberTipline; they group by it."""
_ENTICEMENT = "Online Enticement of Children for Sexual Acts"
_TYPES = {
    "csam_dissemination": _CONTENT,
    "csam_production": _CONTENT,
    "live_stream": _CONTENT,
    "child_sexual_abuse_material": _CONTENT,
    "grooming": _ENTICEMENT,
    "sextortion": _ENTICEMENT,
}
_EVENTS = {"upload": "Upload", "login": "Login", "registration": "Registration"}
_CLASSES = frozenset({"A1", "A2", "B1", "B2"})


@dataclass(frozen=True, slots=True)
class Composed:
    """The document and what it could only hold in words."""

    document: Mapping[str, Json]
    losses: tuple[Finding, ...]


def compose(referral: MinimisedReferral) -> Composed:
    """Deterministic: elements by number, fields by plan."""
    named = names(referral)
    losses: list[Finding] = []
    owned = owned_events(referral, named)
    incidents = [_incident(e, v, named) for e, v in elements(referral, "locations", named)]
    persons = [_person(e, v, owned, losses) for e, v in elements(referral, "persons", named)]
    organisation = text(member(fact(referral, "operator", "desk"), "organisation"))
    files = [_file(n, v, organisation, named) for n, v in _items(referral, named)]
    lines = [*head(referral), *noted(referral, named), *in_words(referral, owned, named, losses)]
    information = {
        "reportingEsp": {"espName": organisation or None, "lastName": None},
        "incidentSummary": _summary(referral, losses),
        "incidentDetails": {"webpageIncident": incidents or None, "emailIncident": None},
        "reportedPeople": {"reportedPersons": persons},
        "intendedRecipients": None,
        "uploadedFiles": {"uploadedFiles": files},
        "additionalInformations": _values(lines),
    }
    if files:
        losses.append(Finding("le-hash-without-file", "note", "/entities/items"))
    opened = instant(member(fact(referral, "case", "dates"), "opened_at"))
    document = {
        "reportId": referral.reference,
        "dateReceived": stamp(opened) if opened else None,
        "reportedInformation": information,
    }
    return Composed(document, tuple(losses))


def _values(lines: Sequence[str]) -> list[Json]:
    return [{"value": line} for line in lines]


def _capture(kind: str, value: str, at: str | None, event: str | None, port: int | None) -> Json:
    return {"captureType": kind, "value": value, "dateTime": at, "eventName": event, "port": port}


def _summary(referral: MinimisedReferral, losses: list[Finding]) -> Json:
    """No time is made up: without an exact one it is null, and the words say what is known."""
    offence = text(fact(referral, "case", "offence_type"))
    if offence not in _TYPES:
        losses.append(Finding("le-incident-type-unknown", "note", "/facts/case/offence_type"))
    known = [(at, what) for what, value in _times(referral) if (at := instant(value)) is not None]
    if not known:
        losses.append(Finding("le-no-incident-time", "warn"))
        period = said(fact(referral, "case", "offence_at"), {})
        about = f"Exact time not known; offence period: {period}" if period else "Exact time not known"
        return {
            "incidentType": _TYPES.get(offence),
            "incidentDateTime": None,
            "incidentDateTimeDescription": about,
        }
    at, what = min(known)
    return {
        "incidentType": _TYPES.get(offence),
        "incidentDateTime": stamp(at),
        "incidentDateTimeDescription": f"Time of: {what} (earliest of {len(known)})",
    }


def _times(referral: MinimisedReferral) -> Iterator[tuple[str, Json]]:
    for _, event in sorted(referral.entities.get("events", {}).items()):
        yield "network event", event.get("timestamp")
    for _, item in sorted(referral.entities.get("items", {}).items()):
        yield "item first seen", member(item.get("seen"), "first")
    for _, contact in sorted(referral.entities.get("contacts", {}).items()):
        yield "first contact", member(contact.get("history"), "first")


def _incident(element: str, values: Mapping[str, Json], named: Mapping[str, str]) -> Json:
    """`Type:` and `Text:` lines are what the tools split; one line each, whatever a value holds."""
    check = values.get("last_check")
    checked = instant(member(check, "at")) if member(check, "online") is True else None
    at = stamp(checked) if checked else None
    captures = [
        _capture("URL", value, at if name == "url" else None, None, None)
        for name in ("url", "page_url")
        if (value := text(values.get(name)))
    ]
    site = values.get("site")
    domain = text(member(site, "domain"))
    parts = [
        named[element],
        *([f"domain: {domain}"] if domain else []),
        *columns(values, plan.LOCATION, named),
    ]
    kind = said(member(site, "type"), {}) or "unknown"
    words = f"Type: {kind}\nText: {'; '.join(parts)}"
    return {"sourceInformation": {"sourceCaptures": captures}, "additionalInformations": _values([words])}


def _person(
    element: str, values: Mapping[str, Json], owned: Events, losses: list[Finding]
) -> Mapping[str, Json]:
    """A self-declared name is not a name: it stands in words only."""
    contact, account = values.get("contact"), values.get("account")
    email, phone = text(member(contact, "email")), text(member(contact, "phone"))
    verified = member(contact, "verified")
    verified = verified if isinstance(verified, bool) else None
    captures = []
    for e, event in owned.get(element, ()):
        address = text(event.get("ip"))
        if not is_address(address):
            losses.append(Finding("le-event-in-words", "note", f"/entities/events/{e}/ip"))
            continue
        captures.append(_address(address, event))
    return {
        "firstName": None,
        "middleName": None,
        "lastName": None,
        "screenName": {"value": text(values.get("handle")) or None},
        "espUserId": text(member(account, "account_id")) or text(account) or None,
        "dateOfBirth": None,
        "emails": {"emails": [{"value": email, "verified": verified}]} if email else None,
        "phones": {"phones": [{"value": phone, "verified": verified}]} if phone else None,
        "sourceInformation": {"sourceCaptures": captures},
    }


def _address(address: str, event: Mapping[str, Json]) -> Json:
    at = instant(event.get("timestamp"))
    kind = text(member(event.get("event"), "type"))
    port = event.get("port")
    number = port if isinstance(port, int) and not isinstance(port, bool) else None
    return _capture("IP Address", address, stamp(at) if at else None, _EVENTS.get(kind, "Other"), number)


def _items(referral: MinimisedReferral, named: Mapping[str, str]) -> list[tuple[str, Mapping[str, Json]]]:
    return [(named[e], values) for e, values in elements(referral, "items", named)]


def _file(name: str, values: Mapping[str, Json], organisation: str, named: Mapping[str, str]) -> Json:
    """An item known by hash and words; there is no file, and the first line says so."""
    hashes = [(member(h, "alg"), text(member(h, "value"))) for h in values.get("crypto_hash") or ()]
    where = said(member(values.get("ref"), "found_at"), named)
    lines = ["Hash and description only; the hotline holds and sends no file"]
    lines += [f"found at: {where}"] if where else []
    lines += columns(values, plan.ITEM, named)
    return {
        "filename": name,
        "originalFilename": text(values.get("filename")) or None,
        "submittalId": None,
        "industryClassification": _class(values.get("labels")),
        "viewedByEsp": _viewed(values, organisation),
        "verificationHash": next((value for alg, value in hashes if alg == "md5"), None),
        "ncmecTags": None,
        "sourceInformation": None,
        "additionalInformations": _values(lines),
    }


def _class(labels: Json) -> str | None:
    """Only a label of that very scheme; a scale of somebody else is no A1."""
    for label in labels if isinstance(labels, list) else ():
        name = text(member(label, "label"))
        if member(label, "scheme") == "NCMEC" and name in _CLASSES:
            return name
    return None


def _viewed(values: Mapping[str, Json], organisation: str) -> bool | None:
    """By the hotline itself, the whole file; null where that is not known, which is not `false`."""
    seen, scope = values.get("human_viewed"), values.get("viewed_scope")
    for value, name in ((scope, "whole_file"), (seen, "viewed")):
        by = text(member(value, "by_org"))
        said_so = member(value, name)
        if isinstance(said_so, bool) and by in {"", organisation}:
            return said_so
    return None
