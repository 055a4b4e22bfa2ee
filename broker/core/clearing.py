"""Clear a masked text place by place: what the mask would hide, what a person decided, what goes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from broker.core.fields import COLLECTIONS, SECTIONS
from broker.core.freetext import MASK, Span
from broker.core.masking import MaskedText


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a human text: `same`, `gone` (held, not sent) or `new` (sent, not held).

    `hunk` numbers the places that a person decides on, None outside of them.
    """

    kind: Literal["same", "gone", "new"]
    text: str
    code: str = ""
    hunk: int | None = None


@dataclass(frozen=True, slots=True)
class MaskedLine:
    """A human text that goes masked, to be cleared: what the mask would hide, and what stands now."""

    field: str
    pointer: str
    before: str
    after: str
    spans: tuple[Span, ...]
    cleared: bool
    pieces: tuple[Piece, ...]


def unit_of(pointer: str) -> str:
    """The pointer of the disclosure unit that a deeper pointer lies in."""
    parts = pointer.split("/")
    return "/".join(parts[: 4 if parts[1:2] == ["facts"] else 5])


def masked_line(pointer: str, text: MaskedText, *, cleared: bool) -> MaskedLine:
    """The text as a page shows it. `pointer` has local ids."""
    unit = unit_of(pointer).split("/")
    places = SECTIONS[unit[2]] if unit[1] == "facts" else COLLECTIONS[unit[2]]
    proposed = [*_proposed(text)]
    as_proposed = "".join(p.text for p in proposed if p.kind != "gone") == text.after
    return MaskedLine(
        field=places[unit[-1]],
        pointer=pointer,
        before=text.before,
        after=text.after,
        spans=text.spans,
        cleared=cleared,
        pieces=tuple(proposed if as_proposed else _edited(text.before, text.after)),
    )


def _proposed(text: MaskedText) -> Iterator[Piece]:
    at = 0
    for number, span in enumerate(text.spans):
        if span.start > at:
            yield Piece("same", text.before[at : span.start])
        yield Piece("gone", text.before[span.start : span.end], span.code, number)
        yield Piece("new", MASK, span.code, number)
        at = span.end
    if at < len(text.before):
        yield Piece("same", text.before[at:])


_WORDS = re.compile(r"\s+|[^\s]+")


def _edited(before: str, after: str) -> Iterator[Piece]:
    """Where a person wrote something else than the mask proposed: word by word."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Piece("same", "".join(old[a:b]))
            continue
        if b > a:
            yield Piece("gone", "".join(old[a:b]))
        if d > c:
            yield Piece("new", "".join(new[c:d]))


def resolved(text: MaskedLine, hide: Mapping[int, bool]) -> str | None:
    """The text as decided place by place, or None while a place is undecided."""
    if any(number not in hide for number in range(len(text.spans))):
        return None
    pieces, at = [], 0
    for number, span in enumerate(text.spans):
        kept = MASK if hide[number] else text.before[span.start : span.end]
        pieces += [text.before[at : span.start], kept]
        at = span.end
    return "".join([*pieces, text.before[at:]])
