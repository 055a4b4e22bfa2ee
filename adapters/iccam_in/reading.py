"""What this adapter takes at most, how it says no, and ICCAM's own way of writing times."""

from __future__ import annotations

import re
from typing import Literal, NoReturn

from broker.spi import Finding, Json
from broker.spi_in import Bounds, Column, Fault, Refuse, Target, convert, read_json
from broker.spi_in import Members as _Members

SOURCE = "iccam_in"
MAX_CONTENTS = 2000
BOUNDS = Bounds(octets=4 * 1024 * 1024, depth=10, values=100_000)

_refuse = Refuse(SOURCE)
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+(?=Z|[+-])")


def refuse(field: str, rule: str, detail: str) -> NoReturn:
    """Field and rule, no value, no cause."""
    _refuse(field, rule, detail)


def read(content: bytes) -> Json:
    """Hostile bytes to plain JSON. Raises `Refused`."""
    return read_json(content, _refuse, BOUNDS)


class Members(_Members):
    """Members of an ICCAM object; new ones are ignored with a finding of this adapter."""

    source = SOURCE

    def instant(self, name: str) -> str | None:
        """RFC 3339 with an offset; seven digits of fraction, as .NET writes them, are cut to six."""
        text = self.filled(name, 40)
        if text is None:
            return None
        try:
            return str(convert(_LONG_FRACTION.sub(r"\1", text), Target("instant"), Column("", name)))
        except Fault as fault:
            refuse(self.at(name), fault.rule, fault.detail)

    def filled(self, name: str, longest: int = 200) -> str | None:
        """A text; ICCAM writes empty strings where it has nothing."""
        return None if self.raw(name) == "" else self.text(name, longest)

    def fact(self, name: str, kind: Literal["ip", "country"], findings: list[Finding]) -> str | None:
        """A fact about the host in the case's own form; another hotline's slip is said, not kept."""
        text = self.filled(name)
        if text is None:
            return None
        try:
            return str(convert(text.upper() if kind == "country" else text, Target(kind), Column("", name)))
        except Fault:
            findings.append(Finding("iccam-fact-not-kept", "warn", self.at(name)))
            return None

    def entries(self, name: str, most: int) -> list[Members]:
        """A list of objects; absent and null are empty."""
        value = self.raw(name)
        if value is None:
            return []
        if not isinstance(value, list):
            refuse(self.at(name), "type", "must be a list")
        if len(value) > most:
            refuse(self.at(name), "oversize", f"has more than {most} entries")
        return [Members(entry, f"{self.at(name)}/{i}") for i, entry in enumerate(value)]
