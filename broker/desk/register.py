"""The register of disclosures: one row for each release and recipient, payload-free (domain.md §10).

It answers who received what kind of field, under which agreement, when, and what came back; it holds
no value of a case and survives erasure.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

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
from release r
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
where (cast(:partner as text) is null or r.addressee = :partner)
  and (cast(:case_id as uuid) is null or r.case_id = :case_id)
order by r.released_at, r.release_id
"""


def rows(
    session: Session, *, partner: str | None = None, case_id: str | None = None
) -> Iterator[Mapping[str, Any]]:
    """Register rows in order of release, streamed; filtered by addressee or case."""
    # The option is the statement's: on the connection it would hold for whatever comes after.
    query = text(_QUERY).execution_options(yield_per=500)
    result = session.connection().execute(query, {"partner": partner, "case_id": case_id})
    for row in result.mappings():
        yield dict(row)


def to_csv(session: Session, *, partner: str | None = None, case_id: str | None = None) -> Iterator[str]:
    """The register as CSV lines: UTF-8, comma, formula-safe, times in UTC."""
    yield _line(COLUMNS)
    for row in rows(session, partner=partner, case_id=case_id):
        yield _line([_cell(row[name]) for name in COLUMNS])


def _line(cells: Any) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(str(v) for v in value)
    if isinstance(value, dict):
        return " ".join(f"{key}:{value[key]}" for key in sorted(value))
    if hasattr(value, "strftime"):
        from broker.desk.events import stamp

        return stamp(value)
    shown = str(value)
    return "'" + shown if shown[:1] in ("=", "+", "-", "@", "\t", "\r") else shown
