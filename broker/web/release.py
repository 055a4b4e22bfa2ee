"""Releasing: what waits for another person, one draft in full, approval with fresh proof, taking back."""

from __future__ import annotations

from datetime import timedelta

from broker.core.outcomes import WITHDRAW_REASONS
from broker.core.values import TEXTS
from broker.desk import draft, examine, publish, release
from broker.desk.examine import Examined
from broker.errors import BrokerError, Conflict, Forbidden, NotFound, Refused
from broker.web import papers, stepup
from broker.web.page import Answer, Go, Show, Visit, page
from broker.web.signin import FLOW


@page("/release", "releaser", menu="Release")
def waiting(visit: Visit) -> Answer:
    """Drafts of others, the most urgent first, and urgent releases that wait for a second look."""
    return Show(
        "release/list.html",
        {
            "rows": examine.waiting(visit.desk, visit.session, visit.actor),
            "second": examine.second_looks(visit.session, visit.actor),
        },
    )


@page("/release/{release}", "analyst", "releaser")
def show(visit: Visit) -> Answer:
    """One draft or release, as its recipient gets it."""
    return _shown(visit, _found(visit))


@page("/release/{release}", "analyst", "releaser", methods=("POST",))
def act(visit: Visit) -> Answer:
    """Approve, refuse, cancel, withdraw, look afterwards."""
    found, doing = _found(visit), _ACTS.get(visit.form.get("act"))
    if doing is None:
        raise NotFound("act")
    try:
        return doing(visit, found)
    except (Conflict, Refused) as error:
        return _shown(visit, _found(visit), error)


@page("/release/{release}/documents", "analyst", "releaser")
def documents(visit: Visit) -> Answer:
    """One document, for the reader."""
    record = _found(visit).record
    if record is None:
        raise NotFound("document")
    return papers.opening(record.signed_documents or record.documents, visit.query.get("open", "0"))


def _approve(visit: Visit, found: Examined) -> Answer:
    """Ask for fresh proof. What the database will refuse is said before anybody touches a key."""
    head = found.waiting
    _may_approve(visit, found)
    return stepup.ask(
        visit, _same(visit, found), act="prove", what=_what(found),
        fields=(("digest", head.digest),),
    )  # fmt: skip


def _prove(visit: Visit, found: Examined) -> Answer:
    head, digest = found.waiting, _same(visit, found)
    _may_approve(visit, found)
    try:
        stepup.take(visit, digest)
    except Forbidden as error:
        what, fields = _what(found), (("digest", head.digest),)
        return stepup.ask(visit, digest, act="prove", what=what, fields=fields, error=error)
    with visit.session.begin_nested():
        choice = release.Choice(head.release, digest)
        release.approve(visit.desk, visit.session, visit.actor, [choice])
    following = next(iter(examine.waiting(visit.desk, visit.session, visit.actor, limit=1)), None)
    path = "/desk/release" if following is None else f"/desk/release/{following.release}"
    said = visit.words("%(reference)s is approved; it is being signed.", reference=head.reference)
    return Go(path, said=said, cookies={FLOW: ""})


def _refuse(visit: Visit, found: Examined) -> Answer:
    code = visit.form.get("code")
    if code not in examine.REFUSALS:
        raise Refused("refusal-reason", "say why, with one of the codes")
    if found.state != "draft":
        raise Conflict("already-approved", "this draft is approved already")
    draft.refuse(visit.desk, visit.session, visit.actor, found.waiting.release, code)
    said = visit.words("%(reference)s is turned down.", reference=found.waiting.reference)
    return Go("/desk/release" if visit.may("releaser") else "/desk/work", said=said)


def _cancel(visit: Visit, found: Examined) -> Answer:
    with visit.session.begin_nested():
        publish.cancel(visit.desk, visit.session, visit.actor, found.waiting.release)
    said = visit.words(
        "%(reference)s is cancelled. Nobody could collect it.", reference=found.waiting.reference
    )
    return Go(f"/desk/release/{found.waiting.release}", said=said)


