"""Who is not the partner of a referral learns nothing of it, by any route and in any role.

Routes come out of the application's own OpenAPI document: a new one is tested without being added here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from broker.app import create_app
from broker.client.auth import BrokerAuth
from broker.client.keys import PartnerKeys, new_partner_keys
from broker.demo.house import House
from broker.desk import partners
from broker.desk.partners import Registration
from broker.errors import NotFound
from broker.jobs import settle
from broker.store import feed, follow_up, publication
from broker.store.engine import unit_of_work
from broker.store.feed import scoped
from tests import house as build
from tests.cases import Document, minimal_case

ABSENT = "a" * 26
GUESS = "g" * 43
"""A reply link that nobody was ever sent: whoever calls, it is not there."""
BODIES: dict[tuple[str, str], tuple[bytes, str]] = {
    ("put", "receipt"): (b"e30.e30.e30", "application/jose"),
    ("post", "reads"): (b'{"ground":"triage"}', "application/json"),
    ("put", "{answer}"): (b'{"outcome":"O10"}', "application/json"),
    ("post", "cases"): (json.dumps(minimal_case("danger")).encode(), "application/json"),
}
"""What a route that takes a body is sent, by the last part of its path."""
PUBLIC = {"/health", "/health/live", "/health/ready", "/v1/ledger/checkpoint", "/v1/ledger/tile/{path}"}


def danger() -> Document:
    return minimal_case("danger")


@dataclass(frozen=True)
class Route:
    """One operation of the OpenAPI document."""

    method: str
    path: str

    def fill(self, release: str, answer: UUID) -> str:
        filled = self.path.replace("{release}", release).replace("{answer}", str(answer))
        return (
            filled.replace("{name}", "referral.pdf")
            .replace("{path}", "0/000.p/1")
            .replace("{token}", GUESS)
            .replace("{said}", "received")
        )

    def body(self) -> dict[str, Any]:
        given = BODIES.get((self.method, self.path.rsplit("/", 1)[-1]))
        return {} if given is None else {"content": given[0], "headers": {"Content-Type": given[1]}}


@dataclass(frozen=True)
class World:
    """A served house with one referral of the police, already collected."""

    house: House
    url: str
    release: str
    routes: tuple[Route, ...]
    tool: str
    keys: dict[str, PartnerKeys]

    def auth(self, name: str, scope: str | None = None) -> BrokerAuth:
        keys = self.keys[name]
        partner = self.tool if name == "tool" else self.house.partners[name]
        return BrokerAuth(self.url, partner, keys.get("auth"), keys.get("dpop"), scope=scope)

    def ask(self, route: Route, auth: httpx.Auth | None, release: str, answer: UUID) -> httpx.Response:
        with httpx.Client(timeout=30) as http:
            path = self.url + route.fill(release, answer)
            return http.request(route.method.upper(), path, auth=auth, **route.body())


@pytest.fixture
def world(house: House, tmp_path: Path) -> Iterator[World]:
    made = build.released(house, "police", danger())
    folder = tmp_path / "tool-keys"
    registration = new_partner_keys(folder, "Synthetic tool", house.desk.now(), unencrypted=True)
    with unit_of_work(house.desk.db) as session:
        tool = partners.register(
            house.desk, session, house.people["custodian"], Registration.read(registration, tool=True),
            name="Synthetic tool", recipient_class="OWN", country="BE", language="en",
        ).id  # fmt: skip
    keys = {name: house.partner_keys(name) for name in house.partners}
    keys["tool"] = PartnerKeys.load(folder)
    trust = build.trust(house, tmp_path / "trust")
    with build.serving(house, worker=False) as (url, served):
        assert build.pull(served, url, "police", tmp_path / "pulled", trust).collected == [made.release]
        document = create_app(served.desk).openapi()
        routes = tuple(
            Route(method, path) for path, methods in sorted(document["paths"].items()) for method in methods
        )
        yield World(served, url, made.release, routes, tool, keys)


def told(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """Everything a caller can tell two answers apart by, but time and trace."""
    volatile = {"date", "belgov-trace-id", "dpop-nonce"}
    headers = {name: value for name, value in answer.headers.items() if name not in volatile}
    body = answer.content
    if answer.headers.get("content-type", "").startswith("application/problem"):
        instance = answer.json()["instance"]
        assert instance.removeprefix("urn:uuid:") == answer.headers["belgov-trace-id"]
        body = body.replace(instance.encode(), b"")
    return answer.status_code, headers, body


def test_a_foreign_referral_and_an_absent_one_are_the_same_bytes_by_every_route(world: World) -> None:
    asked = [route for route in world.routes if "{release}" in route.path]
    assert len(asked) >= 7, "the OpenAPI document lost its routes"
    for name in ("prosecutor", "hotline", "europol", "ncmec"):
        for route in asked:
            auth, answer = world.auth(name), uuid4()
            foreign = told(world.ask(route, auth, world.release, answer))
            absent = told(world.ask(route, auth, ABSENT, answer))
            assert foreign == absent, (name, route)
            assert foreign[0] == 404, (name, route)
            assert world.release.encode() not in foreign[2]


def test_with_no_predicate_left_in_the_application_every_route_still_says_no(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every query of the hot path without `partner_id = …`: reading, receipts, reads and answers alike."""
    asked: list[str] = []

    def bare(query: str, *, predicate: bool = True) -> bytes:
        asked.append(query)
        return scoped(query, predicate=False)

    for module in (feed, follow_up, publication):
        monkeypatch.setattr(module, "scoped", bare)
    for route in (route for route in world.routes if "{release}" in route.path):
        asked.clear()
        answer = world.ask(route, world.auth("hotline"), world.release, uuid4())
        assert (answer.status_code, bool(asked)) == (404, True), route
    mine = next(route for route in world.routes if route.path == "/v1/referrals")
    assert world.ask(mine, world.auth("hotline"), ABSENT, uuid4()).json()["items"] == []


