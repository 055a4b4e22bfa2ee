"""What this adapter takes at most, and how it says no."""

from __future__ import annotations

from typing import NoReturn

from broker.spi import Json
from broker.spi_in import Bounds, Refuse, read_json
from broker.spi_in import Members as _Members

SOURCE = "arachnid"
BOUNDS = Bounds(octets=1024 * 1024, depth=12, values=50_000)

_refuse = Refuse(SOURCE)


def refuse(field: str, rule: str, detail: str) -> NoReturn:
    """Field and rule, no value, no cause."""
    _refuse(field, rule, detail)


def read(content: bytes) -> Json:
    """Hostile bytes to plain JSON. Raises `Refused`."""
    return read_json(content, _refuse, BOUNDS)


class Members(_Members):
    """Members of an answer; new ones are ignored with a finding of this adapter."""

    source = SOURCE
