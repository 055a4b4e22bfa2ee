"""Escalating a confirmed case: who is proposed and who is refused, why, and drafts for all in one act."""

from __future__ import annotations

from uuid import UUID

from broker.desk import disclosure, escalate, setaside
from broker.desk.escalate import Escalation
from broker.errors import BrokerError, Conflict, Issue, Refused
from broker.web import choosing, preview
from broker.web.page import Answer, Go, Show, Visit, page

ASIDE = ("set-aside", "agree", "reopen")


@page("/cases/{case}/escalate", "analyst")
def show(visit: Visit) -> Answer:
    """Recipients as routing proposes them; defaults are right for the standard case."""
    return _shown(visit, escalate.escalation(visit.desk, visit.session, visit.actor, choosing.case_of(visit)))


@page("/cases/{case}/escalate", "analyst", methods=("POST",))
def act(visit: Visit) -> Answer:
    """Look at the first chosen recipient, or draft for all of them."""
    case_id = choosing.case_of(visit)
    if visit.form.get("act") in ASIDE:
        return _aside(visit, case_id, visit.form.get("act"))
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


def _aside(visit: Visit, case_id: UUID, doing: str) -> Answer:
    """No addressee: said by one person, looked at by another, or taken back."""
    desk, session, actor = visit.desk, visit.session, visit.actor
    try:
        with session.begin_nested():
            if doing == "reopen":
                setaside.reopen(desk, session, actor, case_id)
            elif doing == "agree":
                setaside.agree(desk, session, actor, case_id)
            else:
                setaside.set_aside(desk, session, actor, case_id, visit.form.get("reason"))
    except (Refused, Conflict) as error:
        return _shown(visit, escalate.escalation(desk, session, actor, case_id), error)
    if doing == "reopen":
        return Go(f"/desk/cases/{case_id}/escalate", said=visit.words("The case is to draft again."))
    if doing == "agree":
        said = visit.words("The case is closed as having no addressee. It can be reopened.")
    else:
        said = visit.words("The case is set aside. Another person has to agree.")
    return Go("/desk/work", said=said)


def _shown(visit: Visit, found: Escalation, error: BrokerError | None = None) -> Show:
    chosen = choosing.chosen(visit.form, found)
    aside = setaside.aside(visit.session, found.case_id)
    return Show(
        "escalate/escalate.html",
        {
            "found": found,
            "chosen": chosen,
            "wanted": {r.route.addressee: choosing.wanted(visit.form, r) for r in found.recipients},
            "aside": aside,
            "people": disclosure.people(
                visit.session, {aside.by, aside.looked_by} - {None} if aside else set()
            ),
            "reasons": setaside.REASONS,
            "error": error,
            "pack": visit.desk.pack,
        },
        status=409 if isinstance(error, Conflict) else 400 if error else 200,
    )
