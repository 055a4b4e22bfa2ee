"""`http-doc`, `http-page`: the real application on loopback, in a process of its own, under sixteen connections.

Rates are of the wall clock at the client, which is written in Python: on an idle machine it asks as fast
as the bare ASGI application answers (rate x CPU time of an answer comes to 0.95), so it hides little.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import httpx
import orjson

from bench.measure import Result, at_least, at_most, quantile
from bench.options import Options
from bench.server import running

CONNECTIONS = 16
DOCUMENT = 24 * 1024
_SPAWN = multiprocessing.get_context("spawn")
_LIMITS: dict[str, Any] = {"pulls_per_minute": 10_000_000, "bulk_per_hour": 4_000}
"""Without a limit on requests; the guard over collected referrals counts up to its limit, so it keeps one."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a run of requests came to."""

    per_second: float
    p99: float
    cpu: float
    """Seconds of the server process for one answer."""


def http_doc(options: Options) -> Result:
    """Collecting a document: token, proof, replay store, row-level security and durable record, all on."""
    found = Result()
    count = 150 if options.quick else 600
    with _service(options) as service:
        steps = {
            "bare ASGI": service.plain("/bench/bare"),
            "framework, prebuilt bytes": service.plain("/bench/prebuilt"),
            "+ token and proof, in memory": service.signed("/bench/memory"),
            "+ replay store and partner state": service.signed("/bench/caller"),
            "+ look at the object (RLS)": service.signed("/bench/look"),
            "+ agreement, guard, durable record": service.signed(f"/v1/referrals/{service.release}"),
        }
        rates = service.race(steps, count, rounds=1 if options.quick else 3)
    bare, ours = rates["bare ASGI"], rates["+ agreement, guard, durable record"]
    for name, rate in rates.items():
        found.medians[f"http-doc/{name}, per second"] = rate.per_second
        found.medians[f"http-doc/{name}, server CPU seconds"] = rate.cpu
    found.line("http-doc", "ours / bare ASGI (rates)", ours.per_second / bare.per_second, at_least(0.03))
    found.line("http-doc", f"p99 at {CONNECTIONS} connections", ours.p99 * 1000, at_most(30), "ms")
    _shares(found, rates)
    return found


def _shares(found: Result, rates: dict[str, Rate]) -> None:
    """What each step adds to the CPU of one answer, as a part of the whole."""
    whole = list(rates.values())[-1].cpu
    before = 0.0
    for name, rate in rates.items():
        found.line("http-doc", f"share of server CPU: {name}", 100 * (rate.cpu - before) / whole, None, "%")
        before = rate.cpu


def http_page(options: Options) -> Result:
    """A feed page of a hundred rows: prebuilt, out of PostgreSQL, and as partners get it."""
    found = Result()
    count = 100 if options.quick else 400
    with _service(options) as service:
        steps = {
            "bare ASGI": service.plain("/bench/bare-page"),
            "prebuilt": service.plain("/bench/page"),
            "from PostgreSQL": service.plain("/bench/feed-page"),
            "as partners get it": service.signed("/v1/referrals"),
        }
        rates = service.race(steps, count, rounds=1 if options.quick else 3)
    bare = rates["bare ASGI"]
    for name, rate in rates.items():
        found.medians[f"http-page/{name}, per second"] = rate.per_second
        found.medians[f"http-page/{name}, server CPU seconds"] = rate.cpu
    # Two prebuilt answers differ in the CPU of the server only: rates would show the client.
    found.line("http-page", "prebuilt / bare ASGI (CPU)", bare.cpu / rates["prebuilt"].cpu, at_least(0.9))
    from_pg = rates["from PostgreSQL"].per_second / bare.per_second
    found.line("http-page", "from PostgreSQL / bare ASGI (rates)", from_pg, at_least(0.15))
    partners = rates["as partners get it"].per_second / bare.per_second
    found.line("http-page", "with token, proof and replay store / bare ASGI (rates)", partners)
    return found


