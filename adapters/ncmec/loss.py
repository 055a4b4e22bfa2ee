"""What the format cannot hold as it is: collected while rendering, reported by lint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from broker.spi import Finding


@dataclass(slots=True)
class Losses:
    """Findings in the order they were met; the value is never repeated."""

    found: list[Finding] = field(default_factory=list)

    def note(self, code: str, pointer: str = "", severity: Literal["warn", "note"] = "note") -> None:
        """Something that stands elsewhere or in another form."""
        finding = Finding(f"ncmec-{code}", severity, pointer)
        if finding not in self.found:
            self.found.append(finding)

    def warn(self, code: str, pointer: str = "") -> None:
        """Something a person should decide about."""
        self.note(code, pointer, "warn")
