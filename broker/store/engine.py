"""Connections to PostgreSQL, one engine for each role, and the unit of work: the only committer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import psycopg
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool
from sqlmodel import Session

from broker.errors import Misconfigured
from broker.store.types import ROLES, Role, role_name

__all__ = ["Database", "UnitSession", "downgrade", "lasting", "unit_of_work", "upgrade"]


class UnitSession(Session):
    """A session that flushes and reads but leaves committing to the unit of work."""

    def commit(self) -> NoReturn:
        raise RuntimeError("only the unit of work commits")


class Database:
    """One PostgreSQL database, reached under several roles.

    `embedded` tells that this is the evaluation server, whose local access is trusted: callers
    refuse anything but synthetic data there.
    """

    def __init__(self, urls: Mapping[Role, URL], *, embedded: bool = False, pool_size: int = 5):
        self.urls = dict(urls)
        self.embedded = embedded
        self._pool_size = pool_size
        self._engines: dict[tuple[Role, bool], Engine] = {}

    @classmethod
    def from_url(cls, url: str | URL, *, embedded: bool = False) -> Database:
        """One URL for all roles: the user name is replaced by that of each role."""
        try:
            base = make_url(url).set(drivername="postgresql+psycopg")
        except (ArgumentError, ValueError):  # it may hold a password: what was given is not repeated
            raise Misconfigured(
                "database-url", "the database URL cannot be read", "write it like postgresql://HOST/broker"
            ) from None
        urls = {role: base.set(username=role_name(role)) for role in ROLES}
        return cls(urls, embedded=embedded)

    def engine(self, role: Role = "app", *, beside: bool = False) -> Engine:
        """The pooled engine of a role, made when first asked for.

        `beside` is another pool of the same role, for `lasting`: who holds a connection and waits for a
        second one of the same pool waits for ever when all others do so too.
        """
        if (role, beside) not in self._engines:
            engine = create_engine(
                self.urls[role],
                pool_size=self._pool_size,
                max_overflow=self._pool_size,
                pool_pre_ping=True,
                hide_parameters=True,  # an error message must not carry a value
            )
            event.listen(engine, "handle_error", _first_line_only)
            event.listen(engine, "connect", _without_jit)
            self._engines[role, beside] = engine
        return self._engines[role, beside]

    def conninfo(self, role: Role) -> str:
        """The same place as a libpq connection string, for psycopg without SQLAlchemy."""
        url = self.urls[role].set(drivername="postgresql")
        return url.render_as_string(hide_password=False)

    def connect(self, role: Role) -> psycopg.Connection:
        """A bare psycopg connection outside any pool; the caller closes it (`with`)."""
        return psycopg.connect(self.conninfo(role), application_name=role_name(role))

    async def feed_pool(self, *, min_size: int = 1, max_size: int = 8) -> AsyncConnectionPool:
        """An open pool for `store.feed`; the caller closes it."""
        return await self.async_pool("feed", min_size=min_size, max_size=max_size)

    async def async_pool(self, role: Role, *, min_size: int = 1, max_size: int = 8) -> AsyncConnectionPool:
        """An open async pool of a role; the caller closes it.

        Its connections commit each statement by itself: one round trip instead of three. What takes
        several says `begin` (`feed.as_partner`).
        """
        pool = AsyncConnectionPool(
            self.conninfo(role),
            min_size=min_size,
            max_size=max_size,
            kwargs={"application_name": role_name(role), "autocommit": True},
            open=False,
        )
        await pool.open(wait=True)
        return pool

    def dispose(self) -> None:
        """Close every pooled connection."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()


def _without_jit(connection: Any, _record: Any) -> None:
    """Compiling a plan costs a page more than any query on it takes (measured at 100,000 cases)."""
    connection.execute("set jit = off")
    connection.commit()


def _first_line_only(context: ExceptionContext) -> None:
    """Drop DETAIL from an error: for a broken CHECK PostgreSQL repeats the whole row there."""
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None and error.args and isinstance(error.args[0], str):
            error.args = (error.args[0].split("\n", 1)[0], *error.args[1:])


@contextmanager
def unit_of_work(db: Database, role: Role = "app") -> Iterator[UnitSession]:
    """One request or job: commits once at the end, or not at all."""
    info = {"beside": lambda: db.engine(role, beside=True)}
    with UnitSession(db.engine(role), expire_on_commit=False, info=info) as session:
        yield session
        Session.commit(session)


@contextmanager
def lasting(beside: Session) -> Iterator[UnitSession]:
    """A unit of work of its own beside another: what it writes stays when the other is undone.

    For what must be remembered of a refusal: a wrong try, a challenge that was used.
    """
    with UnitSession(beside.info["beside"](), expire_on_commit=False) as session:
        yield session
        Session.commit(session)


def _config() -> Any:
    from alembic.config import Config  # only a migration needs it

    here = Path(__file__).parent.parent
    shipped, source = here / "_migrations", here.parent / "migrations"
    config = Config()
    # The wheel carries its own copy; a checkout has none and uses the folder beside the package.
    location = shipped if shipped.is_dir() else source
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    return config


def _with_owner(db: Database, action: str, revision: str) -> None:
    from alembic import command

    engine = create_engine(db.urls["owner"], poolclass=NullPool, hide_parameters=True)
    config = _config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        getattr(command, action)(config, revision)


def upgrade(db: Database, revision: str = "head") -> None:
    """Bring the schema up, as broker_owner, giving up rather than queueing behind a lock."""
    from broker.store import durable

    _with_owner(db, "upgrade", revision)
    durable.migrate(db.urls["owner"])


def downgrade(db: Database, revision: str) -> None:
    """Take the schema down to a revision; `base` is empty."""
    _with_owner(db, "downgrade", revision)