class Service:
    """A running broker with a published referral, and a partner that calls it."""

    def __init__(self, url: str, pid: int, auth: Any, release: str) -> None:
        self.url, self._pid, self._auth, self.release = url, pid, auth, release

    def plain(self, path: str) -> Callable[[int], list[bytes]]:
        """Makes requests without authentication."""
        return lambda count: [_request(self.url, path, {})] * count

    def signed(self, path: str) -> Callable[[int], list[bytes]]:
        """Makes requests with the token and a proof of its own for each."""

        def make(count: int) -> list[bytes]:
            url = httpx.URL(self.url).copy_with(path=path)
            made = (self._auth._dressed(httpx.Request("GET", url)) for _ in range(count))
            names = ("authorization", "dpop")
            return [_request(self.url, path, {n: request.headers[n] for n in names}) for request in made]

        return make

    def race(
        self, steps: dict[str, Callable[[int], list[bytes]]], count: int, *, rounds: int
    ) -> dict[str, Rate]:
        """Each step `rounds` times, in turn; medians."""
        rates: dict[str, list[Rate]] = {name: [] for name in steps}
        host, port = self.url.removeprefix("http://").split(":")
        for number in range(rounds + 1):
            for name, make in steps.items():
                requests = make(count if number else 40)  # the first round warms up
                rate = self._run(host, int(port), requests)
                if number:
                    rates[name].append(rate)
        return {
            name: Rate(*(statistics.median(getattr(r, field) for r in runs) for field in Rate.__slots__))
            for name, runs in rates.items()
        }

    def _run(self, host: str, port: int, requests: list[bytes]) -> Rate:
        before, start = _cpu(self._pid), time.perf_counter()
        waits = asyncio.run(_load(host, port, requests))
        spent = time.perf_counter() - start
        cpu = (_cpu(self._pid) - before) / len(requests)
        return Rate(len(requests) / spent, quantile(waits, 0.99), max(cpu, 1e-6))


def _request(url: str, path: str, headers: dict[str, str]) -> bytes:
    host = url.removeprefix("http://")
    lines = [
        f"GET {path} HTTP/1.1",
        f"host: {host}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _load(host: str, port: int, requests: Sequence[bytes]) -> list[float]:
    queue, waits = iter(requests), []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for request in queue:
            start = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                body = await reader.read(400)
                raise RuntimeError(f"the server refused: {head[:40]!r} {body!r}")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            waits.append(time.perf_counter() - start)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return waits


def _cpu(pid: int) -> float:
    """Seconds on a CPU of all threads of a process, to the nanosecond (schedstat, sched-stats.rst)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


@contextmanager
def _service(options: Options) -> Iterator[Service]:
    """Found a synthetic hotline, release one case to the police, serve it from another process."""
    from tests import house as build
    from tests.cases import full_case

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with running() as server, server.database() as (db, name):
        desk = build.open_desk(db, options.state, issuer=url)
        house = build.found(desk, options.state)
        made = build.released(house, "police", full_case("person_lead"))
        _pages(server.loader(name), house.partners["police"], made.release)
        ready = _SPAWN.Event()
        database = db.urls["app"].render_as_string(hide_password=False)
        child = _SPAWN.Process(
            target=_serve, args=(database, str(options.state), port, house.partners["police"], ready)
        )
        child.start()
        try:
            if not ready.wait(60):
                raise RuntimeError("the server did not start")
            auth = _token(house, url)
            yield Service(url, child.pid or 0, auth, made.release)
        finally:
            child.terminate()
            child.join(20)


def _token(house: Any, url: str) -> Any:
    """The partner's own authentication, with a token in hand."""
    from broker.client.auth import BrokerAuth

    held = house.partner_keys("police")
    auth = BrokerAuth(url, house.partners["police"], held.get("auth"), held.get("dpop"))
    with httpx.Client(auth=auth, base_url=url) as client:
        client.get("/v1/referrals").raise_for_status()
    return auth


def _pages(loader: Any, partner: str, release: str) -> None:
    """Two hundred more rows in the partner's feed."""
    with loader:
        loader.execute(
            "insert into feed (partner_id, position, seq, event, release_id, row, urgency, at)"
            " select partner_id, 1000000 + n, 1000 + n, event, release_id, row, urgency, at"
            " from feed, generate_series(1, 200) n where partner_id = %s and release_id = %s",
            [partner, release],
        )
        loader.execute("analyze")


def _serve(database: str, folder: str, port: int, partner: str, ready: Event) -> None:
    """The server's process: the application as it is, with routes beside it that do less."""
    import uvicorn

    from broker.app import create_app
    from broker.store.engine import Database
    from tests import house as build

    desk = build.open_desk(
        Database.from_url(database, embedded=True),
        Path(folder),
        issuer=f"http://127.0.0.1:{port}",
        **_LIMITS,
    )
    app = create_app(desk, None)
    _beside(app, partner)
    page = b"[" + b",".join([b"x" * 460] * 100) + b"]"
    body = b"x" * DOCUMENT
    wrapped = _bare(app, {"/bench/bare": body, "/bench/bare-page": page})
    config = uvicorn.Config(
        wrapped, host="127.0.0.1", port=port, log_level="error", access_log=False, ws="none"
    )
    server = uvicorn.Server(config)

    async def main() -> None:
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.02)
        ready.set()
        await task

    asyncio.run(main())


