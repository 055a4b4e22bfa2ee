"""Every page that a link leads to, in real Chromium: accessible, self-contained, within its policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from broker.demo.house import House
from tests import house as build
from tests.needs import needs
from tests.web.browsing import launch, person, reader, walk

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
    reader(living, "police")
    with build.serving(living) as (url, house):
        yield url, house


LANGUAGES = {
    "analyst-1": "de-BE",
    "releaser": "fr-BE",
    "officer": "nl-BE",
    "custodian": "en-GB",
    "administrator": "de-BE",
    "police-inbox": "fr-BE",
}
"""Who reads in what: long words break pages that English leaves whole."""


@pytest.mark.parametrize("login", LANGUAGES)
def test_every_page_is_accessible_light_and_dark_and_narrow(
    browser: Browser, served: tuple[str, House], login: str
) -> None:
    url, house = served
    start = "/inbox/referrals" if login == "police-inbox" else "/desk/"
    with person(browser, house, url, login, locale=LANGUAGES[login], color_scheme="light") as watched:
        faults: list[str] = []
        for path in walk(watched, start):
            faults += watched.axe()
            faults += [f"{path}: {word} is torn" for word in watched.torn()]
            watched.page.emulate_media(color_scheme="dark")
            faults += watched.axe(only="color-contrast")
            watched.page.emulate_media(color_scheme="light")
            faults += [f"{path} at 320 px: {each}" for each in watched.too_wide()]
            watched.check_policy()
        watched.wrong += sorted(set(faults))
