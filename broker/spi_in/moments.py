"""Times as people write them to RFC 3339: an offset, or a zone that the mapping names, or no."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from broker.spi_in.members import INSTANT
from broker.spi_in.refusal import Fault

NAIVE = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)")


def instant(text: str, form: str | None, zone: str | None) -> str:
    """RFC 3339; a local time only where the mapping names its zone and the zone leaves no doubt."""
    if INSTANT.fullmatch(text):
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise Fault("timestamp", "is no date and time that exists") from None
        return text
    moment = _written(text, form)
    if moment.tzinfo is None:
        if zone is None:
            raise Fault("naive-timestamp", "has no offset, and the mapping names no zone")
        try:
            moment = _placed(moment, ZoneInfo(zone))
        except OverflowError:
            raise Fault("timestamp", "is no date and time that exists") from None
    written = moment.isoformat().replace("+00:00", "Z")
    if not INSTANT.fullmatch(written):  # offsets of seconds, before there were zones
        raise Fault("timestamp", "is out of the range of times that can be exchanged")
    return written


def _written(text: str, form: str | None) -> datetime:
    naive = NAIVE.fullmatch(text)
    try:
        if naive is not None:
            return datetime.fromisoformat(f"{naive[1]}T{naive[2]}")
        if form is not None:
            return datetime.strptime(text, form)  # noqa: DTZ007 - the zone follows below
    except ValueError:
        pass
    raise Fault("timestamp", "is no date and time in the form of the mapping")


def _placed(naive: datetime, zone: ZoneInfo) -> datetime:
    """An hour that the clocks skip or repeat is refused: guessing could name the wrong subscriber."""
    first, second = naive.replace(tzinfo=zone), naive.replace(tzinfo=zone, fold=1)
    if first.utcoffset() != second.utcoffset():
        back = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
        word = "ambiguous-time" if back == naive else "timestamp"
        raise Fault(word, "is an hour that the clocks skip or repeat; give it with its offset")
    return first
