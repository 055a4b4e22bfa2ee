"""A stratified sample that anybody can draw again: the same seed and the same population give the same.

The algorithm, complete:

1. Strata: every unit has a stratum, a text. The strata are put in ascending order of that text.
2. Shares: of `size` places every stratum gets floor(size · units / population), and one at least while
   there are places for all strata, the largest first; what is left over goes one by one to the largest
   remainders of size · units / population (in whole numbers, so that no rounding differs), ties to the
   stratum that comes first. No stratum gets more than it has.
3. Draw: within a stratum the units are put in ascending order of SHA-256(seed ‖ "|" ‖ unit), seed and
   unit as UTF-8, and the first of them are taken.

A sample of the whole population is the population.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Drawn:
    """One unit of the sample; `rank` counts from 1 over the whole sample."""

    rank: int
    unit: str
    stratum: str


def shares(strata: Mapping[str, int], size: int) -> dict[str, int]:
    """stratum → places, for the number of units in each."""
    population = sum(strata.values())
    if size >= population:
        return dict(sorted(strata.items()))
    names = sorted(strata)
    given = {name: size * strata[name] // population for name in names}
    by_size = sorted(names, key=lambda name: (-strata[name], name))
    for name in by_size:
        if given[name] == 0 and strata[name] and sum(given.values()) < size:
            given[name] = 1
    rest = sorted(names, key=lambda name: (-(size * strata[name] % population), name))
    while sum(given.values()) < size:
        for name in rest:
            if given[name] < strata[name] and sum(given.values()) < size:
                given[name] += 1
    return given


def sample(population: Mapping[str, str], seed: str, size: int) -> tuple[Drawn, ...]:
    """The sample of a population (unit → stratum), in order of stratum and draw."""
    groups: dict[str, list[str]] = {}
    for unit, stratum in population.items():
        groups.setdefault(stratum, []).append(unit)
    places = shares({stratum: len(units) for stratum, units in groups.items()}, size)
    taken: list[tuple[str, str]] = []
    for stratum in sorted(groups):
        taken += [(unit, stratum) for unit in _order(groups[stratum], seed)[: places[stratum]]]
    return tuple(Drawn(n, unit, stratum) for n, (unit, stratum) in enumerate(taken, 1))


def _order(units: Sequence[str], seed: str) -> list[str]:
    return sorted(units, key=lambda unit: (sha256(f"{seed}|{unit}".encode()).digest(), unit))
