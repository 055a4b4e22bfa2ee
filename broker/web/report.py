"""The report form: a new case of any kind, or a new version of one. What is typed is never lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from broker.core import canonical
from broker.core.pack_types import KINDS
from broker.desk import case_form, casefile, formdraft, intake
from broker.errors import BrokerError, Conflict, Issue, NotFound, Refused
from broker.spi import Json
from broker.store import tables
from broker.web import report_form, typed_form
from broker.web.case_words import CaseWords
from broker.web.page import Answer, Go, Show, Visit, page
from broker.web.report_form import FormView
from broker.web.typed_form import Typed


@dataclass(frozen=True, slots=True)
class Work:
    """One form in work: what stands in it, and of which case and version it is a new version."""

    typed: Typed
    case_id: UUID | None = None
    version: int = 0
    synthetic: bool = False
    form_id: UUID | None = None  # a page gives each form its id; what is sent without one gets one when kept
    kept_at: datetime | None = None

    @property
    def path(self) -> str:
        """Where the form is sent."""
        return "/desk/cases/new" if self.case_id is None else f"/desk/cases/{self.case_id}/amend"


@page("/cases/new", "analyst")
def new(visit: Visit) -> Answer:
    """An empty form of a kind, a kept one, or the choice of a kind."""
    if visit.query.get("form"):
        return _page(visit, kept(visit, identity(visit.query.get("form"), "form")))
    kind = visit.query.get("kind")
    if kind not in KINDS:
        return Show("report/choose.html", {"kinds": KINDS})
    return _page(visit, Work(typed_form.fresh(visit.desk, kind), synthetic=visit.desk.settings.synthetic))


@page("/cases/new", "analyst", methods=("POST",))
def send_new(visit: Visit) -> Answer:
    """Add, remove, check, keep, or take the case in."""
    return _sent(visit, _read(visit, None))


@page("/cases/{case}/amend", "analyst")
def amend(visit: Visit) -> Answer:
    """The form filled with a case as it is held, or a kept one."""
    if visit.query.get("form"):
        return _page(visit, kept(visit, identity(visit.query.get("form"), "form")))
    case_id = identity(visit.params["case"], "case")
    case, version = casefile.read_version(visit.desk, visit.session, case_id)
    typed: Typed = {
        name: value
        for name, value in case_form.to_form(case.data).items()
        if not name.startswith(tuple(typed_form.NOT_TYPED))
    }
    return _page(visit, Work(typed, case_id, version, bool(case.data.get("synthetic"))))


@page("/cases/{case}/amend", "analyst", methods=("POST",))
def send_amended(visit: Visit) -> Answer:
    """As `send_new`, for a new version."""
    return _sent(visit, _read(visit, identity(visit.params["case"], "case")))


def identity(text: str, what: str) -> UUID:
    """An id out of a path or a query. Raises `NotFound`."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(what) from None


def kept(visit: Visit, form_id: UUID) -> Work:
    """A form as it was kept. Raises `NotFound` for another's or one that is over."""
    held = formdraft.load(visit.desk, visit.session, visit.actor, form_id)
    if "typed" not in held:
        raise NotFound("form")
    case_id = UUID(held["case"]) if held["case"] else None
    return Work(dict(held["typed"]), case_id, held["version"], held["synthetic"], form_id)


def _read(visit: Visit, case_id: UUID | None) -> Work:
    sent = visit.form
    version = sent.get("version")
    return Work(
        typed=typed_form.typed_in(sent, ZoneInfo(visit.desk.pack.timezone)),
        case_id=case_id,
        version=int(version) if version.isdigit() and len(version) < 9 else 0,
        synthetic=sent.get("synthetic") == "yes",
        form_id=identity(sent.get("form_id"), "form") if sent.get("form_id") else None,
    )


def _sent(visit: Visit, work: Work) -> Answer:
    do, _, path = visit.form.get("do").partition(":")
    focus = ""
    if do == "add":
        focus = typed_form.add(work.typed, path)
    elif do == "remove":
        typed_form.remove(work.typed, path)
    elif do == "submit":
        return _submit(visit, work)
    work = _keep(visit, work)
    if do == "keep":
        return Go("/desk/work", said=visit.words("Kept for you. It is among your unfinished forms."))
    return _page(visit, work, focus=focus, fragment=visit.partial and not do)


def _keep(visit: Visit, work: Work) -> Work:
    """What comes late, after the form was taken in, is not kept: it would look unfinished for a week."""
    if work.form_id is not None and intake.taken_before(visit.session, visit.actor, work.form_id):
        return work
    held = {
        "typed": work.typed,
        "case": str(work.case_id) if work.case_id else "",
        "version": work.version,
        "synthetic": work.synthetic,
    }
    form_id = formdraft.save(visit.desk, visit.session, visit.actor, "case", held, work.form_id)
    return replace(work, form_id=form_id, kept_at=visit.now)


