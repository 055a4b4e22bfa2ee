"""Import: choose what it is, try it, see row by row what was noticed, take it in whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from broker.desk import caselist, importing
from broker.desk.importing import Export, Trial
from broker.errors import NotFound, Refused
from broker.spi import Issue
from broker.web.page import Answer, Go, Show, Visit, page
from broker.web.report import identity
from broker.web.words import Words

SHOWN = 200
"""Rows of a dry run that the page shows; the numbers count all."""


@page("/import", "analyst", menu="Import")
def start(visit: Visit) -> Answer:
    """What kind of export it is; then its form, empty or as it was kept."""
    if visit.query.get("form"):
        form_id = identity(visit.query.get("form"), "form")
        export = importing.kept(visit.desk, visit.session, visit.actor, form_id)
        return _form(visit, export, form_id)
    name = visit.query.get("adapter")
    if not name:
        return Show("imports/choose.html", {"adapters": importing.adapters(visit.desk)})
    return _form(visit, Export(name, b"", {}, visit.desk.settings.synthetic), None)


@page("/import", "analyst", methods=("POST",))
def send(visit: Visit) -> Answer:
    """Try it, or take in what was tried."""
    form_id = identity(visit.form.get("form"), "form") if visit.form.get("form") else None
    export = _sent(visit, form_id)
    if not export.content:
        nothing = Issue("file", "required", visit.words("Choose a file."))
        return _form(visit, export, form_id, Trial((), (nothing,)))
    if visit.form.get("do") == "take-in" and form_id is not None and "file" not in visit.form.files:
        return _take_in(visit, export, form_id)
    trial = importing.dry_run(visit.desk, visit.session, visit.actor, export)
    try:
        form_id = importing.keep(visit.desk, visit.session, visit.actor, export, form_id)
    except Refused:
        return _form(visit, export, None, Trial((), (_too_large(visit),)))
    return _form(visit, export, form_id, trial)


@page("/import/done/{first}/{last}", "analyst")
def done(visit: Visit) -> Answer:
    """What came in, each with its case."""
    chosen = caselist.CaseFilter(
        since=_moment(visit.params["first"]),
        until=_moment(visit.params["last"]) + timedelta(seconds=1),
        mine=True,
    )
    found = caselist.cases(visit.desk, visit.session, visit.actor, chosen, limit=200)
    return Show("imports/done.html", {"rows": found.rows, "more": found.next is not None})


def _moment(text: str) -> datetime:
    if not text.isdigit() or len(text) > 11:
        raise NotFound("import")
    return datetime.fromtimestamp(int(text), UTC)


def _sent(visit: Visit, form_id: UUID | None) -> Export:
    """What was sent; the file that was kept where none was chosen anew."""
    name = visit.form.get("adapter")
    info = importing.info(visit.desk, name)
    options = {k: v for k, v in visit.form.under("option.").items() if k in info.options}
    if "mapping" in visit.form.files:
        options["mapping"] = visit.form.files["mapping"].content.decode("utf-8-sig", "replace")
    upload = visit.form.files.get("file")
    content = b"" if upload is None else upload.content
    if upload is None and form_id is not None:
        content = importing.kept(visit.desk, visit.session, visit.actor, form_id).content
    synthetic = visit.form.get("synthetic") == "yes"
    return Export(name, content, options, synthetic)


def _too_large(visit: Visit) -> Issue:
    """It cannot be kept between the steps, so it cannot come in this way."""
    said = visit.words("The file is too large for the pages. Import it with `broker case import`.")
    return Issue("file", "import-size", said)


def _take_in(visit: Visit, export: Export, form_id: UUID) -> Answer:
    first, nested = visit.desk.now(), visit.session.begin_nested()
    try:
        taken = importing.take_kept(visit.desk, visit.session, visit.actor, export, form_id)
        nested.commit()
    except Refused as refused:
        nested.rollback()
        return _form(visit, export, form_id, Trial((), refused.issues or _of(refused)))
    said = visit.words.many("%(n)s case is taken in.", "%(n)s cases are taken in.", len(taken))
    last = visit.desk.now()
    return Go(f"/desk/import/done/{int(first.timestamp())}/{int(last.timestamp())}", said=said)


def _noticed(words: Words, code: str) -> str:
    """A finding in words; its first part names the adapter, and what nobody named stays a code."""
    bare = code.partition("-")[2]
    found = words.code("finding", bare)
    return code if found == bare else found


def _of(refused: Refused) -> tuple[Issue, ...]:
    return (Issue("", refused.code, refused.message),)


def _form(visit: Visit, export: Export, form_id: UUID | None, trial: Trial | None = None) -> Show:
    values = {
        "info": importing.info(visit.desk, export.adapter),
        "options": export.options,
        "synthetic": export.synthetic,
        "ask_synthetic": not visit.desk.settings.synthetic,
        "held": len(export.content),
        "form_id": str(form_id or ""),
        "trial": trial,
        "noticed": partial(_noticed, visit.words),
        "cases": trial.cases[:SHOWN] if trial else (),
        "errors": {i.field.strip("/"): i for i in trial.issues} if trial else {},
    }
    refused = trial is not None and bool(trial.issues)
    return Show("imports/form.html", values, status=400 if refused else 200)
