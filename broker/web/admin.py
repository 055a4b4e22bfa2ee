"""Administration: people, their roles and vetting, recognition, keys of the house, adapters, jobs."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from broker import auth
from broker.auth import ROLES
from broker.desk import directory
from broker.errors import BrokerError, Conflict, Refused
from broker.spi import Connects, Ingests, Renders
from broker.store import ledger
from broker.web.page import Answer, Go, Show, Visit, page

SOON = timedelta(days=30)


@page("/admin", "administrator", "key_custodian", "dpo", menu="Administration")
def overview(visit: Visit) -> Answer:
    """What needs somebody: vetting that ends, agreements that end, a signer that stands still."""
    now = visit.now
    ending = [
        p for p in directory.people(visit.session)
        if p.disabled_at is None and p.vetted_until is not None and p.vetted_until < now + SOON
    ]  # fmt: skip
    lines = directory.partner_lines(visit.session)
    lapsing = [p for p in lines if p.agreement_until is not None and p.agreement_until < now + SOON]
    recognised = [
        r for r in directory.recognitions(visit.session)
        if r.valid_from <= now and (r.valid_to is None or r.valid_to > now)
    ]  # fmt: skip
    return Show(
        "admin/overview.html",
        {
            "ending": ending,
            "lapsing": lapsing,
            "recognised": recognised[0] if recognised else None,
            "running": directory.running(visit.desk, visit.session),
            "leader": _leader(visit),
        },
    )


@page("/admin/people", "administrator")
def people(visit: Visit) -> Answer:
    """Accounts with roles and vetting."""
    return _people(visit)


def _people(visit: Visit, error: BrokerError | None = None) -> Answer:
    values = {
        "people": directory.people(visit.session),
        "roles": ROLES,
        "typed": visit.form,
        "error": error,
        "soon": visit.now + SOON,
    }
    return Show("admin/people.html", values, 200 if error is None else 409)


@page("/admin/people/add", "administrator", methods=("POST",))
def add_person(visit: Visit) -> Answer:
    """A new account. Its password is for the first sign-in; a second factor is set up there."""
    roles = frozenset(role for role in ROLES if role in visit.form.all("roles"))
    try:
        with visit.session.begin_nested():
            if not roles or not visit.form.get("login"):
                raise Refused("account-incomplete", "an account has a login and at least one role")
            auth.add_staff(
                visit.session,
                login=visit.form.get("login"),
                roles=roles,
                password=visit.form.get("password"),
                vetted_until=_day(visit.form.get("vetted_until")),
                now=visit.now,
            )
    except (Conflict, Refused) as error:
        return _people(visit, error)
    return Go("/desk/admin/people", said=visit.words("The account was made."))


@page("/admin/people/{account}/vetting", "administrator", methods=("POST",))
def renew(visit: Visit) -> Answer:
    """A new end of vetting."""
    until = _day(visit.form.get("vetted_until"))
    directory.renew_vetting(visit.desk, visit.session, visit.actor, visit.params["account"], until)
    return Go("/desk/admin/people", said=visit.words("The vetting was renewed."))


@page("/admin/people/{account}/end", "administrator", methods=("POST",))
def end(visit: Visit) -> Answer:
    """End an account for good, with its sessions."""
    if visit.params["account"] == visit.actor.id:
        raise Conflict("own-account", "nobody ends their own account; ask another administrator")
    auth.disable(visit.session, visit.params["account"], visit.now)
    return Go("/desk/admin/people", said=visit.words("The account was ended."))


@page("/admin/recognition", "administrator", "dpo")
def recognition(visit: Visit) -> Answer:
    """The acts by which the hotline is recognised."""
    return Show(
        "admin/recognition.html",
        {"recognitions": directory.recognitions(visit.session), "now": visit.now, "typed": visit.form},
    )


@page("/admin/recognition", "administrator", "dpo", methods=("POST",))
def recognise(visit: Visit) -> Answer:
    """Record one."""
    until = _day(visit.form.get("until"))
    directory.recognise(visit.desk, visit.session, visit.actor, visit.form.get("instrument"), until)
    return Go("/desk/admin/recognition", said=visit.words("Recorded."))


@page("/admin/keys", "key_custodian", "administrator")
def keys(visit: Visit) -> Answer:
    """Every key of the house with its state and dates; no secret is in reach of a page."""
    records = () if visit.desk.keyring is None else visit.desk.keyring.records()
    return Show("admin/keys.html", {"records": records, "epochs": visit.desk.vault().names()})


@page("/admin/adapters", "administrator", "dpo")
def adapters(visit: Visit) -> Answer:
    """What is installed, what each speaks, and how its deliveries stand."""
    rows = [
        (
            name,
            adapter.info,
            [
                word
                for word, protocol in (("render", Renders), ("deliver", Connects), ("ingest", Ingests))
                if isinstance(adapter, protocol)
            ],
        )
        for name, adapter in visit.desk.adapters.items()
    ]
    return Show("admin/adapters.html", {"rows": rows})


@page("/admin/jobs", "administrator", "key_custodian")
def jobs(visit: Visit) -> Answer:
    """Signer, integrator, deliveries."""
    running = directory.running(visit.desk, visit.session)
    return Show("admin/jobs.html", {"running": running, "leader": _leader(visit)})


def _leader(visit: Visit) -> bool:
    with visit.desk.db.connect("app") as connection:
        return ledger.has_leader(connection)


def _day(text: str) -> datetime:
    """The end of a day as a browser's date field sends it, in UTC."""
    try:
        found = datetime.combine(datetime.fromisoformat(text).date(), time(23, 59, 59), UTC)
    except ValueError:
        found = None
    if found is None or not 1 < found.year < 9999:  # it is shown in local time, where the year may be over
        raise Refused("date", "give a date, such as 2027-12-31")
    return found
