"""Time candidates side by side in one run: random order each round, medians, ratios.

Nothing here compares with another machine or another day. Work of one thread is timed by the CPU time
of this process, so that a busy neighbour costs little; work that waits is timed by the wall clock.
"""

from __future__ import annotations

import gc
import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Work = Callable[[], object]
_SAMPLE = 0.004
"""Seconds that one sample takes at least: far above the resolution of the clocks."""


@dataclass(frozen=True, slots=True)
class Budget:
    """`limit` for a ratio: at most it, at least it, or exactly it."""

    limit: float
    kind: str
    """`<=`, `>=` or `==`."""

    def met(self, value: float) -> bool:
        """Whether a measured value keeps to the budget."""
        if self.kind == "==":
            return value == self.limit
        return value <= self.limit if self.kind == "<=" else value >= self.limit

    def text(self) -> str:
        """As it stands in the table."""
        sign = {"<=": "≤", ">=": "≥", "==": "="}[self.kind]
        return f"{sign} {self.limit:g}"

    def by(self, value: float) -> float:
        """How far off a missed value is, as a factor above 1."""
        if not value or not self.limit:
            return math.inf
        return value / self.limit if self.kind != ">=" else self.limit / value


def at_most(limit: float) -> Budget:
    """The measured value must not be larger."""
    return Budget(limit, "<=")


def at_least(limit: float) -> Budget:
    """The measured value must not be smaller."""
    return Budget(limit, ">=")


def exactly(limit: float) -> Budget:
    """A count, not a clock."""
    return Budget(limit, "==")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: a value (usually a ratio) and, where there is one, its budget."""

    workload: str
    what: str
    value: float
    unit: str = "x"
    budget: Budget | None = None

    @property
    def verdict(self) -> str:
        """`met`, `missed 1.4x`, or `-` where no budget is set."""
        if self.budget is None:
            return "-"
        if self.budget.met(self.value):
            return "met"
        by = self.budget.by(self.value)
        return "missed" if math.isinf(by) else f"missed {by:.2f}x"

    def as_json(self) -> dict[str, Any]:
        """The line as it goes into results.json."""
        budget = None if self.budget is None else {"kind": self.budget.kind, "limit": self.budget.limit}
        return {
            "workload": self.workload,
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "budget": budget,
            "verdict": self.verdict,
        }


@dataclass(slots=True)
class Result:
    """What one workload found: lines of the table, the medians behind them, and what was skipped."""

    lines: list[Line] = field(default_factory=list)
    medians: dict[str, float] = field(default_factory=dict)
    """name → seconds for one operation (or another unit that the name says)."""
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def line(
        self, workload: str, what: str, value: float, budget: Budget | None = None, unit: str = "x"
    ) -> None:
        """Add a line."""
        self.lines.append(Line(workload, what, round(value, 4), unit, budget))

    def record(self, workload: str, found: Mapping[str, float]) -> None:
        """Keep the medians a ratio was made of."""
        self.medians |= {f"{workload}/{name}": value for name, value in found.items()}


def race(
    candidates: Mapping[str, Work],
    *,
    seconds: float = 3.0,
    rounds: int = 25,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Median seconds of one call of each candidate, interleaved in random order.

    `seconds` is the time all of it may take; a slow candidate lowers the number of rounds, to three at least.
    """
    repeats = {name: _repeats(work, clock) for name, work in candidates.items()}
    order = list(candidates)
    samples: dict[str, list[float]] = {name: [] for name in order}
    chance = random.Random(1)  # noqa: S311 - an order, not a secret
    end = time.monotonic() + seconds
    with quiet():
        for done in range(rounds):
            if done >= 3 and time.monotonic() > end:
                break
            chance.shuffle(order)
            for name in order:
                work, count = candidates[name], repeats[name]
                start = clock()
                for _ in range(count):
                    work()
                samples[name].append((clock() - start) / count)
    return {name: statistics.median(values) for name, values in samples.items()}


def _repeats(work: Work, clock: Callable[[], float]) -> int:
    work()
    start = clock()
    work()
    return max(1, min(2000, int(_SAMPLE / max(clock() - start, 1e-7))))


@contextmanager
def quiet() -> Iterator[None]:
    """No collection pauses inside a sample: what exists is set aside, garbage is made as always."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which `part` of the sample lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def each(work: Work, count: int) -> list[float]:
    """Wall-clock seconds of each of `count` calls."""
    found = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return found
