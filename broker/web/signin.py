"""Signing in and out at both doors."""

from __future__ import annotations

import json
from collections.abc import Sequence

from broker import auth
from broker.errors import Forbidden
from broker.web import guard
from broker.web.page import Answer, Go, House, Show, Visit, open_page
from broker.web.site import SESSION, kept_fields


def page_of(
    visit: Visit,
    *,
    next_path: str = "",
    kept: Sequence[tuple[str, str]] = (),
    error: str = "",
) -> Show:
    """The sign-in page. `kept` is a form that was sent after the session was over; it goes on afterwards."""
    return Show(
        "signin.html",
        {"next": next_path, "kept": json.dumps(kept) if kept else "", "error": error},
        status=403 if error or kept else 200,
    )


def _ask(visit: Visit) -> Answer:
    return page_of(visit, next_path=guard.inside(visit.query.get("next"), f"/{visit.house}"))


def _sign_in(visit: Visit) -> Answer:
    base = f"/{visit.house}"
    going, kept = guard.inside(visit.form.get("next"), base), kept_fields(visit.form.get("kept"))
    try:
        token = auth.sign_in(
            visit.session, auth.Passwords(), visit.form.get("login"), visit.form.get("password"), visit.now
        )
    except Forbidden as error:
        return page_of(visit, next_path=going, kept=kept, error=visit.words.problem(error))
    if kept:
        return Show("signin_kept.html", {"next": going, "kept": kept}, cookies={SESSION: token})
    return Go(going, cookies={SESSION: token})


def _sign_out(visit: Visit) -> Answer:
    return Go(f"/{visit.house}/sign-in", said=visit.words("You are signed out."), cookies={SESSION: ""})


def _declare(house: House) -> None:
    open_page(house, "/sign-in")(_ask)
    open_page(house, "/sign-in", methods=("POST",))(_sign_in)
    open_page(house, "/sign-out", methods=("POST",))(_sign_out)


_declare("desk")
_declare("inbox")
