"""Partners: registration with pinned keys, their keys over time, suspension."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.desk import events
from broker.desk.context import Desk
from broker.errors import Conflict, Issue, NotFound, Refused
from broker.sealing import jose, vault
from broker.spi import Json, Party
from broker.store import tables

KEY_LIFE = timedelta(days=400)
USES = ("auth", "dpop", "enc", "apart", "receipt")
_KID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
REQUIRED_USES = ("auth", "dpop", "enc", "receipt")
TOOL = "OWN"
"""Class of the hotline's own tool: it submits cases and receives nothing."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key as the partner registered it: its `kid` is the partner's."""

    use: str
    kid: str
    jwk: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Registration:
    """The partner's registration file, checked: public keys by use."""

    keys: tuple[Key, ...]

    @classmethod
    def read(cls, document: Json, *, tool: bool = False) -> Registration:
        """Raises `Refused` when a key is missing, private, no P-256 key, of no known use, or there twice
        (docs/spec/registration.md)."""
        issues: list[Issue] = []
        keys: list[Key] = []
        for n, entry in enumerate(document.get("keys", []) if isinstance(document, dict) else []):
            try:
                jwk = {name: entry["jwk"][name] for name in ("kty", "crv", "x", "y")}
                if jose.thumbprint(entry["jwk"]) != entry["thumbprint"]:
                    raise ValueError
                keys.append(Key(str(entry["use"]), str(entry["kid"]), jwk))
            except (Refused, ValueError, KeyError, TypeError):
                issues.append(
                    Issue(f"/keys/{n}", "public-key", "must be a public P-256 key with its thumbprint")
                )
            else:
                issues += _issues(f"/keys/{n}", keys[-1], keys[:-1])
        uses = {key.use for key in keys}
        required = ("auth", "dpop") if tool else REQUIRED_USES
        issues += [Issue("/keys", "required", f"has no key for {use}") for use in required if use not in uses]
        if issues:
            raise Refused("registration", "the registration file was not accepted", tuple(issues))
        return cls(tuple(keys))


def _issues(at: str, key: Key, before: Sequence[Key]) -> Iterator[Issue]:
    """A kid goes into the header of what is sealed, and one key for two uses would undo their parting."""
    if not _KID.fullmatch(key.kid):
        yield Issue(f"{at}/kid", "format", "must be 1 to 64 letters, digits or . _ ~ -")
    if key.use not in USES:
        yield Issue(f"{at}/use", "code", f"must be one of {', '.join(USES)}")
    if any(key.kid == other.kid or key.jwk == other.jwk for other in before):
        yield Issue(at, "duplicate", "has a kid or a key that stands there already: each use has its own")


def register(
    desk: Desk,
    session: Session,
    actor: Actor,
    registration: Registration,
    *,
    name: str,
    recipient_class: str,
    country: str,
    language: str,
    provider: str | None = None,
    software: str | None = None,
) -> tables.Partner:
    """Add a partner with its pinned keys. It can pull nothing until an agreement or a statute lets it."""
    actor.needs("administrator", "key_custodian")
    if recipient_class != TOOL and recipient_class not in desk.pack.classes:
        raise Refused(
            "recipient-class",
            "the pack has no such recipient class",
            (Issue("class", "code", "is not a recipient class of the pack"),),
        )
    now = desk.now()
    epoch, epoch_key = desk.vault().current(now)
    partner_id = "pt_" + desk.opaque(10)
    wrapped = vault.wrap(epoch_key, desk.random(32), f"pseudonym|{partner_id}".encode())
    partner = tables.Partner(
        id=partner_id,
        name=name,
        recipient_class=recipient_class,
        country=country,
        provider=provider,
        language=language,
        client_id=partner_id,
        software=software,
        environment=desk.settings.environment,
        pseudonym_key_wrapped=epoch.encode() + b"|" + wrapped,
        status="active",
        created_at=now,
    )
    session.add(partner)
    session.flush()
    for key in registration.keys:
        add_key(desk, session, partner.id, key)
    thumbprints = sorted(jose.thumbprint(key.jwk) for key in registration.keys)
    events.leaf(
        desk, session, "key", "partner:registered", actor.id,
        {"partner": partner.id, "class": recipient_class, "keys": thumbprints},
        partner_id=partner.id,
    )  # fmt: skip
    return partner


