"""Forty standard cases, imported to released by a drafter and a releaser, with a second person to confirm:
keyboard only, and every key press counted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlmodel import func, select

from broker.demo import cases as demo_cases
from broker.demo.house import House
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.needs import needs
from tests.web.browsing import authenticator, launch, person
from tests.web.hands import Hands

pytestmark = needs("chromium")

CASES = 40
DRAFTER, RELEASER = 12, 4
"""How many key presses a case a person may need."""


@pytest.fixture(scope="module")
def browser(founded: tuple[House, str]) -> Iterator[Browser]:
    # After the house is made: Playwright keeps an event loop on this thread, and signing a PDF needs its own.
    del founded
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


def standard(house: House) -> str:
    """Reports of content in the country, each other content at another address: nothing unusual."""
    lines = []
    for number in range(1, CASES + 1):
        case = demo_cases.make(5 * number + 1, house.desk.now())
        case["locations"]["loc1"].update(
            country="BE", url=f"https://files.host-be.example/synthetic/{number}"
        )
        case["case"]["jurisdiction_basis"][0]["country"] = "BE"
        del case["assessment"]["narrative"]  # a text that a person wrote is looked at by itself
        lines.append(json.dumps(case))
    return "\n".join(lines)


def count(house: House, table: type) -> int:
    with unit_of_work(house.desk.db) as session:
        return int(session.exec(select(func.count()).select_from(table)).one())


def imported(hands: Hands, export: Path) -> None:
    """Choose what it is, choose the file, try it, take all in."""
    page = hands.on.goto("/desk/import")
    hands.go('a[href$="adapter=canonical"]')
    with page.expect_file_chooser() as chooser:
        hands.tab_to("#file")  # in here: the browser has to have heard of it before the key opens the window
        hands.press("Enter")
    hands.presses += len(export.name) + 1  # what a person types in the window of the system, and Enter
    chooser.value.set_files(export)
    hands.tab_to('button[name="do"][value="try"]')
    hands.go('button[name="do"][value="try"]')
    hands.go('button[name="do"][value="take-in"]')


def confirmed(hands: Hands, start: str) -> None:
    """Say yes to each claim; the next case comes by itself."""
    yes = 'button[name="says"][value="yes"][data-key]'
    hands.go(start)
    while hands.on.page.locator(yes).count():
        hands.go(yes)


def drafted(hands: Hands) -> None:
    """Draft for those that routing proposes; the next case comes by itself."""
    page = hands.on.goto("/desk/work")
    hands.go('a[href$="/escalate"]')
    draft = 'button[name="act"][value="draft"]'
    while page.locator(draft).count():
        hands.go(draft)


def released(hands: Hands) -> None:
    """Approve together what may go together, each list proved afresh."""
    page = hands.on.goto("/desk/release")
    hands.go('a[href$="/release/batch"]')
    approve = 'button[name="act"][value="approve"]'
    while page.locator(approve).count():
        hands.go(approve)
        hands.go('form[data-passkey="get"] button')


def test_forty_standard_cases_need_few_keys(browser: Browser, house: House, tmp_path: Path) -> None:
    export = tmp_path / "cases.jsonl"
    export.write_text(standard(house))
    with build.serving(house) as (url, served):
        with person(browser, served, url, "analyst-1") as watched:
            drafter = Hands(watched)
            imported(drafter, export)
            assert count(house, tables.CaseFile) == CASES
            confirmed(drafter, 'a[href*="/confirm/"][data-key]')
            with person(browser, served, url, "analyst-2") as other:
                second = Hands(other)
                other.goto("/desk/confirm")
                confirmed(second, 'a[href*="/confirm/"][data-key]')
            drafted(drafter)
            assert count(house, tables.Draft) == CASES
        with person(browser, served, url, "releaser") as watched:
            authenticator(watched)
            watched.goto("/desk/account")
            once = Hands(watched)
            once.go('form[data-passkey="create"] button')
            releaser = Hands(watched)
            released(releaser)
        end = time.monotonic() + 120  # the signer works through the last batch in its own time
        while count(house, tables.Release) < CASES and time.monotonic() < end:
            time.sleep(0.1)
    assert count(house, tables.Release) == CASES
    spent = (
        f"drafter {drafter.presses}, second {second.presses}, releaser {releaser.presses} for {CASES} cases"
    )
    assert drafter.presses <= DRAFTER * CASES, spent
    assert second.presses <= DRAFTER * CASES, spent
    assert releaser.presses <= RELEASER * CASES, spent
