"""Building blocks of the canonical case: text, instants, moments, codes, references.

Validators here refuse; they never repair and never echo what they refuse. The rule's name stands in
the error type, so that intake can report it without the input (`broker.core.case`).
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic_core import PydanticCustomError


class Strict(BaseModel):
    """Base of every part of a case: no unknown members, no coercion, no change after validation."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _refuse(rule: str, text: str) -> PydanticCustomError:
    return PydanticCustomError(rule, text)


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-]{600,}={0,2}")
_DATA_URI = re.compile(r"\bdata:[a-z0-9.+-]*+/?+[a-z0-9.+-]*+[;,]", re.IGNORECASE)
_EUCI = re.compile(
    r"\b(RESTREINT\s+UE|EU\s+RESTRICTED|R-UE/EU-R|CONFIDENTIEL\s+UE|EU\s+CONFIDENTIAL|SECRET\s+UE"
    r"|EU\s+SECRET|TR[EÈ]S\s+SECRET\s+UE|EU\s+TOP\s+SECRET)\b",
    re.IGNORECASE,
)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)")


def clean_text(value: str) -> str:
    """NFC text without control characters, embedded media or EU-classified markings."""
    if _CONTROL.search(value):
        raise _refuse("control-character", "contains a control character")
    if _DATA_URI.search(value):
        raise _refuse("media", "contains a data URI; the broker takes locators, hashes and words only")
    if _BASE64_RUN.search(value):
        raise _refuse("media", "contains a long encoded block; the broker never takes media bytes")
    if _EUCI.search(value):
        raise _refuse("eu-classified", "bears an EU classification marking; this system is not accredited")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refuse("encoding", "contains an unpaired surrogate") from None
    return unicodedata.normalize("NFC", value)


def _instant(value: str) -> str:
    if not _INSTANT.fullmatch(value):
        rule = "naive-timestamp" if re.fullmatch(r"\d{4}-\d\d-\d\d[T ][\d:.]+", value) else "timestamp"
        raise _refuse(rule, "must be RFC 3339 with an offset, such as 2026-03-01T12:00:00+01:00")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _refuse("timestamp", "is no date and time that exists") from None
    if not 1 < moment.year < 9999:  # elsewhere on earth it is another year, which there is not
        raise _refuse("timestamp", "is no time that has a date in every zone")
    return value


def _url(value: str) -> str:
    value = clean_text(value)
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        raise _refuse("url", "cannot be read as a URL") from None
    if parts.scheme not in {"http", "https", "ftp", "magnet", "ipfs"} or (
        parts.scheme in {"http", "https", "ftp"} and not host
    ):
        raise _refuse("url", "must be an absolute http, https, ftp, magnet or ipfs URL")
    if re.search(r"\s", value):
        raise _refuse("url", "contains white space")
    return value


def _ip(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise _refuse("ip-address", "is no IPv4 or IPv6 address") from None


Short = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(clean_text)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(clean_text)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=8000), AfterValidator(clean_text)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$")]
Url = Annotated[str, StringConstraints(min_length=4, max_length=4096), AfterValidator(_url)]
Ip = Annotated[str, StringConstraints(min_length=2, max_length=45), AfterValidator(_ip)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Date = Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
Instant = Annotated[str, StringConstraints(max_length=40), AfterValidator(_instant)]
Count = Annotated[int, "non-negative"]
LocalId = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,8}[0-9]{1,6}$")]
"""An entity's name inside one case, such as `item1`. It never leaves the broker."""
Confidence = Literal["low", "medium", "high"]
Meaning = Literal["observed", "uploaded", "detected", "reported", "sent", "login", "registered", "taken"]


class Moment(Strict):
    """A timestamp that says what it is the time of; without a meaning a time is refused (Q11)."""

    at: Instant
    meaning: Meaning
    clock: Literal["hotline", "provider", "platform", "device", "unknown"] = "unknown"
    zone: Code | None = None


class Ref(Strict):
    """A reference in somebody's system."""

    system: Code
    ref: Short


class About(Strict):
    """Base of list entries that concern certain entities: kept only where all of them are kept."""

    about: tuple[LocalId, ...] = ()


def references(value: Any) -> set[str]:
    """All local ids that a normalised JSON value refers to through `about`, `account` or link ends."""
    found: set[str] = set()
    if isinstance(value, dict):
        for key, child in value.items():
            if key in REFERENCE_KEYS and not isinstance(child, dict):  # F49 is a member named `event` too
                found.update([child] if isinstance(child, str) else child)
            else:
                found |= references(child)
    elif isinstance(value, list | tuple):
        for child in value:
            found |= references(child)
    return found


REFERENCE_KEYS = frozenset(
    {"about", "account_of", "found_at", "subject", "item", "event", "person", "victims"}
)
"""Member names whose value is a local id or a list of them; element ids in a referral."""
