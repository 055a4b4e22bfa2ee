"""Draft a referral: route, minimise, package, render, lint. Everything random or dated is fixed here.

What comes out is exactly what a second person approves and what release signs (ruling 19). A draft
that breaks a rule is refused whole, with the findings, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core import canonical, package, reference
from broker.core.case import Case
from broker.core.confirmation import Released
from broker.core.referral import Header
from broker.core.routing import Route
from broker.desk import agreements, casefile, confirm, endpoints, events, hold, partners, route
from broker.desk.compose import Composition, Ingredients, compose
from broker.desk.context import Desk
from broker.desk.trial import trial
from broker.errors import Conflict, Issue, NotFound, Refused
from broker.sealing import vault
from broker.spi import Json
from broker.store import tables
from broker.store.engine import unit_of_work


@dataclass(frozen=True, slots=True)
class Request:
    """What an analyst asks for. `grounds` are coded, by field; `clear` is masked text by pointer (with
    local ids)."""

    case_id: UUID
    addressee: str
    purposes: tuple[str, ...] = ()
    kind: str = "new"
    grounds: Mapping[str, str] = field(default_factory=dict)
    clear: Mapping[str, str] = field(default_factory=dict)
    add_rows: Mapping[str, str] = field(default_factory=dict)
    urgent_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Drafted:
    """A stored draft, or with `stored=False` a preview of one."""

    release: str
    reference: str
    digest: str
    composition: Composition
    addressee: tables.Partner
    carrier: tables.Partner
    expires_at: datetime
    stored: bool
    case: Case
    """What it was made of; for the preview, never stored with the draft."""
    channel: str = "pull"
    notices: Mapping[str, Json] = field(default_factory=dict)
    """What keeps notices to providers about this case back: police holds, the wait for the police."""


def draft(desk: Desk, session: Session, actor: Actor, request: Request) -> Drafted:
    """Make and store a draft. Raises `Refused` with every blocking finding; then nothing is stored."""
    actor.needs("analyst")
    return _draft(desk, session, actor, request, store=True)


def preview(
    desk: Desk, session: Session, actor: Actor, request: Request, *, documents: bool = True
) -> Drafted:
    """The same path without storing: what this recipient would get, and what blocks it.

    Without `documents` nothing is rendered: what only a document can show blocks the draft itself.
    """
    actor.needs("analyst", "releaser")
    nested = session.begin_nested()
    try:
        return _draft(desk, session, actor, request, store=False, render=documents)
    finally:
        nested.rollback()


def _draft(
    desk: Desk, session: Session, actor: Actor, request: Request, *, store: bool, render: bool = True
) -> Drafted:
    now = desk.now()
    addressee = partners.get(session, request.addressee)
    if request.urgent_reason is None:
        released: Released = confirm.released_case(desk, session, request.case_id)
    else:
        released = confirm.urgent_case(desk, session, actor, request.case_id, request.urgent_reason)
    file = session.get_one(tables.CaseFile, request.case_id)
    chosen = routing_of(desk, session, request.case_id, released, addressee, now)
    carrier = partners.get(session, chosen.carrier)
    endpoint = endpoints.channel_of(desk, session, carrier.id)
    agreement = agreements.terms_in_force(session, addressee.id, now)
    terms = None if agreement is None or chosen.statutory else agreement[1]
    referral, element_key = _referral(desk, session, request.case_id, addressee, carrier, now)
    previous = _last_release(session, referral.id)
    if previous is not None and request.kind == "new":
        raise Conflict(
            "already-referred",
            "this partner already has a referral of this case",
            "draft a supplement or a correction: `--kind supplement`",
        )
    purposes = request.purposes or tuple(chosen.purposes)
    header = Header(
        release=desk.opaque(),
        issuer=desk.settings.issuer,
        reference=referral.reference,
        version=1 if previous is None else previous.version + 1,
        kind=request.kind,
        supersedes=None if previous is None else previous.release_id,
        drafted_at=now,
        addressee=partners.party(addressee),
        carrier=partners.party(carrier),
        language=addressee.language,  # type: ignore[arg-type]
        purposes=purposes,
        unconfirmed=chosen.unconfirmed,
    )
    composition = compose(
        desk,
        Ingredients(
            released=released,
            header=header,
            provider=addressee.provider,
            terms=terms,
            agreement_version=None if agreement is None else agreement[0],
            statutory=chosen.statutory,
            removed=chosen.fields_removed,
            grounds=request.grounds,
            clear=request.clear,
            add_rows=request.add_rows,
            element_key=element_key,
            pseudonym_key=partners.pseudonym_key(desk, addressee),
            case_alias=referral.case_alias,
            prior_recipients=_prior_recipients(session, request.case_id, addressee.id),
            seed=desk.random(32),
            case_salt=desk.random(16),
            channel_adapter=None if endpoint is None else endpoint.adapter,
            render=render,
        ),
    )
    blocking = [f for f in composition.findings if f.severity == "block"]
    if blocking and store:
        raise Refused(
            "draft-blocked",
            f"the draft was not made: {len(blocking)} finding(s) block it; nothing was stored",
            tuple(Issue(f.pointer, f.code, f.code.replace("-", " ")) for f in blocking),
            hint="see them in full with `broker referral preview`",
        )
    if not blocking and render:
        trial(desk, composition.record)
    approval = package.approval_digest(
        release=header.release,
        addressee=addressee.id,
        carrier=carrier.id,
        agreement_version=composition.agreement_version,
        case_version=file.current_version,
        payload_sha256=canonical.sha256_hex(composition.referral.payload),
        documents=composition.record.digests(),
        apart_sha256=composition.record.apart_sha256(),
        grounds=request.grounds,
    )
    expires = desk.pack.due("draft_life", now)
    result = Drafted(
        header.release, referral.reference, approval, composition, addressee, carrier, expires, store,
        released.case,
        channel="pull" if endpoint is None else endpoint.adapter,
        notices=hold.notices(desk, session, request.case_id, released.case.data),
    )  # fmt: skip
    if store:
        _store(desk, session, actor, request, result, referral, file.current_version)
    return result


def routing_of(
    desk: Desk,
    session: Session,
    case_id: UUID,
    released: Released,
    addressee: tables.Partner,
    now: datetime,
) -> Route:
    """The route to this addressee, or `Refused` with the reasons why it may not get this case."""
    found = route.routes(desk, session, case_id, released, now)
    for proposed in found.routes:
        if proposed.addressee == addressee.id:
            return proposed
    reasons = next((r.reasons for r in found.refusals if r.addressee == addressee.id), ())
    raise Refused(
        "no-route",
        "this case is not routed to this partner",
        tuple(Issue("addressee", reason.code, reason.code.replace("-", " ")) for reason in reasons)
        or (Issue("addressee", "not-competent", "no rule of the pack makes this partner competent"),),
        hint="see every route with its reasons with `broker case show --routes`",
    )


def _store(
    desk: Desk,
    session: Session,
    actor: Actor,
    request: Request,
    result: Drafted,
    referral: tables.Referral,
    case_version: int,
) -> None:
    c = result.composition
    session.add(
        tables.Draft(
            id=result.release,
            referral_id=referral.id,
            version=c.header.version,
            kind=c.header.kind,
            supersedes=c.header.supersedes,
            urgent=request.urgent_reason is not None,
            drafted_by=actor.id,
            drafted_at=c.header.drafted_at,
            expires_at=result.expires_at,
            case_version=case_version,
            agreement_version=c.agreement_version,
            purposes=list(c.header.purposes),
            approval_digest=result.digest,
            payload_sha256=canonical.sha256_hex(c.referral.payload),
        )
    )
    session.flush()
    key_id, blob = casefile.seal_blob(
        desk, session, request.case_id, "draft_blob", result.release, c.record.encode()
    )
    session.add(tables.DraftBlob(release_id=result.release, blob=blob, key_id=key_id))
    session.flush()
    events.note(
        desk, session, "referral:drafted", actor.id,
        case_id=request.case_id, release_id=result.release, partner_id=result.addressee.id,
    )  # fmt: skip


def _referral(
    desk: Desk,
    session: Session,
    case_id: UUID,
    addressee: tables.Partner,
    carrier: tables.Partner,
    now: datetime,
) -> tuple[tables.Referral, bytes]:
    """The one referral of (case, addressee) and its element key; made on first use (Q29)."""
    row = session.exec(
        select(tables.Referral).where(
            col(tables.Referral.case_id) == case_id, col(tables.Referral.addressee) == addressee.id
        )
    ).first()
    if row is None:
        referral_id, element_key = desk.uuid(), desk.random(32)
        _, key = casefile.data_key(desk, session, case_id, casefile.RECORD)
        wrapped = vault.encrypt(key, element_key, f"element_key|{referral_id}".encode())
        row = tables.Referral(
            id=referral_id,
            case_id=case_id,
            addressee=addressee.id,
            carrier=carrier.id,
            reference=_free_reference(desk, session, now),
            case_alias=desk.opaque(10),
            element_key_wrapped=wrapped,
            created_at=now,
        )
        session.add(row)
        session.flush()
        return row, element_key
    if row.element_key_wrapped is None:
        raise Conflict("erased", "the keys of this referral were erased")
    _, key = casefile.data_key(desk, session, case_id, casefile.RECORD)
    return row, vault.decrypt(key, row.element_key_wrapped, f"element_key|{row.id}".encode())


def _free_reference(desk: Desk, session: Session, now: datetime) -> str:
    """A reference nobody has; random, so that a partner cannot count the others' referrals."""
    for _ in range(64):
        number = int.from_bytes(desk.random(4), "big") % 1_000_000
        text = reference.make(desk.settings.reference_prefix, now.year, number)
        taken = select(tables.Referral.id).where(col(tables.Referral.reference) == text)
        if session.exec(taken).first() is None:
            return text
    raise Conflict("references-exhausted", "no free reference was found; use another prefix")