def test_not_yet_published_is_as_absent_for_its_own_partner(world: World, house: House) -> None:
    settings = house.desk.settings.model_copy(update={"regret_seconds": 180})
    slow = replace(house, desk=replace(house.desk, settings=settings))
    document = minimal_case("person_lead")
    document["assessment"] = {"minor_check": "done"}
    made = build.drafted(slow, build.confirmed(slow, document), "police")
    build.approve(slow, made)
    settle(slow.desk)
    auth = world.auth("police")
    for route in world.routes:
        if "{release}" in route.path:
            answer = uuid4()
            waiting = told(world.ask(route, auth, made.release, answer))
            assert waiting == told(world.ask(route, auth, ABSENT, answer)), route


def test_a_feed_holds_the_rows_of_its_partner_only(world: World) -> None:
    feed_route = next(route for route in world.routes if route.path == "/v1/referrals")
    mine = world.ask(feed_route, world.auth("police"), ABSENT, uuid4())
    assert [row["release"] for row in mine.json()["items"]] == [world.release]
    for name in ("prosecutor", "hotline", "europol", "ncmec"):
        assert world.ask(feed_route, world.auth(name), ABSENT, uuid4()).json()["items"] == []


@pytest.mark.parametrize("what", ["page", "sealed", "publication"])
def test_without_the_application_s_predicate_the_database_still_says_no(world: World, what: str) -> None:
    """The same query with and without `partner_id = …`: policies alone keep strangers out."""

    async def ask(partner: str) -> Any:
        pool = await world.house.desk.db.feed_pool()
        try:
            if what == "page":
                return (await feed.page(pool, partner, predicate=False)).items
            if what == "sealed":
                return (await feed.sealed(pool, partner, world.release, "referral", predicate=False)).body
            return (await publication.publication(pool, partner, world.release, predicate=False)).record
        finally:
            await pool.close()

    assert asyncio.run(ask(world.house.partners["police"]))
    try:
        seen = asyncio.run(ask(world.house.partners["europol"]))
    except NotFound:
        seen = ()
    assert not seen


def test_the_role_of_the_hot_path_sees_nothing_without_a_partner_and_nothing_of_another(world: World) -> None:
    tables = ("feed", "sealed_object", "collection", "receipt", "withdrawal", "release", "event_record")
    with world.house.desk.db.connect("feed") as conn:
        for who, some in (("", False), (world.house.partners["hotline"], False),
                          (world.house.partners["police"], True)):  # fmt: skip
            conn.execute("select set_config('broker.partner', %s, true)", [who])
            for table in tables:
                column = "release_id" if table != "event_record" else "event_id"
                rows = conn.execute(f"select {column} from {table}").fetchall()
                assert bool(rows) is (some and table != "withdrawal"), (who, table)
            conn.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("select * from case_version")


def wanted(route: Route, kind: str) -> set[int]:
    """The status each kind of caller gets by a route on the police's referral."""
    if route.path in PUBLIC:
        # No worker in this process: not ready. A stranger gets the public log like everybody.
        return {503} if route.path == "/health/ready" else {200}
    if "{token}" in route.path:
        return {404}
    if kind in ("nobody", "bearer", "expired", "suspended", "foreign proof"):
        return {401}
    if kind == "own tool":
        return {201} if route.path == "/v1/cases" else {403}
    answers = route.path.endswith("{answer}")
    if route.path == "/v1/cases" or (kind == "wrong scope" and not answers):
        return {403}
    return _theirs(route, kind)


