"""Real Chromium on a real server, watched: a page that asks another host, breaks its policy, or logs an
error fails the test that opened it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from broker import auth
from broker.demo.house import PASSWORD, House
from broker.store.engine import unit_of_work
from broker.web.page import House as Door
from broker.web.site import Site

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WATCH = """
window.__broken = [];
document.addEventListener('securitypolicyviolation',
  (e) => window.__broken.push(e.violatedDirective + ' ' + e.blockedURI));
"""
AXE = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
    "resultTypes": ["violations"],
}
TOO_WIDE = """() => {
  const wide = document.documentElement.clientWidth, cut = ['auto', 'scroll', 'hidden'];
  if (document.documentElement.scrollWidth <= wide) return [];
  const out = (e) => e.getBoundingClientRect().right > wide + 1;
  const held = (e) => e && (cut.includes(getComputedStyle(e).overflowX) || held(e.parentElement));
  return [...document.querySelectorAll('body *')]
    .filter((e) => out(e) && ![...e.children].some(out) && !held(e.parentElement))
    .slice(0, 2).map((e) => e.outerHTML.slice(0, 160));
}"""


def launch(playwright: Playwright) -> Browser:
    """Debian's Chromium, without a picture on a screen and without a word to anybody else."""
    return playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS])


TORN = """() => {
  const torn = [];
  for (const cell of document.querySelectorAll('main th, main td')) {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
      if (text.parentElement.closest('code, pre, .spoken')) continue;
      for (const word of text.data.matchAll(/\\p{L}{2,18}/gu)) {
        const range = document.createRange();
        range.setStart(text, word.index); range.setEnd(text, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1) torn.push(word[0]);
      }
    }
  }
  return torn.slice(0, 3);
}"""


@dataclass
class Watched:
    """One person's browser and what went wrong in it."""

    url: str
    context: BrowserContext
    page: Page
    wrong: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """How lines begin that this test brings about itself, such as those of a server that is away."""

    def goto(self, path: str) -> Page:
        """Open a page of the house."""
        self.page.goto(self.url + path, wait_until="load")
        return self.page

    def check_policy(self) -> None:
        """Note what the page's policy had to stop."""
        self.wrong += [f"policy: {each}" for each in self.page.evaluate("window.__broken || []")]

    def axe(self, only: str = "") -> list[str]:
        """What axe-core objects to, one line each; empty is good. `only` one rule, or all that are asked."""
        if only:  # after a whole run on the same page: axe is there already
            asked = {"runOnly": {"type": "rule", "values": [only]}, "resultTypes": ["violations"]}
            found = self.page.evaluate("(asked) => axe.run(document, asked)", asked)["violations"]
        else:
            found = Axe().run(self.page, options=AXE).response["violations"]
        where = self.page.url.removeprefix(self.url)
        return [f"{where}: {v['id']} ({v['impact']}): {v['nodes'][0]['html'][:200]}" for v in found]

    def torn(self) -> list[str]:
        """Words of tables that are broken in the middle, as they stand on the screen now."""
        found: list[str] = self.page.evaluate(TORN)
        return found

    def too_wide(self) -> list[str]:
        """What makes the page itself scroll sideways on a narrow screen (WCAG 1.4.10), and torn words."""
        size = self.page.viewport_size
        assert size is not None
        self.page.set_viewport_size({"width": 320, "height": 640})
        found: list[str] = self.page.evaluate(TOO_WIDE)
        found += [f"{word} is torn" for word in self.torn()]
        self.page.set_viewport_size(size)
        return found


