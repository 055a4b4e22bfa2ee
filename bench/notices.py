"""`bulk-notices`: Project Arachnid's scale. Exports to cases, confirmed cases to rendered, queued notices."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.measure import Result, at_most, exactly
from bench.options import Options
from bench.server import running
from broker.demo.house import House
from broker.desk import bulk, confirm
from broker.store.engine import unit_of_work
from tests import house as build
from tests.deliveries import many

ARACHNID = 11_000_000
"""Notices that Project Arachnid has sent, by its own word; what the rate is held against."""
DAY = 86_400
_PAGE = resource.getpagesize()


def bulk_notices(options: Options) -> Result:
    """One bulk job in one process, the product's own verbs, one committed transaction for fifty rows."""
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
        _review(house)  # people do this; it is not part of the job
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


def _review(house: House) -> None:
    """A person's look at each case: the first by the product's verb, the others as copies of its rows."""
    desk, analyst = house.desk, house.people["analyst-1"]
    with desk.db.connect("app") as conn:
        first = conn.execute("select id from case_file where state = 'draft' limit 1").fetchone()
        assert first is not None
        with unit_of_work(desk.db) as session:
            confirm.claim(desk, session, analyst, first[0], "content_illegal")
        conn.execute(
            "insert into claim select gen_random_uuid(), c.id, 1, l.kind, l.about, l.created_by, l.created_at"
            " from claim l cross join case_file c where l.case_id = %s and c.state = 'draft'",
            first,
        )
        conn.execute(
            "insert into verdict select gen_random_uuid(), l.id, l.created_by, null, 'human', true, l.created_at"
            " from claim l where l.case_id <> %s",
            first,
        )
        conn.execute("update case_file set state = 'confirmed' where state = 'draft'")


def _watch(memory: list[int], count: int) -> Callable[[int], None]:
    """A step that notes the resident memory after each batch, and says each tenth of the way."""
    seen, begin = 0, time.perf_counter()

    def step(rows: int) -> None:
        nonlocal seen
        tenth = seen * 10 // count
        seen += rows
        memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE >> 20)
        if seen * 10 // count > tenth:
            passed = time.perf_counter() - begin
            print(f"  {seen:,} rows, {passed:.0f} s, {memory[-1]} MiB", file=sys.stderr, flush=True)

    return step


def _growth(memory: list[int]) -> float:
    """Of the second phase, the job proper: its end beside its first tenth, when caches are warm."""
    phase = memory[len(memory) // 2 :]
    return phase[-1] / max(phase[: max(1, len(phase) // 10)])
