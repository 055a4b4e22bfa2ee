"""The register of disclosures: one row for each release and recipient, payload-free (domain.md §10).

It answers who received what kind of field, under which agreement, when, and what came back; it holds
no value of a case and survives erasure.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from broker.auth import Actor
from broker.core.fields import FIELD_IDS
from broker.core.schema import Kind, Urgency
from broker.desk import events, paging
from broker.desk.paging import Page
from broker.errors import Issue, Refused
from broker.spi import Json

_BOM = "\ufeff"
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
CODES = {"case_kind": get_args(Kind), "urgency": get_args(Urgency), "field": FIELD_IDS}

COLUMNS = (
    "disclosure_id", "referral_id", "reference", "version", "kind", "supersedes", "case_id", "partner_id",
    "partner_type", "partner_country", "carrier_id", "agreement_version", "agreement_digest",
    "agreement_valid_to", "purposes", "urgency", "case_kind", "fields", "matrix_digest", "conditions",
    "score", "gaps", "drafted_by", "approved_by", "break_glass", "retrospective_by", "retrospective_at",
    "approval_digest", "payload_sha256", "seal_sha256", "root", "signature_keys", "channel",
    "released_at", "published_at", "ledger_position", "cancelled_at", "delivered_at", "receipt_verified",
    "first_collected_at", "collections", "first_read_at", "reads", "read_grounds", "outcome", "outcome_at",
    "withdrawn_at", "withdraw_reason", "deadline", "retrieval_days", "closed_at", "unrecoverable_at",
)  # fmt: skip
"""The register's columns, in the order of the export."""

# The rows are chosen first, so that a page looks up fifty of them and not all.
# A case is unrecoverable by the first rotation in a later month than its erasure: before that the
# epoch that may have wrapped its keys is the running one, which no rotation destroys.
_QUERY = """
select r.release_id as disclosure_id, r.referral_id::text as referral_id, f.reference, r.version, r.kind,
  r.supersedes, r.case_id::text as case_id, r.addressee as partner_id, r.addressee_class as partner_type,
  p.country as partner_country, r.carrier as carrier_id, r.agreement_version,
  a.digest as agreement_digest, a.valid_to as agreement_valid_to, r.purposes, r.urgency, r.case_kind,
  r.fields, r.matrix_digest, r.conditions, r.score, r.gaps, r.drafted_by, r.approved_by,
  r.urgent as break_glass, retro.approved_by as retrospective_by, retro.at as retrospective_at,
  r.approval_digest, r.payload_sha256, r.seal_sha256, r.root, r.key_ids as signature_keys,
  coalesce(dl.adapter, 'pull') as channel, r.released_at, fe.at as published_at,
  fe.position as ledger_position,
  ca.at as cancelled_at, coalesce(rc.at, dl.at) as delivered_at, rc.verified as receipt_verified,
  co.first_at as first_collected_at, coalesce(co.n, 0) as collections,
  rd.first_at as first_read_at, coalesce(rd.n, 0) as reads, rd.grounds as read_grounds,
  an.outcome, an.at as outcome_at, w.at as withdrawn_at, w.reason_code as withdraw_reason,
  r.deadline, r.window_from_first_collection as retrieval_days,
  er.at as closed_at, ro.at as unrecoverable_at
from (select r.* from release r where {where}
  order by r.released_at {way}, r.release_id {way} {limit}) r
join referral f on f.id = r.referral_id
join partner p on p.id = r.addressee
left join agreement a on a.partner_id = r.addressee and a.version = r.agreement_version
left join approval retro on retro.release_id = r.release_id and retro.kind = 'retrospective'
left join feed fe on fe.release_id = r.release_id and fe.event = 'published' and fe.partner_id = r.carrier
left join cancellation ca on ca.release_id = r.release_id
left join withdrawal w on w.release_id = r.release_id
left join lateral (select min(at) as first_at, count(*) as n from collection c
  where c.release_id = r.release_id and c.part = 'referral') co on true
left join lateral (select at, verified from receipt x where x.release_id = r.release_id
  order by verified desc, at limit 1) rc on true
left join lateral (select d.adapter,
    (select min(e.at) from delivery_event e where e.delivery_id = d.id and e.state = 'delivered') as at
  from delivery d where d.release_id = r.release_id order by d.created_at limit 1) dl on true
left join lateral (select min(at) as first_at, count(*) as n, array_agg(distinct ground) as grounds
  from read_act x where x.release_id = r.release_id) rd on true
left join lateral (select outcome, at from answer x where x.release_id = r.release_id
  order by at desc limit 1) an on true
left join lateral (select min(at) as at from event e where e.case_id = r.case_id and e.action = 'case:erased')
  er on true
left join lateral (select min(at) as at from event e where e.action = 'keys:epoch-rotated' and e.at >=
  (date_trunc('month', er.at at time zone 'UTC') + interval '1 month') at time zone 'UTC') ro on true
order by r.released_at {way}, r.release_id {way}
"""
_WHERE: Mapping[str, str] = {
    "partner": "r.addressee = :partner",
    "recipient_class": "r.addressee_class = :recipient_class",
    "case_id": "r.case_id = cast(:case_id as uuid)",
    "release": "r.release_id = :release",
    "since": "r.released_at >= :since",
    "until": "r.released_at < :until",
    "case_kind": "r.case_kind = :case_kind",
    "urgency": "r.urgency = :urgency",
    "field": "r.fields ? :field",
}
_YES_NO: Mapping[str, tuple[str, str]] = {
    "urgent": ("r.urgent", "not r.urgent"),
    "withdrawn": (
        "exists (select 1 from withdrawal y where y.release_id = r.release_id)",
        "not exists (select 1 from withdrawal y where y.release_id = r.release_id)",
    ),
    "unanswered": (
        "not exists (select 1 from answer y where y.release_id = r.release_id)",
        "exists (select 1 from answer y where y.release_id = r.release_id)",
    ),
}


