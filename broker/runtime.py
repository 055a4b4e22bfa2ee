"""Open what a process needs, and no more: database, keys of its purposes, pack, adapters.

The API process opens no case and signs no referral; the worker does both; a command opens what its
verb is for.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from broker.auth.oidc import CALLBACK, Provider
from broker.auth.sessions import Life
from broker.core.pack import load_pack
from broker.desk.context import Desk
from broker.errors import Misconfigured
from broker.hosting import HostFolder
from broker.sealing.keyring import Keyring
from broker.sealing.vault import EpochKeys
from broker.settings import Settings
from broker.store.embedded import EmbeddedServer, embedded
from broker.store.engine import Database
from broker.store.roles import check_roles
from broker.store.types import ROLES, role_name

ADAPTER_GROUP = "broker.adapters"


def adapters() -> Mapping[str, Any]:
    """Every registered adapter by name; built-ins register exactly as a third party's do."""
    return {
        entry.name: entry.load() for entry in sorted(entry_points(group=ADAPTER_GROUP), key=lambda e: e.name)
    }


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The configured database, or the embedded server (synthetic only), started if nobody did.

    Several processes may use the embedded server; the last one to leave stops it.
    """
    if settings.database_url is not None:
        db = _database(settings.database_url, settings.database_password_file)
        try:
            yield db
        finally:
            db.dispose()
        return
    if not settings.synthetic:
        raise Misconfigured(
            "embedded-in-production",
            "the embedded database is for synthetic data only",
            "set BROKER_DATABASE_URL",
        )
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.state / "pg.users").open("w") as users:
        with _lock(settings.state / "pg.turn"):
            fcntl.flock(users, fcntl.LOCK_SH)
            db, server = embedded(settings.state)
        try:
            yield db
        finally:
            db.dispose()
            _leave(settings.state, users, server)


def _database(url: str, passwords: Path | None) -> Database:
    """Every role under its own password. A process may hold only some: the others then cannot log in."""
    db = Database.from_url(url)
    if passwords is None:
        return db
    if passwords.stat().st_mode & 0o077:
        raise Misconfigured(
            "open-passwords", "the database password file can be read by others", "chmod 0600"
        )
    lines = [line.partition(":") for line in passwords.read_text().splitlines() if line.strip()]
    known = {role.strip(): password.strip() for role, _, password in lines}
    if unknown := sorted(set(known) - {role_name(role) for role in ROLES}):
        raise Misconfigured(
            "database-passwords",
            f"the database password file has {len(unknown)} line(s) that begin with no role of the broker",
            "each line is role:password, such as broker_app:…",
        )
    urls = {
        role: each.set(password=known.get(role_name(role), each.password)) for role, each in db.urls.items()
    }
    return Database(urls)


@contextmanager
def open_desk(
    settings: Settings,
    *,
    purposes: Collection[str] = (),
    cases: bool = False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Desk]:
    """A desk with the signing keys of `purposes` and, with `cases`, the keys that open cases.

    Raises `Misconfigured` when the database roles are stronger than they should be.
    """
    with open_database(settings) as db:
        check_roles(db)
        passphrase = settings.passphrase() if purposes or cases else b""
        yield Desk(
            settings=settings,
            db=db,
            pack=load_pack(settings.pack),
            adapters=adapters(),
            clock=clock,
            random=secrets.token_bytes,
            epochs=EpochKeys(settings.keys, passphrase) if cases else None,
            keyring=Keyring.load(settings.keys, passphrase, purposes) if purposes else None,
            hosts=HostFolder(settings.hosting) if settings.hosting is not None else None,
        )


def session_life(settings: Settings) -> Life:
    """How long a sign-in lasts."""
    return Life(
        idle=timedelta(minutes=settings.session_idle_minutes), whole=timedelta(hours=settings.session_hours)
    )


def oidc_provider(settings: Settings) -> Provider | None:
    """The configured OpenID provider, or None. Raises `Misconfigured` when it is set by halves."""
    if settings.oidc_issuer is None and settings.oidc_client_id is None:
        return None
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        raise Misconfigured(
            "oidc", "an OpenID provider needs BROKER_OIDC_ISSUER and BROKER_OIDC_CLIENT_ID, both"
        )
    secret, path = "", settings.oidc_client_secret_file
    if path is not None:
        if path.stat().st_mode & 0o077:
            raise Misconfigured("open-oidc-secret", "the client secret can be read by others", "chmod 0600")
        secret = path.read_text().strip()
    return Provider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=secret,
        redirect_uri=settings.pages_url + CALLBACK,
        acr_values=tuple(settings.oidc_acr_values.split()),
        enforces_mfa=settings.oidc_enforces_mfa,
    )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def in_use(state: Path) -> bool:
    """Whether some process has the embedded server of this state folder open."""
    users = state / "pg.users"
    if not users.exists():
        return False
    with users.open("r") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _leave(state: Path, users: Any, server: EmbeddedServer) -> None:
    with _lock(state / "pg.turn"):
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            server.release()  # somebody else still uses it
        else:
            server.stop()
