"""Release: a second person approves a digest; the signer checks again, signs, encrypts, commits.

Approval is stored by any process, signing happens only here (ruling 29). Everything that was fixed
at draft stays; this adds signatures and encryption, so a crash before the commit signs again and
only what was stored was released.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core import package
from broker.desk import casefile, deliver, draft, endpoints, events, gates
from broker.desk.context import Desk
from broker.desk.record import Record
from broker.desk.sign import Sealed, sign
from broker.errors import BrokerError, Conflict, Issue, NotFound, Refused
from broker.observe import log
from broker.store import tables
from broker.store.engine import unit_of_work

MAX_BATCH = 50
SINGLE = {
    "justified": "holds a justified field, cleared text or an added row: release it singly",
    "urgent": "is urgent: release it singly",
    "minor": "concerns a minor: release it singly",
}
"""Why a draft is not for a batch."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One draft and the digest that the releaser saw for it."""

    release: str
    digest: str


def approve(desk: Desk, session: Session, actor: Actor, choices: Sequence[Choice]) -> str | None:
    """Approve one draft, or several as a batch (the digest of the sorted list is kept with each).

    Raises `Conflict` for one's own draft, an expired or closed one, or another digest than shown.
    """
    if not choices or len(choices) > MAX_BATCH:
        raise Refused("batch", f"a batch has 1 to {MAX_BATCH} drafts")
    rows = [_draft_for(desk, session, choice) for choice in choices]
    batch = None
    if len(choices) > 1:
        _check_batch(desk, session, rows)
        batch = package.batch_digest([choice.digest for choice in choices])
    for row in rows:
        if row.urgent:
            actor.needs("analyst", "releaser")
        else:
            actor.needs("releaser")
        if row.drafted_by == actor.id and not row.urgent:
            raise Conflict("own-draft", "you drafted this; another person has to release it")
        session.add(
            tables.Approval(
                release_id=row.id,
                kind="release",
                approved_by=actor.id,
                drafted_by=row.drafted_by,
                urgent=row.urgent,
                digest=row.approval_digest,
                at=desk.now(),
                batch=batch,
            )
        )
        session.flush()
        events.note(desk, session, "referral:approved", actor.id, release_id=row.id)
    return batch


def approve_afterwards(desk: Desk, session: Session, actor: Actor, release: str) -> None:
    """The retrospective approval of an urgent release, by somebody else than who sent it."""
    actor.needs("releaser")
    row = session.get(tables.Release, release)
    if row is None or not row.urgent:
        raise NotFound("urgent release")
    if row.drafted_by == actor.id:
        raise Conflict("own-draft", "you sent this; another person has to look at it")
    session.add(
        tables.Approval(
            release_id=release,
            kind="retrospective",
            approved_by=actor.id,
            drafted_by=row.drafted_by,
            urgent=True,
            digest=row.approval_digest,
            at=desk.now(),
        )
    )
    events.note(desk, session, "referral:approved-afterwards", actor.id, release_id=release)
    session.flush()


def sign_approved(desk: Desk, limit: int = 100) -> int:
    """The signer's round: sign what is approved and not yet released. Returns how many were released.

    Each release is a transaction of its own; one that fails its checks is closed with a code and
    returns to the analyst's list, one that fails otherwise stays and is tried again.
    """
    with unit_of_work(desk.db) as session:
        waiting = _approved_ids(session, limit)
    done = 0
    for release in waiting:
        try:
            with unit_of_work(desk.db) as session:
                done += _release_one(desk, session, release)
        except BrokerError as error:
            log.warning("release-not-signed", release=release, code=error.code)
        except Exception as error:
            # Whatever is wrong with one release must not hold up the others behind it.
            log.error("release-not-signed", release=release, exc_info=error)
    return done


def _release_one(desk: Desk, session: Session, release: str) -> int:
    if not _take(session, release):
        return 0
    row = session.get(tables.Draft, release)
    if row is None or session.get(tables.Release, release) is not None:
        return 0
    code = gates.stale(desk, session, row)
    if code is not None:
        draft.drop(desk, session, release, None, code)
        return 0
    record, referral = load(desk, session, row)
    code = gates.lapsed(desk, session, record)
    if code is not None:
        draft.drop(desk, session, release, None, code)
        return 0
    approval = session.get_one(tables.Approval, (release, "release"))
    carrier_keys = None
    pulls = endpoints.channel_of(desk, session, referral.carrier) is None
    if pulls and not endpoints.reads_inbox(desk, session, referral.carrier):
        carrier_keys = gates.carrier_keys(desk, session, referral.carrier, apart=bool(record.apart))
    sealed = sign(desk, record, carrier_keys, row.drafted_at)
    _commit(desk, session, row, referral, approval, record, sealed)
    return 1


