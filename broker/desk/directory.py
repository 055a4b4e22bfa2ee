"""Who and what there is: people, partners, agreements, recognition, and how the machine runs.

Lists for administration. Nothing here opens a case or holds a value of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.desk import events, partners
from broker.desk.context import Desk
from broker.errors import Conflict, NotFound
from broker.store import tables


@dataclass(frozen=True, slots=True)
class Person:
    """A staff account. `ways`: what proves who it is."""

    id: str
    login: str
    roles: tuple[str, ...]
    vetted_until: datetime | None
    disabled_at: datetime | None
    ways: tuple[str, ...]


_PEOPLE = text("""
select s.id, s.login, s.roles, s.vetted_until, s.disabled_at,
  exists (select 1 from passkey k where k.staff_id = s.id) as passkey,
  exists (select 1 from totp t where t.staff_id = s.id) as codes,
  exists (select 1 from oidc_identity o where o.staff_id = s.id) as oidc
from staff s where s.password_hash <> '' order by s.disabled_at nulls first, s.login
""")


def people(session: Session) -> list[Person]:
    """Every account of the hotline's staff, those in use first."""
    return [
        Person(
            r["id"], r["login"], tuple(r["roles"]), r["vetted_until"], r["disabled_at"],
            tuple(way for way in ("passkey", "codes", "oidc") if r[way]),
        )
        for r in session.connection().execute(_PEOPLE).mappings()
    ]  # fmt: skip


def renew_vetting(desk: Desk, session: Session, actor: Actor, staff_id: str, until: datetime) -> None:
    """A new end of vetting for an account that is not disabled. Raises `NotFound`, `Conflict`."""
    actor.needs("administrator")
    person = session.get(tables.Staff, staff_id)
    if person is None:
        raise NotFound("account")
    if person.disabled_at is not None:
        raise Conflict("account-ended", "this account was ended for good; make another one")
    if until <= desk.now():
        raise Conflict("vetting-past", "vetting has to end in the future")
    person.vetted_until = until
    session.add(person)
    events.note(desk, session, "staff:vetted", actor.id)


@dataclass(frozen=True, slots=True)
class PartnerLine:
    """A partner with what decides whether anything can go to it."""

    id: str
    name: str
    recipient_class: str
    country: str
    language: str
    status: str
    software: str | None
    agreement: int | None
    agreement_status: str | None
    agreement_until: datetime | None
    key_until: datetime | None
    readers: int
    channel: str | None


_PARTNERS = """
select p.id, p.name, p.recipient_class, p.country, p.language, p.status, p.software,
  a.version as agreement, s.status as agreement_status, a.valid_to as agreement_until,
  (select max(k.not_after) from partner_key k where k.partner_id = p.id and k.use = 'enc'
    and k.revoked_at is null) as key_until,
  (select count(*) from inbox_person i where i.partner_id = p.id and i.disabled_at is null) as readers,
  case when e.state = 'active' then e.adapter end as channel
from partner p
left join lateral (select version, valid_to from agreement where partner_id = p.id
  order by version desc limit 1) a on true
left join lateral (select status from agreement_status where partner_id = p.id and version = a.version
  order by at desc limit 1) s on true
left join lateral (select state, adapter from delivery_endpoint
  where partner_id = p.id and purpose = 'referral' order by id desc limit 1) e on true
"""


def partner_lines(session: Session, partner_id: str | None = None) -> list[PartnerLine]:
    """All partners, or one."""
    where = "" if partner_id is None else "where p.id = :id "
    query = text(f"{_PARTNERS} {where}order by p.name, p.id")
    found = session.connection().execute(query, {} if partner_id is None else {"id": partner_id})
    return [PartnerLine(**row) for row in found.mappings()]


def partner_line(session: Session, partner_id: str) -> PartnerLine:
    """One partner. Raises `NotFound`."""
    partners.get(session, partner_id)
    return partner_lines(session, partner_id)[0]


def keys_of(session: Session, partner_id: str) -> Sequence[tables.PartnerKey]:
    """The public keys of a partner by use, newest first."""
    table = tables.PartnerKey
    query = select(table).where(col(table.partner_id) == partner_id)
    return session.exec(query.order_by(col(table.use), col(table.not_before).desc())).all()


