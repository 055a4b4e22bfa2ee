"""One-time codes by time (RFC 6238: SHA-1, 6 digits, 30 seconds), each step good once.

The secret is encrypted with AES-256-GCM under the key `lasting-totp` of the key folder
(`desk.vault().lasting("totp")`, passed as `key`): a monthly epoch key would be destroyed under it,
and the database alone must not be enough to make codes.

    given = totp.begin_enrol(session, key, account_id, login, now)   # show given.secret and given.uri
    totp.finish_enrol(session, key, given.handle, code, now)         # only now it counts
    totp.verify(session, key, account_id, code, now)                 # signing in
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, delete, select, update

from broker.auth import attempts, flows
from broker.auth.people import of, owner
from broker.errors import Forbidden, Misconfigured
from broker.sealing import vault
from broker.store import tables

STEP = 30
AROUND = 1
"""Steps before and after the present one that are taken: clocks differ."""
ISSUER = "Referral broker"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A new secret for an authenticator app: in letters, and as `otpauth:` for a QR code."""

    handle: str
    secret: str
    uri: str


def begin_enrol(session: Session, key: bytes, account_id: str, login: str, now: datetime) -> Enrolment:
    """A secret to try out. Nothing changes until `finish_enrol` has seen a code made with it."""
    secret, uri = _new(login)
    box = vault.encrypt(key, secret.encode(), _place(account_id))
    return Enrolment(flows.begin(session, "totp", now, account_id=account_id, challenge=box), secret, uri)


def finish_enrol(session: Session, key: bytes, handle: str, code: str, now: datetime) -> str:
    """Store the secret of `begin_enrol` in place of any older one; gives the account.

    Raises `Forbidden("code")` for a wrong code (it may be tried again), `Forbidden("wait")`,
    `Forbidden("flow")` when it took longer than five minutes.
    """
    waiting = flows.peek(session, "totp", handle, now)
    attempts.note(session, "totp", waiting.account_id, now)
    secret = vault.decrypt(key, waiting.challenge, _place(waiting.account_id)).decode()
    step = _step(secret, code, now)
    if step is None:
        raise _wrong()
    flows.drop(session, handle)
    _store(session, waiting.account_id, waiting.challenge, step, now)
    attempts.forget(session, "totp", waiting.account_id)
    return waiting.account_id


def assign(session: Session, key: bytes, account_id: str, login: str, now: datetime) -> Enrolment:
    """A secret from an administrator's hand, in force at once in place of any older one."""
    secret, uri = _new(login)
    _store(session, account_id, vault.encrypt(key, secret.encode(), _place(account_id)), 0, now)
    return Enrolment("", secret, uri)


def enrolled(session: Session, account_id: str) -> bool:
    """Whether the account has one-time codes."""
    return session.exec(select(tables.Totp.id).where(of(tables.Totp, account_id))).first() is not None


def verify(session: Session, key: bytes, account_id: str, code: str, now: datetime) -> int:
    """Take a code, once; gives its step.

    Raises `Forbidden("code")` when it is wrong, was used before or the account has none, in the same
    words; `Forbidden("wait")` after five of those in 15 minutes.
    """
    attempts.note(session, "totp", account_id, now)
    row = session.exec(select(tables.Totp).where(of(tables.Totp, account_id))).first()
    if row is None:
        raise _wrong()
    secret = vault.decrypt(key, row.secret, _place(account_id)).decode()
    step = _step(secret, code, now)
    if step is None or not _use(session, account_id, step):
        raise _wrong()
    attempts.forget(session, "totp", account_id)
    return step


def shown(session: Session, key: bytes, account_id: str, now: datetime, *, synthetic: bool) -> str:
    """The next code that would be taken, for pages of the demonstration, which has no telephone.

    Empty where the account has none. Raises `Misconfigured` in production.
    """
    if not synthetic:
        raise Misconfigured("codes-in-production", "codes are shown on synthetic data only")
    row = session.exec(select(tables.Totp).where(of(tables.Totp, account_id))).first()
    if row is None:
        return ""
    import pyotp

    secret = vault.decrypt(key, row.secret, _place(account_id)).decode()
    present = int(now.timestamp()) // STEP
    code: str = pyotp.TOTP(secret, interval=STEP).generate_otp(max(present - AROUND, row.last_step + 1))
    return code


def _use(session: Session, account_id: str, step: int) -> bool:
    """Whether the step was free. The second of two at once waits for the first and finds it used."""
    table = tables.Totp
    used = session.exec(
        update(table).where(of(table, account_id), col(table.last_step) < step).values(last_step=step)
    )
    return bool(used.rowcount == 1)


def _step(secret: str, code: str, now: datetime) -> int | None:
    """Which step around now the code belongs to. All are compared, whichever fits."""
    import pyotp

    made = pyotp.TOTP(secret, interval=STEP)
    present = int(now.timestamp()) // STEP
    found = None
    for step in range(present - AROUND, present + AROUND + 1):
        if hmac.compare_digest(made.generate_otp(step).encode(), code.strip().encode()):
            found = step
    return found


def _new(login: str) -> tuple[str, str]:
    import pyotp

    secret = pyotp.random_base32()
    return secret, pyotp.TOTP(secret, interval=STEP).provisioning_uri(name=login, issuer_name=ISSUER)


def _store(session: Session, account_id: str, box: bytes, step: int, now: datetime) -> None:
    session.exec(delete(tables.Totp).where(of(tables.Totp, account_id)))
    session.add(tables.Totp(**owner(account_id), secret=box, last_step=step, created_at=now))
    session.flush()


def _place(account_id: str) -> bytes:
    return b"totp|" + account_id.encode()


def _wrong() -> Forbidden:
    return Forbidden("code", "the code is wrong or was used before")
