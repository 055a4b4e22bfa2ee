"""XARF v4 `content/csam`: one report for each URL of which all that the format demands is known.

Never written: `evidence` (it carries content), `screenshot_url`, `_internal`. "National" content has no
classification there and is not made `baseline`: it goes by the letter alone.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from adapters.xarf_notice.facts import Facts, Item, Place, stamp
from broker.spi import Finding, Json, MinimisedReferral

VERSION = "4.2.0"
FORBIDDEN = frozenset({"evidence", "screenshot_url", "_internal"})
_LONGEST_NAME = 200
_ASKED = {
    "host": "Remove the content or disable access to it.",
    "cdn": "Stop delivering the content, pass this notice to the host and tell us who it is.",
    "registrar": "Pass this notice to the holder of the domain and check it against your terms.",
}


@dataclass(frozen=True, slots=True)
class Reports:
    """Element id → report, in the order of the places, and why the others have none."""

    by_place: Mapping[str, Mapping[str, Json]]
    findings: tuple[Finding, ...]


def reports(referral: MinimisedReferral, facts: Facts) -> Reports:
    """Nothing is guessed: a place without classification or method gets no report."""
    found: dict[str, Mapping[str, Json]] = {}
    findings: list[Finding] = []
    for place in facts.places:
        items = [item for item in place.items if item.baseline == "baseline"]
        method = _method(items)
        code = "" if items else "no-classification"
        code = code or ("" if method else "no-detection-method")
        code = code or ("" if facts.desk.mail else "no-contact")
        if code:
            findings.append(Finding(f"xarf-{code}", "warn", f"/entities/locations/{place.element}"))
            continue
        if sum(bool(item.hashes) for item in items) > 1:
            findings.append(Finding("xarf-hashes-in-letter", "note", f"/entities/locations/{place.element}"))
        found[place.element] = _report(referral, facts, place, items, method)
    return Reports(found, tuple(findings))


def _method(items: list[Item]) -> str:
    if any(item.viewed for item in items):
        return "manual_review"
    return "hash_match" if any(item.known for item in items) else ""


def _report(
    referral: MinimisedReferral, facts: Facts, place: Place, items: list[Item], method: str
) -> Mapping[str, Json]:
    contact = {
        "org": facts.desk.organisation[:_LONGEST_NAME],
        "contact": facts.desk.mail,
        "domain": facts.desk.domain,
    }
    return {
        "xarf_version": VERSION,
        "report_id": _report_id(referral, facts, place),
        "timestamp": stamp(place.checked or referral.drafted_at),
        "reporter": contact,
        "sender": contact,
        "source_identifier": _source(facts, place),
        "category": "content",
        "type": "csam",
        "url": place.url,
        "classification": "baseline",
        "detection_method": method,
        "description": _description(referral, facts),
        **dict(_optional(facts, place, items, method)),
    }


def _optional(facts: Facts, place: Place, items: list[Item], method: str) -> Iterator[tuple[str, Json]]:
    if place.domain:
        yield "domain", place.domain
    if place.checked and place.online:
        yield "verified_at", stamp(place.checked)
    if method == "manual_review":
        yield "verification_method", "manual"
    kinds = sorted({item.media for item in items if item.media})
    if kinds:
        yield "media_type", kinds[0] if len(kinds) == 1 else "mixed"
    hashed = [dict(item.hashes) for item in items if item.hashes]
    if len(hashed) == 1:
        yield "hash_values", hashed[0]
    if place.provider and facts.target == "host":
        yield "hosting_provider", place.provider
    if place.asn is not None:
        yield "asn", place.asn
    if place.country:
        yield "country_code", place.country


def _source(facts: Facts, place: Place) -> str:
    """What the addressee knows the content by: its address for a host, the name for the others."""
    return (place.ip if facts.target == "host" else "") or place.hostname


def _report_id(referral: MinimisedReferral, facts: Facts, place: Place) -> str:
    """A version 4 UUID out of the release, so that rendering twice names the same report."""
    seed = f"xarf_notice\0{referral.release}\0{facts.target}\0{place.element}"
    return str(uuid.UUID(bytes=hashlib.sha256(seed.encode()).digest()[:16], version=4))


def _description(referral: MinimisedReferral, facts: Facts) -> str:
    """The elements of Art. 16(2) DSA that have no member of their own."""
    return (
        f"Notice under Article 16 of Regulation (EU) 2022/2065, reference {referral.reference}. "
        "The content at this exact URL was assessed as child sexual abuse material that meets the "
        "international baseline. "
        f"{_ASKED[facts.target]} "
        "The notifier believes in good faith that this notice is accurate and complete."
    )
