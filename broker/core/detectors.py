"""Patterns of identifiers in free text: found whether or not the case knows the value.

Each detector has a cheap precondition, because most texts hold none of these. Over-finding is safe:
a person sees every difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Hit = tuple[int, int, str]
"""start, end, code of the detector."""

_EMAIL = re.compile(r"[\w.+-]{1,64}\s?(?:@|\[at\]|\(at\))\s?[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", re.IGNORECASE)
_URL = re.compile(
    r"(?:(?:https?|hxxps?|ftp|ipfs)(?:://|\[:\]//)|magnet:\?|www\.)[^\s<>\"]{2,4096}", re.IGNORECASE
)
_DOMAIN = re.compile(r"\b(?:[a-z0-9-]{1,63}(?:\.|\[\.\])){1,8}[a-z]{2,24}(?:/[^\s<>\"]*)?", re.IGNORECASE)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{2,4}){3,8}\b")
_NATIONAL = re.compile(r"(?<!\d)\d{2}[. ]?\d{2}[. ]?\d{2}[ -]?\d{3}[. ]?\d{2}(?!\d)")
_PHONE = re.compile(r"(?<![\w+])(?:\+|00)?\(?\d(?:[ ./()-]{0,2}\d){7,14}(?!\w)")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:(?:\.|\[\.\])\d{1,3}){3}(?![\d.]*\d)")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w@.])@[\w.-]{3,64}")
_FILE_NAME = re.compile(
    r"\.(?:jpe?g|png|gif|webp|bmp|heic|mp4|mov|avi|mkv|webm|zip|rar|7z|pdf|txt)\Z", re.IGNORECASE
)
_DATE_OR_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|[+-]\d\d:\d\d)?)?|\d\d[./-]\d\d[./-]\d{4}")


def detect(text: str) -> Iterator[Hit]:
    """Every identifier-like span of `text`; spans may overlap."""
    if "@" in text or "at]" in text or "(at" in text:
        yield from _hits(_EMAIL, text, "email")
        yield from _hits(_HANDLE, text, "handle")
    if "/" in text or "magnet" in text or "www." in text.lower():
        yield from _hits(_URL, text, "url")
    if "." in text:
        yield from (
            hit for hit in _hits(_DOMAIN, text, "domain") if not _FILE_NAME.search(text, hit[0], hit[1])
        )
        yield from _hits(_IPV4, text, "ip")
    if text.count(":") >= 2:
        yield from (hit for hit in _hits(_IPV6, text, "ip") if _looks_like_ipv6(text[hit[0] : hit[1]]))
    if any(map(str.isdigit, text)):
        yield from _hits(_IBAN, text, "iban")
        yield from _hits(_NATIONAL, text, "national_number")
        yield from (hit for hit in _hits(_PHONE, text, "phone") if _looks_like_phone(text[hit[0] : hit[1]]))


def _hits(pattern: re.Pattern[str], text: str, code: str) -> Iterator[Hit]:
    return ((m.start(), m.end(), code) for m in pattern.finditer(text))


def _looks_like_ipv6(found: str) -> bool:
    # A time of day is digits with two colons; an address has a letter, "::" or seven colons.
    return "::" in found or found.count(":") == 7 or (found.count(":") > 2 and found.lower() != found.upper())


def _looks_like_phone(found: str) -> bool:
    return _DATE_OR_TIME.fullmatch(found.strip()) is None
