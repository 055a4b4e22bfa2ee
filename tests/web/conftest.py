"""A synthetic hotline behind its two doors, and browsers signed in as each kind of person."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from broker import auth
from broker.app import create_app
from broker.demo.house import House
from broker.store.engine import unit_of_work
from broker.web.site import Site
from tests.dbfixtures import Cluster, cluster
from tests.e2e.conftest import founded, house
from tests.web.living import live

__all__ = ["cluster", "founded", "house", "living", "signed_in"]

SignedIn = Callable[[str], TestClient]


@pytest.fixture
def signed_in(house: House) -> Iterator[SignedIn]:
    """`signed_in("analyst-1")` is a browser of that person; `""` one of nobody."""
    app = create_app(house.desk)
    open_clients: list[TestClient] = []

    def browser(login: str) -> TestClient:
        client = TestClient(app, base_url="http://testserver", headers={"sec-fetch-site": "same-origin"})
        open_clients.append(client)
        if login:
            with unit_of_work(house.desk.db) as session:
                token = auth.open_session(session, house.people[login].id, "passkey", house.desk.now())
            client.cookies.set(Site(house.desk, "desk").cookie_name, token, path="/desk")
        return client

    yield browser
    for client in open_clients:
        client.close()


@pytest.fixture(scope="module")
def states() -> dict[str, Any]:
    """Of `living`: name of a state → the case or the release that is in it."""
    return {}


@pytest.fixture(scope="module")
def living(cluster: Cluster, founded: tuple[House, str], states: dict[str, Any]) -> Iterator[House]:
    """A house in the middle of its work, shared by the tests of a module: they look and change nothing
    that another one needs."""
    template, name = founded
    own = cluster.create(template=name)
    folder = Path(tempfile.mkdtemp(prefix="rb-living-"))
    database = cluster.open(own)
    settings = template.desk.settings.model_copy(update={"state": folder})
    made = replace(template, desk=replace(template.desk, db=database, settings=settings))
    try:
        states.update(live(made, folder))
        yield made
    finally:
        database.dispose()
        cluster.drop(own)
        shutil.rmtree(folder, ignore_errors=True)
