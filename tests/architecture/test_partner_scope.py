"""Whatever a partner can cause has the partner in its predicate, and every route asks who calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from broker.api import oauth
from broker.app import create_app
from broker.demo.house import House
from broker.store.engine import Database
from broker.store.roles import INSERT_ONLY
from tests.architecture.source import ROOT, modules, name, texts, tree
from tests.dbfixtures import cluster, database
from tests.e2e.conftest import founded, house

__all__ = ["cluster", "database", "founded", "house"]

PARTNER_TABLES = (
    "answer",
    "collection",
    "event_record",
    "feed",
    "read_act",
    "receipt",
    "release",
    "sealed_object",
    "withdrawal",
)
_READS = re.compile(
    rf"\b(?:from|join)\s+({'|'.join(PARTNER_TABLES)})\b(?:\s+(?:as\s+)?(\w+))?", re.IGNORECASE
)
_SQL = re.compile(
    r"^\s*(select|insert into|update|delete from|with)\b.*\b(from|into|set|as)\b", re.I | re.DOTALL
)
HOT_PATH = (
    "broker/store/feed.py",
    "broker/store/follow_up.py",
    "broker/store/inbox.py",
    "broker/store/publication.py",
)


def unscoped(query: str) -> list[str]:
    """Partner tables that a query reads without `{alias.column}` for that alias."""
    return [
        table
        for table, alias in _READS.findall(query)
        if not re.search(rf"\{{{alias or table}\.(partner_id|carrier)\}}", query)
    ]


def queries() -> Iterator[tuple[str, str]]:
    for path in HOT_PATH:
        for text in texts(tree(ROOT / path)):
            if _READS.search(text) and _SQL.match(text):
                yield path, text


def test_every_query_of_a_partner_is_scoped() -> None:
    found = list(queries())
    assert len(found) >= 7
    assert {path for path, _ in found} == set(HOT_PATH)
    assert [(path, tables) for path, query in found if (tables := unscoped(query))] == []


@pytest.mark.parametrize(
    "query",
    [
        "select f.row from feed f where f.position > %(after)s",
        "select 1 from release r join feed f on f.release_id = r.release_id where {f.partner_id}",
        "select sha256 from receipt where release_id = %s",
    ],
)
def test_the_lint_sees_a_forgotten_predicate(query: str) -> None:
    assert _SQL.match(query)
    assert unscoped(query)


def test_the_api_has_no_sql_of_its_own() -> None:
    found = [name(path) for path in modules("broker/api") for text in texts(tree(path)) if _SQL.match(text)]
    assert found == []


PUBLIC = {
    ("GET", "/"),
    ("GET", "/static/{digest}/{name}"),
    ("?", "/desk"),
    ("?", "/inbox"),
    ("GET", "/.well-known/broker-configuration"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/.well-known/oauth-protected-resource"),
    ("GET", "/.well-known/security.txt"),
    ("GET", "/health"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/v1/ledger/checkpoint"),
    ("GET", "/v1/ledger/tile/{path:path}"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/reply/{token}"),
    ("POST", "/v1/reply/{token}/answer"),
    ("POST", "/v1/reply/{token}/{said}"),
    ("POST", oauth.TOKEN_PATH),
}
"""Routes without a caller: discovery, health, the ledger, where a token is asked for, and the reply
link of a mail, which nobody can guess. The two doors with pages have a registry and a matrix of their
own (tests/web/test_matrix.py): a page that names nobody who may see it cannot be declared."""


def asks_who_calls(dependant: Dependant) -> bool:
    """Does it, or anything it depends on, take an authenticated caller?"""
    return isinstance(dependant.call, oauth.Authenticated) or any(
        asks_who_calls(each) for each in dependant.dependencies
    )


def flat(routes: Iterable[object]) -> Iterator[object]:
    """FastAPI keeps an included router as one entry."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from flat(inner.routes)


def open_routes(app: FastAPI) -> set[tuple[str, str]]:
    found = set()
    for route in flat(app.routes):
        if isinstance(route, APIRoute) and asks_who_calls(route.dependant):
            continue
        methods = set(getattr(route, "methods", None) or {"?"}) - {"HEAD"}
        found |= {(method, getattr(route, "path", "?")) for method in methods}
    return found


def test_every_route_asks_who_calls_or_is_public_on_purpose(house: House) -> None:
    app = create_app(house.desk)
    assert open_routes(app) == PUBLIC
    app.add_api_route("/v1/forgotten", lambda: None, methods=["GET"])
    assert open_routes(app) == PUBLIC | {("GET", "/v1/forgotten")}


def test_the_insert_only_list_is_that_of_the_migrations(database: Database) -> None:
    with database.connect("app") as conn:
        rows = conn.execute(
            "select c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid"
            " where t.tgname = 'insert_only'"
        ).fetchall()
    assert {row[0] for row in rows} == set(INSERT_ONLY)


def test_every_partner_table_is_under_row_level_security(database: Database) -> None:
    with database.connect("app") as conn:
        rows = conn.execute(
            "select relname from pg_class where relrowsecurity and relforcerowsecurity and relname = any(%s)",
            [list(PARTNER_TABLES)],
        ).fetchall()
        readable = conn.execute(
            "select relname from pg_class c where relnamespace = 'public'::regnamespace and relkind = 'r'"
            " and relrowsecurity and has_any_column_privilege('broker_feed', c.oid, 'select')"
        ).fetchall()
    assert {row[0] for row in rows} == set(PARTNER_TABLES)
    assert {row[0] for row in readable} == set(PARTNER_TABLES)


def test_nothing_queries_on_a_value_that_identifies_a_person() -> None:
    """Cases rest encrypted; no table has a column for one of these, and none may appear."""
    names = {
        "url",
        "handle",
        "email",
        "phone",
        "ip",
        "account_id",
        "username",
        "identity",
        "profile",
        "hash_value",
    }
    columns = {
        target.target.id
        for path in modules("broker/store")
        if path.name.startswith("tables")
        for target in ast.walk(tree(path))
        if isinstance(target, ast.AnnAssign) and isinstance(target.target, ast.Name)
    }
    assert len(columns) > 80
    assert columns & names == set()
