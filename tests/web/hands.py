"""Hands on a keyboard: a person who works without a pointer, whose every key press is counted.

Elements are found by name, value or data-key, never by words: the same hands work in every language.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.web.browsing import Watched

AT = "(wanted) => !!document.activeElement && document.activeElement.matches(wanted)"
KEY = """(wanted) => {
  const found = [...document.querySelectorAll(wanted)].find((e) => e.offsetParent !== null);
  const typing = document.activeElement && document.activeElement.closest(
    'input:not([type=checkbox]):not([type=radio]):not([type=submit]), textarea, select');
  return found && !typing ? found.dataset.key || '' : '';
}"""
GROUP = "(wanted) => { const e = document.querySelector(wanted); return e.type + '|' + e.name; }"


@dataclass
class Hands:
    """One person's hands. `script` says whether the pages' own keys work for them."""

    on: Watched
    script: bool = True
    presses: int = 0

    def press(self, key: str) -> None:
        """One key."""
        self.presses += 1
        self.on.page.keyboard.press(key)

    def type(self, text: str) -> None:
        """Text into what has the focus: a press for each character."""
        self.presses += len(text)
        self.on.page.keyboard.type(text)

    def tab_to(self, wanted: str, *, most: int = 600) -> None:
        """Tab until what has the focus matches the selector."""
        page = self.on.page
        for _ in range(most):
            if page.evaluate(AT, wanted):
                return
            self.press("Tab")
        raise AssertionError(f"no Tab leads to {wanted} on {page.url}")

    def go(self, wanted: str) -> None:
        """Press a link or a button that leads to another page, by its key where it has one."""
        page = self.on.page
        key = page.evaluate(KEY, wanted) if self.script else ""
        if not key:
            self.tab_to(wanted)
        with page.expect_navigation(wait_until="load"):
            self.press(key or "Enter")

    def write(self, name: str, text: str) -> None:
        """Type into the input of this name, in place of what stands there."""
        self.tab_to(f'[name="{name}"]:not([type=hidden])')
        if self.on.page.evaluate("document.activeElement.value"):
            self.press("Control+a")
        self.type(text)

    def choose(self, name: str, value: str) -> None:
        """Move the choice of this name down to a value."""
        self.tab_to(f'select[name="{name}"]')
        for _ in range(100):
            if self.on.page.evaluate("document.activeElement.value") == value:
                return
            self.press("ArrowDown")
        raise AssertionError(f"{name} cannot be {value}")

    def add(self, group: str) -> None:
        """Ask for one more entry of a group of the form."""
        self.tab_to(f'button[name="do"][value="add:{group}"]')
        self.press("Enter")
        form = "#report[data-htmx-powered]" if self.script else "#report"  # the new one has its script, too
        self.on.page.wait_for_selector(f'{form} [name^="{group}.0."]')

    def tick(self, wanted: str) -> None:
        """Tick a box, or take one choice of several: arrows walk from the one that Tab reaches."""
        page = self.on.page
        kind, _, name = page.evaluate(GROUP, wanted).partition("|")
        self.tab_to(wanted if kind == "checkbox" else f'input[type=radio][name="{name}"]')
        for _ in range(40):
            if page.evaluate(AT, wanted):
                break
            self.press("ArrowDown")
        if not page.evaluate("document.activeElement.checked"):
            self.press("Space")
        assert page.evaluate("(wanted) => document.querySelector(wanted).checked", wanted)

    def done(self) -> None:
        """The page where a step ends: within its policy, and axe has nothing to say."""
        self.on.check_policy()
        if self.script:  # axe waits for timers, which stand still without a script; the pages are the same
            self.on.wrong += self.on.axe()
