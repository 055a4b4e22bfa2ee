"""Strict types for the members an export may have; new members are ignored with a finding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Self

from broker.spi import Finding
from broker.spi_in.json_reading import Json, Number
from broker.spi_in.refusal import Refuse
from broker.spi_in.screen import safe_name

# The first and the last year are in no zone but one: intake refuses them too.
INSTANT = re.compile(r"(?!000[01]|9999)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)")
URL = re.compile(r"(?:https?|ftp)://[^\s/?#]\S*|(?:magnet|ipfs):\S+", re.IGNORECASE)
PATH_NAME = re.compile(r"[/\\]|^\.{1,2}$|^[A-Za-z]:")


class Members:
    """One object of the export. Each getter refuses a wrong type and notes that the member is known.

    An adapter derives from it and sets `source` to its own name.
    """

    source = "export"

    def __init__(self, value: Json, pointer: str) -> None:
        self.refuse = Refuse(self.source)
        if not isinstance(value, Mapping):
            self.refuse(pointer, "type", "must be an object")
        self._value: Mapping[str, Json] = value
        self.pointer = pointer
        self._known: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    def names(self) -> list[str]:
        """The members that are there, in their order."""
        return list(self._value)

    def raw(self, name: str) -> Json:
        """Whatever stands there; None and absent are the same."""
        self._known.add(name)
        return self._value.get(name)

    def at(self, name: str) -> str:
        """The pointer of a member."""
        return f"{self.pointer}/{name}"

    def text(self, name: str, longest: int = 200) -> str | None:
        """A non-empty string."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, str) or isinstance(value, Number):
            self.refuse(self.at(name), "type", "must be a string")
        if not value:
            self.refuse(self.at(name), "empty", "is empty")
        if len(value) > longest:
            self.refuse(self.at(name), "oversize", f"is longer than {longest} characters")
        return str(value)

    def code(self, name: str, allowed: Iterable[str]) -> str | None:
        """One of the allowed codes."""
        value = self.text(name)
        if value is not None and value not in allowed:
            self.refuse(self.at(name), "code", "is not one of the allowed codes")
        return value

    def matching(self, name: str, pattern: re.Pattern[str], what: str, longest: int = 200) -> str | None:
        """A string of a given form."""
        value = self.text(name, longest)
        if value is not None and not pattern.fullmatch(value):
            self.refuse(self.at(name), "format", f"must be {what}")
        return value

    def instant(self, name: str) -> str | None:
        """RFC 3339 with an offset."""
        value = self.text(name, 40)
        if value is None:
            return None
        if not INSTANT.fullmatch(value):
            self.refuse(self.at(name), "timestamp", "must be RFC 3339 with an offset")
        try:
            datetime.fromisoformat(value)
        except ValueError:
            self.refuse(self.at(name), "timestamp", "is no date and time that exists")
        return value

    def url(self, name: str) -> str | None:
        """An absolute locator."""
        value = self.text(name, 4096)
        if value is not None and not URL.fullmatch(value):
            self.refuse(self.at(name), "url", "must be an absolute http, https, ftp, magnet or ipfs URL")
        return value

    def file_name(self, name: str) -> str | None:
        """A bare name: a path would tell about the machine it came from."""
        value = self.text(name)
        if value is not None and PATH_NAME.search(value):
            self.refuse(self.at(name), "path-name", "must be a file name without a path")
        return value

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number; 12.0 is refused, because a writer that sends it may send 12.5."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(self.at(name), "type", "must be a whole number without a fraction")
        if not least <= value <= most:
            self.refuse(self.at(name), "range", "is outside the allowed range")
        return value

    def flag(self, name: str) -> bool | None:
        """true or false."""
        value = self.raw(name)
        if value is not None and not isinstance(value, bool):
            self.refuse(self.at(name), "type", "must be true or false")
        return value

    def child(self, name: str) -> Self | None:
        """A nested object."""
        value = self.raw(name)
        return None if value is None else type(self)(value, self.at(name))

    def ignored(self) -> list[Finding]:
        """A finding for each member that no getter asked for."""
        return [
            Finding(f"{self.source}-member-ignored", "note", f"{self.pointer}/{safe_name(name)}")
            for name in self._value
            if name not in self._known
        ]