def readers_of(session: Session, partner_id: str) -> Sequence[tables.InboxPerson]:
    """The people who read the inbox of a partner."""
    table = tables.InboxPerson
    return session.exec(
        select(table).where(col(table.partner_id) == partner_id).order_by(col(table.login))
    ).all()


@dataclass(frozen=True, slots=True)
class AgreementLine:
    """A version of an agreement and what happened to it."""

    version: int
    status: str
    valid_from: datetime
    valid_to: datetime
    approved_by: tuple[str, str]
    digest: str


_AGREEMENTS = text("""
select a.version, a.valid_from, a.valid_to, a.digest, x.login as one, y.login as two,
  (select s.status from agreement_status s where s.partner_id = a.partner_id and s.version = a.version
    order by s.at desc limit 1) as status
from agreement a join staff x on x.id = a.approved_by_1 join staff y on y.id = a.approved_by_2
where a.partner_id = :partner order by a.version desc
""")


def agreements_of(session: Session, partner_id: str) -> list[AgreementLine]:
    """The versions of a partner's agreement, newest first."""
    return [
        AgreementLine(
            r["version"], r["status"], r["valid_from"], r["valid_to"], (r["one"], r["two"]), r["digest"]
        )
        for r in session.connection().execute(_AGREEMENTS, {"partner": partner_id}).mappings()
    ]


def proposals_of(session: Session, partner_id: str) -> Sequence[tables.AgreementProposal]:
    """Agreements that wait for a second approval and were not approved."""
    table = tables.AgreementProposal
    approved = select(tables.Agreement.digest).where(col(tables.Agreement.partner_id) == partner_id)
    query = select(table).where(col(table.partner_id) == partner_id, col(table.digest).not_in(approved))
    return session.exec(query.order_by(col(table.at))).all()


def recognitions(session: Session) -> Sequence[tables.Recognition]:
    """The acts by which the hotline is recognised, newest first."""
    return session.exec(select(tables.Recognition).order_by(col(tables.Recognition.valid_from).desc())).all()


def recognise(desk: Desk, session: Session, actor: Actor, instrument: str, until: datetime) -> None:
    """Record the recognition: without a valid one nothing with content locators leaves (ruling 5)."""
    actor.needs("dpo", "administrator")
    if not instrument.strip() or until <= desk.now():
        raise Conflict("recognition", "a recognition has an instrument and ends in the future")
    session.add(
        tables.Recognition(
            id="rec_" + desk.opaque(8), instrument=instrument.strip()[:300], valid_from=desk.now(),
            valid_to=until,
        )
    )  # fmt: skip
    events.note(desk, session, "recognition:recorded", actor.id)
    session.flush()


@dataclass(frozen=True, slots=True)
class Running:
    """How far signer, integrator and courier are."""

    unsigned: int
    unsigned_since: datetime | None
    pending: int
    pending_since: datetime | None
    ledger_size: int
    ledger_at: datetime | None
    deliveries: Mapping[str, int]


_RUNNING = text("""
select
  (select count(*) from approval a where a.kind = 'release'
    and not exists (select 1 from release r where r.release_id = a.release_id)
    and not exists (select 1 from draft_refusal x where x.release_id = a.release_id)) as unsigned,
  (select min(a.at) from approval a where a.kind = 'release'
    and not exists (select 1 from release r where r.release_id = a.release_id)
    and not exists (select 1 from draft_refusal x where x.release_id = a.release_id)) as unsigned_since,
  (select count(*) from pending where due_at <= :now) as pending,
  (select min(due_at) from pending where due_at <= :now) as pending_since,
  (select max(size) from ledger_checkpoint) as ledger_size,
  (select max(at) from ledger_checkpoint) as ledger_at
""")
_DELIVERIES = text("""
select e.state, count(*) from delivery d join lateral (select state from delivery_event
  where delivery_id = d.id order by id desc limit 1) e on true group by e.state
""")


def running(desk: Desk, session: Session) -> Running:
    """Counts and the oldest of what waits."""
    row: Mapping[str, Any] = dict(
        session.connection().execute(_RUNNING, {"now": desk.now()}).mappings().one()
    )
    states = {row[0]: row[1] for row in session.connection().execute(_DELIVERIES)}
    return Running(**{**row, "ledger_size": row["ledger_size"] or 0}, deliveries=states)
