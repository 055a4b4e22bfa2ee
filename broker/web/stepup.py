"""Before something leaves: who approves proves afresh who they are, for exactly the digest they saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from broker import auth
from broker.auth import step_up
from broker.auth.passkeys import Site
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
) -> Show:
    """The page that asks for a passkey or a one-time code. `what` says in words what is approved, `act`
    and `fields` are what the form sends on."""
    site, options, cookies = _site(visit), "", {}
    try:
        if site.usable:
            asked = step_up.begin(visit.session, site, visit.actor.id, digest, visit.now)
            options, cookies = asked.options, {FLOW: asked.handle}
    except Forbidden:
        pass  # no passkey: a one-time code is left
    codes = auth.totp.enrolled(visit.session, visit.actor.id)
    values: Mapping[str, object] = {
        "digest": digest,
        "act": act,
        "what": what,
        "fields": fields,
        "options": options,
        "codes": codes,
        "shown": _shown(visit) if codes and visit.desk.settings.synthetic else "",
        "error": error,
    }
    return Show("release/prove.html", values, 200 if error is None else 403, cookies)


def take(visit: Visit, digest: str) -> None:
    """Check the answer and require it, in the transaction that approves. Raises `Forbidden`."""
    answer, me = visit.form.get("passkey"), visit.actor.id
    if answer:
        step_up.finish_passkey(
            visit.session, _site(visit), me, visit.cookies.get(FLOW, ""), answer, visit.now
        )
    elif visit.form.get("code"):
        key = visit.desk.vault().lasting("totp")
        step_up.finish_totp(visit.session, key, me, digest, visit.form.get("code"), visit.now)
    step_up.require(visit.session, me, digest, visit.now)


def _shown(visit: Visit) -> str:
    """The demo has no telephone: its pages say the code themselves, on synthetic data only."""
    key = visit.desk.vault().lasting("totp")
    return auth.totp.shown(visit.session, key, visit.actor.id, visit.now, synthetic=True)


def _site(visit: Visit) -> Site:
    return Site.of(visit.desk.settings.pages_url)
