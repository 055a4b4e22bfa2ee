"""One-time sign-in links for the people of the demonstration; `broker serve --links` prints them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session, col, select

from broker import auth
from broker.demo.house import PASSWORD
from broker.desk.context import Desk
from broker.errors import Misconfigured
from broker.store import tables
from broker.store.engine import unit_of_work

WHO: Mapping[str, str] = {
    "analyst-1": "first analyst",
    "analyst-2": "second analyst",
    "releaser": "releaser",
    "officer": "data protection officer",
    "officer-2": "second officer, for the review",
    "custodian": "key custodian",
    "administrator": "administrator",
    "police-inbox": "inbox of the federal police",
}
"""login → who that is, in the order of the main job."""


@dataclass(frozen=True, slots=True)
class Door:
    """A link that signs one person in, once."""

    who: str
    url: str


def open_doors(desk: Desk) -> list[Door]:
    """A link for everybody of the demo. Raises `Misconfigured` where data is not synthetic.

    The police get a person who reads their inbox, the officer a second one who grants what is drawn for
    review (the demo's releaser had a hand in everything); the releaser gets one-time codes, which the pages
    of the demo show, because a release wants a fresh proof.
    """
    if not desk.settings.synthetic:
        raise Misconfigured("links-in-production", "one-time sign-in links are for synthetic data only")
    with unit_of_work(desk.db) as session:
        _people(desk, session)
        return list(_links(desk, session))


def _people(desk: Desk, session: Session) -> None:
    administrator, releaser = auth.find(session, "administrator"), auth.find(session, "releaser")
    if administrator is None or releaser is None:
        raise Misconfigured("no-demo", "this is not the demo's database", "run `make demo` first")
    if auth.find(session, "officer-2") is None:
        auth.add_staff(
            session, login="officer-2", roles=frozenset({"dpo"}), password=PASSWORD,
            vetted_until=desk.now() + timedelta(days=365), now=desk.now(),
        )  # fmt: skip
    if auth.find(session, "police-inbox") is None:
        police = session.exec(
            select(tables.Partner)
            .where(col(tables.Partner.recipient_class) == desk.pack.roles["domestic_police"])
            .order_by(col(tables.Partner.created_at))
        ).first()
        if police is not None:
            by = auth.Actor(administrator.id, frozenset({"administrator"}))
            auth.add_person(
                session, by, partner_id=police.id, login="police-inbox", password=PASSWORD, now=desk.now()
            )
    if not auth.totp.enrolled(session, releaser.id):
        key = desk.vault().lasting("totp")
        auth.totp.assign(session, key, releaser.id, releaser.login, desk.now())


def _links(desk: Desk, session: Session) -> Iterator[Door]:
    for login, who in WHO.items():
        person = auth.find(session, login)
        if person is not None:
            token = auth.links.make(session, person.id, desk.now(), synthetic=desk.settings.synthetic)
            yield Door(who, desk.settings.pages_url + auth.links.path(person.id, token))
