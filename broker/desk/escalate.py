"""Escalate a confirmed case: who may get it and what for, a look at each, drafts for all in one act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core import preview as core_preview
from broker.core.agreement import AgreementTerms
from broker.core.case import Case
from broker.core.fields import MINOR_RULE, SEALED_APART
from broker.core.manifest import View
from broker.core.preview import Preview
from broker.core.routing import Refusal, Route
from broker.desk import agreements, confirm, draft, endpoints, hold, publish, route
from broker.desk.context import Desk
from broker.desk.draft import Drafted, Request
from broker.errors import BrokerError
from broker.spi import Json, Unit
from broker.store import tables

RECENT = 200
"""Releases to a class from which its usual treatment is read."""
ENOUGH = 10
"""Below this many nothing is called unusual."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A group of fields that a recorded ground would open, and the coded grounds that count.

    `fields` open together; each of `singly` (sealed apart) is opened by itself.
    """

    group: str
    codes: tuple[str, ...]
    fields: tuple[str, ...]
    singly: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipient:
    """A proposed recipient. `version` is the last one that was released to it, `waiting` a draft that
    another person has not looked at yet."""

    route: Route
    name: str
    carrier: str
    carrier_name: str
    channel: str
    purposes: tuple[str, ...]
    """All that class and agreement allow; the route's own are proposed."""
    referral: UUID | None
    reference: str
    version: int | None
    waiting: str | None

    @property
    def open(self) -> bool:
        """Whether a first draft is what comes next."""
        return self.version is None and self.waiting is None


@dataclass(frozen=True, slots=True)
class Escalation:
    """What the page of one case shows."""

    case_id: UUID
    kind: str
    urgency: str
    recipients: tuple[Recipient, ...]
    refusals: tuple[tuple[Refusal, str], ...]
    """With the partner's name, empty where there is none."""
    notices: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Look:
    """One recipient looked at: the unstored draft, its preview, and what else could be asked."""

    drafted: Drafted
    preview: Preview
    grounds: tuple[Ground, ...]


_BEFORE = text("""
select f.addressee, f.id as referral, f.reference, f.carrier,
  (select max(r.version) from release r where r.referral_id = f.id) as version,
  (select d.id from draft d join draft_blob b on b.release_id = d.id where d.referral_id = f.id
    and d.expires_at > :now order by d.drafted_at desc limit 1) as waiting
from referral f where f.case_id = :case_id
""")
_USUAL = text("""
select field, (array_agg(action order by n desc))[1] as action, max(n) as most, max(total) as total
from (select e.key as field, e.value as action, count(*) as n, max(r.total) as total
  from (select fields, count(*) over () as total from (select fields from release
    where addressee_class = :class order by released_at desc limit :recent) x) r
  cross join lateral jsonb_each_text(r.fields) e group by e.key, e.value) counted
group by field
""")


def escalation(desk: Desk, session: Session, actor: Actor, case_id: UUID) -> Escalation:
    """Routes and refusals with reasons, and what was sent before. Raises `Refused("not-confirmed")`."""
    actor.needs("analyst")
    now = desk.now()
    released = confirm.released_case(desk, session, case_id)
    proposal = route.routes(desk, session, case_id, released, now)
    before = {row["addressee"]: row for row in _sent_before(session, case_id, now)}
    names = _names(
        session,
        {r.addressee for r in proposal.routes}
        | {row["carrier"] for row in before.values()}
        | {r.carrier for r in proposal.routes}
        | {r.addressee for r in proposal.refusals if r.addressee},
    )
    return Escalation(
        case_id=case_id,
        kind=released.case.kind,
        urgency=released.case.urgency or "",
        recipients=tuple(
            _recipient(desk, session, each, names, before.get(each.addressee, {}), now)
            for each in proposal.routes
        ),
        refusals=tuple((each, names.get(each.addressee or "", "")) for each in proposal.refusals),
        notices=hold.notices(desk, session, case_id, released.case.data),
    )


def look(desk: Desk, session: Session, actor: Actor, request: Request, *, documents: bool = False) -> Look:
    """What this recipient would get, beside what is held. Nothing is stored."""
    drafted = draft.preview(desk, session, actor, request, documents=documents)
    composition = drafted.composition
    agreement = agreements.terms_in_force(session, drafted.addressee.id, desk.now())
    view = composition.minimised.view
    terms = None if agreement is None or view.scope.statutory else agreement[1]
    return Look(
        drafted,
        core_preview.preview(
            drafted.case.data,
            composition.minimised,
            composition.findings,
            cleared=request.clear,
            last=last_units(desk, session, composition.header.supersedes),
            usual=_usual(session, drafted.addressee.recipient_class),
        ),
        _grounds(view, terms, minors=_has_minors(drafted.case)),
    )