@contextmanager
def person(browser: Browser, house: House, url: str, login: str = "", **context: Any) -> Iterator[Watched]:
    """A browser signed in as somebody of the house (`""`: nobody), checked when it closes."""
    url = url.replace("127.0.0.1", "localhost")  # browsers give no passkeys to an address of numbers
    made = browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **context})
    made.add_init_script(WATCH)
    if login:
        sign_in(made, house, url, login)
    page = made.new_page()
    if os.environ.get("BROKER_SLOW") == "1":
        slowed(page)
    watched = Watched(url, made, page)
    page.on(
        "request",
        lambda r: r.url.startswith((url, "data:", "blob:")) or watched.wrong.append(f"asked {r.url}"),
    )
    page.on("pageerror", lambda e: watched.wrong.append(f"script: {e}"))
    page.on(
        "console",
        lambda m: (
            watched.wrong.append(f"console: {m.text}")
            if m.type == "error" and "status of 4" not in m.text
            else None
        ),
    )
    try:
        yield watched
        if not page.is_closed():
            watched.check_policy()
        wrong = [line for line in watched.wrong if not line.startswith(watched.expected)]
        assert not wrong, "\n".join(wrong)
    finally:
        made.close()


def slowed(page: Page) -> None:
    """An old computer on a poor line: what a test does not wait for is not there yet."""
    devices = page.context.new_cdp_session(page)
    devices.send("Emulation.setCPUThrottlingRate", {"rate": 6})
    devices.send("Network.enable")
    line = {"offline": False, "latency": 300, "downloadThroughput": -1, "uploadThroughput": -1}
    devices.send("Network.emulateNetworkConditions", line)


def sign_in(context: BrowserContext, house: House, url: str, login: str) -> None:
    """Give the browser a session, as a sign-in would. A login that is not of the staff is of an inbox."""
    door: Door = "desk" if login in house.people else "inbox"
    with unit_of_work(house.desk.db) as session:
        known = auth.find(session, login)
        assert known is not None, login
        token = auth.open_session(session, known.id, "passkey", house.desk.now())
    name = Site(house.desk, door).cookie_name
    host = urlsplit(url).hostname or ""
    context.add_cookies([{"name": name, "value": token, "domain": host, "path": f"/{door}"}])


def reader(house: House, partner: str) -> str:
    """A person who reads the inbox of a partner (short name); gives the login."""
    login = f"{partner}-inbox"
    with unit_of_work(house.desk.db) as session:
        auth.add_person(
            session, house.people["administrator"], partner_id=house.partners[partner], login=login,
            password=PASSWORD, now=house.desk.now(),
        )  # fmt: skip
    return login


def authenticator(watched: Watched) -> None:
    """A key that knows its owner, plugged into this browser: Chromium's own virtual authenticator."""
    devices = watched.context.new_cdp_session(watched.page)
    devices.send("WebAuthn.enable")
    devices.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
            }
        },
    )  # fmt: skip


def walk(watched: Watched, start: str, *, most: int = 200) -> Iterator[str]:
    """Every page that links lead to, each shape of address once; the browser stands on the page."""
    seen: set[str] = set()
    queue = [start]
    while queue and len(seen) < most:
        path = queue.pop(0)
        shape = _shape(path)
        if shape in seen:
            continue
        seen.add(shape)
        answer = watched.page.goto(watched.url + path, wait_until="load")
        if answer is None or "text/html" not in answer.headers.get("content-type", ""):
            continue
        if answer.status >= 400:
            watched.wrong.append(f"{path} answers {answer.status}")
            continue
        yield path
        found = watched.page.eval_on_selector_all(
            "a[href]", "links => links.map(a => a.getAttribute('href'))"
        )
        queue += [
            h.partition("#")[0] for h in found if h.startswith(("/desk", "/inbox")) and not _download(h)
        ]


def _shape(path: str) -> str:
    """Two pages of the same kind look alike: ids are not told apart, questions by their names."""
    address, _, query = path.partition("?")
    parts = ["*" if len(part) > 15 or part.isdigit() else part for part in address.split("/")]
    return "/".join(parts) + "?" + "&".join(sorted(p.partition("=")[0] for p in query.split("&")))


def _download(href: str) -> bool:
    return any(word in href for word in (".csv", ".jsonl", ".pdf", "/export", "/download", "/file/"))


ROLES: Mapping[str, str] = {
    "analyst-1": "analyst",
    "releaser": "releaser",
    "officer": "dpo",
    "custodian": "key_custodian",
    "administrator": "administrator",
}
"""login → role, of the people of the synthetic house."""