def _take(session: Session, release: str) -> bool:
    """One signer at a time for a draft; the lock ends with the transaction."""
    query = text("select pg_try_advisory_xact_lock(hashtextextended(:release, 0))")
    return bool(session.connection().execute(query, {"release": release}).scalar())


def load(desk: Desk, session: Session, row: tables.Draft) -> tuple[Record, tables.Referral]:
    """Open a draft and check that it still is what its digest says."""
    referral = session.get_one(tables.Referral, row.referral_id)
    blob = session.get(tables.DraftBlob, row.id)
    if blob is None:
        raise Conflict("draft-closed", "this draft was closed; its content is gone")
    record = Record.decode(
        casefile.open_blob(desk, session, referral.case_id, "draft_blob", row.id, blob.key_id, blob.blob)
    )
    again = package.approval_digest(
        release=row.id,
        addressee=referral.addressee,
        carrier=referral.carrier,
        agreement_version=row.agreement_version,
        case_version=row.case_version,
        payload_sha256=row.payload_sha256,
        documents=record.digests(),
        apart_sha256=record.apart_sha256(),
        grounds=record.grounds,
    )
    if again != row.approval_digest or record.payload_sha256() != row.payload_sha256:
        raise Conflict("draft-changed", "the stored draft is not what was approved; it was not signed")
    return record, referral


def _commit(
    desk: Desk,
    session: Session,
    row: tables.Draft,
    referral: tables.Referral,
    approval: tables.Approval,
    record: Record,
    sealed: Sealed,
) -> None:
    now = desk.now()
    urgent_now = row.urgent or record.urgency == "U1"
    due = now if urgent_now else gates.after_regret(desk, now)
    addressee = session.get_one(tables.Partner, referral.addressee)
    deadline = gates.deadline(desk, record.urgency, due)
    sizes = sealed.sizes()
    released = tables.Release(
        release_id=row.id,
        referral_id=referral.id,
        version=row.version,
        kind=row.kind,
        supersedes=row.supersedes,
        addressee=referral.addressee,
        addressee_class=addressee.recipient_class,
        carrier=referral.carrier,
        agreement_version=row.agreement_version,
        case_id=referral.case_id,
        case_version=row.case_version,
        matrix_digest=desk.pack.matrix_digest,
        payload_sha256=row.payload_sha256,
        seal_sha256=sealed.seal_sha256,
        root=sealed.root.hex(),
        depth=sealed.depth,
        approval_digest=row.approval_digest,
        drafted_by=row.drafted_by,
        approved_by=approval.approved_by,
        urgent=row.urgent,
        urgency=record.urgency,
        case_kind=record.case_kind,
        purposes=row.purposes,
        fields=dict(record.fields),
        conditions=[c["code"] for c in record.conditions],
        gaps=list(record.gaps),
        score=record.score,
        documents=[d.as_json() for d in sealed.documents],
        sizes=sizes,
        key_ids=sealed.key_ids,
        released_at=now,
        due_at=due,
        deadline=deadline,
        window_from_first_collection=gates.window_days(desk, session, row, referral.addressee),
    )
    session.add(released)
    session.flush()
    key_id, blob = casefile.seal_blob(
        desk, session, referral.case_id, "release_record", row.id, sealed.record.encode()
    )
    session.add(tables.ReleaseRecord(release_id=row.id, blob=blob, key_id=key_id))
    for part in sealed.parts:
        session.add(part.row(row.id, referral.carrier))
    content = session.get(tables.DraftBlob, row.id)
    if content is not None:
        session.delete(content)
    session.flush()
    endpoint = endpoints.channel_of(desk, session, referral.carrier)
    if endpoint is not None:
        deliver.open_for(desk, session, released, endpoint)
    publish(desk, session, released, referral.reference, pulled=endpoint is None)


