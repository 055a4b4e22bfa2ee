"""The main job by hand, in real Chromium: from a report to its answer, by an analyst, a second analyst, a
releaser, somebody of the police, and the data protection officer. Keyboard only, in four languages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Response, sync_playwright
from sqlmodel import select

from broker.demo.house import PASSWORD, House
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.needs import needs
from tests.web.browsing import authenticator, launch, person, reader
from tests.web.hands import Hands

pytestmark = needs("chromium")

WAYS: dict[str, dict[str, Any]] = {
    "english, light": {"locale": "en-GB", "color_scheme": "light"},
    "dutch, dark": {"locale": "nl-BE", "color_scheme": "dark"},
    "french, at 200 %": {
        "locale": "fr-BE",
        "viewport": {"width": 640, "height": 450},
        "device_scale_factor": 2,
    },
    "german, without a script": {"locale": "de-BE", "java_script_enabled": False},
}
REPORT = (
    ("case.origin_channel", "public_report"),
    ("case.offence_type", "csam_dissemination"),
    ("case.dates.opened_at", "2026-03-01 12:00"),
    ("items.item1.crypto_hash.0.alg", "sha256"),
    ("items.item1.crypto_hash.0.value", "ab" * 32),
    ("locations.loc1.url", "https://files.host-be.example/synthetic/by-hand"),
    ("locations.loc1.country", "BE"),
    ("assessment.narrative.0.text", "Synthetic sentence, typed by hand."),
    ("assessment.narrative.0.type", "fact"),
)
OWN_CASE = "SYN-2026-77"


@pytest.fixture(scope="module")
def browser(founded: tuple[House, str]) -> Iterator[Browser]:
    # After the house is made: Playwright keeps an event loop on this thread, and signing a PDF needs its own.
    del founded
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


@dataclass
class Job:
    """The job under way: one house, one way to work."""

    browser: Browser
    house: House
    url: str
    way: dict[str, Any]

    @property
    def script(self) -> bool:
        """Whether the pages may use theirs."""
        return bool(self.way.get("java_script_enabled", True))

    def by(self, login: str) -> Any:
        """Somebody's browser, set as this way wants it."""
        return person(self.browser, self.house, self.url, login, **self.way)

    def report(self) -> str:
        """An analyst fills the form; gives the id of the case."""
        with self.by("analyst-1") as watched:
            hands = Hands(watched, self.script)
            watched.goto("/desk/work")
            hands.go('a[href$="/cases/new"]')
            hands.go('a[href$="kind=content_report"]')
            for name, value in REPORT:
                if not watched.page.locator(f'[name="{name}"]').count():
                    hands.add(name.partition(".0.")[0])
                if watched.page.locator(f'select[name="{name}"]').count():
                    hands.choose(name, value)
                else:
                    hands.write(name, value)
            hands.go('button[name="do"][value="submit"]')
            hands.done()
            return watched.page.url.rpartition("/")[2]

    def confirm(self, login: str, case_id: str) -> None:
        """One of two people says of each claim that it is so."""
        with self.by(login) as watched:
            hands = Hands(watched, self.script)
            watched.goto("/desk/confirm")
            hands.go(f'a[href$="/confirm/{case_id}"]')
            while watched.page.locator('button[name="says"][value="yes"][data-key]').count():
                hands.go('button[name="says"][value="yes"][data-key]')
            hands.done()

    def draft(self, case_id: str) -> None:
        """Escalate, look at what each recipient would get, draft."""
        with self.by("analyst-1") as watched:
            hands = Hands(watched, self.script)
            watched.goto("/desk/work")
            hands.go(f'a[href$="/cases/{case_id}/escalate"]')
            hands.go('button[name="act"][value="preview"]')
            hands.done()
            if watched.page.locator('button[name="act"][value="accept"]').count():
                hands.go('button[name="act"][value="accept"]')
            hands.go('button[name="act"][value="draft"]')
            assert watched.page.url.endswith("/desk/work")
            hands.done()

    def release(self) -> None:
        """The releaser proves afresh who it is, with a passkey, or with a code where no script runs."""
        with self.by("releaser" if self.script else "") as watched:
            hands = Hands(watched, self.script)
            if self.script:
                authenticator(watched)
                watched.goto("/desk/account")
                hands.write("label", "synthetic key")
                hands.go('form[data-passkey="create"] button')
                hands.done()
            else:
                self.codes(hands)
            watched.goto("/desk/release")
            hands.go('a[data-row][href*="/release/"]')
            while watched.page.locator('button[value="approve"]').count():
                hands.done()
                hands.go('button[value="approve"]')
                if self.script:
                    hands.go('form[data-passkey="get"] button')
                else:
                    hands.write("code", watched.page.locator("p.note code").inner_text())
                    hands.go("form:has(input[name=code]) button")
            hands.done()

    def codes(self, hands: Hands) -> None:
        """Sign in by password; the first time that sets up one-time codes."""
        page = hands.on.goto("/desk/sign-in")
        hands.write("login", "releaser")
        hands.write("password", PASSWORD)
        hands.go("fieldset button")
        hands.write("code", pyotp.TOTP(page.locator("figure.secret code").inner_text()).now())
        hands.go("form:has(input[name=code]) button")

    def answer(self, login: str) -> str:
        """Somebody of the police opens the PDF on a ground and answers; gives the reference."""
        with self.by(login) as watched:
            hands = Hands(watched, self.script)
            page = watched.goto("/inbox/referrals")
            referral = 'a[href*="/inbox/referrals/"]'
            for _ in range(100):  # the signer needs a moment; a person would look again
                if page.locator(referral).count():
                    break
                page.wait_for_timeout(300)
                page.reload()
            reference = page.locator(referral).first.inner_text()
            hands.go(referral)
            hands.tick("#ground-triage")
            hands.tab_to('button[name="name"][value$=".pdf"]')
            with watched.context.expect_event("response", _is_pdf), watched.context.expect_page() as opened:
                hands.press("Enter")
            opened.value.close()
            hands.tick("#said-case-opened")
            hands.write("reference", OWN_CASE)
            hands.go('form[action$="/answer"] button')
            hands.done()
            return reference

    def follow(self, case_id: str) -> None:
        """The analyst finds the answer, and its place in the ledger, on the referral's timeline."""
        with self.by("analyst-1") as watched:
            hands = Hands(watched, self.script)
            page = watched.goto(f"/desk/cases/{case_id}")
            hands.go('a[href*="/follow/"]')
            assert page.locator("section.note strong").count() == 1
            hands.done()

    def disclosed(self, reference: str) -> None:
        """The officer finds the disclosure by its reference."""
        with self.by("officer") as watched:
            hands = Hands(watched, self.script)
            page = watched.goto("/desk/register")
            hands.write("words", reference)
            hands.go('form[role="search"] button')
            assert reference in page.locator("main").inner_text()
            hands.done()


def _is_pdf(response: Response) -> bool:
    return response.ok and response.headers.get("content-type") == "application/pdf"


@pytest.mark.parametrize("way", WAYS)
def test_from_report_to_answer(browser: Browser, house: House, way: str) -> None:
    police = reader(house, "police")
    with build.serving(house) as (url, served):
        job = Job(browser, served, url, WAYS[way])
        case_id = job.report()
        job.confirm("analyst-1", case_id)
        job.confirm("analyst-2", case_id)
        job.draft(case_id)
        job.release()
        reference = job.answer(police)
        job.follow(case_id)
        job.disclosed(reference)
    with unit_of_work(house.desk.db) as session:
        (answer,) = session.exec(select(tables.Answer)).all()
        evidence = session.exec(select(tables.StepUpEvidence)).all()
    assert answer.outcome == "O10"
    assert [proof.method for proof in evidence] == ["passkey" if "script" not in way else "totp"]
