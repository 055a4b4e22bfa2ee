"""What a notice says, taken out of the referral once: one `Place` for each location with a usable URL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

from adapters.xarf_notice import plan
from broker.spi import Finding, Json, MinimisedReferral

Target = Literal["host", "cdn", "registrar"]

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)")
_DOMAIN = re.compile(r"([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,}")
_MAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24})")
_SCHEMES = frozenset({"http", "https", "ftp"})
_HASHES = {"md5": 32, "sha1": 40, "sha256": 64}
_KINDS = frozenset({"image", "video", "audio", "text"})


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of content at a location, as far as a provider learns of it."""

    baseline: str
    viewed: bool
    known: bool
    media: str
    hashes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A location. `ip`, `provider` and `asn` are those of the host, not of a CDN in front of it."""

    element: str
    url: str
    page_url: str
    hostname: str
    domain: str
    ip: str
    provider: str
    asn: int | None
    country: str
    behind_cdn: bool | None
    checked: datetime | None
    online: bool | None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who notifies: an organisation, never a person."""

    organisation: str
    mail: str
    domain: str
    phone: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a notice for one target rests on."""

    target: Target
    places: tuple[Place, ...]
    desk: Desk
    csam: bool
    findings: tuple[Finding, ...]


def gather(referral: MinimisedReferral, target: Target) -> Facts:
    """Locations that cannot stand in a notice are left out with a finding."""
    findings: list[Finding] = []
    items = _items(referral)
    places = []
    for element, values in sorted(referral.entities.get("locations", {}).items()):
        place = _place(element, values, items.get(element, ()))
        code = _unusable(place, target)
        pointer = f"/entities/locations/{element}"
        if code:
            findings.append(Finding(f"xarf-{code}", "warn", pointer))
            continue
        findings += [Finding(f"xarf-{word}", "warn", pointer) for word in _doubts(place, target)]
        places.append(place)
    offence = referral.facts.get("case", {}).get("offence_type")
    csam = offence in {"child_sexual_abuse_material", "csam_dissemination", "csam_production", "live_stream"}
    return Facts(target, tuple(places), _desk(referral), csam, tuple(findings))


def _unusable(place: Place, target: Target) -> str:
    if not place.url:
        return "no-url"
    if not place.hostname:
        return "url-of-no-host"
    return "no-domain" if target == "registrar" and not place.domain else ""


def _doubts(place: Place, target: Target) -> list[str]:
    doubts = []
    if target == "host" and place.behind_cdn:
        doubts.append("host-behind-cdn")
    if target == "cdn" and not place.behind_cdn:
        doubts.append("not-known-as-cdn")
    if place.online is False:
        doubts.append("not-online")
    if urlsplit(place.url).username is not None:
        doubts.append("credentials-in-url")
    return doubts


def _place(element: str, values: Mapping[str, Json], items: Sequence[Item]) -> Place:
    url = text(values.get("url"))
    hostname = _hostname(url)
    host, check, cdn = values.get("host"), values.get("last_check"), values.get("cdn")
    behind = member(cdn, "is_cdn")
    behind = behind if isinstance(behind, bool) else None
    asn = re.fullmatch(r"AS(\d{1,10})", text(member(host, "asn")))
    number = int(asn[1]) if asn and 0 < int(asn[1]) < 2**32 else None
    online = member(check, "online")
    country = text(values.get("country"))
    return Place(
        element=element,
        url=url,
        page_url=text(values.get("page_url")),
        hostname=hostname,
        domain=hostname if _DOMAIN.fullmatch(hostname) else "",
        ip="" if behind else text(member(host, "ip")),
        provider="" if behind else text(member(host, "provider")),
        asn=None if behind else number,
        country=country if re.fullmatch("[A-Z]{2}", country) and not behind else "",
        behind_cdn=behind,
        checked=instant(member(check, "at")),
        online=online if isinstance(online, bool) else None,
        items=tuple(items),
    )


def _hostname(url: str) -> str:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.scheme in _SCHEMES else ""
    except ValueError:
        return ""


def _items(referral: MinimisedReferral) -> dict[str, list[Item]]:
    """Location → its items; an item that names no location stands nowhere."""
    found: dict[str, list[Item]] = {}
    for _, values in sorted(referral.entities.get("items", {}).items()):
        for element in member(values.get("ref"), "found_at") or ():
            found.setdefault(element, []).append(_item(values))
    return found


def _item(values: Mapping[str, Json]) -> Item:
    known = values.get("known_status")
    exact = member(known, "status") == "known" and member(known, "match") == "exact"
    kind = text(member(values.get("media"), "type")).partition("/")[0]
    pairs = ((text(member(h, "alg")), text(member(h, "value"))) for h in values.get("crypto_hash") or ())
    return Item(
        baseline=text(values.get("baseline")),
        viewed=member(values.get("human_viewed"), "viewed") is True,
        known=exact or member(known, "known") is True,
        media=kind if kind in _KINDS else "",
        hashes=tuple((alg, value) for alg, value in pairs if len(value) == _HASHES.get(alg)),
    )


def _desk(referral: MinimisedReferral) -> Desk:
    desk = referral.facts.get("operator", {}).get("desk")
    mail = text(member(desk, "mail")).strip()
    found = _MAIL.fullmatch(mail)
    phone = text(member(desk, "phone"))
    return Desk(text(member(desk, "organisation")), mail if found else "", found[1] if found else "", phone)


def applies(referral: MinimisedReferral) -> bool:
    """Only a provider gets a notice, and only one that takes nothing back."""
    return referral.addressee.recipient_class == plan.PROVIDER and referral.kind not in plan.WITHDRAWALS


def member(value: Json, name: str) -> Json:
    """A member of an object, or None."""
    return value.get(name) if isinstance(value, Mapping) else None


def text(value: Json) -> str:
    """A string, or nothing."""
    return value if isinstance(value, str) else ""


def instant(value: Json) -> datetime | None:
    """An exact time in UTC; None for a date."""
    if not _INSTANT.fullmatch(text(value)):
        return None
    try:
        return datetime.fromisoformat(text(value)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def stamp(at: datetime) -> str:
    """`2026-03-01T11:00:00Z`."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
