"""What the tests of the officer's pages share: browsers over one house, and words to look for."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from starlette.testclient import TestClient

from broker import auth
from broker.app import create_app
from broker.demo.house import PASSWORD, House
from broker.store.engine import unit_of_work
from broker.web.site import Site

Browser = Callable[[str], TestClient]


def browsers(house: House) -> Browser:
    """`browsers(house)("officer")` is that person's browser; who is asked for twice has one browser."""
    app = create_app(house.desk)
    known: dict[str, TestClient] = {}

    def browser(login: str) -> TestClient:
        if login not in known:
            client = TestClient(
                app, base_url="http://testserver", headers={"sec-fetch-site": "same-origin"},
                follow_redirects=False,
            )  # fmt: skip
            with unit_of_work(house.desk.db) as session:
                token = auth.open_session(session, house.people[login].id, "passkey", house.desk.now())
            client.cookies.set(Site(house.desk, "desk").cookie_name, token, path="/desk")
            known[login] = client
        return known[login]

    return browser


def with_second_officer(house: House) -> House:
    """The same house with `officer-2`, who had no hand in anything."""
    with unit_of_work(house.desk.db) as session:
        made = auth.add_staff(
            session, login="officer-2", roles=frozenset({"dpo"}), password=PASSWORD,
            vetted_until=house.desk.now() + timedelta(days=90), now=house.desk.now(),
        )  # fmt: skip
    return House(house.desk, {**house.people, "officer-2": made}, house.partners, house.keys)


def plain(text: str) -> str:
    """A page's text without its tags."""
    body = text[text.index("<main") : text.index("</main>")]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body)).replace("&#39;", "'")


def values_of(case: Any) -> set[str]:
    """Values of a case that name somebody or something: what must not stand anywhere."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)
        elif isinstance(value, str) and len(value) >= 8 and not re.fullmatch(r"[\w-]+|\d{4}-.*", value):
            found.add(value)

    walk(case)
    return found
