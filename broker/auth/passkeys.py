"""Passkeys (WebAuthn level 2): registered to an account, then signing in without a login name.

The authenticator must verify its user (PIN or biometry). Options are JSON text for
`navigator.credentials.create/get` (`PublicKeyCredential.parse…OptionsFromJSON`); answers are the JSON
text of `credential.toJSON()`. A ceremony is begun and finished with the same handle:

    site = passkeys.Site.of(settings.issuer)
    made = passkeys.registration_options(session, site, account_id, now)     # made.handle, made.options
    passkeys.register(session, site, account_id, made.handle, answer, "my key", now)
    asked = passkeys.authentication_options(session, site, now)
    account_id = passkeys.authenticate(session, site, asked.handle, answer, now)

Browsers give no passkeys to an address of numbers: serve `http://localhost:…`, not `127.0.0.1`
(`Site.usable` says so). Every refusal is `Forbidden("passkey")` or `Forbidden("flow")`.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import or_
from sqlmodel import Session, col, delete, select, update

from broker.auth import flows
from broker.auth.people import account, of, owner, standing
from broker.errors import Forbidden, NotFound
from broker.store import tables

if TYPE_CHECKING:  # it takes a fifth of a second to load, and every command imports this package
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

NAME = "Referral broker"
MAX_ANSWER = 16_384
MAX_LABEL = 60


@dataclass(frozen=True, slots=True)
class Site:
    """What a passkey is bound to: the domain, and the exact origin of the pages."""

    rp_id: str
    origin: str

    @classmethod
    def of(cls, issuer: str) -> Site:
        """From the broker's public base URL."""
        parts = urlsplit(issuer)
        return cls(parts.hostname or "", f"{parts.scheme}://{parts.netloc}")

    @property
    def usable(self) -> bool:
        """Whether browsers give passkeys here: a name, not an address of numbers."""
        try:
            ipaddress.ip_address(self.rp_id)
        except ValueError:
            return bool(self.rp_id)
        return False


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What the browser gets: a handle for its cookie, options for the page's script."""

    handle: str
    options: str


@dataclass(frozen=True, slots=True)
class Used:
    """A verified answer: which passkey, whose, and what was signed."""

    row: tables.Passkey
    assertion: dict[str, Any]


