"""What is kept and how long: late clocks, closing a case for good, and holds of the police."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from broker.core import canonical
from broker.desk import closing, disclosure, hold, overdue, retain
from broker.errors import BrokerError, Conflict, Forbidden, Issue, NotFound, Refused
from broker.store.engine import unit_of_work
from broker.web import stepup
from broker.web.page import Answer, Go, Show, Visit, page
from broker.web.signin import FLOW

ERASURE = "/erasure"
SHOWN = 100


@page("/late", "dpo", "releaser", "analyst", menu="Late clocks")
def late(visit: Visit) -> Answer:
    """Everything that is late now, by what a person does about it."""
    found = overdue.overdue(visit.desk, visit.session, limit=SHOWN + 1)
    kinds = {kind: [each for each in found if each.kind == kind] for kind in overdue.WHAT_TO_DO}
    names = disclosure.recipients(visit.session, visit.actor)
    people = disclosure.people(visit.session, {each.staff for each in found} - {None})
    return Show(
        "keeping/late.html",
        {
            "kinds": {kind: rows[:SHOWN] for kind, rows in kinds.items() if rows},
            "more": {kind for kind, rows in kinds.items() if len(rows) > SHOWN},
            "names": names,
            "people": people,
            "opens": visit.may("dpo", "releaser"),
        },
    )


@page("/holds", "dpo", "releaser", "analyst")
def holds(visit: Visit) -> Answer:
    """Holds of the police; none of them tells a URL."""
    rows = hold.listing(visit.desk, visit.session)
    for row in rows:
        row["since"], row["until"] = _moment(row["since"]), _moment(row["until"])
    names = disclosure.recipients(visit.session, visit.actor)
    return Show("keeping/holds.html", {"rows": rows, "names": names})


@page(ERASURE, "dpo", menu="Erasure")
def erasures(visit: Visit) -> Answer:
    """What closing does, and the cases that were closed."""
    return _shown(visit)


@page(f"{ERASURE}/find", "dpo", methods=("POST",))
def find(visit: Visit) -> Answer:
    """The case to look at, by id or reference; sent in a body."""
    typed = visit.form.get("words")
    try:
        found = disclosure.find(visit.session, visit.actor, typed)
    except (Refused, NotFound) as error:
        status = 400 if isinstance(error, Refused) else 404
        return _shown(visit, typed=typed, issue=Issue("words", error.code, error.message), status=status)
    case = found.case_id or disclosure.case_of(visit.session, str(found.release))
    return Go(f"/desk{ERASURE}/{case}")


@page(f"{ERASURE}/{{case}}", "dpo")
def one(visit: Visit) -> Answer:
    """What closing this case would remove and what stays."""
    return _case(visit)


@page(f"{ERASURE}/{{case}}", "dpo", methods=("POST",))
def erase(visit: Visit) -> Answer:
    """Close it for good. The first characters of the id are typed, so that nobody closes by a slip of a
    key; then who closes proves afresh who they are, for the list of what goes."""
    case_id = _id(visit)
    if visit.form.get("typed").lower() != str(case_id)[:8]:
        return _case(visit, error=visit.words("These are not the first eight characters of the case id."))
    if closing.look(visit.session, visit.actor, case_id).state == "closed":
        raise Conflict("erased", "this case was closed before")
    digest = canonical.sha256_hex(closing.goes(visit.session, case_id))
    if visit.form.get("act") != "prove":
        return _ask(visit, case_id, digest)
    if visit.form.get("digest") != digest:
        raise Conflict("other-list", "what would go has changed since you looked; look at it again")
    refused = _proven(visit, digest)
    if refused is not None:
        return _ask(visit, case_id, digest, refused)
    done = retain.erase_case(visit.desk, visit.actor, case_id, digest)
    said = visit.words(
        "Closed: %(keys)s keys and %(sealed)s sealed objects are gone.",
        keys=visit.words.number(done.keys),
        sealed=visit.words.number(done.sealed_objects),
    )
    return Go(f"/desk{ERASURE}/{case_id}", said=said, cookies={FLOW: ""})


def _ask(visit: Visit, case_id: UUID, digest: str, error: BrokerError | None = None) -> Show:
    """What goes, in words, and the proof of who lets it go."""
    found, many = closing.look(visit.session, visit.actor, case_id), visit.words.many
    what = [
        f"{case_id} · {', '.join(found.references) or visit.words.code('kind', found.kind)}",
        many("%(n)s key of the case", "%(n)s keys of the case", found.keys),
        many("%(n)s sealed object", "%(n)s sealed objects", found.sealed),
        many("%(n)s open draft", "%(n)s open drafts", found.open_drafts),
    ]
    fields = (("digest", digest), ("typed", visit.form.get("typed")))
    return stepup.ask(visit, digest, act="prove", what=what, fields=fields, error=error, purpose="erase")


def _proven(visit: Visit, digest: str) -> Forbidden | None:
    """Its own transaction, kept before anything goes: no erasure without its evidence. A wrong code is
    counted by the same commit."""
    with unit_of_work(visit.desk.db) as own:
        try:
            stepup.take(visit, digest, purpose="erase", session=own)
        except Forbidden as error:
            return error
    return None


def _case(visit: Visit, error: str = "") -> Show:
    found = closing.look(visit.session, visit.actor, _id(visit))
    return Show(
        "keeping/case.html",
        {"case": found, "error": error, "typed": visit.form.get("typed"), "prefix": str(found.case_id)[:8]},
        status=400 if error else 200,
    )


def _shown(visit: Visit, *, typed: str = "", issue: Issue | None = None, status: int = 200) -> Show:
    found = closing.closed(visit.session, visit.actor, after=visit.query.get("after") or None)
    return Show(
        "keeping/erasure.html",
        {
            "rows": found.rows,
            "after": found.next,
            "epochs": visit.desk.vault().names(),
            "typed": typed,
            "error": "" if issue is None else visit.words.rule(issue),
        },
        status=status,
    )


def _id(visit: Visit) -> UUID:
    try:
        return UUID(visit.params["case"])
    except ValueError:
        raise NotFound("case") from None


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
