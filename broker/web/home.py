"""What belongs to nobody's work in particular: the start, choices of one's own, the page about keys."""

from __future__ import annotations

from broker.web import guard
from broker.web.page import EVERYBODY, Answer, Go, House, Show, Visit, inbox_page, open_page, page
from broker.web.words import LANGUAGES

THEMES = ("auto", "light", "dark")
PAUSES = ("0", "30", "45", "60", "90")


@page("/", *EVERYBODY)
def start(visit: Visit) -> Answer:
    """Where each role begins."""
    if visit.may("analyst", "releaser"):
        return Go("/desk/work")
    if visit.may("dpo"):
        return Go("/desk/register")
    return Go("/desk/admin")


def _settings(visit: Visit) -> Answer:
    return Show("settings.html")


def _save(visit: Visit) -> Answer:
    theme, keys, pause = visit.form.get("theme"), visit.form.get("keys", "off"), visit.form.get("pause")
    cookies = {
        "theme": theme if theme in THEMES else "auto",
        "keys": "on" if keys == "on" else "off",
        "pause": pause if pause in PAUSES else "45",
    }
    return Go(f"/{visit.house}/settings", said=visit.words("Saved in this browser."), cookies=cookies)


def _language(visit: Visit) -> Answer:
    wanted = visit.form.get("language")
    back = guard.inside(visit.form.get("back"), f"/{visit.house}")
    return Go(back, cookies={"language": wanted} if wanted in LANGUAGES else {})


def _declare(house: House) -> None:
    open_page(house, "/settings")(_settings)
    open_page(house, "/settings", methods=("POST",))(_save)
    open_page(house, "/settings/language", methods=("POST",))(_language)


_declare("desk")
_declare("inbox")


@inbox_page("/")
def inbox_start(visit: Visit) -> Answer:
    """The inbox begins with what waits."""
    return Go("/inbox/referrals")
