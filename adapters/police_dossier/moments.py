"""Times on the page: UTC and local, so that nobody has to compute an offset at night."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

HOME = "Europe/Brussels"

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)")


def is_instant(text: str) -> bool:
    """Whether `text` is an RFC 3339 time with an offset; a bare date is not."""
    return parse(text) is not None


def parse(text: str) -> datetime | None:
    """The time in UTC, or None."""
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def utc(text: str) -> str:
    """`2026-03-01T11:00:00Z` for an instant, the text itself otherwise."""
    at = parse(text)
    return at.replace(tzinfo=None).isoformat() + "Z" if at else text


def show(text: str, zone: str | None = None) -> str:
    """UTC, then the local time of `zone` (default Brussels); the text itself where it is no instant."""
    at = parse(text)
    return text if at is None else show_at(at, zone)


def show_at(at: datetime, zone: str | None = None) -> str:
    """As `show`, for a time that is already parsed."""
    at = at.astimezone(UTC)
    plain = at.replace(tzinfo=None).isoformat(sep=" ") + " UTC"
    place = _zone(zone or HOME) or _zone(HOME)
    if place is None:
        return plain
    name, info = place
    try:
        local = at.astimezone(info)
    except OverflowError:
        return plain
    offset = local.strftime("%z")
    clock = local.replace(tzinfo=None, microsecond=0).isoformat(sep=" ")
    if local.date() == at.date():
        clock = clock[11:]
    return f"{plain} = {clock} {name} ({offset[:3]}:{offset[3:5]})"


def known(zone: str) -> bool:
    """Whether local times of `zone` can be shown."""
    return _zone(zone) is not None


@lru_cache(maxsize=64)
def _zone(name: str) -> tuple[str, tzinfo] | None:
    """Falls back to UTC only where the host has no time zone data."""
    try:
        return name, ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
