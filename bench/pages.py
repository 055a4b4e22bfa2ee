"""`pages`: server time of every page of the desk that a link leads to, beside a static page of its size.

Two houses: one in the middle of its work, of the demo's size, and one that is years old, filled by SQL.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import Response
from starlette.testclient import TestClient

from bench.measure import Result, at_most
from bench.options import Options
from bench.server import Server, running
from broker import auth
from broker.app import create_app
from broker.demo.house import House
from broker.store.engine import unit_of_work
from broker.web.site import Site
from tests import house as build
from tests.dbfixtures import Cluster
from tests.desk import grown
from tests.web.browsing import ROLES
from tests.web.living import live

ROUNDS = 5
_HREF = re.compile(r'href="(/desk[^"#]*)')
_FILES = ("download", "export", "/documents")


def pages(options: Options) -> Result:
    """Medians of five; the worst page and the middle one, in milliseconds and as a ratio to static bytes."""
    found = Result()
    cases = options.size(1_000, 20_000, 100_000)
    with running() as server:
        small = _measured(_living(server, options.state / "living"), deep=True)
        large = _measured(_grown(server, options.state / "grown", cases), deep=False)
    for name, times, limit in (("demo's size", small, 100), (f"{cases:,} cases", large, 200)):
        worst = max(times, key=lambda path: times[path][0])
        middle = statistics.median(took for took, _ in times.values())
        what = f"{name}: worst of {len(times)} pages ({_shape(worst)})"
        found.line("pages", what, times[worst][0] * 1e3, at_most(limit), "ms")
        found.line("pages", f"{name}: the page in the middle", middle * 1e3, unit="ms")
        ratio = statistics.median(took / static for took, static in times.values())
        found.line("pages", f"{name}: the page in the middle / static bytes of its size", ratio)
        found.record("pages", {f"{name} {path}": took for path, (took, _) in times.items()})
    return found


def _living(server: Server, folder: Path) -> House:
    house = _house(server, folder, "living")
    live(house, folder)
    return house


def _grown(server: Server, folder: Path, cases: int) -> House:
    house = _house(server, folder, "grown")
    name = str(house.desk.db.urls["app"].database)
    grown.grow(Cluster(server.embedded), name, house, cases)
    return house


def _house(server: Server, folder: Path, name: str) -> House:
    from bench.server import TEMPLATE
    from broker.store.engine import Database
    from broker.store.roles import create_database

    folder.mkdir(parents=True)
    with server.embedded.superuser() as admin:
        create_database(admin, f"bench_{name}", TEMPLATE)
    database = Database.from_url(server.embedded.url(f"bench_{name}"), embedded=True)
    return build.found(build.open_desk(database, folder), folder)


def _measured(house: House, *, deep: bool) -> Mapping[str, tuple[float, float]]:
    """page → (its median, the median of a static page of its size), in seconds."""
    app = create_app(house.desk)
    sizes: dict[int, bytes] = {}
    _static(app, sizes)
    times: dict[str, tuple[float, float]] = {}
    for login in ROLES:
        client = _browser(app, house, login)
        for path, size in _walk(client, deep=deep):
            key = f"{ROLES[login]} {_shape(path)}"
            if key in times:
                continue
            sizes[size] = b"x" * size
            times[key] = (_median(client, path), _median(client, f"/bench/static/{size}"))
        client.close()
    return times


def _static(app: FastAPI, sizes: Mapping[int, bytes]) -> None:
    def fixed(size: int) -> Response:
        return Response(sizes[size], media_type="text/html")

    app.add_api_route("/bench/static/{size}", fixed)


def _browser(app: FastAPI, house: House, login: str) -> TestClient:
    client = TestClient(app, headers={"sec-fetch-site": "same-origin"})
    with unit_of_work(house.desk.db) as session:
        token = auth.open_session(session, house.people[login].id, "passkey", house.desk.now())
    client.cookies.set(Site(house.desk, "desk").cookie_name, token, path="/desk")
    return client


def _walk(client: TestClient, *, deep: bool) -> Iterator[tuple[str, int]]:
    """Pages that links lead to, one of each shape; not `deep`: those of the menu."""
    start = client.get("/desk/")
    queue, seen = [start.url.path], set()
    while queue:
        path = queue.pop(0).replace("&amp;", "&")
        if _shape(path) in seen or any(word in path for word in _FILES):
            continue
        seen.add(_shape(path))
        answer = client.get(path)
        if answer.status_code != 200 or "text/html" not in answer.headers["content-type"]:
            continue
        yield path, len(answer.content)
        if deep or path == start.url.path:
            queue += _HREF.findall(answer.text)


def _median(client: TestClient, path: str) -> float:
    took = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        client.get(path)
        took.append(time.perf_counter() - begin)
    return statistics.median(took)


def _shape(path: str) -> str:
    address = path.partition("?")[0]
    return "/".join("*" if len(part) > 15 or part.isdigit() else part for part in address.split("/"))
