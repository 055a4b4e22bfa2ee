"""What the script of the pages guards against: keys held down, buttons pressed twice, sessions that end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from broker.demo.house import House
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.needs import needs
from tests.web.browsing import launch, person

pytestmark = needs("chromium")


@pytest.fixture(scope="module")
def served(living: House) -> Iterator[tuple[str, House]]:
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


COUNT = """() => {
  window.sent = 0;  // after every listener of the page: what would leave is counted and stays
  window.addEventListener("submit", (event) => {
    if (!event.defaultPrevented) window.sent += 1;
    event.preventDefault();
  });
}"""


def test_a_key_held_down_answers_once(
    browser: Browser, served: tuple[str, House], states: dict[str, Any]
) -> None:
    """It repeats on the next page too: held down, `y` would confirm cases that nobody has looked at."""
    url, house = served
    with person(browser, house, url, "analyst-1") as watched:
        page = watched.goto("/desk/work")
        page.keyboard.down("y")  # no key of this page; from here on it repeats
        watched.goto(f"/desk/confirm/{states['to confirm']}")
        page.evaluate(COUNT)
        page.keyboard.down("y")
        assert page.evaluate("window.sent") == 0
        page.keyboard.up("y")
        page.keyboard.down("y")
        assert page.evaluate("window.sent") == 1


def test_a_button_pressed_twice_sends_once(
    browser: Browser, served: tuple[str, House], states: dict[str, Any]
) -> None:
    """Else one call is two in the log, one answer two in the register."""
    url, house = served
    with unit_of_work(house.desk.db) as session:
        case_id = session.get_one(tables.Release, states["urgent"]).case_id
    with person(browser, house, url, "analyst-1") as watched:
        page = watched.goto(f"/desk/urgent/{case_id}")
        page.evaluate(COUNT)
        page.check("#answered-no")
        page.locator('button[value="call"]').dblclick()
        assert page.evaluate("window.sent") == 1


def test_the_end_of_a_session_is_said_before_it_comes_and_put_off(
    browser: Browser, served: tuple[str, House]
) -> None:
    """WCAG 2.2.1: warned in time, and one press goes on; when it is over the page says so."""
    url, house = served
    idle = house.desk.settings.session_idle_minutes
    with person(browser, house, url, "analyst-1") as watched:
        watched.page.clock.install()
        page = watched.goto("/desk/work")
        warning = page.locator("#idle")
        expect(warning).to_be_hidden()
        page.clock.fast_forward((idle - 1) * 60_000)
        expect(warning).to_be_visible()
        assert watched.axe() == []
        with page.expect_response("**/desk/help"):
            warning.get_by_role("button", name="Stay signed in").click()
        expect(warning).to_be_hidden()
        page.clock.fast_forward((idle + 1) * 60_000)
        expect(warning).to_contain_text("You are signed out.")
        expect(warning.get_by_role("button")).to_be_hidden()


def test_nobody_is_told_of_a_session_that_has_ended(browser: Browser, served: tuple[str, House]) -> None:
    """To stay signed in works only while there is a session: else the warning stays."""
    url, house = served
    with person(browser, house, url, "analyst-2") as watched:
        watched.page.clock.install()
        page = watched.goto("/desk/work")
        page.clock.fast_forward((house.desk.settings.session_idle_minutes - 1) * 60_000)
        watched.context.clear_cookies()
        with page.expect_response("**/desk/help"):
            page.get_by_role("button", name="Stay signed in").click()
        page.evaluate("fetch('/desk/help').then((answer) => answer.text())")  # the whole way to the sign-in
        page.clock.fast_forward(30_000)
        expect(page.locator("#idle")).to_be_visible()
        assert page.evaluate("Date.now() - Number(localStorage.getItem('touched'))") > 60_000
