"""Signing in and out at both doors: passkey, password and one-time code, the house's provider, demo link.

A form that was sent after the session was over travels with the sign-in and goes on afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from broker import auth
from broker.auth.passkeys import Site
from broker.errors import Forbidden, NotFound
from broker.runtime import oidc_provider, session_life
from broker.web import guard
from broker.web.asked import kept_fields
from broker.web.page import Answer, Go, House, Show, Visit, open_page
from broker.web.site import SESSION

FLOW = "flow"
"""The cookie with the handle of what is under way: a passkey, a code, a trip to the provider."""


def page_of(
    visit: Visit, *, next_path: str = "", kept: Sequence[tuple[str, str]] = (), error: str = ""
) -> Show:
    """The sign-in page. `kept` is a form that was sent too late."""
    site = Site.of(visit.desk.settings.pages_url)
    asked = auth.passkeys.authentication_options(visit.session, site, visit.now) if site.usable else None
    values = {
        "next": next_path,
        "kept": json.dumps(kept) if kept else "",
        "error": error,
        "options": "" if asked is None else asked.options,
        "provider": visit.house == "desk" and oidc_provider(visit.desk.settings) is not None,
    }
    status = 403 if error or kept else 200
    return Show("signin.html", values, status, {} if asked is None else {FLOW: asked.handle})


def _ask(visit: Visit) -> Answer:
    return page_of(visit, next_path=guard.inside(visit.query.get("next"), f"/{visit.house}"))


def _sign_in(visit: Visit) -> Answer:
    """A passkey's answer, or login and password."""
    try:
        if visit.form.get("passkey"):
            site = Site.of(visit.desk.settings.pages_url)
            handle, answer = visit.cookies.get(FLOW, ""), visit.form.get("passkey")
            account = auth.passkeys.authenticate(visit.session, site, handle, answer, visit.now)
            return _signed_in(visit, account, "passkey")
        login, password = visit.form.get("login"), visit.form.get("password")
        account = auth.passwords.begin(visit.session, login, password, visit.now)
        _right_door(visit, account)
        return _second_factor(visit, account)
    except Forbidden as error:
        return _again(visit, error)


def _second_factor(visit: Visit, account: str) -> Answer:
    """Ask for a code; who has none yet makes the secret now, unless a passkey is there to be used."""
    if auth.totp.enrolled(visit.session, account):
        handle = auth.passwords.hold(visit.session, account, visit.now)
        return Show("signin_code.html", _carried(visit), cookies={FLOW: handle})
    if auth.passkeys.listed(visit.session, account):
        raise Forbidden("use-passkey", "this account signs in by its passkey")
    key, login = visit.desk.vault().lasting("totp"), auth.account(visit.session, account).login
    given = auth.totp.begin_enrol(visit.session, key, account, login, visit.now)
    return Show("signin_enrol.html", {**_carried(visit), **enrolment(given)}, cookies={FLOW: given.handle})


def enrolment(given: auth.totp.Enrolment) -> Mapping[str, str]:
    """A new secret for a page: in letters, and as a picture of squares for an app's camera."""
    import segno

    squares = segno.make(given.uri, error="m").svg_inline(scale=5, border=4, omitsize=True, svgclass="code")
    return {"secret": given.secret, "squares": squares}


def _code(visit: Visit) -> Answer:
    """The second page: the code."""
    handle, code = visit.cookies.get(FLOW, ""), visit.form.get("code")
    key = visit.desk.vault().lasting("totp")
    try:
        if visit.form.get("enrol"):
            account = auth.totp.finish_enrol(visit.session, key, handle, code, visit.now)
        else:
            account = auth.passwords.held(visit.session, handle, visit.now)
            auth.totp.verify(visit.session, key, account, code, visit.now)
            auth.passwords.release(visit.session, handle)
        return _signed_in(visit, account, "totp")
    except Forbidden as error:
        if error.code == "code" and not visit.form.get("enrol"):
            carried = {**_carried(visit), "error": visit.words.problem(error)}
            return Show("signin_code.html", carried, status=403)
        return _again(visit, error)


def _link(visit: Visit) -> Answer:
    """Opening a link signs nobody in: programs that look at mail follow links."""
    if not visit.desk.settings.synthetic:
        raise NotFound("page")
    return Show("signin_link.html")


def _use_link(visit: Visit) -> Answer:
    synthetic = visit.desk.settings.synthetic
    account = auth.links.use(visit.session, visit.params["token"], visit.now, synthetic=synthetic)
    return _signed_in(visit, account, "link")


def _signed_in(visit: Visit, account: str, method: auth.Method) -> Answer:
    _right_door(visit, account)
    old, life = visit.cookies.get(SESSION, ""), session_life(visit.desk.settings)
    token = auth.open_session(visit.session, account, method, visit.now, replaces=old, life=life)
    cookies = {SESSION: token, FLOW: ""}
    going = guard.inside(visit.form.get("next"), f"/{visit.house}")
    kept = kept_fields(visit.form.get("kept"))
    if kept:
        return Show("signin_kept.html", {"next": going, "kept": kept}, cookies=cookies)
    return Go(going, cookies=cookies)


def _right_door(visit: Visit, account: str) -> None:
    if account.startswith("st_") != (visit.house == "desk"):
        raise Forbidden("other-door", "this account is of the other door")


def _carried(visit: Visit) -> dict[str, str]:
    return {"next": visit.form.get("next"), "kept": visit.form.get("kept"), "error": ""}


def _again(visit: Visit, error: Forbidden) -> Show:
    """From the beginning, with what was carried along."""
    path = guard.inside(visit.form.get("next"), f"/{visit.house}")
    kept = kept_fields(visit.form.get("kept"))
    return page_of(visit, next_path=path, kept=kept, error=visit.words.problem(error))


def _sign_out(visit: Visit) -> Answer:
    auth.sign_out(visit.session, visit.cookies.get(SESSION, ""))
    return Go(f"/{visit.house}/sign-in", said=visit.words("You are signed out."), cookies={SESSION: ""})


@open_page("desk", "/sign-in/provider")
def to_provider(visit: Visit) -> Answer:
    """Off to the house's own provider."""
    provider = oidc_provider(visit.desk.settings)
    if provider is None:
        raise NotFound("page")
    asked = auth.oidc.begin(visit.session, provider, visit.now)
    return Go(asked.url, cookies={FLOW: asked.handle})


@open_page("desk", "/sign-in/oidc")
def from_provider(visit: Visit) -> Answer:
    """Back from it."""
    provider = oidc_provider(visit.desk.settings)
    if provider is None:
        raise NotFound("page")
    try:
        query = {name: visit.query.get(name) for name in visit.query}
        handle = visit.cookies.get(FLOW, "")
        account = auth.oidc.finish(visit.session, provider, handle, query, visit.now)
        return _signed_in(visit, account, "oidc")
    except Forbidden as error:
        return _again(visit, error)


def _declare(house: House) -> None:
    open_page(house, "/sign-in")(_ask)
    open_page(house, "/sign-in", methods=("POST",))(_sign_in)
    open_page(house, "/sign-in/code", methods=("POST",))(_code)
    open_page(house, "/sign-in/link/{token}")(_link)
    open_page(house, "/sign-in/link/{token}", methods=("POST",))(_use_link)
    open_page(house, "/sign-out", methods=("POST",))(_sign_out)


_declare("desk")
_declare("inbox")
