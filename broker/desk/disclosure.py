"""One disclosure in full: what went and how, what did not and by which clause, who did what with it.

No value of the case: what went is told by field. All but the coded grounds can still be told when the
content is gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core import reference
from broker.desk import partners, publish, questions, register, timeline
from broker.desk.context import Desk
from broker.desk.questions import FieldRule
from broker.desk.register import RegisterFilter, RegisterRow
from broker.desk.timeline import Moment
from broker.errors import Conflict, Issue, NotFound, Refused
from broker.store import tables

_RELEASE = re.compile(r"[a-z2-7]{26}")


@dataclass(frozen=True, slots=True)
class Received:
    """A receipt: the digest the partner signed for, and whether the signature was verified."""

    at: datetime
    sha256: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The register's row with everything around it."""

    row: RegisterRow
    sent: tuple[FieldRule, ...]
    withheld: tuple[FieldRule, ...]
    exact: bool
    """The matrix of that day is the one of today, so the clauses are those of that day."""
    grounds: Mapping[str, str]
    """field → coded ground, where a field went on one."""
    grounds_gone: bool
    """There were grounds, and they went with the content when the case was closed."""
    documents: tuple[Mapping[str, str], ...]
    receipts: tuple[Received, ...]
    moments: tuple[Moment, ...]
    people: Mapping[str, str]
    """staff id → login."""
    partners: Mapping[str, str]
    """partner id → name."""


def of(desk: Desk, session: Session, actor: Actor, release: str) -> Disclosure:
    """Everything about one release. Raises `NotFound`."""
    actor.needs("dpo", "releaser")
    if not _RELEASE.fullmatch(release):
        raise NotFound("disclosure")
    found = register.page(session, actor, RegisterFilter(release=release), limit=1).rows
    if not found:
        raise NotFound("disclosure")
    row, stored = found[0], session.get_one(tables.Release, release)
    rules = questions.rules(desk, session, actor, release)
    needed = any(rule.ground for rule in rules)
    grounds = _grounds(desk, session, stored) if needed else {}
    return Disclosure(
        row=row,
        sent=tuple(rule for rule in rules if rule.action),
        withheld=tuple(rule for rule in rules if not rule.action),
        exact=all(rule.known for rule in rules),
        grounds=grounds,
        grounds_gone=needed and not grounds,
        documents=tuple(stored.documents),
        receipts=_receipts(session, release),
        moments=timeline.of_release(session, actor, release).moments,
        people=people(session, {row["drafted_by"], row["approved_by"], row["retrospective_by"]} - {None}),
        partners=names(session, {row["partner_id"], row["carrier_id"]}),
    )


def find(session: Session, actor: Actor, words: str) -> RegisterFilter:
    """What somebody typed: the id of a case, of a release, or a reference. Raises `Refused` (`not-an-id`)
    for anything else, `NotFound` for what is not there. Names, accounts and addresses find nothing."""
    actor.needs("dpo", "releaser")
    try:
        case_id = UUID(words)
    except ValueError:
        case_id = None
    if case_id is not None:
        if session.get(tables.CaseFile, case_id) is None:
            raise NotFound("case")
        return RegisterFilter(case_id=case_id)
    if _RELEASE.fullmatch(words.lower()):
        if session.get(tables.Release, words.lower()) is None:
            raise NotFound("disclosure")
        return RegisterFilter(release=words.lower())
    if not reference.is_valid(words.upper()):
        raise Refused(
            "not-an-id",
            "this is no id of a case or release, and no reference: its check digit does not fit",
            (Issue("words", "not-an-id", "is neither an id nor a reference"),),
        )
    row = session.exec(select(tables.Referral).where(tables.Referral.reference == words.upper())).first()
    if row is None:
        raise NotFound("referral")
    return RegisterFilter(case_id=row.case_id, partner=row.addressee)


def recipients(session: Session, actor: Actor) -> Mapping[str, str]:
    """partner id → name, for the choice of a filter."""
    actor.needs("dpo", "releaser", "analyst")
    found = session.exec(select(tables.Partner.id, tables.Partner.name).order_by(col(tables.Partner.name)))
    return dict(found.all())


def names(session: Session, ids: set[str]) -> Mapping[str, str]:
    """partner id → name."""
    return {one: partners.get(session, one).name for one in ids}


def people(session: Session, ids: set[Any]) -> Mapping[str, str]:
    """staff id → login; ids of nobody on the staff are left out."""
    found = session.exec(
        select(tables.Staff.id, tables.Staff.login).where(col(tables.Staff.id).in_(sorted(ids)))
    )
    return dict(found.all())


def _grounds(desk: Desk, session: Session, release: tables.Release) -> Mapping[str, str]:
    """The coded grounds rest with the content: opened only where a field went on one."""
    try:
        return publish.open_record(desk, session, release).grounds
    except Conflict:
        return {}


def _receipts(session: Session, release: str) -> tuple[Received, ...]:
    found = session.exec(
        select(tables.Receipt)
        .where(col(tables.Receipt.release_id) == release)
        .order_by(col(tables.Receipt.at))
    )
    return tuple(Received(row.at, row.sha256, row.verified) for row in found)


def case_of(session: Session, release: str) -> UUID:
    """The case a release is about. Raises `NotFound`."""
    row = session.get(tables.Release, release)
    if row is None:
        raise NotFound("disclosure")
    return row.case_id


def newest(session: Session, actor: Actor, words: str) -> str:
    """The release that a release id names, or the newest one of a reference. Raises as `find`."""
    found = find(session, actor, words)
    if found.release is not None:
        return found.release
    if found.partner is None:
        raise Refused(
            "not-an-id",
            "a case has several referrals: give the reference of one",
            (Issue("words", "not-an-id", "is the id of a case; give a reference"),),
        )
    rows = register.page(session, actor, found, limit=1).rows
    if not rows:
        raise NotFound("disclosure")
    return rows[0].disclosure_id