def _theirs(route: Route, kind: str) -> set[int]:
    if "{release}" not in route.path:
        return {200}
    if kind == "other partner":
        return {404}
    if route.path.endswith("/apart"):
        return {404}  # nothing of this referral is sealed apart
    return {400} if route.path.endswith("/receipt") else {200, 201}


KINDS = (
    "nobody", "bearer", "expired", "foreign proof", "wrong scope", "suspended", "other partner",
    "right partner", "own tool",
)  # fmt: skip


class Fixed(httpx.Auth):
    """A token and a proof of the test's choosing; asks for nothing anew."""

    def __init__(self, scheme: str, token: str, prover: BrokerAuth | None = None) -> None:
        self.scheme, self.token, self.prover = scheme, token, prover

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["Authorization"] = f"{self.scheme} {self.token}"
        if self.prover is not None:
            request.headers["DPoP"] = self.prover._proof(request.method, request.url, self.token)
        yield request


def token_of(world: World, name: str) -> tuple[str, BrokerAuth]:
    """A good token, and what proves possession of its key."""
    auth = world.auth(name)
    with httpx.Client(timeout=30) as http:
        http.get(f"{world.url}/v1/referrals", auth=auth)
    assert auth._token is not None
    return auth._token, auth


def caller(world: World, kind: str) -> httpx.Auth | None:
    if kind == "nobody":
        return None
    if kind in ("bearer", "expired", "foreign proof"):
        token, prover = token_of(world, "police")
        if kind == "bearer":
            return Fixed("Bearer", token)
        return Fixed("DPoP", token, prover if kind == "expired" else world.auth("europol"))
    if kind == "wrong scope":
        return world.auth("police", scope="referrals:answer")
    name = {"other partner": "europol", "own tool": "tool"}.get(kind, "police")
    return world.auth(name)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_caller_by_every_route(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = caller(world, kind)
    if kind == "suspended":
        assert isinstance(auth, BrokerAuth)
        with httpx.Client(timeout=30) as http:  # the token was given while all was well
            assert http.get(f"{world.url}/v1/referrals", auth=auth).status_code == 200
        with unit_of_work(world.house.desk.db) as session:
            partners.set_status(
                world.house.desk, session, world.house.people["custodian"],
                world.house.partners["police"], "suspended",
            )  # fmt: skip
        auth = Fixed("DPoP", auth._token or "", auth)
    if kind == "expired":
        # The server's clock goes on by more than the life of a token; proofs stay young.
        moved = world.house.desk.clock
        assert isinstance(auth, Fixed)
        assert auth.prover is not None
        auth.prover.skew = 310
        monkeypatch.setattr("broker.api.oauth.PartnerAuth.caller", _later(moved))
    for route in world.routes:
        answer = world.ask(route, auth, world.release, uuid4())
        assert answer.status_code in wanted(route, kind), (kind, route, answer.status_code, answer.text)
        if answer.status_code == 401:
            assert "WWW-Authenticate" in answer.headers
        if answer.status_code >= 400 and route.path not in PUBLIC:
            assert world.release not in answer.text


def _later(clock: Any) -> Any:
    from broker.api.oauth import PartnerAuth

    real = PartnerAuth.caller

    async def caller(self: PartnerAuth, request: Any, scope: str, **asked: Any) -> Any:
        self._clock = lambda: clock() + timedelta(seconds=310)
        return await real(self, request, scope, **asked)

    return caller


@pytest.mark.parametrize("use", ["auth", "dpop"])
def test_a_revoked_key_ends_the_tokens_it_got_at_once(world: World, use: str) -> None:
    """Stolen: the key that asks for tokens, or the one that proves them."""
    token, prover = token_of(world, "police")
    feed_route = next(route for route in world.routes if route.path == "/v1/referrals")
    desk, partner = world.house.desk, world.house.partners["police"]

    def asked() -> int:
        return world.ask(feed_route, Fixed("DPoP", token, prover), ABSENT, uuid4()).status_code

    def revoke(key: str) -> None:
        with unit_of_work(desk.db) as session:
            kid = world.keys["police"].get(key).kid
            partners.revoke_key(desk, session, world.house.people["custodian"], partner, kid)

    revoke("receipt")  # of no matter to a token
    assert asked() == 200
    revoke(use)
    assert asked() == 401
