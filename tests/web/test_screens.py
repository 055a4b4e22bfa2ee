"""Pictures of the main pages, so that the documentation shows the product as it is.

`make screens` writes them to docs/screens; otherwise they are taken and thrown away.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from broker.demo.house import House
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.needs import needs
from tests.web.browsing import launch, person, reader

pytestmark = needs("chromium")

FOLDER = Path(__file__).parents[2] / "docs" / "screens"
MOST = 180_000
"""Bytes of a picture that a page of the documentation may cost its reader."""


@pytest.fixture(scope="module")
def served(living: House) -> Iterator[tuple[str, House]]:
    reader(living, "police")
    with build.serving(living) as (url, house):
        yield url, house


@pytest.fixture(scope="module")
def browser(served: tuple[str, House]) -> Iterator[Browser]:
    # After the house is made: Playwright keeps an event loop on this thread, and signing a PDF needs its own.
    del served
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.environ.get("BROKER_SCREENS") == "1":
        FOLDER.mkdir(exist_ok=True)
        return FOLDER
    return tmp_path_factory.mktemp("screens")


def places(house: House, made: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Name of a picture → who looks, and where."""
    with unit_of_work(house.desk.db) as session:
        collected = session.get_one(tables.Release, made["collected"])
        follow, urgent = collected.referral_id, session.get_one(tables.Release, made["urgent"]).case_id
    to_draft = made["to draft"]
    return {
        "work": ("analyst-1", "/desk/work"),
        "report": ("analyst-1", "/desk/cases/new?kind=content_report"),
        "confirm": ("analyst-2", f"/desk/confirm/{made['to confirm']}"),
        "escalate": ("analyst-1", f"/desk/cases/{to_draft}/escalate"),
        "preview": ("analyst-1", f"/desk/cases/{to_draft}/preview/{house.partners['police']}"),
        "release": ("releaser", f"/desk/release/{made['to release']}"),
        "urgent": ("analyst-1", f"/desk/urgent/{urgent}"),
        "follow": ("analyst-1", f"/desk/follow/{follow}"),
        "inbox": ("police-inbox", f"/inbox/referrals/{made['urgent']}"),
        "register": ("officer", "/desk/register"),
        "ledger": ("officer", "/desk/ledger"),
        "figures": ("officer", "/desk/figures"),
        "review": ("officer", "/desk/review"),
        "admin": ("administrator", "/desk/admin"),
    }


DARK = ("preview", "figures")


def test_the_main_pages_have_their_picture(
    browser: Browser, served: tuple[str, House], states: dict[str, Any], folder: Path
) -> None:
    url, house = served
    made: dict[str, Path] = {}
    for name, (who, path) in places(house, states).items():
        for dark in (False, True)[: 2 if name in DARK else 1]:
            scheme = "dark" if dark else "light"
            with person(browser, house, url, who, color_scheme=scheme) as watched:
                answer = watched.page.goto(url.replace("127.0.0.1", "localhost") + path)
                assert answer is not None
                assert answer.ok, f"{name} answers {answer.status}"
                if name == "preview":  # its three columns are what it is about
                    watched.page.locator("main details > summary").first.click()
                    watched.page.locator("main details").first.evaluate("part => part.scrollIntoView()")
                picture = folder / f"{name}{'-dark' if dark else ''}.png"
                watched.page.screenshot(path=picture)
                made[picture.name] = picture
    assert len(made) == 14 + len(DARK)
    assert {name: size for name, p in made.items() if (size := p.stat().st_size) > MOST or size < 5_000} == {}
