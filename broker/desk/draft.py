"""Draft a referral: route, minimise, package, render, lint. Everything random or dated is fixed here.

What comes out is exactly what a second person approves and what release signs (ruling 19). A draft
that breaks a rule is refused whole, with the findings, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, SQLModel, col, select

from broker.auth import Actor
from broker.core import canonical, package, reference
from broker.core.case import Case
from broker.core.confirmation import Released
from broker.core.decision import Reason
from broker.core.referral import Header
from broker.core.routing import Proposal, Route
from broker.core.rows import ADD_REASONS
from broker.desk import casefile, confirm, events, facts, partners, route, setaside
from broker.desk.casefile import DataKey
from broker.desk.compose import Composition, Ingredients, compose
from broker.desk.context import Desk
from broker.desk.facts import Channel, Facts, Standing
from broker.desk.trial import trial
from broker.errors import BrokerError, Conflict, Issue, NotFound, Refused
from broker.sealing import vault
from broker.spi import Json
from broker.store import rows, tables
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

    def __post_init__(self) -> None:
        if not set(self.add_rows.values()) <= set(ADD_REASONS):
            issue = Issue("add_rows", "code", f"a row is added for one of: {', '.join(ADD_REASONS)}")
            raise Refused("row-reason", "say why this row is added, with one of the codes", (issue,))


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


def draft_many(
    desk: Desk, session: Session, actor: Actor, addressee: str, requests: Sequence[Request]
) -> dict[UUID, str | BrokerError]:
    """Make and store a draft for each request, all of them to one addressee: its release id, or why not.

    Each is decided by itself, as in `draft`; what they share is read once, and what is stored goes in few
    statements. One that the database refuses costs the others nothing.
    """
    actor.needs("analyst")
    standing = facts.standing(desk, session, addressee)
    found = facts.gather(desk, session, addressee, [request.case_id for request in requests])
    references = _references(desk, session, standing, found.values())
    outcome: dict[UUID, str | BrokerError] = {}
    stored: dict[UUID, Sequence[SQLModel]] = {}
    for request in requests:
        known = found.pop(request.case_id)
        try:
            if isinstance(known, BrokerError):
                raise known
            released = confirm.confirmed(desk, known.case, known.claims)
            thread = _thread(desk, session, request, standing, known, released, references)
            drafted = _made(desk, request, thread, store=True)
        except BrokerError as error:
            outcome[request.case_id] = error
        else:
            outcome[request.case_id] = drafted.release
            stored[request.case_id] = _rows(desk, actor, request, thread, drafted)
    for case_id in rows.insert_each(session, stored):
        outcome[case_id] = Conflict("database-rule", "the database does not allow it; nothing was stored")
    return outcome


def _draft(
    desk: Desk, session: Session, actor: Actor, request: Request, *, store: bool, render: bool = True
) -> Drafted:
    standing = facts.standing(desk, session, request.addressee)
    urgent = None
    if request.urgent_reason is not None:
        urgent = confirm.urgent_case(desk, session, actor, request.case_id, request.urgent_reason)
    known = facts.gather(desk, session, standing.addressee.id, [request.case_id])[request.case_id]
    if isinstance(known, BrokerError):
        raise known
    released = urgent or confirm.confirmed(desk, known.case, known.claims)
    references = _references(desk, session, standing, [known])
    thread = _thread(desk, session, request, standing, known, released, references)
    drafted = _made(desk, request, thread, store=store, render=render)
    if store:
        _store(session, _rows(desk, actor, request, thread, drafted))
    return drafted


@dataclass(frozen=True, slots=True)
class _Thread:
    """Where a draft stands before it is composed: the case, its route, and the referral it continues."""

    standing: Standing
    known: Facts
    released: Released
    route: Route
    channel: Channel
    referral: tables.Referral
    new: bool
    """The referral is not stored yet."""
    element_key: bytes
    record_key: DataKey


def _thread(
    desk: Desk,
    session: Session,
    request: Request,
    standing: Standing,
    known: Facts,
    released: Released,
    references: Iterator[str],
) -> _Thread:
    """Raises `Refused` without a route, `Conflict` where this would be a second referral."""
    addressee = standing.addressee.id
    if known.stored.file.state in setaside.ASIDE:
        raise Conflict(
            "set-aside",
            "this case was set aside as having no addressee; nothing was drafted",
            "reopen it first: `broker case reopen`",
        )
    chosen = _chosen(route.proposed(desk, standing.ground, released, known.kept), addressee)
    chosen = _carried_on(standing, known, chosen)
    channel = standing.channel(desk, session, chosen.carrier)
    record_key = casefile.scope_key(desk, request.case_id, casefile.RECORD, known.stored.keys)
    referral = known.referral
    if referral is None:
        element_key = desk.random(32)
        referral = _referral(desk, request.case_id, standing, chosen, next(references))
        aad = _element_aad(referral)
        referral.element_key_wrapped = vault.encrypt(record_key.key, element_key, aad)
    elif referral.element_key_wrapped is None:
        raise Conflict("erased", "the keys of this referral were erased")
    else:
        element_key = vault.decrypt(record_key.key, referral.element_key_wrapped, _element_aad(referral))
    if request.kind == "new" and known.last_release() is not None:
        raise Conflict(
            "already-referred",
            "this partner already has a referral of this case",
            "draft a supplement or a correction: `--kind supplement`",
        )
    return _Thread(
        standing, known, released, chosen, channel, referral, known.referral is None, element_key, record_key
    )


def _made(desk: Desk, request: Request, thread: _Thread, *, store: bool, render: bool = True) -> Drafted:
    """Compose, lint, try. Raises `Refused` with every blocking finding of what would be stored."""
    standing, carrier, endpoint = thread.standing, thread.channel.carrier, thread.channel.endpoint
    composition = compose(desk, _ingredients(desk, request, thread, render))
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
    header = composition.header
    approval = package.approval_digest(
        release=header.release,
        addressee=standing.addressee.id,
        carrier=carrier.id,
        agreement_version=composition.agreement_version,
        case_version=thread.known.stored.number,
        payload_sha256=canonical.sha256_hex(composition.referral.payload),
        documents=composition.record.digests(),
        apart_sha256=composition.record.apart_sha256(),
        grounds=request.grounds,
    )
    expires = desk.pack.due("draft_life", standing.at)
    return Drafted(
        header.release, thread.referral.reference, approval, composition, standing.addressee, carrier,
        expires, store, thread.released.case,
        channel="pull" if endpoint is None else endpoint.adapter,
        notices=thread.known.kept.as_json(),
    )  # fmt: skip


def _ingredients(desk: Desk, request: Request, thread: _Thread, render: bool) -> Ingredients:
    """Everything random or dated is drawn here."""
    standing, chosen, endpoint = thread.standing, thread.route, thread.channel.endpoint
    addressee, previous = standing.addressee, thread.known.last_release()
    agreement = standing.agreement
    header = Header(
        release=desk.opaque(),
        issuer=desk.settings.issuer,
        reference=thread.referral.reference,
        version=1 if previous is None else previous.version + 1,
        kind=request.kind,
        supersedes=None if previous is None else previous.release_id,
        drafted_at=standing.at,
        addressee=partners.party(addressee),
        carrier=partners.party(thread.channel.carrier),
        language=addressee.language,  # type: ignore[arg-type]
        purposes=request.purposes or tuple(chosen.purposes),
        unconfirmed=chosen.unconfirmed,
    )
    return Ingredients(
        released=thread.released,
        header=header,
        provider=addressee.provider,
        terms=None if agreement is None or chosen.statutory else agreement[1],
        agreement_version=None if agreement is None else agreement[0],
        statutory=chosen.statutory,
        removed=chosen.fields_removed,
        grounds=request.grounds,
        clear=request.clear,
        add_rows=request.add_rows,
        element_key=thread.element_key,
        pseudonym_key=partners.pseudonym_key(desk, addressee),
        case_alias=thread.referral.case_alias,
        prior_recipients=thread.known.prior_recipients(addressee.id),
        seed=desk.random(32),
        case_salt=desk.random(16),
        channel_adapter=None if endpoint is None else endpoint.adapter,
        opens_apart=thread.channel.opens_apart,
        render=render,
    )


def _carried_on(standing: Standing, known: Facts, chosen: Route) -> Route:
    """A referral keeps its carrier, whoever routing names by now: the next version corrects what that one
    holds, and what is approved is checked against it."""
    referral = known.referral
    if referral is None or referral.carrier == chosen.carrier:
        return chosen
    if referral.carrier not in {p.id for p in standing.ground.partners if p.active and p.reachable}:
        raise _no_route((Reason("no-way-to-receive"),))
    return replace(chosen, carrier=referral.carrier)


def _chosen(proposal: Proposal, addressee: str) -> Route:
    """The route to this addressee, or `Refused` with the reasons why it may not get this case."""
    for proposed in proposal.routes:
        if proposed.addressee == addressee:
            return proposed
    raise _no_route(next((r.reasons for r in proposal.refusals if r.addressee == addressee), ()))


def _no_route(reasons: Sequence[Reason]) -> Refused:
    next_steps = [route.NEXT[reason.code] for reason in reasons if reason.code in route.NEXT]
    return Refused(
        "no-route",
        "this case is not routed to this partner",
        tuple(Issue("addressee", reason.code, reason.code.replace("-", " ")) for reason in reasons)
        or (Issue("addressee", "not-competent", "no rule of the pack makes this partner competent"),),
        hint="; ".join([*next_steps, "see every route with its reasons with `broker case show --routes`"]),
    )


def _store(session: Session, made: Sequence[SQLModel]) -> None:
    rows.insert(session, made)


def _rows(
    desk: Desk, actor: Actor, request: Request, thread: _Thread, drafted: Drafted
) -> Sequence[SQLModel]:
    """What is stored of a draft, in the order in which it has to be."""
    c, key = drafted.composition, thread.record_key
    blob = casefile.sealed(key.key, c.record.encode(), request.case_id, "draft_blob", drafted.release)
    draft_row = tables.Draft(
        id=drafted.release,
        referral_id=thread.referral.id,
        version=c.header.version,
        kind=c.header.kind,
        supersedes=c.header.supersedes,
        urgent=request.urgent_reason is not None,
        drafted_by=actor.id,
        drafted_at=c.header.drafted_at,
        expires_at=drafted.expires_at,
        case_version=thread.known.stored.number,
        agreement_version=c.agreement_version,
        purposes=list(c.header.purposes),
        approval_digest=drafted.digest,
        payload_sha256=canonical.sha256_hex(c.referral.payload),
    )
    event = events.noted(
        desk, "referral:drafted", actor.id,
        case_id=request.case_id, release_id=drafted.release, partner_id=drafted.addressee.id,
    )  # fmt: skip
    return [
        *([] if key.made is None else [key.made]),
        *([thread.referral] if thread.new else []),
        draft_row,
        tables.DraftBlob(release_id=drafted.release, blob=blob, key_id=key.id),
        event,
    ]


def _referral(
    desk: Desk, case_id: UUID, standing: Standing, chosen: Route, free_reference: str
) -> tables.Referral:
    """The one referral of (case, addressee), made on first use (Q29); its element key is still missing."""
    return tables.Referral(
        id=desk.uuid(),
        case_id=case_id,
        addressee=standing.addressee.id,
        carrier=chosen.carrier,
        reference=free_reference,
        case_alias=desk.opaque(10),
        created_at=standing.at,
    )


def _element_aad(referral: tables.Referral) -> bytes:
    return f"element_key|{referral.id}".encode()


def _references(
    desk: Desk, session: Session, standing: Standing, known: Iterable[Facts | BrokerError]
) -> Iterator[str]:
    """As many references that nobody has as there are cases without a referral; random, so that a partner
    cannot count the others' referrals."""
    wanted = sum(1 for each in known if isinstance(each, Facts) and each.referral is None)
    free: set[str] = set()
    column = col(tables.Referral.reference)
    for _ in range(64):
        numbers = (int.from_bytes(desk.random(4), "big") % 1_000_000 for _ in range(wanted - len(free)))
        drawn = {reference.make(desk.settings.reference_prefix, standing.at.year, n) for n in numbers}
        if drawn:
            free |= drawn - set(session.exec(select(column).where(column.in_(drawn))).all())
        if len(free) == wanted:
            return iter(free)
    raise Conflict("references-exhausted", "no free reference was found; use another prefix")


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
