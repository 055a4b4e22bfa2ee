"""Today's mail and CSV beside the referral, for a hotline that tries the broker: compared, and no more.

Nothing is delivered, released, registered or put into the ledger here. That somebody wrote values of a
case to files is noted, as reading is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core import canonical, quality, today
from broker.core.fields import field_of
from broker.core.today import Comparison, Row
from broker.desk import casefile, draft, events, partners, publish
from broker.desk.context import Desk
from broker.errors import BrokerError, Conflict
from broker.spi import Json, Language
from broker.store import tables
from broker.store.engine import unit_of_work


@dataclass(frozen=True, slots=True)
class Pair:
    """One case both ways: today's mail and sheet, and where the referral's side was taken from."""

    case_id: UUID
    mail: bytes
    sheet: bytes
    source: str
    """`released`: what went to this partner; `preview`: what would go."""


@dataclass(frozen=True, slots=True)
class Side:
    """The referral's side of a case."""

    reference: str
    facts: Mapping[str, Json]
    entities: Mapping[str, Mapping[str, Json]]
    source: str

    def fields(self) -> set[str]:
        """Ids of the fields it gives."""
        given = [f"/facts/{group}/{name}" for group, names in self.facts.items() for name in names]
        for collection, elements in self.entities.items():
            given += [f"/entities/{collection}/{e}/{name}" for e, names in elements.items() for name in names]
        return {field_of(pointer) for pointer in given}


@dataclass(slots=True)
class Run:
    """All cases of a run; `refused` by code."""

    pairs: list[Pair] = field(default_factory=list)
    comparison: Comparison = field(default_factory=lambda: Comparison(()))
    refused: dict[str, int] = field(default_factory=dict)
    more: dict[str, int] = field(default_factory=dict)
    """Field id → in how many cases the referral gives it beside the five columns."""

    def summary(self) -> dict[str, object]:
        """Counts and codes."""
        return {
            "cases": len(self.pairs),
            "released": sum(pair.source == "released" for pair in self.pairs),
            "refused": self.refused,
            "compared": self.comparison.counts(),
            "more_in_referral": self.more,
        }


def run(
    desk: Desk, actor: Actor, cases: Iterable[UUID], to: str | None = None, sent: bytes | None = None
) -> Run:
    """Both ways for each case, then one comparison. `sent` is a CSV that the hotline's own tool wrote:
    then that is compared, not what we say it would write."""
    actor.needs("analyst", "releaser")
    done, old, new = Run(), list[Row](), list[Row]()
    zone = ZoneInfo(desk.pack.timezone)
    given = None if sent is None else today.read(sent, zone)
    with unit_of_work(desk.db) as session:
        addressee = _police(desk, session) if to is None else partners.get(session, to)
        language = cast(Language, addressee.language)
    for case_id in cases:
        try:
            with unit_of_work(desk.db) as session:
                rows, side = _both(desk, session, actor, case_id, addressee)
                events.note(desk, session, "case:run-in-parallel", actor.id, case_id=case_id)
        except BrokerError as error:
            done.refused[error.code] = done.refused.get(error.code, 0) + 1
            continue
        desk_line = f"{desk.pack.desk.organisation}, {desk.pack.desk.phone}"
        mail = today.mail(rows, side.reference, desk_line, language)
        done.pairs.append(Pair(case_id, mail.encode(), today.sheet(rows, language, zone), side.source))
        old += rows
        new += today.rows_of(side.facts, side.entities)
        for name in today.fields_beyond(side.fields()):
            done.more[name] = done.more.get(name, 0) + 1
    done.comparison = today.compare(old if given is None else given, new, language)
    return done


def since(session: Session, moment: datetime) -> list[UUID]:
    """Confirmed cases that were taken in since."""
    found = select(tables.CaseFile.id).where(
        col(tables.CaseFile.created_at) >= moment, col(tables.CaseFile.state) == "confirmed"
    )
    return list(session.exec(found.order_by(col(tables.CaseFile.created_at), col(tables.CaseFile.id))))


def _both(
    desk: Desk, session: Session, actor: Actor, case_id: UUID, addressee: tables.Partner
) -> tuple[list[Row], Side]:
    case, _ = casefile.read_version(desk, session, case_id)
    rows = today.rows_of(*quality.as_document(case.data))
    released = session.exec(
        select(tables.Release)
        .where(col(tables.Release.case_id) == case_id, col(tables.Release.addressee) == addressee.id)
        .order_by(col(tables.Release.version).desc())
    ).first()
    if released is None:
        seen = draft.preview(desk, session, actor, draft.Request(case_id, addressee.id))
        given = seen.composition.referral
        return rows, Side(given.reference, given.facts, given.entities, "preview")
    payload = publish.open_record(desk, session, released).payload
    went = canonical.decode(payload, max_bytes=len(payload) + 1)
    facts, entities = went["doc"].get("facts", {}), went["doc"].get("entities", {})
    return rows, Side(went["reference"], facts, entities, "released")


def _police(desk: Desk, session: Session) -> tables.Partner:
    """The one partner of the domestic police."""
    rows = session.exec(
        select(tables.Partner).where(
            col(tables.Partner.recipient_class) == desk.pack.roles["domestic_police"],
            col(tables.Partner.status) == "active",
        )
    ).all()
    if len(rows) != 1:
        raise Conflict("which-partner", "there is not exactly one police partner; say which with --to")
    return rows[0]
