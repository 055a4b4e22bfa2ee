"""Text as it may stand on a page: no live locator, no invisible character, no glyph the fonts lack."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"\b(https?|ftps?)(://)([^\s/?#\\]*)", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"\b(magnet|ipfs|ipns|tel|mailto|file|data|javascript)(:)(?=\S)", re.IGNORECASE)
_BARE = re.compile(
    r"(?<![\w@/\]-])((?:[\w-]+\.)+[a-z]{2,24})(?=[/:?#])|(?<![\w@/\]-])(www\.[\w.-]+)", re.IGNORECASE
)
_BROKEN = {"http": "hxxp", "https": "hxxps", "ftp": "fxp", "ftps": "fxps"}

_GLYPHS = (
    (0x20, 0x7E),
    (0xA1, 0xAC),
    (0xAE, 0x17F),
    (0x1CD, 0x1E3),
    (0x218, 0x21B),
    (0x384, 0x38A),
    (0x38E, 0x3A1),
    (0x3A3, 0x3CE),
    (0x400, 0x45F),
    (0x490, 0x49B),
    (0x1E00, 0x1E99),
    (0x2010, 0x2023),
    (0x2026, 0x2026),
    (0x2030, 0x2037),
    (0x2039, 0x203A),
    (0x20AC, 0x20AC),
    (0x2116, 0x2116),
    (0x2122, 0x2122),
    (0x2190, 0x2195),
)
"""Ranges that both embedded fonts cover; PDF/A refuses a page with a missing glyph."""

_SPACE = frozenset("\t\n\r\u00a0\u2007\u2009\u202f")


def defang(text: str) -> str:
    """Breaks every locator in `text`: hxxp and [.], so that no viewer makes a link of it (ruling 12)."""
    text = _SCHEME.sub(lambda m: _BROKEN[m[1].lower()] + m[2] + m[3].replace(".", "[.]"), text)
    text = _OTHER_SCHEME.sub(r"\1[:]", text)
    return _BARE.sub(lambda m: m[0].replace(".", "[.]"), text)


def defang_host(text: str) -> str:
    """A bare domain or host name."""
    return text.replace(".", "[.]")


def printable(text: str) -> str:
    """`text` with white space plain and every other character the fonts lack written as {U+XXXX}."""
    return "".join(
        " " if char in _SPACE and char != "\n" else char if _has_glyph(char) else f"{{U+{ord(char):04X}}}"
        for char in text
    )


def escapes(text: str) -> bool:
    """Whether `printable` writes a character of `text` as a number."""
    return any(not _has_glyph(char) and char not in _SPACE for char in text)


def _has_glyph(char: str) -> bool:
    code = ord(char)
    if code < 0x7F:
        return code >= 0x20 or char == "\n"
    return any(first <= code <= last for first, last in _GLYPHS)


BREAK = "\x1f"
"""Marks a place where a line may break; the template turns it into a break without a character."""

_LONG = re.compile(r"[^\s\x1f]{25,}")
_PIECE = re.compile(r"[A-Za-z0-9\u0080-\uffff]{1,12}|[^A-Za-z0-9\u0080-\uffff]")


def breakable(text: str) -> str:
    """Adds break marks inside long runs, so that no URL or hash runs off the page."""
    return _LONG.sub(lambda m: BREAK.join(_PIECE.findall(m[0])), text)
