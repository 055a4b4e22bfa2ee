"""My work: what waits for this person, U1 on top; forms not yet sent; views kept under a name."""

from __future__ import annotations

from urllib.parse import urlencode

from broker.desk import disclosure, formdraft, views, worklist
from broker.desk.views import View
from broker.desk.worklist import Work
from broker.errors import Conflict, NotFound, Refused
from broker.web.page import Answer, Go, Show, Visit, page
from broker.web.report import identity

FORMS = {"case": "/desk/forms/{}", "other": "/desk/forms/{}"}
"""Where a form that was kept is taken up again; the other kinds are taken up on their own pages."""


@page("/work", "analyst", "releaser", menu="My work")
def work(visit: Visit) -> Answer:
    """Every section that this person's roles have, or one of them whole (`?section=`)."""
    name, names = visit.query.get("section"), disclosure.recipients(visit.session, visit.actor)
    if name:
        after = visit.query.get("after") or None
        found = worklist.section(visit.desk, visit.session, visit.actor, name, after=after)
        return Show(
            "work/section.html",
            {"name": name, "rows": found.rows, "after": found.next, "where": where, "names": names},
        )
    sections = worklist.my_work(visit.desk, visit.session, visit.actor)
    forms = [f for f in formdraft.listing(visit.desk, visit.session, visit.actor) if f.kind in FORMS]
    values = {"sections": sections, "forms": forms, "views": kept(visit), "where": where, "names": names}
    return Show("work/work.html", values)


def where(row: Work) -> str:
    """The page on which a row is dealt with."""
    if row.section == "to-confirm":
        return f"/desk/confirm/{row.case_id}"
    if row.section in ("to-draft", "to-agree") or row.state == "draft-anew":
        return f"/desk/cases/{row.case_id}/escalate"
    if row.section == "to-release" or row.state == "retrospective-missing":
        return f"/desk/release/{row.release}"
    if row.state == "urgent-unanswered":
        return f"/desk/urgent/{row.case_id}"
    return f"/desk/cases/{row.case_id}"


def kept(visit: Visit, of: str | None = None) -> list[tuple[View, str]]:
    """One's own views with their addresses."""
    pages = ("work", "cases") if of is None else (of,)
    found = (view for view in views.views(visit.session, visit.actor) if view.page in pages)
    return [(view, f"/desk/{view.page}?{urlencode(view.query)}") for view in found]


@page("/views", "analyst", "releaser", methods=("POST",))
def keep_view(visit: Visit) -> Answer:
    """Keep a view under a name, or forget it."""
    name, of = visit.form.get("name"), visit.form.get("page")
    if visit.form.get("do") == "forget":
        views.delete_view(visit.session, visit.actor, name)
        return Go("/desk/work", said=visit.words("The view is forgotten."))
    query = visit.form.under("q.")
    nested = visit.session.begin_nested()
    try:
        views.save_view(visit.desk, visit.session, visit.actor, View(name, of, query))
        nested.commit()
    except (Refused, Conflict) as error:
        nested.rollback()
        issues = error.issues if isinstance(error, Refused) else ()
        values = {"error": error, "issues": issues, "name": name, "page": of, "query": query}
        return Show("work/view.html", values, status=400 if isinstance(error, Refused) else 409)
    return Go(f"/desk/{of}?{urlencode(query)}", said=visit.words("The view is kept under its name."))


@page("/forms/{form}", "analyst")
def take_up(visit: Visit) -> Answer:
    """Go on with a form that was kept."""
    form_id = identity(visit.params["form"], "form")
    typed = formdraft.load(visit.desk, visit.session, visit.actor, form_id)
    if "typed" in typed:
        path = f"/desk/cases/{typed['case']}/amend" if typed["case"] else "/desk/cases/new"
        return Go(f"{path}?form={form_id}")
    if "adapter" in typed:
        return Go(f"/desk/import?form={form_id}")
    raise NotFound("form")


@page("/forms/{form}", "analyst", methods=("POST",))
def discard(visit: Visit) -> Answer:
    """Throw a kept form away."""
    formdraft.discard(visit.session, visit.actor, identity(visit.params["form"], "form"))
    return Go("/desk/work", said=visit.words("The form is thrown away."))
