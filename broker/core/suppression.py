"""Small counts hidden before a table leaves the house, and enough others that they cannot be worked out.

A count of 1 to 4 is hidden (primary), totals included. Every row and every column with its total is an
equation: where exactly one number of it is hidden, the others tell it, so the next smallest is hidden too
(complementary), counts before totals, until no equation gives anything away. Zeros are shown, since they
concern nobody, and hidden last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEAST = 5
"""The smallest count that is shown."""
TOTAL = ""
"""The name under which a total stands beside rows and columns; no row or column may bear it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What may be seen: None where a count is hidden."""

    cells: Mapping[str, Mapping[str, int | None]]
    row_totals: Mapping[str, int | None]
    column_totals: Mapping[str, int | None]


def suppress(table: Mapping[str, Mapping[str, int]], columns: Sequence[str]) -> Shown:
    """row → column → count, as it may be seen from outside."""
    cell = _with_totals(table, columns)
    names, heads = [*table, TOTAL], [*columns, TOTAL]
    lines = [[(row, column) for column in heads] for row in names]
    lines += [[(row, column) for row in names] for column in heads]
    hidden = {place for place, count in cell.items() if 0 < count < LEAST}
    changed = True
    while changed:
        changed = False
        for line in lines:
            rest = [place for place in line if place not in hidden]
            if rest and _gives_away(line, hidden, cell):
                hidden.add(
                    min(rest, key=lambda place: (cell[place] == 0, TOTAL in place, cell[place], place))
                )
                changed = True

    def seen(row: str, column: str) -> int | None:
        return None if (row, column) in hidden else cell[row, column]

    return Shown(
        cells={row: {column: seen(row, column) for column in columns} for row in table},
        row_totals={row: seen(row, TOTAL) for row in table},
        column_totals={column: seen(TOTAL, column) for column in columns},
    )


def _with_totals(
    table: Mapping[str, Mapping[str, int]], columns: Sequence[str]
) -> dict[tuple[str, str], int]:
    cell = {(row, column): table[row].get(column, 0) for row in table for column in columns}
    for row in table:
        cell[row, TOTAL] = sum(cell[row, column] for column in columns)
    for column in [*columns, TOTAL]:
        cell[TOTAL, column] = sum(cell[row, column] for row in table)
    return cell


def _gives_away(
    line: list[tuple[str, str]], hidden: set[tuple[str, str]], cell: Mapping[tuple[str, str], int]
) -> bool:
    """One unknown is known; so are two counts whose sum is hardly more than one each."""
    lost = [place for place in line if place in hidden]
    total = line[-1]
    return len(lost) == 1 or (bool(lost) and total not in lost and sum(cell[p] for p in lost) < LEAST)
