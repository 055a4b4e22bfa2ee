"""Releasing several drafts at once: one digest over all of theirs, for what needs no second thought."""

from __future__ import annotations

from broker.desk import examine, release
from broker.desk.examine import Batch
from broker.errors import BrokerError, Conflict, Forbidden, Refused
from broker.web import stepup
from broker.web.page import Answer, Go, Show, Visit, page
from broker.web.signin import FLOW


@page("/release/batch", "releaser")
def show(visit: Visit) -> Answer:
    """What can go together, and why the others cannot."""
    return _shown(visit, examine.batch(visit.desk, visit.session, visit.actor))


@page("/release/batch", "releaser", methods=("POST",))
def act(visit: Visit) -> Answer:
    """Ask for fresh proof over the batch's digest, then approve exactly the drafts that were shown."""
    chosen = visit.form.all("release")
    found = examine.batch(visit.desk, visit.session, visit.actor, chosen)
    try:
        if not found.together or {row.release for row in found.together} != set(chosen):
            raise Conflict("other-digest", "the list has changed since you looked; look at it again")
        if visit.form.get("act") != "prove":
            return _ask(visit, found)
        if visit.form.get("digest") != found.digest:
            raise Conflict("other-digest", "the list has changed since you looked; look at it again")
        return _approve(visit, found)
    except (Conflict, Refused) as error:
        return _shown(visit, examine.batch(visit.desk, visit.session, visit.actor), error)


def _approve(visit: Visit, found: Batch) -> Answer:
    try:
        stepup.take(visit, found.digest)
    except Forbidden as error:
        return _ask(visit, found, error)
    with visit.session.begin_nested():
        choices = [release.Choice(row.release, row.digest) for row in found.together]
        release.approve(visit.desk, visit.session, visit.actor, choices)
    said = visit.words.many(
        "%(n)s draft is approved and is being signed.",
        "%(n)s drafts are approved and are being signed.",
        len(choices),
    )
    more = examine.waiting(visit.desk, visit.session, visit.actor, limit=1)
    return Go("/desk/release/batch" if more else "/desk/release", said=said, cookies={FLOW: ""})


def _ask(visit: Visit, found: Batch, error: BrokerError | None = None) -> Show:
    fields = [("release", row.release) for row in found.together]
    what = [f"{row.reference} · {row.addressee_name}" for row in found.together]
    return stepup.ask(
        visit, found.digest, act="prove", what=what, fields=[*fields, ("digest", found.digest)], error=error
    )


def _shown(visit: Visit, found: Batch, error: BrokerError | None = None) -> Show:
    return Show(
        "release/batch.html",
        {"found": found, "error": error, "regret": visit.desk.settings.regret_seconds},
        status=409 if error else 200,
    )
