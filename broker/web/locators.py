"""Locators that nothing makes a link of (ruling 12): shown broken, exact only by the copy action."""

from __future__ import annotations

import re

# Not as `core.today._broken`, which copies the mail of today: here it is prose too, whose full stops stay.
_SCHEME = re.compile(r"\b(h)tt(p|ps)(?=:)|\b(f)t(p|ps)(?=:)", re.IGNORECASE)
_DOT = re.compile(r"(?<=[^\s.])\.(?=[^\s.])")


def broken(text: str) -> str:
    """`https://a.example/b` becomes `hxxps://a[.]example/b`; also inside prose."""
    swapped = _SCHEME.sub(lambda m: f"{m[1]}xx{m[2]}" if m[1] else f"{m[3]}x{m[4]}", text)
    return _DOT.sub("[.]", swapped)