def _submit(visit: Visit, work: Work) -> Answer:
    """Take it in, or show it again whole. The savepoint keeps what was typed when the case is refused."""
    nested = visit.session.begin_nested()
    try:
        case_id, said = _stored(visit, work)
        nested.commit()
    except (Refused, Conflict) as error:
        nested.rollback()
        return _refused(visit, work, error)
    if work.form_id is not None:
        formdraft.discard(visit.session, visit.actor, work.form_id)
    return Go(f"/desk/cases/{case_id}", said=said)


def _stored(visit: Visit, work: Work) -> tuple[UUID, str]:
    document = case_form.from_form(work.typed, synthetic=work.synthetic)
    if work.case_id is None:
        case_id, _ = intake.take_in(
            visit.desk, visit.session, visit.actor, canonical.encode(document), work.form_id
        )
        return case_id, visit.words("The case is taken in. Two people have to confirm it.")
    file = visit.session.get(tables.CaseFile, work.case_id)
    if file is not None and file.current_version != work.version:
        raise Conflict(
            "case-changed",
            "somebody stored a new version of this case meanwhile; yours was not stored",
            "open the case beside this form, take over what is new, then begin a new version",
        )
    held, _ = casefile.read_version(visit.desk, visit.session, work.case_id)
    raw = canonical.encode(_with_untyped(document, held.data))
    intake.amend(visit.desk, visit.session, visit.actor, work.case_id, raw)
    return work.case_id, visit.words("A new version is stored. It has to be confirmed anew.")


def _with_untyped(document: dict[str, Json], held: Mapping[str, Any]) -> dict[str, Json]:
    """What nobody types stays as it is held: imported verdicts, with the entities they are about, and F13."""
    ids = {local_id for name in document if isinstance(document[name], dict) for local_id in document[name]}
    entries = held.get("assessment", {}).get("confirmations", ())
    kept = [entry for entry in entries if set(entry.get("about", ())) <= ids]
    if kept:
        document["assessment"] = {**document.get("assessment", {}), "confirmations": kept}
    if "submission_meta" in held.get("reporter", {}):
        meta = held["reporter"]["submission_meta"]
        document["reporter"] = {**document.get("reporter", {}), "submission_meta": meta}
    return document


def _refused(visit: Visit, work: Work, error: BrokerError) -> Answer:
    try:  # the issues count entries that are filled; so does the form that shows them
        document = case_form.from_form(work.typed, synthetic=work.synthetic)
        work = replace(work, typed={**case_form.to_form(document)})
        kind = work.typed.get("case.kind")
        if work.case_id is None and kind in KINDS:  # what stood there empty stands there still
            typed_form.expect(visit.desk, str(kind), work.typed)
    except Refused:
        pass
    work = _keep(visit, work)
    issues = error.issues if isinstance(error, Refused) else ()
    said = visit.words.problem(error) if not issues else ""
    return _page(visit, work, issues=issues, conflict=said, status=400 if issues else 409)


def _page(
    visit: Visit,
    work: Work,
    *,
    issues: Sequence[Issue] = (),
    conflict: str = "",
    focus: str = "",
    status: int = 200,
    fragment: bool = False,
) -> Show:
    words = CaseWords(visit.desk, visit.words)
    view = report_form.view(visit.desk, work.typed, issues, {i: words.issue(i) for i in issues})
    document = _loosely(work)
    missing = report_form.jump(view, case_form.missing(visit.desk, document)) if document else []
    if issues:  # they stand above and at their fields
        missing = [each for each in missing if each[0].level != "refused"]
    wrong = [_wrong(words, view, issue) for issue in issues]
    values = {
        "view": view, "cw": words, "missing": missing, "wrong": wrong, "conflict": conflict,
        "focus": focus or view.first_wrong() or view.input_of(visit.query.get("field")),
        "form_id": str(work.form_id or visit.desk.uuid()), "case_id": work.case_id,
        "version": work.version, "synthetic": work.synthetic, "kept_at": work.kept_at, "action": work.path,
        "ask_synthetic": not visit.desk.settings.synthetic,
    }  # fmt: skip
    return Show("report/kept.html" if fragment else "report/form.html", values, status=status)


def _loosely(work: Work) -> dict[str, Json]:
    try:
        return case_form.from_form(work.typed, synthetic=work.synthetic)
    except Refused:
        return {}


def _wrong(words: CaseWords, view: FormView, issue: Issue) -> tuple[str, str]:
    """What is wrong, with the name of its input, and where that stands."""
    name = issue.field.strip("/").replace("/", ".")
    return f"{words.place(view, name) or words.words('The case')}: {words.issue(issue)}", view.anchor(name)
