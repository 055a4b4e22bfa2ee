"""`bulk-notices`: Project Arachnid's scale. Exports to cases, confirmed cases to rendered, queued notices."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

from bench.measure import Result, at_most, exactly
from bench.options import Options
from bench.server import running
from broker.desk import bulk
from tests import house as build
from tests.deliveries import many

ARACHNID = 11_000_000
"""Notices that Project Arachnid has sent, by its own word; what the rate is held against."""
DAY = 86_400
_PAGE = resource.getpagesize()


def bulk_notices(options: Options) -> Result:
    """One bulk job in one process, the product's own verbs, one committed transaction a row."""
    found = Result()
    count = options.size(200, 2_000, 100_000)
    with running() as server, server.database() as (db, _name):
        house = many.with_host(build.found(build.open_desk(db, options.state), options.state))
        exports = options.state / "exports.jsonl"
        with exports.open("wb") as file:
            file.writelines(many.lines(count))
        analyst, host = house.people["analyst-1"], house.partners["host"]
        memory: list[int] = []
        step = _watch(memory, count)
        begin = time.perf_counter()
        made = bulk.take(house.desk, analyst, "arachnid", [exports], {}, synthetic=True, step=step)
        taking = time.perf_counter() - begin
        many.review(house)  # people do this; it is not part of the job
        begin = time.perf_counter()
        queued = bulk.draft_all(house.desk, analyst, host, step=step)
        drafting = time.perf_counter() - begin
        again = bulk.draft_all(house.desk, analyst, host)
    name = f"{count:,}"
    found.medians |= {
        "bulk-notices/taken in per second": count / taking,
        "bulk-notices/rendered and queued per second": count / drafting,
        "bulk-notices/resident MiB, start of the job": memory[0],
        "bulk-notices/resident MiB, end of the job": memory[-1],
    }
    found.line("bulk-notices", f"{name} exports taken in", count / taking, unit="/s")
    found.line("bulk-notices", f"{name} notices rendered and queued", count / drafting, unit="/s")
    found.line("bulk-notices", "made of them", made.made / count, exactly(1))
    found.line("bulk-notices", "queued of them", queued.made / count, exactly(1))
    found.line("bulk-notices", "queued a second time", again.made, exactly(0), unit="")
    found.line("bulk-notices", "resident memory: end / first tenth", _growth(memory), at_most(1.2))
    days = ARACHNID / (count / drafting) / DAY
    found.line("bulk-notices", f"{ARACHNID:,} by one process at this rate", days, unit=" days")
    return found


def _watch(memory: list[int], count: int) -> Callable[[], None]:
    """A step that notes the resident memory a hundred times in each phase."""
    every, seen = max(1, count // 100), 0

    def step() -> None:
        nonlocal seen
        seen += 1
        if seen % every == 0:
            memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE >> 20)

    return step


def _growth(memory: list[int]) -> float:
    """Of the second phase, the job proper: its end beside its first tenth, when caches are warm."""
    phase = memory[len(memory) // 2 :]
    return phase[-1] / max(phase[: max(1, len(phase) // 10)])
