"""Reads the minimised referral by name, whatever is there and in whatever coarser form."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from broker.spi import Json, MinimisedReferral

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)")
_NUMBERED = re.compile(r"(?:item|victim) \d{1,6}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")
_ONE = {
    "items": "item",
    "locations": "location",
    "persons": "reported account",
    "events": "network event",
    "victims": "victim",
    "links": "link",
    "contacts": "contact",
}
MAX_URL = 2083


def fact(referral: MinimisedReferral, section: str, name: str) -> Json:
    """A value of the case as a whole, or None."""
    return referral.facts.get(section, {}).get(name)


def member(value: Json, name: str) -> Json:
    """A member of an object, or None."""
    return value.get(name) if isinstance(value, Mapping) else None


def text(value: Json) -> str:
    """A string as it is, a number in digits, everything else empty."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def names(referral: MinimisedReferral) -> dict[str, str]:
    """Element id → `item 1`: by F16 and F50 where these number every element, else by element id."""
    found: dict[str, str] = {}
    for collection, word in _ONE.items():
        elements = sorted(referral.entities.get(collection, {}))
        given = []
        if collection in {"items", "victims"}:
            refs = [referral.entities[collection][e].get("ref") for e in elements]
            given = [text(member(ref, "ref")) or text(ref) for ref in refs]
        if len(set(given)) != len(elements) or not all(map(_NUMBERED.fullmatch, given)):
            given = [f"{word} {n}" for n in range(1, len(elements) + 1)]
        found |= dict(zip(elements, given, strict=True))
    return found


def elements(
    referral: MinimisedReferral, collection: str, named: Mapping[str, str]
) -> list[tuple[str, Mapping[str, Json]]]:
    """(element id, values), in the order of the numbers in their names."""
    found = referral.entities.get(collection, {})
    return sorted(found.items(), key=lambda pair: (int(named[pair[0]].rsplit(" ", 1)[1]), pair[0]))


def instant(value: Json) -> datetime | None:
    """The time of an instant or of a moment with one, in UTC; None for a date, a month or nothing."""
    at = text(member(value, "at")) or text(value)
    if not _INSTANT.fullmatch(at):
        return None
    try:
        return datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def past(value: Json, now: datetime) -> datetime | None:
    """As `instant`, and not later than `now`: the other side refuses times of the future."""
    at = instant(value)
    return at if at is not None and at <= now else None


def stamp(at: datetime) -> str:
    """`2026-03-01T11:00:00Z`."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def is_url(value: str) -> bool:
    """Whether the value can stand where a URL of at most 2,083 characters is demanded."""
    if len(value) > MAX_URL or any(c.isspace() or not c.isprintable() for c in value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https", "ftp"} and bool(parts.hostname)
    except ValueError:
        return False


def is_address(value: str) -> bool:
    """Whether the value is one IP address; a network is not."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return "%" not in value


def is_mail(value: str) -> bool:
    """Whether the value has the form of a mail address."""
    return _MAIL.fullmatch(value) is not None


def said(value: Json, named: Mapping[str, str]) -> str:
    """Any value in one line of words: members by name, references by the names of what they mean."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        parts = [(n.replace("_", " "), said(value[n], named)) for n in sorted(value)]
        return ", ".join(f"{name}: {words}" for name, words in parts if words)
    if isinstance(value, list):
        return " | ".join(words for words in (said(v, named) for v in value) if words)
    # A line break inside a value would let it pose as a line of ours.
    return named.get(value) or " / ".join(value.splitlines()) if isinstance(value, str) else text(value)
