"""A synthetic hotline behind its two doors, and browsers signed in as each kind of person."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from broker import auth
from broker.app import create_app
from broker.demo.house import House
from broker.store.engine import unit_of_work
from broker.web.site import Site
from tests.dbfixtures import cluster
from tests.e2e.conftest import founded, house

__all__ = ["cluster", "founded", "house", "signed_in"]

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
                token = auth.open_session(session, house.people[login].id, "password", house.desk.now())
            client.cookies.set(Site(house.desk, "desk").cookie_name, token, path="/desk")
        return client

    yield browser
    for client in open_clients:
        client.close()