def registration_options(session: Session, site: Site, account_id: str, now: datetime) -> Ceremony:
    """Options to make a discoverable passkey for an account that is signed in."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    standing(session, account_id, now)
    challenge, login = secrets.token_bytes(32), account(session, account_id).login
    options = generate_registration_options(
        rp_id=site.rp_id,
        rp_name=NAME,
        user_id=account_id.encode(),
        user_name=login,
        user_display_name=login,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=descriptors(session, account_id),
    )
    handle = flows.begin(session, "register", now, account_id=account_id, challenge=challenge)
    return Ceremony(handle, options_to_json(options))


def register(
    session: Session, site: Site, account_id: str, handle: str, answer: str, label: str, now: datetime
) -> bytes:
    """Store the passkey that the browser made; gives its credential id."""
    from webauthn import verify_registration_response
    from webauthn.helpers.exceptions import WebAuthnException

    waiting = flows.take(session, "register", handle, now)
    if waiting.account_id != account_id:
        raise refused()
    document = _document(answer)
    try:
        made = verify_registration_response(
            credential=document,
            expected_challenge=waiting.challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError):
        raise refused() from None
    if session.get(tables.Passkey, made.credential_id) is not None:
        raise refused()
    named = document.get("response", {}).get("transports") or []
    session.add(
        tables.Passkey(
            credential_id=made.credential_id,
            **owner(account_id),
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            transports=[each for each in named if isinstance(each, str)][:8],
            label=label.strip()[:MAX_LABEL] or "passkey",
            created_at=now,
            last_used_at=None,
        )
    )
    session.flush()
    return made.credential_id


def authentication_options(session: Session, site: Site, now: datetime) -> Ceremony:
    """Options to sign in with whatever passkey the person picks."""
    challenge = secrets.token_bytes(32)
    handle = flows.begin(session, "authenticate", now, challenge=challenge)
    return Ceremony(handle, request_options(site, challenge, []))


def authenticate(session: Session, site: Site, handle: str, answer: str, now: datetime) -> str:
    """The account whose passkey answered; it is in good standing."""
    waiting = flows.take(session, "authenticate", handle, now)
    account_id = check(session, site, waiting.challenge, answer, now).row.account_id
    standing(session, account_id, now)
    return account_id


def listed(session: Session, account_id: str) -> list[tables.Passkey]:
    """The passkeys of an account, oldest first."""
    table = tables.Passkey
    return list(session.exec(select(table).where(of(table, account_id)).order_by(col(table.created_at))))


def remove(session: Session, account_id: str, credential_id: bytes) -> None:
    """Take a passkey away from its account. Raises `NotFound`."""
    table = tables.Passkey
    gone = session.exec(delete(table).where(of(table, account_id), col(table.credential_id) == credential_id))
    if gone.rowcount != 1:
        raise NotFound("passkey")


def request_options(site: Site, challenge: bytes, allow: list[PublicKeyCredentialDescriptor]) -> str:
    """The JSON of a request for an assertion over this challenge."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    return options_to_json(
        generate_authentication_options(
            rp_id=site.rp_id,
            challenge=challenge,
            allow_credentials=allow,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def descriptors(session: Session, account_id: str) -> list[PublicKeyCredentialDescriptor]:
    """The account's passkeys as WebAuthn names them."""
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    return [PublicKeyCredentialDescriptor(id=row.credential_id) for row in listed(session, account_id)]


def check(session: Session, site: Site, challenge: bytes, answer: str, now: datetime) -> Used:
    """Verify an answer over a challenge and count its use. Raises `Forbidden("passkey")`."""
    from webauthn.helpers import parse_authentication_credential_json
    from webauthn.helpers.exceptions import WebAuthnException

    document = _document(answer)
    try:
        credential = parse_authentication_credential_json(document)
        row = session.get(tables.Passkey, credential.raw_id, populate_existing=True)
        if row is None or (credential.response.user_handle or b"") not in {b"", row.account_id.encode()}:
            raise refused()
        count = verify(site, challenge, document, row.public_key, row.sign_count)
    except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError):
        raise refused() from None
    table = tables.Passkey
    counted = session.exec(
        update(table)
        .where(
            col(table.credential_id) == row.credential_id,
            # The row may have moved on since it was read: of two answers with one count, one is a copy.
            or_(col(table.sign_count) < count, col(table.sign_count) == 0),
        )
        .values(sign_count=count, last_used_at=now)
    )
    if counted.rowcount != 1:
        raise refused()
    kept = {k: document["response"].get(k) for k in ("authenticatorData", "clientDataJSON", "signature")}
    return Used(row, {"id": document["id"], "response": kept})


def verify(site: Site, challenge: bytes, document: dict[str, Any], public_key: bytes, sign_count: int) -> int:
    """The authenticator's count in a signed answer; raises the library's exceptions."""
    from webauthn import verify_authentication_response

    return verify_authentication_response(
        credential=document,
        expected_challenge=challenge,
        expected_rp_id=site.rp_id,
        expected_origin=site.origin,
        credential_public_key=public_key,
        credential_current_sign_count=sign_count,
        require_user_verification=True,
    ).new_sign_count


def refused() -> Forbidden:
    """The same words whatever is wrong."""
    return Forbidden("passkey", "this passkey was not accepted")


def _document(answer: str) -> dict[str, Any]:
    if len(answer) > MAX_ANSWER:
        raise refused()
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        raise refused() from None
    if not isinstance(document, dict) or not isinstance(document.get("response"), dict):
        raise refused()
    return document
