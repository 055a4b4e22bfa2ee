"""Every page that a link leads to, in real Chromium: accessible, self-contained, within its policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from broker.demo.house import House
from tests import house as build
from tests.needs import needs
from tests.web.browsing import ROLES, launch, person, walk

pytestmark = needs("chromium")


@pytest.fixture(scope="module")
def browser(served: tuple[str, House]) -> Iterator[Browser]:
    # After the house is made: Playwright keeps an event loop on this thread, and signing a PDF needs its own.
    del served
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served(living: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, House]]:
    with build.serving(living) as (url, house):
        yield url, house


@pytest.mark.parametrize("login", ROLES)
def test_no_page_of_a_role_has_an_accessibility_fault(
    browser: Browser, served: tuple[str, House], login: str
) -> None:
    url, house = served
    faults: list[str] = []
    with person(browser, house, url, login) as watched:
        for _ in walk(watched, "/desk/"):
            faults += watched.axe()
            watched.check_policy()
    assert faults == []
