"""Before something leaves or goes for good: who does it proves afresh who they are, for what they saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlmodel import Session

from broker import auth
from broker.auth import step_up
from broker.auth.passkeys import Site
from broker.auth.step_up import Purpose
from broker.errors import BrokerError, Forbidden
from broker.web.page import Show, Visit
from broker.web.signin import FLOW


def ask(
    visit: Visit,
    digest: str,
    *,
    act: str,
    what: Sequence[str],
    fields: Sequence[tuple[str, str]] = (),
    error: BrokerError | None = None,
    purpose: Purpose = "release",
) -> Show:
    """The page that asks for a passkey or a one-time code. `what` says in words what it is about, `act`
    and `fields` are what the form sends on."""
    site, options, cookies = _site(visit), "", {}
    try:
        if site.usable:
            asked = step_up.begin(visit.session, site, visit.actor.id, digest, visit.now, purpose=purpose)
            options, cookies = asked.options, {FLOW: asked.handle}
    except Forbidden:
        pass  # no passkey: a one-time code is left
    codes = auth.totp.enrolled(visit.session, visit.actor.id)
    values: Mapping[str, object] = {
        "digest": digest,
        "act": act,
        "purpose": purpose,
        "what": what,
        "fields": fields,
        "options": options,
        "codes": codes,
        "shown": _shown(visit) if codes and visit.desk.settings.synthetic else "",
        "error": error,
    }
    return Show("release/prove.html", values, 200 if error is None else 403, cookies)


def take(visit: Visit, digest: str, *, purpose: Purpose = "release", session: Session | None = None) -> None:
    """Check the answer and require it, in the transaction that approves, or in `session`. Raises
    `Forbidden`; what counts attempts has to be committed even then."""
    answer, me, within = visit.form.get("passkey"), visit.actor.id, session or visit.session
    if answer:
        step_up.finish_passkey(within, _site(visit), me, visit.cookies.get(FLOW, ""), answer, visit.now)
    elif visit.form.get("code"):
        key = visit.desk.vault().lasting("totp")
        step_up.finish_totp(within, key, me, digest, visit.form.get("code"), visit.now, purpose=purpose)
    step_up.require(within, me, digest, visit.now, purpose=purpose)


def _shown(visit: Visit) -> str:
    """The demo has no telephone: its pages say the code themselves, on synthetic data only."""
    key = visit.desk.vault().lasting("totp")
    return auth.totp.shown(visit.session, key, visit.actor.id, visit.now, synthetic=True)


def _site(visit: Visit) -> Site:
    return Site.of(visit.desk.settings.pages_url)
