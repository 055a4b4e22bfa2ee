"""What is sent twice at once (a double click, a key held down, two people at the same moment) is done once,
and nobody is told that the broker failed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlmodel import func, select
from starlette.testclient import TestClient

from broker.demo import cases as demo_cases
from broker.demo.house import House
from broker.jobs import settle
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case
from tests.needs import needs
from tests.web.browsing import launch, person
from tests.web.conftest import SignedIn
from tests.web.living import verdicts_of
from tests.web.reading import sent
from tests.web.test_import import form_of, tried
from tests.web.test_report import TYPED
from tests.web.test_urgent import danger

KEYS = """() => {
  let sends = 0;
  document.addEventListener("submit", (event) => { if (!event.defaultPrevented) sends += 1; });
  const press = (repeat) =>
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "y", bubbles: true, repeat }));
  press(true);
  const held = sends;
  press(false);
  press(false);
  return [held, sends];
}"""
"""A key that is still held down from the page before, then one pressed twice: what is sent after each."""


def at_once(*asked: tuple[TestClient, str, dict[str, Any]]) -> list[int]:
    """All of them together; gives what they are answered."""

    def send(one: tuple[TestClient, str, dict[str, Any]]) -> int:
        client, path, form = one
        return int(client.post(path, data=form, follow_redirects=False).status_code)

    with ThreadPoolExecutor(len(asked)) as pool:
        return sorted(pool.map(send, asked))


def count(house: House, table: type) -> int:
    with unit_of_work(house.desk.db) as session:
        return int(session.exec(select(func.count()).select_from(table)).one())


def test_two_first_verdicts_are_on_one_claim(signed_in: SignedIn, house: House) -> None:
    case_id = build.take_in(house, demo_cases.make(1, house.desk.now()))
    one, two, at = signed_in("analyst-1"), signed_in("analyst-2"), f"/desk/confirm/{case_id}"
    form = {"claim": "content_illegal", "says": "yes", "version": "1"}
    assert at_once((one, at, form), (one, at, form), (two, at, form), (two, at, form)) == [303, 303, 409, 409]
    assert (count(house, tables.Claim), verdicts_of(house, case_id)) == (1, 2)
    with unit_of_work(house.desk.db) as session:
        assert session.get_one(tables.CaseFile, case_id).state == "confirmed"


def test_an_export_comes_in_once(signed_in: SignedIn, house: House) -> None:
    client = signed_in("analyst-1")
    lines = "\n".join(json.dumps(demo_cases.make(n, house.desk.now())) for n in range(1, 4))
    form = form_of(tried(client, lines.encode(), "canonical").text)
    asked = {"adapter": "canonical", "synthetic": "yes", "do": "take-in", "form": form}
    assert at_once(*[(client, "/desk/import", asked)] * 3) == [303, 404, 404]
    assert count(house, tables.CaseFile) == 3


def test_what_is_urgent_leaves_once_and_its_page_says_so(signed_in: SignedIn, house: House) -> None:
    case_id = build.take_in(house, danger())
    analyst, at = signed_in("analyst-1"), f"/desk/urgent/{case_id}"
    asked = {"act": "send", "reason": "live-stream"}
    assert at_once(*[(analyst, at, asked)] * 3) == [303, 303, 303]
    settle(house.desk)
    assert (count(house, tables.Draft), count(house, tables.Release)) == (1, 1)
    assert "It left:" in analyst.get(at).text


@pytest.mark.parametrize("what", ["draft", "amend", "refuse", "withdraw"])
def test_who_comes_second_is_told_in_words(signed_in: SignedIn, house: House, what: str) -> None:
    """The database lets one through; the other is asked again and sees what the first did."""
    if what == "withdraw":
        release = build.released(house, "police").release
        ask = (signed_in("releaser"), f"/desk/release/{release}", {"act": "withdraw", "reason": "incorrect"})
        table = tables.Withdrawal
    elif what == "refuse":
        release = build.drafted(house, build.confirmed(house, full_case()), "police").release
        ask = (signed_in("releaser"), f"/desk/release/{release}", {"act": "refuse", "code": "incorrect"})
        table = tables.DraftRefusal
    else:
        analyst = signed_in("analyst-1")
        case_id = build.confirmed(house, demo_cases.make(3, house.desk.now()))
        at = f"/desk/cases/{case_id}/escalate"
        form = {"chosen": "yes", "to": [house.partners["police"]], "act": "draft"}
        table = tables.Referral
        if what == "amend":
            at, table = f"/desk/cases/{case_id}/amend", tables.CaseVersion
            form = {
                **sent(analyst.get(at).text, "report"),
                "case.urgency_reason": "Synthetic.",
                "do": "submit",
            }
        ask = (analyst, at, form)
    before = count(house, table)
    answers = at_once(ask, ask, ask)
    assert answers[0] == 303
    assert max(answers) < 500
    assert count(house, table) == before + 1


def test_a_form_that_is_kept_after_it_was_taken_in_is_not_unfinished(
    signed_in: SignedIn, house: House
) -> None:
    client = signed_in("analyst-1")
    form = {
        **TYPED,
        "case.origin_channel": "public_report",
        "items.item1.crypto_hash.0.value": "ab" * 32,
        "assessment.narrative.0.type": "fact",
        "form_id": str(uuid4()),
    }
    client.post("/desk/cases/new", data=form, headers={"hx-request": "true"})
    assert count(house, tables.FormDraft) == 1
    taken = client.post("/desk/cases/new", data={**form, "do": "submit"}, follow_redirects=False)
    assert taken.status_code == 303
    late = client.post("/desk/cases/new", data=form, headers={"hx-request": "true"})
    assert late.status_code == 200
    assert count(house, tables.FormDraft) == 0


@pytest.fixture(scope="module")
def browser(founded: tuple[House, str]) -> Iterator[Browser]:
    # After the house is made: Playwright keeps an event loop on this thread, and signing a PDF needs its own.
    del founded
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


@needs("chromium")
def test_a_key_held_down_or_pressed_again_says_yes_once(browser: Browser, house: House) -> None:
    case_id = build.take_in(house, demo_cases.make(2, house.desk.now()))  # two claims
    with build.serving(house) as (url, served), person(browser, served, url, "analyst-1") as watched:
        page = watched.goto(f"/desk/confirm/{case_id}")
        with page.expect_navigation():
            assert page.evaluate(KEYS) == [0, 1]
        assert page.url.endswith(f"/confirm/{case_id}")  # its other claim, which nobody answered yet
    assert verdicts_of(house, case_id) == 1
