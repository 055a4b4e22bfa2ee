"""Patterns of identifiers in free text: found whether or not the case knows the value.

Most texts hold none of these, so each is looked for by a mark it cannot be without (an @, a dot, eight
figures), and by its whole form only around that mark. Over-finding is safe: a person sees every
difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

Hit = tuple[int, int, str]
"""start, end, code of the detector."""


class _Around(NamedTuple):
    """A form with a mark in it: `left` ends where the mark begins and has at most `reach` characters,
    `right` begins where it ends."""

    code: str
    mark: re.Pattern[str]
    left: re.Pattern[str]
    reach: int
    right: re.Pattern[str]

    def hits(self, text: str) -> Iterator[Hit]:
        """The leftmost, longest, not overlapping: what one pattern of all three would find."""
        done = 0
        for mark in self.mark.finditer(text):
            at = mark.start()
            left = self.left.search(text, max(done, at - self.reach), at) if at > done else None
            right = self.right.match(text, mark.end()) if left else None
            if left and right:
                done = right.end()
                yield left.start(), done, self.code


def _pattern(form: str) -> re.Pattern[str]:
    return re.compile(form, re.IGNORECASE)


_DOT = r"(?:\.|\[\.\])"
_EMAIL = _Around(
    "email",
    _pattern(r"@|\[at\]|\(at\)"),
    _pattern(r"[\w.+-]{1,64}\s?\Z"),
    65,
    _pattern(r"\s?[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"),
)
_DOMAIN = _Around(
    "domain",
    _pattern(_DOT),
    _pattern(r"\b[a-z0-9-]{1,63}\Z"),
    63,
    _pattern(rf"(?:[a-z0-9-]{{1,63}}{_DOT}){{0,7}}[a-z]{{2,24}}(?:/[^\s<>\"]*)?"),
)
_IPV4 = _Around(
    "ip",
    _pattern(_DOT),
    _pattern(r"(?<![\d.])\d{1,3}\Z"),
    3,
    _pattern(rf"\d{{1,3}}(?:{_DOT}\d{{1,3}}){{2}}(?![\d.]*\d)"),
)
_URL_MARKS = ("//", "www.", "magnet:?")
_URL = _pattern(r"(?:(?:https?|hxxps?|ftp|ipfs)(?:://|\[:\]//)|magnet:\?|www\.)[^\s<>\"]{2,4096}")
_IPV6_MARK = _pattern(r":[0-9a-f]{0,4}:")
_IPV6 = _pattern(r"(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])")
_EIGHT_FIGURES = re.compile(r"\d(?:[ ./()-]{0,2}\d){7}")
_PHONE = re.compile(r"(?<![\w+])(?:\+|00)?\(?\d(?:[ ./()-]{0,2}\d){7,14}(?!\w)")
_NATIONAL = re.compile(r"(?<!\d)\d{2}[. ]?\d{2}[. ]?\d{2}[ -]?\d{3}[. ]?\d{2}(?!\d)")
# A look behind comes after the first character: a pattern that begins with one is tried everywhere.
_IBAN = re.compile(r"[A-Z](?<!\w.)[A-Z]\d{2}(?:[ -]?[A-Z0-9]{2,4}){3,8}\b")
_HANDLE = re.compile(r"@(?<![\w@.]@)[\w.-]{3,64}")
_FILE_NAME = _pattern(r"\.(?:jpe?g|png|gif|webp|bmp|heic|mp4|mov|avi|mkv|webm|zip|rar|7z|pdf|txt)\Z")
_DATE_OR_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|[+-]\d\d:\d\d)?)?|\d\d[./-]\d\d[./-]\d{4}")


def detect(text: str) -> Iterator[Hit]:
    """Every identifier-like span of `text`; spans may overlap."""
    yield from _EMAIL.hits(text)
    yield from _hits(_HANDLE, text, "handle")
    lower = text.lower()
    if any(mark in lower for mark in _URL_MARKS):
        yield from _hits(_URL, text, "url")
    if "." in text:
        for hit in _DOMAIN.hits(text):
            if not _FILE_NAME.search(text, hit[0], hit[1]):
                yield hit
        yield from _IPV4.hits(text)
    if _IPV6_MARK.search(text):
        yield from (hit for hit in _hits(_IPV6, text, "ip") if _looks_like_ipv6(text[hit[0] : hit[1]]))
    yield from _hits(_IBAN, text, "iban")
    yield from _figures(_NATIONAL, text, "national_number")
    for hit in _figures(_PHONE, text, "phone"):
        if not _DATE_OR_TIME.fullmatch(text[hit[0] : hit[1]].strip()):
            yield hit


def _figures(pattern: re.Pattern[str], text: str, code: str) -> Iterator[Hit]:
    """As `_hits`, for a pattern of at least eight figures with at most a `+(` before them."""
    done = 0
    while figures := _EIGHT_FIGURES.search(text, done):
        found = pattern.search(text, max(done, figures.start() - len("+(")))
        if found is None:
            return
        done = found.end()
        yield found.start(), done, code


def _hits(pattern: re.Pattern[str], text: str, code: str) -> Iterator[Hit]:
    return ((m.start(), m.end(), code) for m in pattern.finditer(text))


def _looks_like_ipv6(found: str) -> bool:
    # A time of day is digits with two colons; an address has a letter, "::" or seven colons.
    return "::" in found or found.count(":") == 7 or (found.count(":") > 2 and found.lower() != found.upper())
