"""Step-up: somebody signed in proves afresh who they are, for one digest, and the proof is kept.

The WebAuthn challenge is the SHA-256 digest of what is released or erased itself (64 hex digits: a draft's
approval digest, a batch's digest, the digest of the list of what goes), so that the signature is evidence
of what was approved. Without a passkey a fresh one-time code does; it proves the person and the time, not
the digest.

    asked = step_up.begin(session, site, staff_id, digest, now)          # asked.handle, asked.options
    step_up.finish_passkey(session, site, staff_id, asked.handle, answer, now)
    step_up.finish_totp(session, key, staff_id, digest, code, now)       # instead, without `begin`
    step_up.require(session, staff_id, digest, now)                      # before `release.approve`

An assertion counts once: its fingerprint is unique in the database, because a passkey whose counter
stays zero would otherwise sign the same digest again without anybody touching it.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timedelta
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from sqlmodel import Session, col, select

from broker.auth import flows, passkeys, totp
from broker.auth.passkeys import Ceremony, Site
from broker.auth.people import standing
from broker.errors import Forbidden, NotAuthentic, Refused
from broker.store import tables

Purpose = Literal["release", "erase"]
FRESH = timedelta(minutes=5)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def begin(
    session: Session, site: Site, staff_id: str, digest: str, now: datetime, *, purpose: Purpose = "release"
) -> Ceremony:
    """Options to sign the digest with one of the person's passkeys.

    Raises `Forbidden("no-passkey")` when they have none: ask for a one-time code.
    """
    challenge = _octets(digest)
    _of_staff(session, staff_id, now)
    allow = passkeys.descriptors(session, staff_id)
    if not allow:
        raise Forbidden("no-passkey", "this account has no passkey; use a one-time code")
    handle = flows.begin(
        session, "step-up", now, account_id=staff_id, challenge=challenge, data={"purpose": purpose}
    )
    return Ceremony(handle, passkeys.request_options(site, challenge, allow))


def finish_passkey(
    session: Session, site: Site, staff_id: str, handle: str, answer: str, now: datetime
) -> None:
    """Verify the signed digest and store it as evidence. Raises `Forbidden("passkey" | "flow")`."""
    waiting = flows.take(session, "step-up", handle, now)
    if waiting.account_id != staff_id:
        raise passkeys.refused()
    _of_staff(session, staff_id, now)
    used = passkeys.check(session, site, waiting.challenge, answer, now)
    if used.row.account_id != staff_id:
        raise passkeys.refused()
    table, fingerprint = tables.StepUpEvidence, _fingerprint(used.assertion)
    if session.exec(select(table.id).where(col(table.fingerprint) == fingerprint)).first() is not None:
        raise passkeys.refused()
    session.add(
        table(
            staff_id=staff_id,
            purpose=waiting.data["purpose"],
            digest=waiting.challenge.hex(),
            method="passkey",
            assertion=used.assertion,
            public_key=used.row.public_key,
            fingerprint=fingerprint,
            totp_step=None,
            at=now,
        )
    )
    session.flush()


def finish_totp(
    session: Session,
    key: bytes,
    staff_id: str,
    digest: str,
    code: str,
    now: datetime,
    *,
    purpose: Purpose = "release",
) -> None:
    """Take a one-time code that was not used before as evidence for the digest.

    Raises `Forbidden("code" | "wait")`; a code that signed in does not count again.
    """
    _octets(digest)
    step = totp.verify(session, key, staff_id, code, now)
    _of_staff(session, staff_id, now)
    session.add(
        tables.StepUpEvidence(
            staff_id=staff_id,
            purpose=purpose,
            digest=digest,
            method="totp",
            assertion=None,
            public_key=None,
            fingerprint=None,
            totp_step=step,
            at=now,
        )
    )
    session.flush()


def fresh(
    session: Session, staff_id: str, digest: str, now: datetime, *, purpose: Purpose = "release"
) -> bool:
    """Whether the person proved themselves for this digest in the last five minutes."""
    table = tables.StepUpEvidence
    found = session.exec(
        select(table.id).where(
            col(table.staff_id) == staff_id,
            col(table.digest) == digest,
            col(table.purpose) == purpose,
            col(table.at) > now - FRESH,
            col(table.at) <= now,
        )
    ).first()
    return found is not None


def require(
    session: Session, staff_id: str, digest: str, now: datetime, *, purpose: Purpose = "release"
) -> None:
    """Raise `Forbidden("step-up")` unless `fresh`. Call it in the transaction that approves."""
    if not fresh(session, staff_id, digest, now, purpose=purpose):
        raise Forbidden("step-up", "confirm who you are again for exactly this", "sign with your passkey")


def reverify(row: tables.StepUpEvidence, site: Site) -> None:
    """Verify stored passkey evidence again, years later. Raises `NotAuthentic`."""
    from webauthn.helpers.exceptions import WebAuthnException

    if row.assertion is None or row.public_key is None:
        raise NotAuthentic("no-assertion", "this evidence is a one-time code: there is nothing to verify")
    document = {**row.assertion, "rawId": row.assertion["id"], "type": "public-key"}
    try:
        passkeys.verify(site, bytes.fromhex(row.digest), document, row.public_key, 0)
    except (WebAuthnException, ValueError):
        raise NotAuthentic("assertion", "the stored assertion does not sign this digest") from None


def _of_staff(session: Session, staff_id: str, now: datetime) -> None:
    actor, _ = standing(session, staff_id, now)
    if actor is None:
        raise Forbidden("account", "only a member of staff does this")


def _octets(digest: str) -> bytes:
    if not _DIGEST.fullmatch(digest):
        raise Refused("digest", "a digest has 64 hexadecimal digits")
    return bytes.fromhex(digest)


def _fingerprint(assertion: dict[str, Any]) -> bytes:
    """Names an assertion whichever of the two equal ES256 signatures (s or n - s) it carries."""
    from webauthn.helpers import base64url_to_bytes

    response = assertion["response"]
    signature = base64url_to_bytes(response["signature"])
    try:
        r, s = decode_dss_signature(signature)
        signature = encode_dss_signature(r, min(s, _P256_ORDER - s))
    except ValueError:
        pass  # RSA and Ed25519 signatures have one form
    signed = [base64url_to_bytes(response[name]).hex() for name in ("authenticatorData", "clientDataJSON")]
    return hashlib.sha256(json.dumps([*signed, signature.hex()]).encode()).digest()
