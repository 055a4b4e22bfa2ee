"""One's own account: passkeys, one-time codes, signing out everywhere."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

from broker import auth
from broker.auth import step_up
from broker.auth.passkeys import Site
from broker.errors import Forbidden, NotFound
from broker.web.page import EVERYBODY, Answer, Go, Handler, Show, Visit, inbox_page, page
from broker.web.signin import FLOW, enrolment
from broker.web.site import SESSION


def account(visit: Visit, *, error: str = "", status: int = 200) -> Answer:
    """What proves that it is you."""
    site, me = Site.of(visit.desk.settings.pages_url), _me(visit)
    cookies, options = {}, ""
    if site.usable:
        made = auth.passkeys.registration_options(visit.session, site, me, visit.now)
        cookies, options = {FLOW: made.handle}, made.options
    passkeys = [
        (urlsafe_b64encode(row.credential_id).decode(), row.label, row.created_at, row.last_used_at)
        for row in auth.passkeys.listed(visit.session, me)
    ]
    values = {
        "login": auth.account(visit.session, me).login,
        "passkeys": passkeys,
        "codes": auth.totp.enrolled(visit.session, me),
        "options": options,
        "proven": _proven(visit),
        "error": error,
    }
    return Show("account.html", values, status, cookies)


def _proven(visit: Visit) -> bool:
    """Whether who sits here may change what proves who it is: they signed in a moment ago, by a passkey or
    a code if the account has one. On a screen left open a stranger would else add a key of their own, and
    approve releases with it."""
    if visit.visitor is None or visit.visitor.signed_in_at <= visit.now - step_up.FRESH:
        return False
    own = auth.passkeys.listed(visit.session, _me(visit)) or auth.totp.enrolled(visit.session, _me(visit))
    return not own or visit.visitor.method in ("passkey", "totp")


def _changes(change: Handler) -> Handler:
    """A page that changes what proves who somebody is."""

    def changed(visit: Visit) -> Answer:
        if _proven(visit):
            return change(visit)
        words = visit.words("To change what proves that it is you, sign in again.")
        return account(visit, error=words, status=403)

    return changed


def add_passkey(visit: Visit) -> Answer:
    """What the browser made."""
    site, answer = Site.of(visit.desk.settings.pages_url), visit.form.get("passkey")
    label, handle = visit.form.get("label"), visit.cookies.get(FLOW, "")
    try:
        auth.passkeys.register(visit.session, site, _me(visit), handle, answer, label, visit.now)
    except Forbidden as error:
        return account(visit, error=visit.words.problem(error), status=403)
    return _back(visit, visit.words("The passkey is yours now."))


def remove_passkey(visit: Visit) -> Answer:
    """The last way in is not taken away by oneself."""
    mine = auth.passkeys.listed(visit.session, _me(visit))
    if len(mine) < 2 and not auth.totp.enrolled(visit.session, _me(visit)):
        words = visit.words("This is your only way in. Set up another one first.")
        return account(visit, error=words, status=409)
    try:
        credential = urlsafe_b64decode(visit.form.get("credential").encode())
    except ValueError:
        raise NotFound("passkey") from None
    auth.passkeys.remove(visit.session, _me(visit), credential)
    return _back(visit, visit.words("The passkey was taken away."))


def begin_codes(visit: Visit) -> Answer:
    """A new secret to try out; the old one counts until a code of the new one was seen."""
    key = visit.desk.vault().lasting("totp")
    login = auth.account(visit.session, _me(visit)).login
    given = auth.totp.begin_enrol(visit.session, key, _me(visit), login, visit.now)
    return Show("account_codes.html", {**enrolment(given), "error": ""}, cookies={FLOW: given.handle})


def finish_codes(visit: Visit) -> Answer:
    """The first code made with it."""
    key, handle = visit.desk.vault().lasting("totp"), visit.cookies.get(FLOW, "")
    try:
        auth.totp.finish_enrol(visit.session, key, handle, visit.form.get("code"), visit.now)
    except Forbidden as error:
        return account(visit, error=visit.words.problem(error), status=403)
    return _back(visit, visit.words("One-time codes are set up."))


def everywhere(visit: Visit) -> Answer:
    """Every session of this account ends, this one too."""
    auth.sign_out_everywhere(visit.session, _me(visit))
    return Go(f"/{visit.house}/sign-in", said=visit.words("You are signed out."), cookies={SESSION: ""})


def _me(visit: Visit) -> str:
    if visit.visitor is None:
        raise NotFound("account")
    return visit.visitor.id


def _back(visit: Visit, said: str) -> Answer:
    return Go(f"/{visit.house}/account", said=said, cookies={FLOW: ""})


for _path, _handler in (
    ("/account/passkey", _changes(add_passkey)),
    ("/account/passkey/remove", _changes(remove_passkey)),
    ("/account/codes", _changes(begin_codes)),
    ("/account/codes/finish", _changes(finish_codes)),
    ("/account/everywhere", everywhere),
):
    page(_path, *EVERYBODY, methods=("POST",))(_handler)
    inbox_page(_path, methods=("POST",))(_handler)
page("/account", *EVERYBODY)(account)
inbox_page("/account")(account)
