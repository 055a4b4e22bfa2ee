"""The form loses nothing: not when the sign-in is over, not when it is refused, not when the server goes
away in the middle.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright
from sqlmodel import select

from broker import auth
from broker.demo.house import PASSWORD, House
from broker.desk import casefile
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.needs import needs
from tests.web.browsing import Watched, launch, person, sign_in

pytestmark = needs("chromium")

FIRST = {
    "case.dates.opened_at": "2026-03-01 12:00",
    "locations.loc1.url": "https://files.host-be.example/synthetic/kept",
    "assessment.narrative.0.text": "Synthetic sentence that must not be lost.",
}
THEN = {
    "locations.loc1.country": "BE",
    "case.urgency_reason": "Synthetic reason, typed when nothing was kept any more.",
}
MISSING = {
    "case.origin_channel": "public_report",
    "case.offence_type": "csam_dissemination",
    "assessment.narrative.0.type": "fact",
}
AWAY = ("console: Failed to load resource: net::ERR_CONNECTION_REFUSED", "console: htmx:")
ADD = 'button[name="do"][value="add:assessment.narrative"]'
NARRATIVE = '#report[data-htmx-powered] [name="assessment.narrative.0.text"]'
KEPT = "#report:not(.htmx-request) #missing [role=status]"
"""Nothing is asked of the form any more, and it says that it is kept."""
SUBMIT = 'button[name="do"][value="submit"]'


@pytest.fixture(scope="module")
def browser(founded: tuple[House, str]) -> Iterator[Browser]:
    # After the house is made: Playwright keeps an event loop on this thread, and signing a PDF needs its own.
    del founded
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


def typed(page: Page, values: dict[str, str]) -> None:
    """Type as a person does: the input is left, so the page notices the change."""
    for name, value in values.items():
        at = page.locator(f'[name="{name}"]:not([type=hidden])')
        if at.evaluate("e => e.localName") == "select":
            at.select_option(value)
        else:
            at.fill(value)
            at.blur()


def standing(page: Page, values: dict[str, str]) -> dict[str, str]:
    """What stands in the same inputs now. A time is shown again in full."""
    return {name: page.locator(f'[name="{name}"]:not([type=hidden])').input_value() for name in values} | (
        {"case.dates.opened_at": values["case.dates.opened_at"]} if "case.dates.opened_at" in values else {}
    )


def opened(watched: Watched) -> Page:
    """An empty form whose script has begun."""
    page = watched.goto("/desk/cases/new?kind=content_report")
    page.wait_for_selector("#report[data-htmx-powered]")
    return page


def begun(watched: Watched) -> Page:
    """The form with the first half typed and kept by itself."""
    page = opened(watched)
    page.click(ADD)
    page.wait_for_selector(NARRATIVE)
    typed(page, FIRST)
    page.wait_for_selector(KEPT)
    return page


def taken_in(house: House, page: Page) -> None:
    """What was missing is filled in, the case is stored, and holds what was typed before and after."""
    typed(page, MISSING)
    with page.expect_navigation():
        page.click(SUBMIT)
    with unit_of_work(house.desk.db) as session:
        (row,) = session.exec(select(tables.CaseFile)).all()
        data = casefile.read_version(house.desk, session, row.id)[0].data
    assert data["locations"]["loc1"]["url"] == FIRST["locations.loc1.url"]
    assert data["case"]["urgency_reason"] == THEN["case.urgency_reason"]
    assert data["assessment"]["narrative"][0]["text"] == FIRST["assessment.narrative.0.text"]


def test_a_slow_server_loses_neither_a_row_nor_a_letter(browser: Browser, house: House) -> None:
    with build.serving(house) as (url, served), person(browser, served, url, "analyst-1") as watched:
        page = opened(watched)
        assert not page.locator(NARRATIVE).count()
        asked: list[Route] = []
        page.route("**/cases/new", lambda route: asked.append(route))  # noqa: PLW0108 - Playwright marks its handlers
        page.click(ADD)
        at = page.locator('[name="locations.loc1.url"]')
        at.focus()
        page.keyboard.type("https://files.host-be.example/synthetic/typed")
        at.dispatch_event("change")
        shown = at.input_value()
        for each in asked:
            each.continue_()
        page.wait_for_selector(NARRATIVE)
        page.unroute("**/cases/new")
        assert at.input_value() == shown
        typed(page, FIRST)
        page.wait_for_selector(KEPT)
        watched.goto("/desk/work")
        assert page.locator('a[href*="/desk/forms/"]').count() == 1


def test_a_row_asked_of_a_server_that_is_away_can_be_asked_again(browser: Browser, house: House) -> None:
    with build.serving(house) as (url, served), person(browser, served, url, "analyst-1") as watched:
        watched.expected = AWAY
        page = opened(watched)
        page.route("**/cases/new", lambda route: route.abort("connectionrefused"))
        page.click(ADD)
        page.wait_for_selector("[data-away]:visible")
        typed(page, {name: FIRST[name] for name in ("case.dates.opened_at", "locations.loc1.url")})
        page.unroute("**/cases/new")
        page.click(ADD)
        page.wait_for_selector(NARRATIVE)
        assert not page.locator("[data-away]:visible").count()
        assert page.input_value('[name="locations.loc1.url"]') == FIRST["locations.loc1.url"]


def test_a_row_asked_when_the_sign_in_is_over_takes_nothing_away(browser: Browser, house: House) -> None:
    analyst = house.people["analyst-1"].id
    with build.serving(house) as (url, served), person(browser, served, url, "analyst-1") as watched:
        page = begun(watched)
        with unit_of_work(house.desk.db) as session:
            auth.sign_out_everywhere(session, analyst)
        page.click(ADD)
        page.wait_for_selector("#missing [role=alert]")
        assert standing(page, FIRST) == FIRST
        sign_in(watched.context, served, watched.url, "analyst-1")  # in the other tab
        page.click(ADD)
        page.wait_for_selector(NARRATIVE.replace(".0.", ".1."))
        assert standing(page, FIRST) == FIRST


def test_a_click_is_not_lost_to_what_comes_back_meanwhile(browser: Browser, house: House) -> None:
    with build.serving(house) as (url, served), person(browser, served, url, "analyst-1") as watched:
        page = opened(watched)
        at, button = page.locator('[name="case.dates.opened_at"]'), page.locator('button[value="check"]')
        at.fill("")
        button.hover()
        with page.expect_response(lambda r: r.request.method == "POST") as kept:
            page.mouse.down()  # the input is left, the form is kept, and what is missing is longer
        kept.value.finished()
        with page.expect_navigation():
            page.mouse.up()


def test_what_is_kept_late_does_not_come_after_what_is_sent(browser: Browser, house: House) -> None:
    with build.serving(house) as (url, served), person(browser, served, url, "analyst-1") as watched:
        page = begun(watched)
        typed(page, {**MISSING, "locations.loc1.country": "BE"})
        page.wait_for_selector(KEPT)
        held: list[Route] = []
        sent: list[Route] = []

        def hold(route: Route) -> None:
            (sent if route.request.is_navigation_request() else held).append(route)
            if sent:
                route.continue_()

        page.route("**/cases/new", hold)
        page.locator('[name="case.urgency_reason"]').fill(THEN["case.urgency_reason"])
        with page.expect_response(lambda r: r.request.method == "HEAD"):
            page.click(SUBMIT)
        page.wait_for_selector("#report.htmx-request")
        assert (len(held), sent) == (1, [])
        held[0].continue_()
        page.wait_for_url("**/desk/cases/*-*")
        watched.goto("/desk/work")
        assert page.locator('a[href*="/desk/forms/"]').count() == 0


def test_the_sign_in_is_over_in_the_middle(browser: Browser, house: House) -> None:
    analyst, key = house.people["analyst-1"].id, house.desk.vault().lasting("totp")
    with unit_of_work(house.desk.db) as session:
        auth.totp.assign(session, key, analyst, "analyst-1", house.desk.now())
    with build.serving(house) as (url, served), person(browser, served, url, "analyst-1") as watched:
        page = begun(watched)
        with unit_of_work(house.desk.db) as session:
            auth.sign_out_everywhere(session, analyst)
        typed(page, THEN)
        page.click(SUBMIT)
        page.fill('[name="login"]', "analyst-1")
        page.fill('[name="password"]', PASSWORD)
        page.click("fieldset button")
        with unit_of_work(house.desk.db) as session:
            code = auth.totp.shown(session, key, analyst, house.desk.now(), synthetic=True)
        page.fill('[name="code"]', code)
        page.click("form:has(input[name=code]) button")
        page.click('form:has(input[type=hidden][name="locations.loc1.url"]) button:not([name])')
        page.wait_for_selector("#report")
        # What was sent lacks something: it is refused, and stands there whole.
        assert page.locator("#report .error").count() > 0
        assert standing(page, FIRST | THEN) == FIRST | THEN
        taken_in(house, page)


def test_the_server_is_away_in_the_middle_and_comes_back(browser: Browser, house: House) -> None:
    port = build.free_port()
    with ExitStack() as later:
        with build.serving(house, port=port) as (url, served):
            watched = later.enter_context(person(browser, served, url, "analyst-1"))
            watched.expected = AWAY
            page = begun(watched)
        typed(page, THEN)
        page.wait_for_selector("[data-away]:visible")
        page.click(SUBMIT)
        page.wait_for_selector("[data-away]:focus")
        assert standing(page, FIRST | THEN) == FIRST | THEN
        later.enter_context(build.serving(house, port=port))
        page.click(SUBMIT)
        page.wait_for_selector("#report .error")
        assert standing(page, FIRST | THEN) == FIRST | THEN
        watched.goto("/desk/work")  # it was kept, too, for whoever lost the window
        page.click('a[href*="/desk/forms/"]')
        page.wait_for_selector("#report")
        assert standing(page, FIRST | THEN) == FIRST | THEN
        taken_in(house, page)
