"""One bulk job in several processes: each opens the desk for itself and does its share of the cases.

What a process is told is a partner id and a number; keys and session it reads itself, as any command.
"""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.queues import SimpleQueue

from broker.cli.console import acting, desk
from broker.desk import bulk
from broker.errors import BrokerError, Conflict

LOOK = 0.2
"""Seconds between two looks at how far they are."""
Said = tuple[str, str, str]
"""Code, message and hint of an error: the error itself does not travel between processes."""
_steps: list[SimpleQueue[int]] = []
"""In a process of the pool, where it says each step; given once, when it begins."""


def draft_all(partner: str, purposes: tuple[str, ...], count: int, step: bulk.Step) -> bulk.Counted:
    """As `bulk.draft_all`, by `count` processes. One that is killed loses its batch; start the job again."""
    context = multiprocessing.get_context("spawn")  # a fork would share open database connections
    steps: SimpleQueue[int] = context.SimpleQueue()
    with ProcessPoolExecutor(count, context, _begin, (steps,)) as pool:
        parts = [pool.submit(_part, partner, purposes, number, count) for number in range(count)]
        while not all(part.done() for part in parts):
            _pass_on(steps, step)
            time.sleep(LOOK)
        _pass_on(steps, step)
        done = bulk.Counted()
        for part in parts:
            done.add(_counted(part))
    return done


def _begin(steps: SimpleQueue[int]) -> None:
    _steps.append(steps)


def _part(partner: str, purposes: tuple[str, ...], number: int, of: int) -> bulk.Counted | Said:
    try:
        with desk(cases=True) as d:
            share = bulk.Share(number, of)
            return bulk.draft_all(d, acting(d), partner, purposes, step=_step, share=share)
    except BrokerError as error:
        return error.code, error.message, error.hint


def _step(rows: int) -> None:
    for steps in _steps:
        steps.put(rows)


def _pass_on(steps: SimpleQueue[int], step: bulk.Step) -> None:
    while not steps.empty():
        step(steps.get())


def _counted(part: Future[bulk.Counted | Said]) -> bulk.Counted:
    try:
        found = part.result()
    except BrokenProcessPool:
        raise Conflict(
            "process-gone", "a process of the job was ended", "start the job again: it goes on"
        ) from None
    if isinstance(found, bulk.Counted):
        return found
    raise BrokerError(*found)
