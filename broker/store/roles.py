"""The PostgreSQL roles: how they are made, and the start-up check that they are harmless."""

from __future__ import annotations

import re

import psycopg
from psycopg import sql

from broker.errors import Misconfigured
from broker.store.engine import Database
from broker.store.types import ROLES, role_name

PUBLIC_TO_PARTNERS = ("ledger_checkpoint", "ledger_leaf", "ledger_tile")
"""What broker_feed may read without row-level security: the log commits, it does not tell."""

INSERT_ONLY = (
    "agreement",
    "agreement_proposal",
    "agreement_status",
    "claim",
    "verdict",
    "urgent_call",
    "set_aside",
    "set_aside_look",
    "draft",
    "approval",
    "draft_refusal",
    "release",
    "withdrawal",
    "event",
    "cancellation",
    "ledger_leaf",
    "ledger_tile",
    "ledger_checkpoint",
    "feed",
    "collection",
    "receipt",
    "read_act",
    "answer",
    "delivery_endpoint",
    "delivery",
    "delivery_event",
    "delivery_reply",
    "notice_attempt",
    "police_hold",
    "police_hold_term",
    "step_up_evidence",
    "review_draw",
    "review_item",
    "review_ticket",
    "review_grant",
    "review_verdict",
)

_NAMES = [role_name(role) for role in ROLES]


def create_roles(superuser: psycopg.Connection) -> None:
    """Make the roles that are missing: they log in and have nothing else. Commits."""
    for name in _NAMES:
        found = superuser.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone()
        if found is None:
            superuser.execute(
                sql.SQL(
                    "create role {} login nosuperuser nobypassrls nocreatedb nocreaterole"
                    " noreplication noinherit"
                ).format(sql.Identifier(name))
            )
    superuser.commit()


def create_database(superuser: psycopg.Connection, name: str, template: str = "template0") -> None:
    """Make a database that broker_owner owns and only the broker's roles may enter."""
    superuser.rollback()
    before, superuser.autocommit = superuser.autocommit, True
    try:
        database = sql.Identifier(name)
        superuser.execute(
            sql.SQL("create database {} owner broker_owner template {} strategy {}").format(
                database,
                sql.Identifier(template),
                # Only tests clone, on a server that never syncs: copying files is never slower there.
                sql.SQL("wal_log" if template == "template0" else "file_copy"),
            )
        )
        superuser.execute(sql.SQL("revoke all on database {} from public").format(database))
        roles = sql.SQL(", ").join(sql.Identifier(role) for role in _NAMES)
        superuser.execute(sql.SQL("grant connect on database {} to {}").format(database, roles))
    finally:
        superuser.autocommit = before


def setup_sql(database: str) -> str:
    """The same as text, for the superuser of a server that this program does not administer."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", database):
        raise Misconfigured("database-name", "a database name is lower-case letters, digits and _")
    weak = "login nosuperuser nobypassrls nocreatedb nocreaterole noreplication noinherit"
    return "".join(
        [
            *(f"create role {name} {weak};\n" for name in _NAMES),
            f"create database {database} owner broker_owner template template0 encoding 'UTF8';\n",
            f"revoke all on database {database} from public;\n",
            f"grant connect on database {database} to {', '.join(_NAMES)};\n",
        ]
    )


_DANGEROUS = """
select r.rolname from pg_roles r
where r.rolname = any(%(names)s)
  and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication
       or exists (select 1 from pg_auth_members m where m.member = r.oid))
order by 1
"""
_OWNED = """
select distinct pg_get_userbyid(c.relowner) from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S')
  and pg_get_userbyid(c.relowner) <> 'broker_owner'
"""
_UNFORCED = """
select c.relname from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  and has_any_column_privilege('broker_feed', c.oid, 'select')
  and not (c.relrowsecurity and c.relforcerowsecurity)
  and c.relname <> all(%(public)s)
order by 1
"""
_UNGUARDED = """
select name from unnest(%(tables)s::text[]) name
where not exists (
  select 1 from pg_trigger t
  where t.tgrelid = to_regclass('public.' || name) and t.tgname = 'insert_only'
    and t.tgenabled = 'A')
order by 1
"""


def check_roles(db: Database) -> None:
    """Refuse to start unless every role is as weak as it should be (ruling 24).

    Raises Misconfigured when a role is missing, superuser, past row-level security or a member of
    another role; when anyone but broker_owner owns a table; when a table that partners read has no
    forced row-level security; when an insert-only trigger is missing or switched off.
    """
    with db.connect("app") as conn:
        present = {
            row[0]
            for row in conn.execute(
                "select rolname from pg_roles where rolname = any(%s)", [_NAMES]
            ).fetchall()
        }
        findings: list[tuple[str, list[str]]] = [
            ("missing", sorted(set(_NAMES) - present)),
            ("too powerful", _column(conn, _DANGEROUS, names=_NAMES)),
            ("owns a table", _column(conn, _OWNED)),
        ]
        if "broker_feed" in present:
            public = list(PUBLIC_TO_PARTNERS)
            findings.append(("not under forced security", _column(conn, _UNFORCED, public=public)))
        findings.append(("can be rewritten", _column(conn, _UNGUARDED, tables=list(INSERT_ONLY))))
    for what, names in findings:
        if names:
            raise Misconfigured(
                "unsafe-database",
                f"roles or tables of the database are not safe: {what}: {', '.join(names)}",
                "make roles and database as `broker db roles` says, then run `broker db upgrade`",
            )
    _check_logins(db)


def _check_logins(db: Database) -> None:
    """A URL may name another user than the role it stands for: then nothing above counts."""
    for role in ROLES:
        if role == "owner" or role not in db.urls:
            continue
        with db.connect(role) as conn:
            row = conn.execute("select session_user, current_user").fetchone()
        if row != (role_name(role), role_name(role)):
            raise Misconfigured("unsafe-database", f"the URL for {role} logs in as someone else")


def _column(conn: psycopg.Connection, query: str, **params: list[str]) -> list[str]:
    return [row[0] for row in conn.execute(query.encode(), params).fetchall()]
