"""Escalating a confirmed case: who is proposed and who is refused, why, and drafts for all in one act."""

from __future__ import annotations

from broker.desk import escalate
from broker.desk.escalate import Escalation
from broker.errors import BrokerError, Issue, Refused
from broker.web import choosing, preview
from broker.web.page import Answer, Show, Visit, page


@page("/cases/{case}/escalate", "analyst")
def show(visit: Visit) -> Answer:
    """Recipients as routing proposes them; defaults are right for the standard case."""
    return _shown(visit, escalate.escalation(visit.desk, visit.session, visit.actor, choosing.case_of(visit)))


@page("/cases/{case}/escalate", "analyst", methods=("POST",))
def act(visit: Visit) -> Answer:
    """Look at the first chosen recipient, or draft for all of them."""
    case_id = choosing.case_of(visit)
    found = escalate.escalation(visit.desk, visit.session, visit.actor, case_id)
    partners = choosing.chosen(visit.form, found)
    if not partners:
        nobody = Refused(
            "nobody-chosen", "choose at least one recipient", (Issue("to", "required", "nobody"),)
        )
        return _shown(visit, found, nobody)
    if visit.form.get("act") == "draft":
        return preview.draft_all(visit, found, partners)
    return preview.shown(visit, found, partners[0])


def _shown(visit: Visit, found: Escalation, error: BrokerError | None = None) -> Show:
    chosen = choosing.chosen(visit.form, found)
    return Show(
        "escalate/escalate.html",
        {
            "found": found,
            "chosen": chosen,
            "wanted": {r.route.addressee: choosing.wanted(visit.form, r) for r in found.recipients},
            "error": error,
            "pack": visit.desk.pack,
        },
        status=400 if error else 200,
    )
