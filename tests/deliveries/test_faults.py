"""Every fault at every way out: delivered or awaited with evidence, failed and visible, or overdue.

Never silently anything else, and never two at the other side.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from broker.demo.house import House
from broker.desk import carry, deliver, proof
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.deliveries import office
from tests.deliveries.test_courier import until
from tests.deliveries.ways import PATIENCE, UNHURRIED, Couriers, Way, way

SENT = ("awaiting", "handed-over")
DONE = ("delivered", "accepted")
UNKNOWN = ("failed", "outcome-unknown")
TWICE = ("failed", "duplicate-reference")
"""ICCAM has it and says so, but not its number: a person looks it up and logs it."""

# fault, once: what it comes to when the other side is well again, and how many the other side then has.
# secure_mail and xarf_notice hand over to a relay, which knows no key: what it may have is not sent again.
MATRIX: dict[str, dict[str, tuple[tuple[str, str], int]]] = {
    "refused":       {"mail": (SENT, 1),    "iccam": (DONE, 1),  "ncmec": (DONE, 1)},
    "timeout":       {"mail": (SENT, 1),    "iccam": (DONE, 1),  "ncmec": (DONE, 1)},
    "timeout-after": {"mail": (UNKNOWN, 1), "iccam": (TWICE, 1), "ncmec": (DONE, 1)},
    "500":           {"mail": (SENT, 1),    "iccam": (DONE, 1),  "ncmec": (DONE, 1)},
    "rejected":      {"mail": (("failed", "relay-554"), 0), "iccam": (("failed", "iccam-400"), 0),
                      "ncmec": (("failed", "ncmec-validation-failed"), 0)},
    "cut":           {"mail": (UNKNOWN, 0), "iccam": (DONE, 1),  "ncmec": (DONE, 1)},
    "cut-after":     {"mail": (UNKNOWN, 1), "iccam": (TWICE, 1), "ncmec": (DONE, 1)},
    "duplicate":     {"mail": (SENT, 1),    "iccam": (TWICE, 1), "ncmec": (DONE, 1)},
}  # fmt: skip
# kill -9 while the other side is silent, before and after it took the delivery.
KILLED: dict[str, dict[str, tuple[tuple[str, str], int]]] = {
    "timeout":       {"mail": (UNKNOWN, 0), "iccam": (DONE, 1),  "ncmec": (DONE, 1)},
    "timeout-after": {"mail": (UNKNOWN, 1), "iccam": (TWICE, 1), "ncmec": (DONE, 1)},
}  # fmt: skip
KINDS = {"secure_mail": "mail", "xarf_notice": "mail", "iccam": "iccam", "ncmec": "ncmec"}


@pytest.fixture(params=list(KINDS))
def out(request: pytest.FixtureRequest, house: House, tmp_path: Path) -> Iterator[tuple[str, Way]]:
    """(kind, a way out with one release that waits to be carried)."""
    with way(request.param, house, tmp_path) as opened:
        made = build.drafted(opened.house, build.confirmed(opened.house, opened.document), opened.to)
        build.approve(opened.house, made)
        build.settle(opened.house.desk)
        yield KINDS[request.param], opened


@pytest.fixture(scope="module")
def couriers() -> Iterator[Couriers]:
    made = Couriers()
    yield made
    made.close()


def later(opened: Way, **span: int) -> None:
    clock: Any = opened.house.desk.clock
    clock.ahead = (clock.ahead or timedelta()) + timedelta(**span)


def go_on(opened: Way) -> None:
    """The other side is well again, and some hours pass."""
    opened.heal()
    for _ in range(3):
        later(opened, hours=1)
        carry.carry_due(opened.house.desk)


def honest(opened: Way, delivery: UUID) -> None:
    """What is told as done has its evidence, and what is not done is on the list of what is open."""
    desk = opened.house.desk
    with unit_of_work(desk.db) as session:
        steps = session.exec(select(tables.DeliveryEvent).order_by(col(tables.DeliveryEvent.id))).all()
        for step in steps:
            if step.state in ("awaiting", "delivered"):
                proves = "submission" if step.state == "awaiting" else "delivery"
                kept = session.get_one(tables.DeliveryEvidence, (delivery, proves, step.evidence_sha256))
                assert deliver.open_evidence(desk, session, kept)
                assert kept.remote_reference
        listed = {row["delivery"] for row in deliver.listing(session, open_only=True)}
    assert steps[-1].state in ("delivered", "awaiting", "failed", "overdue")
    assert (str(delivery) in listed) == (steps[-1].state != "delivered")


@pytest.mark.parametrize("fault", list(MATRIX))
def test_a_fault_once_ends_honestly_and_never_twice(out: tuple[str, Way], fault: str) -> None:
    kind, opened = out
    end, taken = MATRIX[fault][kind]
    delivery = office.only(opened.house)
    opened.arm(fault, PATIENCE if fault.startswith("timeout") else UNHURRIED)
    assert carry.carry_due(opened.house.desk) == 1
    go_on(opened)
    assert office.state(opened.house, delivery) == end
    assert opened.taken() == taken
    honest(opened, delivery)


@pytest.mark.parametrize("moment", list(KILLED))
def test_kill_9_in_the_middle_of_a_sending(out: tuple[str, Way], couriers: Couriers, moment: str) -> None:
    kind, opened = out
    end, taken = KILLED[moment][kind]
    delivery = office.only(opened.house)
    opened.arm(moment, 30)
    victim = couriers.start(opened.house)
    assert opened.reached().wait(30)
    os.kill(victim, signal.SIGKILL)
    assert office.state(opened.house, delivery)[0] == "sending"
    until(lambda: carry.attempt(opened.house.desk, delivery) == carry.DONE)
    go_on(opened)
    assert office.state(opened.house, delivery) == end
    assert opened.taken() == taken
    honest(opened, delivery)


def test_what_is_never_reached_becomes_overdue_and_then_fails(out: tuple[str, Way]) -> None:
    _, opened = out
    desk, delivery = opened.house.desk, office.only(opened.house)
    opened.arm("refused", PATIENCE)
    carry.carry_due(desk)
    assert office.state(opened.house, delivery)[0] == "queued"
    later(opened, days=30)
    assert proof.mark_overdue(desk) == 1
    assert office.state(opened.house, delivery) == ("overdue", "not-sent")
    honest(opened, delivery)
    assert opened.taken() == 0