def _bare(app: Any, prebuilt: dict[str, bytes]) -> Any:
    """Answers some paths before the framework sees them."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        body = prebuilt.get(scope.get("path", ""))
        if body is None:
            await app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return asgi


def _beside(app: Any, partner: str) -> None:
    """Routes that stop on the way to a document or a page, to see what each step costs."""
    from fastapi import Request
    from starlette.responses import Response

    from bench.memory import in_memory
    from broker.api.oauth import PullCaller
    from broker.store import feed

    body = b"x" * DOCUMENT
    page = b"[" + b",".join([b"x" * 460] * 100) + b"]"
    kept: dict[str, Any] = {}

    async def prebuilt() -> Response:
        return Response(body, media_type="application/jose")

    async def prebuilt_page() -> Response:
        return Response(page, media_type="application/json")

    async def memory(request: Request) -> Response:
        auth = kept.get("auth") or kept.setdefault("auth", in_memory(request.app.state.partner_auth))
        await auth.caller(request, "referrals:pull")
        return Response(body, media_type="application/jose")

    async def caller(caller: PullCaller) -> Response:
        del caller
        return Response(body, media_type="application/jose")

    async def look(request: Request, caller: PullCaller) -> Response:
        api = request.app.state.api
        rows = await feed.page(api.feed, caller.partner_id, limit=1)
        release = orjson.loads(rows.items[0])["release"]
        found = await feed.sealed(api.feed, caller.partner_id, release, "referral")
        return Response(found.body, media_type=found.media_type)

    async def feed_page(request: Request) -> Response:
        rows = await feed.page(request.app.state.api.feed, partner, limit=100)
        return Response(rows.joined(), media_type="application/json")

    look.__annotations__ = {"request": Request, "caller": PullCaller, "return": Response}
    caller.__annotations__ = {"caller": PullCaller, "return": Response}
    memory.__annotations__ = feed_page.__annotations__ = {"request": Request, "return": Response}
    for path, route in {
        "/bench/prebuilt": prebuilt, "/bench/page": prebuilt_page, "/bench/memory": memory,
        "/bench/caller": caller, "/bench/look": look, "/bench/feed-page": feed_page,
    }.items():  # fmt: skip
        app.add_api_route(path, route, methods=["GET"], response_class=Response, response_model=None)
