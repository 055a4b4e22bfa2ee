"""Rows of cells out of a CSV file or workbook, before any of them means something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_BYTES = 8 * 1024 * 1024
MAX_ROWS = 20_000
MAX_COLUMNS = 256
MAX_CELLS = 150_000
MAX_CELL = 32_767
"""Characters in one cell; a spreadsheet program holds no more."""


@dataclass(slots=True)
class GridRow:
    """One row. `number` is the one a spreadsheet program shows; `faults` are cells nobody may read."""

    number: int
    cells: list[str]
    faults: Mapping[int, tuple[str, str]] = field(default_factory=dict)

    @property
    def blank(self) -> bool:
        """Whether nothing stands in it."""
        return not self.faults and not any(cell.strip() for cell in self.cells)