def _withdraw(visit: Visit, found: Examined) -> Answer:
    with visit.session.begin_nested():
        reason = visit.form.get("reason")
        publish.withdraw(visit.desk, visit.session, visit.actor, found.waiting.release, reason)
    said = visit.words("%(reference)s is withdrawn.", reference=found.waiting.reference)
    return Go(f"/desk/release/{found.waiting.release}", said=said)


def _afterwards(visit: Visit, found: Examined) -> Answer:
    """Ask for the proof of the second look at what left at once."""
    _may_look(visit, found)
    return _ask_look(visit, found)


def _ask_look(visit: Visit, found: Examined, error: BrokerError | None = None) -> Show:
    head = found.waiting
    fields = (("digest", head.digest),)
    what = _what(found)
    return stepup.ask(visit, _same(visit, found), act="look", what=what, fields=fields, error=error)


def _may_look(visit: Visit, found: Examined) -> None:
    visit.actor.needs("releaser")
    if found.own:
        raise Conflict("own-draft", "you sent this; another person has to look at it")
    if not found.second_look:
        raise Conflict("already-approved", "somebody looked at this already")


def _look(visit: Visit, found: Examined) -> Answer:
    _may_look(visit, found)
    digest = _same(visit, found)
    try:
        stepup.take(visit, digest)
    except Forbidden as error:
        return _ask_look(visit, found, error)
    with visit.session.begin_nested():
        release.approve_afterwards(visit.desk, visit.session, visit.actor, found.waiting.release)
    said = visit.words("%(reference)s is approved afterwards.", reference=found.waiting.reference)
    return Go("/desk/release", said=said, cookies={FLOW: ""})


_ACTS = {
    "approve": _approve,
    "prove": _prove,
    "refuse": _refuse,
    "cancel": _cancel,
    "withdraw": _withdraw,
    "afterwards": _afterwards,
    "look": _look,
}


def _what(found: Examined) -> tuple[str]:
    return (f"{found.waiting.reference} · {found.waiting.addressee_name}",)


def _may_approve(visit: Visit, found: Examined) -> None:
    visit.actor.needs("releaser")
    if found.own:
        raise Conflict("own-draft", "you drafted this; another person has to release it")
    if found.state != "draft":
        raise Conflict("already-approved", "this draft is approved already, or closed")
    if found.stale:
        raise Conflict(found.stale, "this draft may no longer leave; it has to be drafted anew")


def _same(visit: Visit, found: Examined) -> str:
    """The digest that the page showed, if it still is the draft's."""
    if visit.form.get("digest") != found.waiting.digest:
        raise Conflict("other-digest", "this is not the draft you looked at; look at it again")
    return found.waiting.digest


def _found(visit: Visit) -> Examined:
    return examine.one(visit.desk, visit.session, visit.actor, visit.params["release"])


def _span(visit: Visit) -> str:
    seconds = visit.desk.settings.regret_seconds
    return visit.words.span(timedelta(seconds=seconds)) if seconds else ""


def _shown(visit: Visit, found: Examined, error: BrokerError | None = None) -> Show:
    record = found.record
    made = () if record is None else record.signed_documents or record.documents
    return Show(
        "release/one.html",
        {
            "found": found,
            "head": found.waiting,
            "record": record,
            "findings": () if record is None else examine.findings(record),
            "documents": [papers.shape(each) for each in made],
            "error": error,
            "issues": getattr(error, "issues", ()),
            "refusals": examine.REFUSALS,
            "reasons": tuple(WITHDRAW_REASONS),
            "regret": _span(visit),
            "human": frozenset(TEXTS),
            "left": None if found.released is None else found.released.due_at - visit.now,
        },
        status=409 if isinstance(error, Conflict) else 400 if error else 200,
    )
