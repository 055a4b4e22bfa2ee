"""No table that leaves the house lets anybody work out a small count."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.suppression import LEAST, suppress

COLUMNS = ("a", "b", "c")


def solvable(table: dict[str, dict[str, int]], columns: tuple[str, ...]) -> set[int]:
    """Small counts that follow from what is shown: whatever fills the gaps, they come out the same."""
    seen = suppress(table, columns)
    unknown = [(r, c) for r in table for c in columns if seen.cells[r][c] is None]
    values: dict[tuple[str, str], set[int]] = {place: set() for place in unknown}
    most = max((table[r][c] for r, c in unknown), default=0)
    for guess in itertools.product(range(most + 3), repeat=len(unknown)):
        filled = {r: dict(table[r]) for r in table}
        for (r, c), n in zip(unknown, guess, strict=True):
            filled[r][c] = n
        rows_fit = all(seen.row_totals[r] in (None, sum(filled[r].values())) for r in table)
        columns_fit = all(seen.column_totals[c] in (None, sum(filled[r][c] for r in table)) for c in columns)
        if rows_fit and columns_fit:
            for place, n in zip(unknown, guess, strict=True):
                values[place].add(n)
    return {table[r][c] for (r, c), found in values.items() if len(found) == 1 and 0 < table[r][c] < LEAST}


def test_a_single_small_count_takes_others_with_it() -> None:
    table = {"x": {"a": 2, "b": 40, "c": 9}, "y": {"a": 30, "b": 20, "c": 11}}
    seen = suppress(table, COLUMNS)
    assert seen.cells["x"]["a"] is None
    assert sum(n is None for n in seen.cells["x"].values()) >= 2
    assert sum(seen.cells[r]["a"] is None for r in table) >= 2
    assert solvable(table, COLUMNS) == set()


def test_a_small_total_is_hidden_and_cannot_be_subtracted() -> None:
    table = {"x": {"a": 1, "b": 1, "c": 0}, "y": {"a": 30, "b": 20, "c": 11}, "z": {"a": 9, "b": 8, "c": 7}}
    seen = suppress(table, COLUMNS)
    assert seen.row_totals["x"] is None
    assert solvable(table, COLUMNS) == set()


def test_what_is_large_enough_is_shown() -> None:
    table = {"x": {"a": 5, "b": 6, "c": 0}, "y": {"a": 7, "b": 8, "c": 9}}
    seen = suppress(table, COLUMNS)
    assert seen.cells == table
    assert seen.row_totals == {"x": 11, "y": 24}


COUNTS = st.one_of(st.integers(0, 4), st.integers(5, 12))


@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries({r: st.fixed_dictionaries(dict.fromkeys("ab", COUNTS)) for r in "xy"}))
def test_no_small_count_is_shown_or_follows(table: dict[str, dict[str, int]]) -> None:
    columns = ("a", "b")
    seen = suppress(table, columns)
    shown = [n for row in seen.cells.values() for n in row.values()]
    shown += [*seen.row_totals.values(), *seen.column_totals.values()]
    assert all(n is None or n == 0 or n >= LEAST for n in shown)
    assert solvable(table, columns) == set()
