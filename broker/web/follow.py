"""Following a referral up: what happened with its place in the ledger, what came back, what to do next."""

from __future__ import annotations

from uuid import UUID

from broker.core.outcomes import OUTCOMES, WITHDRAW_REASONS
from broker.desk import confirm, deliver, follow, timeline
from broker.desk.follow import FollowUp
from broker.errors import BrokerError, Conflict, NotFound, Refused
from broker.web.page import Answer, Go, Show, Visit, page


@page("/follow/{referral}", "analyst", "releaser", "dpo")
def show(visit: Visit) -> Answer:
    """From draft to answer."""
    return _shown(visit, _found(visit))


@page("/follow/{referral}", "analyst", "releaser", methods=("POST",))
def act(visit: Visit) -> Answer:
    """Offer another channel, try a failed delivery again, log a call."""
    found, doing = _found(visit), visit.form.get("act")
    try:
        with visit.session.begin_nested():
            said = _done(visit, found, doing)
    except (Conflict, Refused) as error:
        return _shown(visit, found, error)
    return Go(f"/desk/follow/{found.referral}", said=said)


def _done(visit: Visit, found: FollowUp, doing: str) -> str:
    desk, session, actor, form = visit.desk, visit.session, visit.actor, visit.form
    if doing == "offer":
        latest = next((v for v in found.versions if v.state in ("published", "due")), None)
        if latest is None:
            raise Conflict("delivery-exists", "nothing of this referral waits to be collected")
        deliver.offer(desk, session, actor, latest.release)
        return visit.words("It goes by the other channel too.")
    if doing == "retry":
        way = next((w for w in found.ways if str(w.delivery) == form.get("delivery")), None)
        if way is None:
            raise NotFound("delivery")
        deliver.retry(desk, session, actor, way.delivery)
        return visit.words("It is tried again.")
    if doing == "call":
        answered = form.get("answered") == "yes"
        call = confirm.Call(
            desk=found.carrier.name,
            answered=answered,
            read_back=answered and form.get("read_back") == "yes",
            who=form.get("who")[:200],
        )
        confirm.log_call(desk, session, actor, found.case_id, "follow-up", call)
        return visit.words("The call is logged.")
    raise NotFound("act")


def _found(visit: Visit) -> FollowUp:
    try:
        referral = UUID(visit.params["referral"])
    except ValueError:
        raise NotFound("referral") from None
    return follow.follow_up(visit.desk, visit.session, visit.actor, referral)


def _shown(visit: Visit, found: FollowUp, error: BrokerError | None = None) -> Show:
    whole = timeline.of_case(visit.session, visit.actor, found.case_id)
    ours = {version.release for version in found.versions}
    return Show(
        "follow/follow.html",
        {
            "found": found,
            "moments": [m for m in whole.moments if m.release in ours],
            "cut": whole.cut,
            "again": any(v.released_at is not None for v in found.versions),
            "waits": any(v.state in ("published", "due") for v in found.versions),
            "late": [
                v for v in found.versions if v.state == "published" and v.deadline and v.deadline < visit.now
            ],
            "error": error,
            "who_missing": "who" in {issue.field for issue in getattr(error, "issues", ())},
            "outcomes": OUTCOMES,
            "reasons": WITHDRAW_REASONS,
        },
        status=409 if isinstance(error, Conflict) else 400 if error else 200,
    )
