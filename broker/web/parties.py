"""Partners: keys and software, people of the inbox, agreements read, proposed and approved by two."""

from __future__ import annotations

import json
from typing import Any

from broker import auth
from broker.core import agreement as core_agreement
from broker.core import canonical
from broker.desk import agreements, directory, partners
from broker.desk.partners import TOOL, Registration
from broker.errors import BrokerError, Conflict, NotFound, Refused
from broker.store import tables
from broker.web.page import EVERYBODY, Answer, Go, Show, Visit, page

MAX_FILE = 262_144
LANGUAGES = ("nl", "fr", "de", "en")


@page("/admin/partners", "administrator", "key_custodian", "dpo", "releaser", menu="Partners")
def listing(visit: Visit) -> Answer:
    """Every partner, and what decides whether anything can go to it."""
    return Show("admin/partners.html", {"rows": directory.partner_lines(visit.session), "now": visit.now})


@page("/admin/partners/add", "administrator", "key_custodian")
def form(visit: Visit) -> Answer:
    """Onboard a partner by the file its software made."""
    return _form(visit)


def _form(visit: Visit, error: BrokerError | None = None) -> Answer:
    values = {
        "classes": sorted({*visit.desk.pack.classes, TOOL}),
        "languages_of_partners": LANGUAGES,
        "typed": visit.form,
        "error": error,
        "issues": getattr(error, "issues", ()),
    }
    return Show("admin/partner_add.html", values, 200 if error is None else 400)


@page("/admin/partners/add", "administrator", "key_custodian", methods=("POST",))
def add(visit: Visit) -> Answer:
    """Its public keys are pinned; compare the thumbprints by telephone before anything is released."""
    try:
        recipient_class = visit.form.get("class")
        with visit.session.begin_nested():
            row = partners.register(
                visit.desk,
                visit.session,
                visit.actor,
                _registration(visit, recipient_class),
                name=_needed(visit, "name"),
                recipient_class=recipient_class,
                country=_needed(visit, "country").upper(),
                language=visit.form.get("language", "en"),
                provider=visit.form.get("provider") or None,
                software=visit.form.get("software") or None,
            )
    except (Refused, Conflict) as error:
        return _form(visit, error)
    return Go(f"/desk/admin/partners/{row.id}", said=visit.words("The partner is registered."))


@page("/admin/partners/{partner}", "administrator", "key_custodian", "dpo", "releaser")
def partner(visit: Visit) -> Answer:
    """One partner: keys, people, agreements."""
    return _partner(visit)


def _partner(visit: Visit, error: BrokerError | None = None) -> Answer:
    session, one = visit.session, visit.params["partner"]
    values = {
        "line": directory.partner_line(session, one),
        "keys": directory.keys_of(session, one),
        "readers": directory.readers_of(session, one),
        "agreements": directory.agreements_of(session, one),
        "proposals": directory.proposals_of(session, one),
        "now": visit.now,
        "typed": visit.form,
        "error": error,
        "issues": getattr(error, "issues", ()),
    }
    return Show("admin/partner.html", values, 200 if error is None else 400)


@page("/admin/partners/{partner}/state", "administrator", "key_custodian", "dpo", methods=("POST",))
def state(visit: Visit) -> Answer:
    """Suspend or let in again; works on the next request of its software."""
    wanted = "active" if visit.form.get("state") == "active" else "suspended"
    partners.set_status(visit.desk, visit.session, visit.actor, visit.params["partner"], wanted)
    return _back(visit, visit.words("Done."))


@page("/admin/partners/{partner}/revoke", "administrator", "key_custodian", methods=("POST",))
def revoke(visit: Visit) -> Answer:
    """Stop trusting a key at once."""
    partners.revoke_key(
        visit.desk, visit.session, visit.actor, visit.params["partner"], visit.form.get("kid")
    )
    return _back(visit, visit.words("The key is no longer trusted."))


@page("/admin/partners/{partner}/keys", "administrator", "key_custodian", methods=("POST",))
def add_keys(visit: Visit) -> Answer:
    """Pin newer keys beside the present ones."""
    try:
        with visit.session.begin_nested():
            fresh = partners.add_keys(
                visit.desk, visit.session, visit.actor, visit.params["partner"],
                Registration.read(_file(visit, "registration")),
            )  # fmt: skip
    except Refused as error:
        return _partner(visit, error)
    said = visit.words.many("%(n)s key was pinned.", "%(n)s keys were pinned.", len(fresh))
    return _back(visit, said)