def shown_codes(released: tables.Release) -> dict[str, str]:
    """Urgency and kind of case as a feed row says them: who does not get them (F06, F84) sees the same
    row for every case (ruling 1)."""
    return {
        "urgency": released.urgency if released.fields.get("F06") == "F" else "U4",
        "caseKind": released.case_kind if released.fields.get("F84") == "F" else "content_report",
    }


def publish(
    desk: Desk, session: Session, released: tables.Release, reference: str, *, pulled: bool = True
) -> None:
    """Leaf `approved` at once, leaf `published` with its feed row when due (ruling 13).

    A carrier that does not pull has no feed: its delivery starts once the leaf has its position.
    """
    at = events.stamp(released.released_at)
    events.leaf(
        desk, session, "approved", "referral:released", released.approved_by,
        {"release": released.release_id, "approval_digest": released.approval_digest,
         "approved_by": released.approved_by, "drafted_by": released.drafted_by, "at": at},
        release_id=released.release_id, case_id=released.case_id,
    )  # fmt: skip
    events.leaf(
        desk, session, "published", "referral:published", "broker",
        {"at": events.stamp(released.due_at), "carrier": released.carrier, "kind": released.kind,
         "release": released.release_id, "seal_sha256": released.seal_sha256},
        release_id=released.release_id, case_id=released.case_id, partner_id=released.carrier,
        due_at=released.due_at,
        feed=None if not pulled else {
            "href": f"/v1/referrals/{released.release_id}",
            "release": released.release_id,
            "event": "published",
            "reference": reference,
            "version": released.version,
            "kind": released.kind,
            "supersedes": released.supersedes,
            **shown_codes(released),
            "sizes": released.sizes,
            "deadline": events.stamp(released.deadline)
            if released.deadline and released.fields.get("F06") == "F"
            else None,
        },
    )  # fmt: skip


def _draft_for(desk: Desk, session: Session, choice: Choice) -> tables.Draft:
    row = session.get(tables.Draft, choice.release)
    if row is None:
        raise NotFound("draft")
    if session.get(tables.DraftRefusal, row.id) is not None:
        raise Conflict("draft-closed", "this draft was closed; draft it anew")
    if session.get(tables.Approval, (row.id, "release")) is not None:
        raise Conflict("already-approved", "this draft is approved already")
    if row.expires_at <= desk.now():
        raise Conflict("draft-expired", "a draft lives 24 hours; draft it anew")
    if row.approval_digest != choice.digest:
        raise Conflict("other-digest", "this is not the draft you looked at; look at it again")
    return row


def singly(row: tables.Draft, record: Record) -> tuple[str, ...]:
    """Why a draft has to be looked at by itself, as codes of `SINGLE`; empty where it may go in a batch."""
    justified = bool(record.grounds or record.cleared or record.apart or record.extra.get("added"))
    urgent = record.urgency in ("U1", "U2") or row.urgent
    found = {"justified": justified, "urgent": urgent, "minor": bool(record.extra.get("minor"))}
    return tuple(code for code, holds in found.items() if holds)


def _check_batch(desk: Desk, session: Session, rows: Sequence[tables.Draft]) -> None:
    """Only what needs no second thought goes in a batch: same agreement, no C field, no cleared text…"""
    issues: list[Issue] = []
    agreed: set[tuple[str, int | None]] = set()
    for row in rows:
        record, referral = load(desk, session, row)
        agreed.add((referral.addressee, row.agreement_version))
        issues += [Issue(row.id, "single", SINGLE[code]) for code in singly(row, record)]
    if len(agreed) > 1:
        issues.insert(0, Issue("batch", "agreement", "the drafts are under different agreement versions"))
    if issues:
        raise Refused("batch", "this batch was not approved", tuple(issues))


def _approved_ids(session: Session, limit: int) -> list[str]:
    released = select(tables.Release.release_id).where(
        col(tables.Release.release_id) == col(tables.Approval.release_id)
    )
    closed = select(tables.DraftRefusal.release_id).where(
        col(tables.DraftRefusal.release_id) == col(tables.Approval.release_id)
    )
    return list(
        session.exec(
            select(tables.Approval.release_id)
            .where(col(tables.Approval.kind) == "release", ~released.exists(), ~closed.exists())
            .order_by(col(tables.Approval.at), col(tables.Approval.release_id))
            .limit(limit)
        )
    )
