"""Confirm: one claim at a time, one key each, then the next case of the list."""

from __future__ import annotations

from uuid import UUID

from broker.desk import casefile, confirm, worklist
from broker.desk.claims import Question, questions
from broker.errors import Conflict, Forbidden, Refused
from broker.store import tables
from broker.web import held
from broker.web.page import Answer, Go, Show, Visit, page
from broker.web.report import identity


@page("/confirm", "analyst", menu="Confirm")
def queue(visit: Visit) -> Answer:
    """What waits for this person's verdict, U1 on top."""
    after = visit.query.get("after") or None
    found = worklist.section(visit.desk, visit.session, visit.actor, "to-confirm", after=after)
    return Show("confirm/queue.html", {"rows": found.rows, "after": found.next})


@page("/confirm/{case}", "analyst")
def ask(visit: Visit) -> Answer:
    """The claims of one case."""
    return _ask(visit, identity(visit.params["case"], "case"))


@page("/confirm/{case}", "analyst", methods=("POST",))
def answer(visit: Visit) -> Answer:
    """A verdict on one claim; then its next claim, or the next case."""
    case_id = identity(visit.params["case"], "case")
    says = visit.form.get("says")
    if says not in ("yes", "no"):
        return _ask(visit, case_id, visit.words("Say yes or no."), 400)
    file = visit.session.get(tables.CaseFile, case_id)
    if file is not None and visit.form.get("version") != str(file.current_version):
        changed = visit.words("The case changed while you looked at it. Look again, then say yes or no.")
        return _ask(visit, case_id, changed, 409)
    nested = visit.session.begin_nested()
    try:
        confirm.claim(
            visit.desk, visit.session, visit.actor, case_id, visit.form.get("claim"),
            tuple(visit.form.all("about")), says=says == "yes",
        )  # fmt: skip
        nested.commit()
    except (Refused, Conflict) as error:
        nested.rollback()
        return _ask(visit, case_id, visit.words.problem(error), 400 if isinstance(error, Refused) else 409)
    return _onward(visit, case_id)


def _onward(visit: Visit, case_id: UUID) -> Answer:
    case, version = casefile.read_version(visit.desk, visit.session, case_id)
    asked = questions(visit.desk, visit.session, visit.actor, case_id, case, version)
    said = visit.words("Your verdict is noted.")
    if any(question.open for question in asked):
        return Go(f"/desk/confirm/{case_id}", said=said)
    following = _next(visit, case_id)
    if following is None:
        return Go("/desk/confirm", said=visit.words("Your verdict is noted. No other case waits for you."))
    return Go(f"/desk/confirm/{following}", said=visit.words("Your verdict is noted. This is the next case."))


def _next(visit: Visit, case_id: UUID) -> UUID | None:
    """The case after this one in the list; the first of the list where this one left it."""
    found = worklist.section(visit.desk, visit.session, visit.actor, "to-confirm", limit=100)
    ids = [row.case_id for row in found.rows]
    if case_id not in ids:
        return ids[0] if ids else None
    at = ids.index(case_id)
    return ids[at + 1] if at + 1 < len(ids) else None


def _ask(visit: Visit, case_id: UUID, wrong: str = "", status: int = 200) -> Show:
    case, version = casefile.read_version(visit.desk, visit.session, case_id)
    file = visit.session.get_one(tables.CaseFile, case_id)
    if file.state == "closed":
        raise Forbidden("closed", "this case is closed; nobody gives a verdict on it any more")
    asked = questions(visit.desk, visit.session, visit.actor, case_id, case, version)
    values = {
        **held.values(visit, case),
        "file": file,
        "version": version,
        "questions": asked,
        "first": _first(asked),
        "following": _next(visit, case_id),
        "collections": held.entities(case),
        "wrong": wrong,
    }
    return Show("confirm/case.html", values, status=status)


def _first(asked: tuple[Question, ...]) -> Question | None:
    """The claim that the keys answer."""
    return next((question for question in asked if question.open), None)
