"""The urgent path on one screen: send, ring the desk, log the call. It takes a minute."""

from __future__ import annotations

from dataclasses import replace

from broker.core.clearing import masked_line
from broker.desk import confirm, draft, urgent
from broker.desk.draft import Drafted, Request
from broker.desk.urgent import Order, Urgency
from broker.errors import BrokerError, Conflict, Issue, NotFound, Refused
from broker.web import choosing
from broker.web.page import Answer, Go, Show, Visit, page


@page("/urgent/{case}", "analyst")
def show(visit: Visit) -> Answer:
    """Where the path stands: nothing sent, sent and unanswered, answered."""
    return _shown(visit, _found(visit))


@page("/urgent/{case}", "analyst", methods=("POST",))
def act(visit: Visit) -> Answer:
    """Send it, or log a call."""
    found, doing = _found(visit), visit.form.get("act")
    try:
        if doing == "send":
            return _send(visit, found)
        if doing == "call":
            return _call(visit, found)
    except (Refused, Conflict) as error:
        return _shown(visit, found, error)
    raise NotFound("act")


def _send(visit: Visit, found: Urgency) -> Answer:
    """Text that names what stays behind goes as the mask proposes; who sends may read it first."""
    form = visit.form
    reason = form.get("reason")
    if reason not in found.reasons:
        issue = Issue("reason", "required", "a coded reason is needed")
        raise Refused("urgent-reason", "say why it cannot wait for a second person", (issue,))
    order = Order(form.get("desk") or (found.desks[0].id if found.desks else ""), reason)
    try:
        reference = urgent.send(visit.desk, visit.session, visit.actor, found.case_id, order)
    except Refused as refused:
        if {issue.rule for issue in refused.issues} != {"text-leak"}:
            raise
        seen = _preview(visit, found, order)
        clear = {at: text.after for at, text in seen.composition.minimised.masked.items()}
        if form.get("masked") != "yes":
            return _shown(visit, found, refused, seen)
        order = replace(order, clear=clear)
        reference = urgent.send(visit.desk, visit.session, visit.actor, found.case_id, order)
    said = visit.words("%(reference)s is on its way. Now ring the desk.", reference=reference)
    return Go(f"/desk/urgent/{found.case_id}?reason={reason}", said=said)


def _call(visit: Visit, found: Urgency) -> Answer:
    form = visit.form
    reason = form.get("reason") if form.get("reason") in found.reasons else "follow-up"
    answered = form.get("answered") == "yes"
    call = confirm.Call(
        desk=visit.desk.pack.urgent_desk.name,
        answered=answered,
        read_back=answered and form.get("read_back") == "yes",
        who=form.get("who")[:200],
    )
    confirm.log_call(visit.desk, visit.session, visit.actor, found.case_id, reason, call)
    path = f"/desk/urgent/{found.case_id}?reason={reason}"
    return Go(path, said=visit.words("The call is logged."))


def _preview(visit: Visit, found: Urgency, order: Order) -> Drafted:
    request = Request(found.case_id, order.addressee, urgent_reason=order.reason)
    return draft.preview(visit.desk, visit.session, visit.actor, request, documents=False)


def _found(visit: Visit) -> Urgency:
    return urgent.urgency(visit.desk, visit.session, visit.actor, choosing.case_of(visit))


def _shown(
    visit: Visit, found: Urgency, error: BrokerError | None = None, seen: Drafted | None = None
) -> Show:
    sent, now = found.sent, visit.now
    texts = {} if seen is None else seen.composition.minimised.masked
    return Show(
        "urgent/urgent.html",
        {
            "found": found,
            "desk": visit.desk.pack.urgent_desk,
            "pack": visit.desk.pack,
            "spelled": "" if sent is None else " ".join(sent.reference),
            "reason": _reason(visit, found),
            "left": None if sent is None else sent.answer_by - now,
            "error": error,
            "issues": getattr(error, "issues", ()),
            "masked": [masked_line(at, text, cleared=False) for at, text in sorted(texts.items())],
            "mine": sent is not None and sent.by == visit.actor.id,
        },
        status=409 if isinstance(error, Conflict) else 400 if error else 200,
    )


def _reason(visit: Visit, found: Urgency) -> str:
    """The coded reason: from the form, the address, or the last call."""
    said = visit.form.get("reason") or visit.query.get("reason")
    if said not in found.reasons and found.calls:
        said = found.calls[-1].reason_code
    return said if said in found.reasons else ""
