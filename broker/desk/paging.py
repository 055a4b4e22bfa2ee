"""Pages by key, never by offset: the place where a page ended, as a word that may stand in a URL.

A place holds codes, ids and times only, so it names nobody (ruling 17).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from broker.errors import Issue, Refused

T = TypeVar("T")
MAX_LIMIT = 200
_PART = re.compile(r"[A-Za-z0-9:+.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows; `next` is where the next page begins, None at the end."""

    rows: tuple[T, ...]
    next: str | None


def page_of(rows: Sequence[T], limit: int, place: Callable[[T], tuple[str, ...]]) -> Page[T]:
    """A page out of `limit + 1` rows that were asked for."""
    kept = tuple(rows[:limit])
    return Page(kept, write(*place(kept[-1])) if len(rows) > limit and kept else None)


def write(*parts: str) -> str:
    """A place as a word."""
    return "~".join(part or "-" for part in parts)


def read(word: str | None, parts: int) -> tuple[str, ...] | None:
    """The parts of a place, or None at the beginning. Raises `Refused` for anything else."""
    if not word:
        return None
    found = tuple(word.split("~"))
    if len(found) != parts or not all(_PART.fullmatch(part) for part in found):
        raise bad_place()
    return tuple("" if part == "-" else part for part in found)


def moment(text: str) -> datetime:
    """A time out of a place. Raises `Refused`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise bad_place() from None
    if found.tzinfo is None or not 1 < found.year < 9999:
        raise bad_place()
    return found


def identity(text: str) -> UUID:
    """A UUID out of a place. Raises `Refused`."""
    try:
        return UUID(text)
    except ValueError:
        raise bad_place() from None


def bounded(limit: int) -> int:
    """A page size that a server can afford."""
    return max(1, min(limit, MAX_LIMIT))


def bad_place() -> Refused:
    """The refusal of a place that no page gave."""
    return Refused("page", "this is no place in the list", (Issue("after", "format", "is not one of ours"),))
