"""Runs one step of the main job in a process of its own and kills it with SIGKILL at a named point.

Only tests use it: the product knows nothing of points. A point is a function of the product after (or
before) which the process is gone, without a chance to clean up, close a socket or roll back.
"""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlmodel
import uvicorn

from broker.app import create_app
from broker.auth import Actor
from broker.desk import confirm, draft, intake, release
from broker.desk.context import Desk
from broker.jobs import checkpoint_signer
from broker.store import feed, ledger, ledger_integrate, rows
from broker.store.engine import Database, unit_of_work
from tests import house as build


@dataclass(frozen=True)
class Place:
    """Where the house of the parent process stands; nothing of it is shared but files and sockets."""

    url: str
    state: str
    keys: str
    issuer: str
    people: Mapping[str, tuple[str, tuple[str, ...]]]

    def desk(self) -> Desk:
        settings = {"issuer": self.issuer, "keys": Path(self.keys)}
        made = build.open_desk(Database.from_url(self.url, embedded=True), Path(self.keys).parent)
        updated = made.settings.model_copy(update={**settings, "state": Path(self.state)})
        return Desk(**{**{f: getattr(made, f) for f in made.__dataclass_fields__}, "settings": updated})

    def person(self, login: str) -> Actor:
        staff_id, roles = self.people[login]
        return Actor(staff_id, frozenset(roles))  # type: ignore[arg-type]


def die(*_: object, **__: object) -> None:
    """As a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def after(module: Any, name: str) -> None:
    real = getattr(module, name)
    if inspect.iscoroutinefunction(real):

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            await real(*args, **kwargs)
            die()

        setattr(module, name, awaited)
        return

    def replaced(*args: Any, **kwargs: Any) -> Any:
        real(*args, **kwargs)
        die()

    setattr(module, name, replaced)


def before(module: Any, name: str) -> None:
    setattr(module, name, die)


def at_commit(number: int, *, done: bool) -> Callable[[], None]:
    """Before or after the n-th commit of a unit of work."""

    def plant() -> None:
        real, seen = sqlmodel.Session.commit, 0

        def commit(self: sqlmodel.Session) -> None:
            nonlocal seen
            seen += 1
            if seen == number and not done:
                die()
            real(self)
            if seen == number:
                die()

        sqlmodel.Session.commit = commit  # type: ignore[method-assign]

    return plant


POINTS: Mapping[str, Mapping[str, Callable[[], None]]] = {
    "intake": {
        "case stored": lambda: after(rows, "insert"),
        "before commit": at_commit(1, done=False),
        "after commit": at_commit(1, done=True),
    },
    "confirm": {
        "before commit": at_commit(1, done=False),
        "after commit": at_commit(1, done=True),
    },
    "draft": {
        "composed": lambda: after(draft, "compose"),
        "stored": lambda: after(draft, "_store"),
        "before commit": at_commit(1, done=False),
        "after commit": at_commit(1, done=True),
    },
    "approve": {
        "before commit": at_commit(1, done=False),
        "after commit": at_commit(1, done=True),
    },
    "sign": {
        "signed": lambda: after(release, "sign"),
        "stored, not logged": lambda: before(release, "publish"),
        "logged": lambda: after(release, "publish"),
        "before commit": at_commit(2, done=False),
        "after commit": at_commit(2, done=True),
    },
    "integrate": {
        "taken": lambda: after(ledger_integrate, "_take"),
        "leaves stored": lambda: after(ledger_integrate, "_store_leaves"),
        "feed row stored": lambda: after(ledger_integrate, "_publish"),
        "checkpoint signed": lambda: None,  # by the signer handed in, below
        "after commit": lambda: None,
    },
    "collect": {
        "recorded, not logged": lambda: before(feed, "parameters"),
        "committed, not sent": lambda: after(feed, "collect"),
    },
}


def run(place: Place, step: str, point: str, given: Mapping[str, Any]) -> None:
    """The step; a process that ends otherwise than by its kill fails the test by its exit code."""
    desk = place.desk()
    POINTS[step][point]()
    STEPS[step](desk, place, point, given)


def _intake(desk: Desk, place: Place, _point: str, given: Mapping[str, Any]) -> None:
    with unit_of_work(desk.db) as session:
        intake.take_in(desk, session, place.person("analyst-1"), given["case"])


def _confirm(desk: Desk, place: Place, _point: str, given: Mapping[str, Any]) -> None:
    with unit_of_work(desk.db) as session:
        confirm.claim(desk, session, place.person("analyst-2"), UUID(given["case_id"]), "child_in_danger")


def _draft(desk: Desk, place: Place, _point: str, given: Mapping[str, Any]) -> None:
    with unit_of_work(desk.db) as session:
        request = draft.Request(UUID(given["case_id"]), given["to"])
        draft.draft(desk, session, place.person("analyst-1"), request)


def _approve(desk: Desk, place: Place, _point: str, given: Mapping[str, Any]) -> None:
    with unit_of_work(desk.db) as session:
        choice = release.Choice(given["release"], given["digest"])
        release.approve(desk, session, place.person("releaser"), [choice])


def _sign(desk: Desk, _place: Place, _point: str, _given: Mapping[str, Any]) -> None:
    release.sign_approved(desk)


def _integrate(desk: Desk, _place: Place, point: str, _given: Mapping[str, Any]) -> None:
    signer = checkpoint_signer(desk)

    def sign(size: int, root: bytes) -> str:
        note = signer(size, root)
        if point == "checkpoint signed":
            die()
        return note

    with desk.db.connect("integrator") as conn:
        ledger.integrate_once(conn, sign, desk.now())
        die()


def _collect(desk: Desk, _place: Place, _point: str, given: Mapping[str, Any]) -> None:
    app = create_app(desk)
    uvicorn.run(app, host="127.0.0.1", port=given["port"], log_level="error", ws="none")


STEPS: Mapping[str, Callable[[Desk, Place, str, Mapping[str, Any]], None]] = {
    "intake": _intake,
    "confirm": _confirm,
    "draft": _draft,
    "approve": _approve,
    "sign": _sign,
    "integrate": _integrate,
    "collect": _collect,
}
