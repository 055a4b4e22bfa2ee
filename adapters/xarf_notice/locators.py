"""Text for a mail body: no live locator, no invisible character, one line a value."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"\b(http|ftp)(s?)(?=://)", re.IGNORECASE)
_OTHER = re.compile(r"\b(magnet|ipfs|ipns|tel|mailto|file|data|javascript)(:)", re.IGNORECASE)
_DOT = re.compile(r"(?<=[\w\]-])\.(?=[\w\[-])")
_BARE = re.compile(r"\b(?:[\w-]+\.)+[a-z]{2,24}\b", re.IGNORECASE)
LIVE = re.compile(
    r"\b(?:https?|ftps?)://|\bwww\.|\b(?:magnet|ipfs|ipns|tel|mailto|file|data|javascript):",
    re.IGNORECASE,
)
"""What a mail program would make a link of."""

_BROKEN = {"http": "hxxp", "ftp": "fxp"}


def broken(url: str) -> str:
    """A locator that nothing makes a link of: `hxxps://files[.]host[.]example/a[.]b`."""
    return _DOT.sub("[.]", _no_scheme(plain(url)))


def words(text: str) -> str:
    """Somebody's words, with every locator in them broken."""
    return _BARE.sub(lambda m: m[0].replace(".", "[.]"), _no_scheme(plain(text)))


def plain(text: str) -> str:
    """On one line; what cannot be seen is written as {U+XXXX}."""
    spaced = " ".join(text.split())
    return "".join(c if c.isprintable() else f"{{U+{ord(c):04X}}}" for c in spaced)


def _no_scheme(text: str) -> str:
    text = _SCHEME.sub(lambda m: _BROKEN[m[1].lower()] + m[2], text)
    return _OTHER.sub(r"\1[:]", text)
