"""What the command line asks of every workload."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """`quick`: a look, not a measurement. `full`: the sizes of the budget table, minutes each."""

    quick: bool
    full: bool
    state: Path
    """A new folder for the embedded server."""

    def seconds(self, usual: float) -> float:
        """How long one race may take."""
        return usual / 4 if self.quick else usual

    def size(self, quick: int, usual: int, full: int) -> int:
        """How many rows, writers or cases."""
        return quick if self.quick else full if self.full else usual
