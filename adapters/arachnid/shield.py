"""One answer of Arachnid Shield to an item of the canonical case.

What matters here and nowhere else: SHA-1 is base32 in this format and hex everywhere else; a near
match never confirms anything; a classification this adapter does not know is kept as a label.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field

from adapters.arachnid.reading import Members, refuse
from broker.spi import Finding, Json
from broker.spi_in import Number

VERSION = "shield-v1"
MAX_NEAR = 500

_BASE32 = re.compile(r"[A-Z2-7]{32}", re.IGNORECASE)
_HEX64 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")


@dataclass(slots=True)
class Scan:
    """What one answer gives: an item, a locator of its own, and what can be said about it."""

    item: dict[str, Json]
    url: str | None
    exact: bool
    organisations: int
    findings: list[Finding] = field(default_factory=list)


def scan(value: Json, pointer: str) -> Scan:
    """Reads one answer. Raises `Refused` where a type or a form is wrong."""
    members = Members(value, pointer)
    findings: list[Finding] = []
    classification = members.text("classification")
    if classification is None:
        refuse(members.at("classification"), "required", "is required")
    match = members.code("match_type", ("exact", "near")) or "none"
    members.flag("is_match")
    item: dict[str, Json] = {}
    hashes = _hashes(members)
    if hashes:
        item["crypto_hash"] = hashes
    else:
        findings.append(Finding("arachnid-no-hash", "warn", pointer))
    item["known_status"] = _known(classification, match)
    label = _label(classification, members.at("classification"), findings)
    if label:
        item["labels"] = [label]
    findings += _verdict(classification, match, pointer)
    near = _near_details(members)
    if near:
        findings.append(Finding("arachnid-near-details-not-carried", "note", pointer, {"count": near}))
    size = members.whole("size_bytes", 0, 2**53 - 1)
    if size is not None:
        item["size"] = size
    found = Scan(
        item=item,
        url=members.url("url"),
        exact=classification == "csam" and match == "exact",
        organisations=members.whole("organisations", 1, 1000) or 1,
    )
    found.findings = findings + members.ignored()
    return found


def _hashes(members: Members) -> list[Json]:
    hashes: list[Json] = []
    sha256 = members.matching("sha256_hex", _HEX64, "64 hexadecimal digits")
    if sha256 is not None:
        hashes.append({"alg": "sha256", "value": sha256.lower()})
    sha1 = members.matching("sha1_base32", _BASE32, "32 characters of base32")
    if sha1 is not None:
        hashes.append({"alg": "sha1", "value": sha1_hex(sha1)})
    return hashes


def sha1_hex(text: str) -> str:
    """RFC 4648 base32 of 20 bytes to lower-case hex."""
    return base64.b32decode(text.upper()).hex()


def _known(classification: str, match: str) -> dict[str, Json]:
    """Known is what matched exactly; a near match says that something similar is known."""
    if classification == "no-known-match" or match == "none":
        return {"status": "unknown", "match": "none"}
    status = "known" if match == "exact" else "unknown"
    return {"status": status, "match": match, "lists": ["ARACHNID"]}


def _label(classification: str, pointer: str, findings: list[Finding]) -> dict[str, Json] | None:
    if classification == "no-known-match":
        return None
    if not _CODE.fullmatch(classification):
        findings.append(Finding("arachnid-label-not-kept", "warn", pointer))
        return None
    if classification not in {"csam", "harmful-abusive-material"}:
        findings.append(Finding("arachnid-classification-unknown", "warn", pointer))
    return {"scheme": "ARACHNID", "version": VERSION, "label": classification}


def _verdict(classification: str, match: str, pointer: str) -> list[Finding]:
    if classification == "harmful-abusive-material":
        return [Finding("arachnid-not-for-police", "block", pointer)]
    if classification == "no-known-match":
        return [Finding("arachnid-no-match", "note", pointer)]
    if match == "near":
        return [Finding("arachnid-near-match-confirms-nothing", "warn", pointer)]
    if match == "none":
        return [Finding("arachnid-match-type-missing", "warn", pointer)]
    return []


def _near_details(members: Members) -> int:
    """Counts and checks the details; their hashes are of other files, so none is carried over."""
    details = members.raw("near_match_details")
    if details is None:
        return 0
    if not isinstance(details, list):
        refuse(members.at("near_match_details"), "type", "must be a list")
    if len(details) > MAX_NEAR:
        refuse(members.at("near_match_details"), "oversize", f"has more than {MAX_NEAR} entries")
    for i, entry in enumerate(details):
        detail = Members(entry, f"{members.at('near_match_details')}/{i}")
        detail.matching("sha256_hex", _HEX64, "64 hexadecimal digits")
        detail.matching("sha1_base32", _BASE32, "32 characters of base32")
        detail.text("classification")
        second = detail.raw("timestamp")
        if second is not None and (isinstance(second, bool) or not isinstance(second, int | Number)):
            refuse(detail.at("timestamp"), "type", "must be a number of seconds")
    return len(details)
