"""One list of everything that is late, for the people on duty (rulings 3 and 5).

Being overdue shows and changes nothing: no case expires because nobody came for it. Payload-free.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from broker.desk import events
from broker.desk.context import Desk
from broker.spi import Json

PATIENCE = timedelta(minutes=1)
"""What signer and integrator do in well under a second is late after this."""

WHAT_TO_DO = {
    "urgent-unanswered": "ring the duty desk until somebody answers and reads the reference back",
    "retrospective-missing": "another person looks at it: `broker referral release --retrospective`",
    "uncollected": "ask the partner, or offer another channel",
    "draft-anew": "the broker stopped it before it left: a draft, a notice whose host changed; draft again",
    "not-signed": "see that a worker runs and why it does not sign: its log has the code",
    "not-published": "see that a worker runs and integrates",
}
"""Kind → what a person does about it; the order is that of the list at one moment."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """One late thing. `since` is the moment it became late; `partner` is the addressee, or the carrier
    who did not collect; `staff` the person it waits on account of."""

    kind: str
    since: datetime
    case_id: UUID
    release: str
    reference: str
    urgency: str
    partner: str
    staff: str | None = None
    case_kind: str = ""

    def as_json(self) -> dict[str, Json]:
        """Ids, codes and times."""
        return {
            "kind": self.kind,
            "since": events.stamp(self.since),
            "urgency": self.urgency,
            "reference": self.reference,
            "partner": self.partner,
            "staff": self.staff,
            "release": self.release,
            "case": str(self.case_id),
        }


# Published, not withdrawn, its clock over, and its carrier never fetched the sealed bytes: what is in
# `open_release` was neither fetched nor taken back.
_UNCOLLECTED = """
select r.deadline as since, r.case_id, r.release_id, f.reference, r.urgency, r.carrier as partner,
  null as staff, r.case_kind
from open_release o join release r on r.release_id = o.release_id join referral f on f.id = r.referral_id
where o.deadline < :now
  and exists (select 1 from feed x where x.release_id = r.release_id and x.event = 'published')
"""
# Only a desk that answered and read the reference back stops the clock, and never by a call from
# before there was a reference. A machine's receipt does not count.
_UNANSWERED = """
select r.released_at + cast(:clock as interval) as since, r.case_id, r.release_id, f.reference,
  r.urgency, r.addressee as partner, r.drafted_by as staff, r.case_kind
from release r join referral f on f.id = r.referral_id join draft d on d.id = r.release_id
where r.urgency = 'U1' and r.addressee_class = :police
  and r.released_at + cast(:clock as interval) < :now
  and not exists (select 1 from withdrawal w where w.release_id = r.release_id)
  and not exists (select 1 from cancellation x where x.release_id = r.release_id)
  and not exists (select 1 from urgent_call c where c.case_id = r.case_id
    and c.answered and c.read_back and c.called_at >= d.drafted_at)
"""
# Who takes it back has looked at it: nobody has to approve afterwards what was wrong to send.
_RETROSPECTIVE = """
select r.released_at + cast(:clock as interval) as since, r.case_id, r.release_id, f.reference,
  r.urgency, r.addressee as partner, r.drafted_by as staff, r.case_kind
from release r join referral f on f.id = r.referral_id
where r.urgent and r.released_at + cast(:clock as interval) < :now
  and not exists (select 1 from approval a
    where a.release_id = r.release_id and a.kind = 'retrospective')
  and not exists (select 1 from withdrawal w where w.release_id = r.release_id and w.by <> r.drafted_by)
"""
# The content of a draft goes away when it is released or closed: so few rows lead here.
_NOT_SIGNED = """
select a.at + cast(:patience as interval) as since, f.case_id, a.release_id, f.reference,
  c.urgency, f.addressee as partner, a.approved_by as staff, c.kind as case_kind