def _last_release(session: Session, referral_id: UUID) -> tables.Release | None:
    return session.exec(
        select(tables.Release)
        .where(col(tables.Release.referral_id) == referral_id)
        .order_by(col(tables.Release.version).desc())
    ).first()


def _prior_recipients(session: Session, case_id: UUID, but: str) -> list[dict[str, str]]:
    rows = session.exec(
        select(tables.Release)
        .where(col(tables.Release.case_id) == case_id, col(tables.Release.addressee) != but)
        .order_by(col(tables.Release.released_at), col(tables.Release.release_id))
    )
    return [
        {"partner_type": r.addressee_class, "at": r.released_at.strftime("%Y-%m-%dT%H:%M:%SZ")} for r in rows
    ]


def refuse(desk: Desk, session: Session, actor: Actor, release: str, code: str) -> None:
    """Turn a draft down for good. Its header stays; its content goes."""
    actor.needs("analyst", "releaser")
    if session.get(tables.Draft, release) is None:
        raise NotFound("draft")
    drop(desk, session, release, actor.id, code)


def drop(desk: Desk, session: Session, release: str, by: str | None, code: str) -> None:
    """Close a draft (turned down, expired, overtaken); idempotent."""
    if session.get(tables.DraftRefusal, release) is not None:
        return
    session.add(tables.DraftRefusal(release_id=release, by=by, at=desk.now(), code=code))
    blob = session.get(tables.DraftBlob, release)
    if blob is not None:
        session.delete(blob)
    events.note(desk, session, f"referral:draft-{code}", by or "broker", release_id=release)
    session.flush()


def expire_old(desk: Desk) -> int:
    """Close drafts whose life is over and that nobody approved. Returns how many."""
    approved = select(tables.Approval.release_id)
    closed = select(tables.DraftRefusal.release_id)
    with unit_of_work(desk.db) as session:
        old = session.exec(
            select(tables.Draft.id).where(
                col(tables.Draft.expires_at) <= desk.now(),
                col(tables.Draft.id).not_in(approved),
                col(tables.Draft.id).not_in(closed),
            )
        ).all()
        for release in old:
            drop(desk, session, release, None, "expired")
    return len(old)