def add_key(desk: Desk, session: Session, partner_id: str, key: Key) -> None:
    """Pin a public key for one use, under the kid the partner gave it."""
    now = desk.now()
    session.add(
        tables.PartnerKey(
            partner_id=partner_id,
            kid=key.kid,
            use=key.use,
            jwk=dict(key.jwk),
            not_before=now,
            not_after=now + KEY_LIFE,
        )
    )
    session.flush()


def add_keys(
    desk: Desk, session: Session, actor: Actor, partner_id: str, registration: Registration
) -> tuple[Key, ...]:
    """Pin the keys of a later registration file beside the present ones; known kids stay as they are."""
    actor.needs("administrator", "key_custodian")
    get(session, partner_id)
    known = set(
        session.exec(
            select(tables.PartnerKey.kid).where(col(tables.PartnerKey.partner_id) == partner_id)
        ).all()
    )
    fresh = tuple(key for key in registration.keys if key.kid not in known)
    for key in fresh:
        add_key(desk, session, partner_id, key)
    if fresh:
        thumbprints = sorted(jose.thumbprint(key.jwk) for key in fresh)
        events.leaf(
            desk, session, "key", "partner:keys-added", actor.id,
            {"partner": partner_id, "keys": thumbprints}, partner_id=partner_id,
        )  # fmt: skip
    return fresh


def revoke_key(desk: Desk, session: Session, actor: Actor, partner_id: str, kid: str) -> None:
    """Stop trusting a partner's key at once. Receipts it signed before stay valid evidence."""
    actor.needs("administrator", "key_custodian")
    row = session.get(tables.PartnerKey, (partner_id, kid))
    if row is None:
        raise NotFound("key")
    if row.revoked_at is not None:
        raise Conflict("revoked", "this key was revoked already")
    row.revoked_at = desk.now()
    session.add(row)
    events.leaf(
        desk, session, "key", "partner:key-revoked", actor.id,
        {"partner": partner_id, "key": jose.thumbprint(row.jwk)}, partner_id=partner_id,
    )  # fmt: skip


def current_key(session: Session, partner_id: str, use: str, now: datetime) -> tables.PartnerKey | None:
    """The newest valid key of a partner for a use."""
    return session.exec(
        select(tables.PartnerKey)
        .where(
            col(tables.PartnerKey.partner_id) == partner_id,
            col(tables.PartnerKey.use) == use,
            col(tables.PartnerKey.revoked_at).is_(None),
            col(tables.PartnerKey.not_before) <= now,
            col(tables.PartnerKey.not_after) > now,
        )
        .order_by(col(tables.PartnerKey.not_before).desc(), col(tables.PartnerKey.kid))
    ).first()


def pseudonym_key(desk: Desk, partner: tables.Partner) -> bytes:
    """The partner's random pseudonym key; without it nobody can link its pseudonyms to anything."""
    if partner.pseudonym_key_wrapped is None:
        raise Conflict("erased", "the partner's pseudonym key was erased")
    epoch, wrapped = partner.pseudonym_key_wrapped.split(b"|", 1)
    return vault.unwrap(desk.vault().get(epoch.decode()), wrapped, f"pseudonym|{partner.id}".encode())


def get(session: Session, partner_id: str) -> tables.Partner:
    """A partner by id. Raises `NotFound`."""
    partner = session.get(tables.Partner, partner_id)
    if partner is None:
        raise NotFound("partner")
    return partner


def party(partner: tables.Partner) -> Party:
    """The partner as it stands in a referral."""
    return Party(partner.id, partner.recipient_class, partner.country, partner.name)


def set_status(desk: Desk, session: Session, actor: Actor, partner_id: str, status: str) -> None:
    """Suspend a partner or let it in again. Checked on each request, so it works at once."""
    actor.needs("administrator", "dpo", "key_custodian")
    partner = get(session, partner_id)
    partner.status = status
    session.add(partner)
    events.note(desk, session, f"partner:{status}", actor.id, partner_id=partner_id)
