"""What a delivery remembers between attempts: written step by step, encrypted under the key of its case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel import Session, col, select

from broker.core import canonical
from broker.desk import casefile
from broker.desk.context import Desk
from broker.errors import Conflict
from broker.store import tables
from broker.store.engine import unit_of_work


@dataclass(frozen=True, slots=True)
class Kept:
    """Implements `spi.Progress` for one delivery. Each `save` is a transaction of its own."""

    desk: Desk
    delivery: tables.Delivery

    def load(self) -> Mapping[str, str]:
        """See `spi.Progress.load`. Raises `Conflict("erased", …)` when the case was erased."""
        with unit_of_work(self.desk.db) as session:
            row = last(session, self.delivery)
            if row is None:
                return {}
            released = session.get_one(tables.Release, self.delivery.release_id)
            body = casefile.open_blob(
                self.desk, session, released.case_id, TABLE, _name(row), row.key_id, row.body
            )
        return {str(name): str(value) for name, value in canonical.decode_trusted(body).items()}

    def save(self, values: Mapping[str, str]) -> None:
        """See `spi.Progress.save`."""
        with unit_of_work(self.desk.db) as session:
            write(self.desk, session, self.delivery, values)


TABLE = "delivery_progress"


def write(desk: Desk, session: Session, delivery: tables.Delivery, values: Mapping[str, str]) -> None:
    """The next step. Two that go on from the same one collide, and one of them is refused."""
    if session.get(tables.ReleaseRecord, delivery.release_id) is None:
        raise Conflict("erased", "the content of this release was erased; nothing more is kept of it")
    released = session.get_one(tables.Release, delivery.release_id)
    before = last(session, delivery)
    row = tables.DeliveryProgress(
        delivery_id=delivery.id, step=1 if before is None else before.step + 1, at=desk.now()
    )
    row.key_id, row.body = casefile.seal_blob(
        desk, session, released.case_id, TABLE, _name(row), canonical.encode_trusted(dict(values))
    )
    session.add(row)
    session.flush()


def last(session: Session, delivery: tables.Delivery) -> tables.DeliveryProgress | None:
    """The newest step, or None before the first."""
    return session.exec(
        select(tables.DeliveryProgress)
        .where(col(tables.DeliveryProgress.delivery_id) == delivery.id)
        .order_by(col(tables.DeliveryProgress.step).desc())
        .limit(1)
    ).first()


def _name(row: tables.DeliveryProgress) -> str:
    return f"{row.delivery_id}|{row.step}"