def draft_all(desk: Desk, session: Session, actor: Actor, requests: Sequence[Request]) -> tuple[Drafted, ...]:
    """Store a draft for every recipient, or for none. Raises what the first one that fails raises, with
    its addressee in `NotDrafted`."""
    made: list[Drafted] = []
    with session.begin_nested():
        for request in requests:
            try:
                made.append(draft.draft(desk, session, actor, request))
            except BrokerError as error:
                raise NotDrafted(request.addressee, error) from error
    return tuple(made)


class NotDrafted(Exception):
    """Which recipient's draft failed; nothing was stored for anybody. Never leaves the desk's pages."""

    def __init__(self, addressee: str, error: BrokerError) -> None:
        super().__init__(error.code)
        self.addressee, self.error = addressee, error


def last_units(desk: Desk, session: Session, release: str | None) -> tuple[Unit, ...] | None:
    """The values of a released version as they were sent; None without one, or where it was erased."""
    released = None if release is None else session.get(tables.Release, release)
    if released is None:
        return None
    try:
        return publish.open_record(desk, session, released).units
    except BrokerError:  # erased: register and proofs remain, there is nothing to compare with
        return None


def expand(
    look_grounds: Sequence[Ground], chosen: Mapping[str, str], singly: frozenset[str]
) -> dict[str, str]:
    """Group → code and fields sealed apart → field → code, as a draft records it."""
    found: dict[str, str] = {}
    for ground in look_grounds:
        code = chosen.get(ground.group)
        if code:
            wanted = (*ground.fields, *(f for f in ground.singly if f in singly))
            found.update(dict.fromkeys(wanted, code))
    return found


def _recipient(
    desk: Desk,
    session: Session,
    proposed: Route,
    names: Mapping[str, str],
    before: Mapping[str, Json],
    now: datetime,
) -> Recipient:
    carrier = before.get("carrier", proposed.carrier)  # as draft._carried_on
    endpoint = endpoints.channel_of(desk, session, carrier)
    agreement = agreements.terms_in_force(session, proposed.addressee, now)
    allowed = [p for c, p in sorted(desk.pack.pairs) if c == proposed.recipient_class]
    if agreement is not None and not proposed.statutory:
        allowed = [p for p in allowed if p in agreement[1].purposes]
    return Recipient(
        route=proposed,
        name=names.get(proposed.addressee, ""),
        carrier=carrier,
        carrier_name=names.get(carrier, ""),
        channel="pull" if endpoint is None else endpoint.adapter,
        purposes=tuple(dict.fromkeys((*proposed.purposes, *allowed))),
        referral=before.get("referral"),
        reference=before.get("reference", ""),
        version=before.get("version"),
        waiting=before.get("waiting"),
    )


def _grounds(view: View, terms: AgreementTerms | None, *, minors: bool) -> tuple[Ground, ...]:
    """Groups with a field that a ground would open, where pack and agreement have a ground for them."""
    pack, given = view.scope.pack, dict(view.scope.grounds)
    groups: dict[str, list[str]] = {}
    for field_id, decision in view.decisions.items():
        closed_for_minors = minors and field_id in MINOR_RULE and decision.column == "F"
        reachable = decision.asks or field_id in given
        if reachable or (closed_for_minors and decision.state == "passed"):
            groups.setdefault(pack.c_groups.get(field_id, ""), []).append(field_id)
    found = []
    for group, fields in groups.items():
        codes = pack.grounds.get(group, ())
        if terms is not None:
            codes = tuple(code for code in codes if code in terms.grounds.get(group, ()))
        if codes:
            together = tuple(f for f in fields if f not in SEALED_APART)
            found.append(Ground(group, tuple(codes), together, tuple(f for f in fields if f in SEALED_APART)))
    return tuple(found)


def _has_minors(case: Case) -> bool:
    return any(p.get("minor_flag") == "minor" for p in case.data.get("persons", {}).values())


def _usual(session: Session, recipient_class: str) -> dict[str, str]:
    rows = session.connection().execute(_USUAL, {"class": recipient_class, "recent": RECENT}).mappings()
    return {
        row["field"]: row["action"]
        for row in rows
        if row["total"] >= ENOUGH and row["most"] >= core_preview.USUAL * row["total"]
    }


def _sent_before(session: Session, case_id: UUID, now: datetime) -> Sequence[Mapping[str, Json]]:
    found = session.connection().execute(_BEFORE, {"case_id": case_id, "now": now})
    return [dict(row) for row in found.mappings()]


def _names(session: Session, ids: set[str]) -> dict[str, str]:
    rows = session.exec(select(tables.Partner).where(col(tables.Partner.id).in_(ids)))
    return {row.id: row.name for row in rows}
