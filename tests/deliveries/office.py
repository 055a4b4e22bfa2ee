"""A house with a partner that does not pull, and the short ways tests take through it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from broker.demo.house import House
from broker.desk import deliver, endpoints, partners
from broker.desk.endpoints import Endpoint
from broker.desk.partners import Registration
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case

ADDRESS = "desk@police.example"


@dataclass
class Clock:
    """The house's clock, to be moved on by hand."""

    base: Any
    ahead: Any = None

    def __call__(self) -> Any:
        now = self.base()
        return now if self.ahead is None else now + self.ahead


def channel(house: House, adapter: str, side: Mapping[str, Any]) -> None:
    """The operator's file for an adapter."""
    folder = house.desk.settings.channels
    folder.mkdir(mode=0o700, exist_ok=True, parents=True)
    path = folder / f"{adapter}.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(side))


def relay(port: int) -> dict[str, object]:
    """The operator's file for a relay on loopback."""
    return {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "from": "out@hotline.example",
        "timeout": 3,
    }


def with_office(house: House, tmp_path: Path) -> House:
    """The house with its own channel folder and a clock that can be moved."""
    settings = house.desk.settings.model_copy(update={"channels": tmp_path / "channels"})
    return replace(house, desk=replace(house.desk, settings=settings, clock=Clock(house.desk.clock)))


def add_mailed(
    house: House,
    endpoint: Endpoint,
    *,
    name: str = "office",
    recipient_class: str = "BEP",
    country: str = "BE",
) -> House:
    """A partner without keys, reached by an adapter."""
    desk = house.desk
    with unit_of_work(desk.db) as session:
        row = partners.register(
            desk, session, house.people["custodian"], Registration(()),
            name="Synthetic Service by Mail (example)", recipient_class=recipient_class, country=country,
            language="fr",
        )  # fmt: skip
        endpoints.set_endpoint(desk, session, house.people["custodian"], row.id, endpoint)
    return replace(house, partners={**house.partners, name: row.id})


def released(house: House, to: str = "office", kind: str = "content_report", **request: Any) -> str:
    """A release on its way to the office: its id."""
    return build.released(house, to, full_case(kind), **request).release


def only(house: House) -> UUID:
    """The one delivery there is."""
    with unit_of_work(house.desk.db) as session:
        return session.exec(select(tables.Delivery.id)).one()


def state(house: House, delivery: UUID) -> tuple[str, str]:
    """(state, code)."""
    with unit_of_work(house.desk.db) as session:
        last = deliver.last(session, delivery)
    return last.state, last.code


def steps(house: House, delivery: UUID) -> list[str]:
    """All states, oldest first."""
    with unit_of_work(house.desk.db) as session:
        return list(
            session.exec(
                select(tables.DeliveryEvent.state)
                .where(col(tables.DeliveryEvent.delivery_id) == delivery)
                .order_by(col(tables.DeliveryEvent.id))
            )
        )