@page("/admin/partners/{partner}/readers", "administrator", methods=("POST",))
def add_reader(visit: Visit) -> Answer:
    """Somebody who reads the inbox of this partner and nothing else."""
    try:
        with visit.session.begin_nested():
            auth.add_person(
                visit.session, visit.actor, partner_id=visit.params["partner"],
                login=_needed(visit, "login"), password=visit.form.get("password"), now=visit.now,
            )  # fmt: skip
    except (Refused, Conflict) as error:
        return _partner(visit, error)
    return _back(visit, visit.words("The account was made."))


@page("/admin/partners/{partner}/readers/end", "administrator", methods=("POST",))
def end_reader(visit: Visit) -> Answer:
    """End an inbox account of this partner."""
    account = visit.session.get(tables.InboxPerson, visit.form.get("account"))
    if account is None or account.partner_id != visit.params["partner"]:
        raise NotFound("account")
    auth.disable(visit.session, account.id, visit.now)
    return _back(visit, visit.words("The account was ended."))


@page("/admin/partners/{partner}/agreements/{version}", *EVERYBODY)
def agreement(visit: Visit) -> Answer:
    """A version in words and as it is."""
    version = visit.params["version"]
    key = (visit.params["partner"], int(version) if version.isdigit() else 0)
    row = visit.session.get(tables.Agreement, key)
    if row is None:
        raise NotFound("agreement")
    return _read(visit, row.body, row.digest, None)


@page("/admin/partners/{partner}/proposals/{digest}", "dpo", "releaser")
def proposal(visit: Visit) -> Answer:
    """A version that waits for a second person."""
    row = visit.session.get(tables.AgreementProposal, (visit.params["partner"], visit.params["digest"]))
    if row is None:
        raise NotFound("agreement proposal")
    return _read(visit, row.body, row.digest, row.proposed_by)


def _read(visit: Visit, body: Any, digest: str, proposed_by: str | None) -> Answer:
    values = {
        "line": directory.partner_line(visit.session, visit.params["partner"]),
        "terms": core_agreement.compile(body),
        "body": body,
        "raw": json.dumps(body, indent=2, ensure_ascii=False, sort_keys=True),
        "digest": digest,
        "proposed_by": proposed_by,
    }
    return Show("admin/agreement.html", values)


@page("/admin/partners/{partner}/agreements", "dpo", "releaser", methods=("POST",))
def propose(visit: Visit) -> Answer:
    """Lay a new version before a second person."""
    try:
        with visit.session.begin_nested():
            digest = agreements.propose(
                visit.desk, visit.session, visit.actor, visit.params["partner"], _file(visit, "agreement")
            )
    except (Refused, Conflict) as error:
        return _partner(visit, error)
    where = f"/desk/admin/partners/{visit.params['partner']}/proposals/{digest}"
    return Go(where, said=visit.words("Proposed. Another person has to approve exactly this."))


@page("/admin/partners/{partner}/proposals/{digest}", "dpo", "releaser", methods=("POST",))
def approve(visit: Visit) -> Answer:
    """The second approval."""
    agreements.approve(
        visit.desk, visit.session, visit.actor, visit.params["partner"], visit.params["digest"]
    )
    return _back(visit, visit.words("Approved. The version is in force from its first day."))


@page("/admin/partners/{partner}/agreements/{version}/state", "dpo", methods=("POST",))
def agreement_state(visit: Visit) -> Answer:
    """Suspend, end or resume a version; what was collected stays answerable."""
    wanted = visit.form.get("state")
    if wanted not in ("active", "suspended", "ended") or not visit.params["version"].isdigit():
        raise Refused("state", "there is no such state of an agreement")
    agreements.set_status(
        visit.desk, visit.session, visit.actor, visit.params["partner"], int(visit.params["version"]), wanted
    )
    return _back(visit, visit.words("Done."))


def _registration(visit: Visit, recipient_class: str) -> Registration:
    """What the partner's software made; without a file a partner that reads the inbox or gets mail."""
    if "registration" not in visit.form.files and recipient_class != TOOL:
        return Registration(())
    return Registration.read(_file(visit, "registration"), tool=recipient_class == TOOL)


def _back(visit: Visit, said: str) -> Answer:
    return Go(f"/desk/admin/partners/{visit.params['partner']}", said=said)


def _needed(visit: Visit, name: str) -> str:
    found = visit.form.get(name)
    if not found:
        raise Refused("form", f"{name} is needed")
    return found[:200]


def _file(visit: Visit, name: str) -> Any:
    upload = visit.form.files.get(name)
    if upload is None:
        raise Refused("file", "choose the file")
    return canonical.decode(upload.content, max_bytes=MAX_FILE)
