"""The hotline's own report beside the Shield answer: the parts of a case that Shield cannot know.

The envelope is ours, not Project Arachnid's; docs/adapters/arachnid.md defines it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from adapters.arachnid.reading import Members, refuse
from broker.spi import Finding, Json

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_ASN = re.compile(r"AS\d{1,10}")
_MIME = re.compile(r"(image|video|audio|text|application)/[a-z0-9.+-]{1,60}")

KINDS = ("content_report", "person_lead", "grooming_or_extortion", "danger")
CHANNELS = ("public_report", "arachnid", "iccam_in", "partner", "self_report_victim")
OFFENCES = (
    "csam_dissemination",
    "csam_production",
    "live_stream",
    "grooming",
    "sextortion",
    "abuse_manual",
    "exploitation",
    "other",
)
REPORTERS = ("anon", "named", "victim", "relative", "organisation", "crawler")
SITES = (
    "website",
    "image_host",
    "forum",
    "file_host",
    "social",
    "messaging",
    "chat",
    "p2p",
    "onion",
    "other",
)


@dataclass(frozen=True, slots=True)
class Report:
    """Sections of a canonical case, and what each of its items and its location get."""

    sections: dict[str, dict[str, Json]]
    item: dict[str, Json]
    location: dict[str, Json]
    media_type: str | None
    findings: list[Finding]


def report(value: Json, pointer: str) -> Report:
    """Reads the report. `received_at` is required: without it a case has no beginning."""
    members = Members(value, pointer)
    received = members.instant("received_at")
    if received is None:
        refuse(members.at("received_at"), "required", "is required: when the hotline received the report")
    location, nested = _location(members)
    result = Report(
        sections={"case": _case(members, received), "reporter": _reporter(members)},
        item=_item(members),
        location=location,
        media_type=members.matching("media_type", _MIME, "a media type such as video/mp4"),
        findings=nested,
    )
    result.findings.extend(members.ignored())
    return result


def _case(members: Members, received: str) -> dict[str, Json]:
    case: dict[str, Json] = {
        "kind": members.code("kind", KINDS) or "content_report",
        "origin_channel": members.code("origin_channel", CHANNELS) or "arachnid",
        "offence_type": members.code("offence_type", OFFENCES) or "csam_dissemination",
        "dates": {"opened_at": received},
    }
    urgency = members.code("urgency", ("U1", "U2", "U3", "U4"))
    reason = members.text("urgency_reason", 500)
    times = members.whole("times_reported", 1, 1_000_000)
    reference = members.text("reference")
    if urgency is not None:
        case["urgency"] = urgency
    if reason is not None:
        case["urgency_reason"] = reason
    if times is not None:
        case["times_reported"] = times
    if reference is not None:
        case["related_refs"] = [{"system": "HOTLINE", "ref": reference}]
    return case


def _reporter(members: Members) -> dict[str, Json]:
    reporter: dict[str, Json] = {"type": members.code("reporter_type", REPORTERS) or "crawler"}
    statement = members.text("statement", 8000)
    if statement is not None:
        reporter["statement"] = statement
    return reporter


def _item(members: Members) -> dict[str, Json]:
    item: dict[str, Json] = {}
    name = members.file_name("filename")
    if name is not None:
        item["filename"] = name
    available = members.code("publicly_available", ("open", "login", "paid", "onion", "private"))
    if available is not None:
        item["publicly_available"] = available
    first, last = members.instant("first_seen"), members.instant("last_seen")
    if first is not None:
        item["seen"] = {"first": _observed(first)} | ({"last": _observed(last)} if last else {})
    elif last is not None:
        item["seen"] = {"first": _observed(last)}
    viewed = members.flag("human_viewed")
    if viewed is not None:
        item["human_viewed"] = {"viewed": viewed}
    return item


def _observed(at: str) -> dict[str, Json]:
    """The hotline saw it, by its own clock; the envelope has no other meaning to offer."""
    return {"at": at, "meaning": "observed", "clock": "hotline"}


def _location(members: Members) -> tuple[dict[str, Json], list[Finding]]:
    location: dict[str, Json] = {}
    for name in ("url", "page_url", "referrer"):
        value = members.url(name)
        if value is not None:
            location[name] = value
    site = members.code("site_type", SITES)
    if site is not None:
        location["site"] = {"type": site}
    note = members.text("access_note", 500)
    if note is not None:
        location["access_note"] = note
    findings: list[Finding] = []
    host = members.child("host")
    if host is not None:
        location |= _host(host)
        findings += host.ignored()
    check = members.child("online")
    if check is not None:
        online, at = check.flag("online"), check.instant("at")
        if online is None or at is None:
            refuse(check.pointer, "required", "needs online (true or false) and at")
        location["last_check"] = {"online": online, "at": at}
        findings += check.ignored()
    return location, findings


def _host(host: Members) -> dict[str, Json]:
    parts: dict[str, Json] = {}
    facts = {
        "ip": host.text("ip", 45),
        "asn": host.matching("asn", _ASN, "AS and a number"),
        "provider": host.text("provider"),
    }
    held = {name: value for name, value in facts.items() if value is not None}
    if held:
        parts["host"] = held
    country = host.matching("country", _COUNTRY, "a two-letter country code")
    if country is not None:
        parts["country"] = country
    method = host.code("method", ("dns", "rdap", "whois", "manual", "imported"))
    at = host.instant("traced_at")
    if at is not None:
        parts["trace"] = {"method": method or "imported", "at": at}
    cdn = host.flag("is_cdn")
    if cdn is not None:
        parts["cdn"] = {"is_cdn": cdn}
    return parts