@dataclass(frozen=True, slots=True)
class RegisterFilter:
    """Which rows: by partner (addressee), class, case, period, kind, urgency, field id and three questions.

    `since` is inclusive, `until` exclusive. `urgent` is the path of one person. There is no filter by
    a value of a case. Raises `Refused` for what is no code.
    """

    partner: str | None = None
    recipient_class: str | None = None
    case_id: UUID | None = None
    release: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    case_kind: str | None = None
    urgency: str | None = None
    field: str | None = None
    urgent: bool | None = None
    withdrawn: bool | None = None
    unanswered: bool | None = None

    def __post_init__(self) -> None:
        wrong = [
            Issue(name, "code", "is not one of the codes")
            for name, codes in CODES.items()
            if getattr(self, name) is not None and getattr(self, name) not in codes
        ]
        wrong += [
            Issue(name, "format", "is not an id")
            for name in ("partner", "recipient_class", "release")
            if getattr(self, name) is not None and not _ID.fullmatch(getattr(self, name))
        ]
        if wrong:
            raise Refused("filter", "there is no such filter", tuple(wrong))

    def as_json(self) -> dict[str, Json]:
        """What was asked, for the record of an export: codes, ids and times."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: value if isinstance(value, bool | str) else
            events.stamp(value) if isinstance(value, datetime) else str(value)
            for name, value in found.items()
            if value is not None
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """One disclosure. `values` has every one of `COLUMNS`; nothing in it is a value of a case."""

    disclosure_id: str
    released_at: datetime
    values: Mapping[str, Any]

    def __getitem__(self, column: str) -> Any:
        return self.values[column]


def page(
    session: Session,
    actor: Actor,
    chosen: RegisterFilter | None = None,
    *,
    after: str | None = None,
    limit: int = 50,
) -> Page[RegisterRow]:
    """The register, newest first."""
    actor.needs("dpo", "releaser")
    size = paging.bounded(limit)
    where, values = _conditions(chosen or RegisterFilter())
    place = paging.read(after, 2)
    if place is not None:
        where.append("(r.released_at, r.release_id) < (:after_at, :after_id)")
        values |= {"after_at": paging.moment(place[0]), "after_id": place[1]}
    query = _QUERY.format(where=" and ".join(where) or "true", way="desc", limit="limit :limit")
    found = session.connection().execute(text(query), {**values, "limit": size + 1}).mappings()
    made = [RegisterRow(row["disclosure_id"], row["released_at"], dict(row)) for row in found]
    return paging.page_of(made, size, lambda row: (row.released_at.isoformat(), row.disclosure_id))


def rows(session: Session, chosen: RegisterFilter | None = None) -> Iterator[Mapping[str, Any]]:
    """Every row in order of release, streamed."""
    where, values = _conditions(chosen or RegisterFilter())
    # The option is the statement's: on the connection it would hold for whatever comes after.
    query = text(_QUERY.format(where=" and ".join(where) or "true", way="asc", limit=""))
    result = session.connection().execute(query.execution_options(yield_per=500), values)
    for row in result.mappings():
        yield dict(row)


def _conditions(chosen: RegisterFilter) -> tuple[list[str], dict[str, Any]]:
    """Only what is asked for stands in the statement, so that its plan is the one for that."""
    values = {name: getattr(chosen, name) for name in _WHERE if getattr(chosen, name) is not None}
    where = [_WHERE[name] for name in values]
    for name, (yes, no) in _YES_NO.items():
        asked = getattr(chosen, name)
        if asked is not None:
            where.append(yes if asked else no)
    return where, values


def to_csv(session: Session, chosen: RegisterFilter | None = None) -> Iterator[str]:
    """The register as CSV lines, in order of release."""
    return csv_lines(rows(session, chosen))


def csv_lines(
    rows: Iterable[Mapping[str, Any]], *, bom: bool = False, semicolon: bool = False
) -> Iterator[str]:
    """Rows as CSV lines: UTF-8, formula-safe, times in UTC."""
    delimiter = ";" if semicolon else ","
    yield (_BOM if bom else "") + _line(COLUMNS, delimiter)
    for row in rows:
        yield _line([cell(row[name]) for name in COLUMNS], delimiter)


def _line(cells: Any, delimiter: str) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n", delimiter=delimiter).writerow(cells)
    return buffer.getvalue()


def cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        shown = " ".join(str(v) for v in value)
    elif isinstance(value, dict):
        shown = " ".join(f"{key}:{value[key]}" for key in sorted(value))
    elif hasattr(value, "strftime"):
        shown = events.stamp(value)
    else:
        shown = str(value)
    return "'" + shown if shown[:1] in ("=", "+", "-", "@", "\t", "\r") else shown
