"""Deliveries as durable workflows (DBOS on the same PostgreSQL): ids in, codes out, nothing else stored.

The rows of `delivery` are the outbox and the truth; a workflow is one attempt, named after the event
that called for it, so that it starts once however many processes sweep. A killed process leaves its
workflow to be recovered; the attempt itself finds out how far it had come.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from uuid import UUID

from dbos import DBOS, DBOSPortableJSONSerializer, SetWorkflowID

from broker.desk import carry, notify, proof
from broker.desk.context import Desk
from broker.errors import BrokerError, Misconfigured
from broker.observe import log

VERSION = "deliveries-1"
"""Set by hand: otherwise an upgrade of the program would orphan what is under way."""
QUEUE = "deliveries"
WORKERS = 4
LOOKS = 50
OVERDUE_EVERY = 15
"""Looks for what is due to one for what is overdue: the shortest clock is an hour."""

_desk: Desk | None = None


@DBOS.step(name="attempt")
def _attempt(delivery_id: str) -> str:
    """Never raises: the text of an exception would be stored in clear (ruling 31)."""
    if _desk is None:
        return carry.BUSY
    try:
        return carry.attempt(_desk, UUID(delivery_id))
    except BrokerError as error:
        log.error("delivery-not-attempted", exc_info=error)
        return error.code
    except Exception as error:
        log.error("delivery-not-attempted", exc_info=error)
        return "broke"


@DBOS.workflow(name="carry")
def _carry(delivery_id: str) -> str:
    result = _attempt(delivery_id)
    for look in range(LOOKS):
        if result != carry.BUSY:
            break
        DBOS.sleep(min(0.2 * 2**look, 30.0))
        result = _attempt(delivery_id)
    return result


class Courier:
    """Runs deliveries and notices in this process until `stop`. One a process."""

    def __init__(self, desk: Desk, *, every: float = 1.0) -> None:
        self.desk = desk
        self._every = every
        self._asked: set[str] = set()
        self._stop = threading.Event()
        # A loop for each: who is told by a notice, and how slowly he answers, must not hold up a delivery.
        loops: tuple[tuple[str, Callable[[], object], float], ...] = (
            ("courier", self.sweep, every),
            ("notices", lambda: notify.tell(desk), every),
            ("overdue", lambda: proof.mark_overdue(desk), every * OVERDUE_EVERY),
        )
        self._threads = [
            threading.Thread(target=self._loop, args=loop, name=loop[0], daemon=True) for loop in loops
        ]

    def start(self) -> Courier:
        """Take up what an earlier process left, then sweep."""
        global _desk  # noqa: PLW0603 - DBOS knows functions by name, not objects
        if _desk is not None:
            raise Misconfigured("courier-twice", "a process has one courier")
        _desk = self.desk
        logging.getLogger("dbos").disabled = True  # it logs arguments and exceptions in its own way
        DBOS(
            config={
                "name": "referral-broker",
                "system_database_url": self.desk.db.urls["app"].render_as_string(hide_password=False),
                "application_version": VERSION,
                "executor_id": "courier",
                "run_migrations": False,
                "use_listen_notify": False,
                "serializer": DBOSPortableJSONSerializer(),
                "enable_otlp": False,
                "log_level": "CRITICAL",
                "sys_db_pool_size": WORKERS + 2,
                "db_engine_kwargs": {"hide_parameters": True},
            }
        )
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=WORKERS, polling_interval_sec=min(self._every, 0.5))
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Stop sweeping; what is being sent ends first."""
        global _desk  # noqa: PLW0603
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=30)
        DBOS.destroy(workflow_completion_timeout_sec=30)
        _desk = None

    def _loop(self, name: str, work: Callable[[], object], pause: float) -> None:
        while not self._stop.is_set():
            try:
                work()
            except Exception as error:
                log.error("loop-failed", worker=name, exc_info=error)
            self._stop.wait(pause)

    def sweep(self) -> int:
        """Start what is due and missing."""
        # With the minute in its name a workflow that broke is followed by another one.
        minute = int(self.desk.now().timestamp()) // 60
        wanted = {
            f"{delivery_id}.{event}.{minute}": delivery_id for delivery_id, event in carry.due(self.desk)
        }
        for name in wanted.keys() - self._asked:
            with SetWorkflowID(name):
                DBOS.enqueue_workflow(QUEUE, _carry, str(wanted[name]))
        self._asked = set(wanted)
        return len(wanted)
