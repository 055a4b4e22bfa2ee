"""The background loops: the signer, the integrator, the sweeper. One process, or beside the API.

Each loop is safe to run in several processes: the signer takes a lock for each draft, the
integrator an advisory lock, the sweeper deletes only what is over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg

from broker.desk import draft, formdraft, release
from broker.desk.context import Desk
from broker.errors import BrokerError
from broker.observe import log
from broker.sealing import notes
from broker.store import jti, ledger, sweeping

if TYPE_CHECKING:
    from broker.desk.courier import Courier


class Worker:
    """Runs the loops in threads until `stop`; a loop that fails logs a code and tries again."""

    def __init__(self, desk: Desk, *, courier: bool = False) -> None:
        """With `courier` it also carries deliveries and tells partners what waits; one a process."""
        self.desk = desk
        self._courier: Courier | None = None
        self._with_courier = courier
        self.leading = threading.Event()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._threads = [
            threading.Thread(target=self._sign, name="signer", daemon=True),
            threading.Thread(target=self._integrate, name="integrator", daemon=True),
            threading.Thread(target=self._sweep, name="sweeper", daemon=True),
        ]

    def start(self) -> Worker:
        """Start the loops."""
        for thread in self._threads:
            thread.start()
        if self._with_courier:
            from broker.desk.courier import Courier  # it takes a second to load

            self._courier = Courier(self.desk).start()
        return self

    def stop(self) -> None:
        """Stop and wait; a transaction under way ends first."""
        self._stop.set()
        if self._courier is not None:
            self._courier.stop()
        for thread in self._threads:
            thread.join(timeout=30)

    def _sign(self) -> None:
        self._every(
            self.desk.settings.integrate_every_ms / 1000, "signer", lambda: release.sign_approved(self.desk)
        )

    def _integrate(self) -> None:
        """Hold the leadership on one connection and integrate; without it, wait for it."""
        pause = self.desk.settings.integrate_every_ms / 1000
        sign = checkpoint_signer(self.desk)
        while not self._stop.is_set():
            try:
                with self.desk.db.connect("integrator") as conn:
                    while not self._stop.is_set():
                        if not self.leading.is_set():
                            if not ledger.lead(conn):
                                self._stop.wait(1)
                                continue
                            self.leading.set()
                        if not ledger.integrate_once(conn, sign, self.desk.now()):
                            self._stop.wait(pause)
            except (BrokerError, psycopg.Error) as error:
                log.error("integrator-failed", exc_info=error)
                self._stop.wait(1)
            finally:
                self.leading.clear()

    def _sweep(self) -> None:
        def once() -> None:
            with self.desk.db.connect("sweeper") as conn:
                jti.sweep(conn, self.desk.now())
                sweeping.sweep(conn, self.desk.now())
            draft.expire_old(self.desk)
            formdraft.expire_old(self.desk)

        self._every(60, "sweeper", once)

    def _every(self, seconds: float, name: str, work: Callable[[], object]) -> None:
        while not self._stop.is_set():
            pause = seconds
            try:
                work()
            except Exception as error:
                log.error("loop-failed", worker=name, exc_info=error)
                pause = max(seconds, 1.0)
            self._stop.wait(pause)


def checkpoint_signer(desk: Desk) -> Callable[[int, bytes], str]:
    """(size, root) → signed note, with the ledger's key."""
    signer = desk.keys().note_signer(desk.settings.origin)
    return lambda size, root: notes.sign_checkpoint(desk.settings.origin, size, root, signer)


def settle(desk: Desk) -> int:
    """Sign and integrate until nothing is due, in this process: for the demo, commands and tests."""
    sign = checkpoint_signer(desk)
    total = 0
    with desk.db.connect("integrator") as conn:
        while True:
            done = release.sign_approved(desk) + ledger.integrate_once(conn, sign, desk.now())
            total += done
            if not done:
                return total


def note_checker(desk: Desk) -> Callable[[str], tuple[int, bytes]]:
    """Verify a signed note with the ledger's public keys, old ones too: (size, root)."""
    lines = desk.keys().vkeys(desk.settings.origin).splitlines()
    verifiers = [notes.Verifier.parse(line) for line in lines]

    def check(note: str) -> tuple[int, bytes]:
        head = notes.verify_checkpoint(note, verifiers)
        return head.size, head.root

    return check