from draft_blob b join approval a on a.release_id = b.release_id
join draft d on d.id = a.release_id join referral f on f.id = d.referral_id
join case_file c on c.id = f.case_id
where a.kind = 'release' and a.at + cast(:patience as interval) < :now
  and not exists (select 1 from release r where r.release_id = a.release_id)
  and not exists (select 1 from draft_refusal x where x.release_id = a.release_id)
"""
# Closed by the broker itself (expired, overtaken by a change), not by a person, and nothing since; or a
# notice that did not leave because its host is no longer what the case says (desk.recheck).
_DRAFT_ANEW = """
select x.at as since, f.case_id, x.release_id, f.reference, c.urgency, f.addressee as partner,
  d.drafted_by as staff, c.kind as case_kind
from draft_refusal x join draft d on d.id = x.release_id join referral f on f.id = d.referral_id
join case_file c on c.id = f.case_id
where x.by is null and c.state <> 'closed'
  and exists (select 1 from case_version v where v.case_id = f.case_id)
  and not exists (select 1 from draft later where later.referral_id = d.referral_id
    and (later.drafted_at, later.id) > (d.drafted_at, d.id))
union all
select e.at as since, r.case_id, r.release_id, f.reference, r.urgency, r.addressee as partner,
  r.drafted_by as staff, r.case_kind
from delivery y join release r on r.release_id = y.release_id join referral f on f.id = r.referral_id
join case_file c on c.id = r.case_id
join lateral (select s.state, s.code, s.at from delivery_event s where s.delivery_id = y.id
  order by s.id desc limit 1) e on e.state = 'failed' and e.code in ('host-changed', 'host-moved')
where c.state <> 'closed'
  and not exists (select 1 from draft later where later.referral_id = r.referral_id
    and later.drafted_at > r.released_at)
"""
_NOT_PUBLISHED = """
select p.due_at + cast(:patience as interval) as since, r.case_id, r.release_id, f.reference,
  r.urgency, r.carrier as partner, null as staff, r.case_kind
from pending p join release r on r.release_id = p.release_id join referral f on f.id = r.referral_id
where p.leaf_type = 'published' and p.due_at + cast(:patience as interval) < :now
  and not exists (select 1 from cancellation x where x.release_id = p.release_id)
"""


_LIMIT = "order by since, release_id limit cast(:limit as bigint)"


def overdue(desk: Desk, session: Session, *, limit: int | None = None) -> list[Overdue]:
    """Everything late now, the longest late first; with `limit` at most so many of each kind."""
    return sorted(
        _found(desk, session, limit), key=lambda late: (late.since, _ORDER[late.kind], late.release)
    )


_ORDER = {kind: n for n, kind in enumerate(WHAT_TO_DO)}


def _found(desk: Desk, session: Session, limit: int | None) -> Iterator[Overdue]:
    now, clocks = desk.now(), desk.pack.clocks
    police = desk.pack.roles["domestic_police"]
    queries: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("urgent-unanswered", _UNANSWERED, {"clock": clocks["U1"].span, "police": police}),
        ("retrospective-missing", _RETROSPECTIVE, {"clock": clocks["retrospective_approval"].span}),
        ("uncollected", _UNCOLLECTED, {}),
        ("draft-anew", _DRAFT_ANEW, {}),
        ("not-signed", _NOT_SIGNED, {"patience": PATIENCE}),
        ("not-published", _NOT_PUBLISHED, {"patience": PATIENCE}),
    )
    for kind, query, values in queries:
        wanted = {**values, "limit": limit}
        if query is not _DRAFT_ANEW:
            wanted["now"] = now
        for row in session.connection().execute(text(query + _LIMIT), wanted).mappings():
            yield Overdue(
                kind=kind,
                since=row["since"],
                case_id=row["case_id"],
                release=row["release_id"],
                reference=row["reference"],
                urgency=row["urgency"],
                partner=row["partner"],
                staff=row["staff"],
                case_kind=row["case_kind"],
            )
