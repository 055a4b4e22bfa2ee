"""The preview: for each recipient what is held, what is sent and why; texts to clear; documents; what if."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from broker.core import explain
from broker.core.clearing import unit_of
from broker.core.explain import Change
from broker.core.fields import field_of
from broker.core.rows import ADD_REASONS, ADDABLE
from broker.desk import escalate, worklist
from broker.desk.draft import Request
from broker.desk.escalate import Escalation, Look, NotDrafted, Recipient
from broker.errors import BrokerError, Conflict, NotFound, Refused
from broker.spi import Finding
from broker.web import choosing, papers
from broker.web.choosing import Wanted
from broker.web.forms import Form
from broker.web.page import Answer, Go, Show, Visit, page

WORK = "/desk/work"


@page("/cases/{case}/preview/{partner}", "analyst")
def show(visit: Visit) -> Answer:
    """A first look, as routing proposes; a query may name the kind of draft (`kind.<partner>`)."""
    return shown(replace(visit, form=visit.query), _found(visit), visit.params["partner"])


@page("/cases/{case}/preview/{partner}", "analyst", methods=("POST",))
def act(visit: Visit) -> Answer:
    """Another choice, masked places decided, another recipient, or drafts for all."""
    found, partner, form = _found(visit), visit.params["partner"], visit.form
    if form.get("act") == "draft":
        return draft_all(visit, found, choosing.chosen(form, found) or (partner,))
    if form.get("act") == "accept":
        look = _look(visit, found.case_id, choosing.wanted(form, _recipient(found, partner)))
        hide = [
            (f"hide.{partner}.{text.pointer}.{number}", "hide")
            for text in look.preview.masked
            for number in range(len(text.spans))
        ]
        read = [(f"hide.{partner}.{t.pointer}.all", "read") for t in look.preview.masked if not t.spans]
        visit = replace(visit, form=Form((*form.pairs, *hide, *read)))
    return shown(visit, found, partner)


@page("/cases/{case}/preview/{partner}/documents", "analyst", methods=("GET", "POST"))
def documents(visit: Visit) -> Answer:
    """The documents as this recipient would see them; a PDF opens in the reader."""
    found, partner = _found(visit), visit.params["partner"]
    recipient = _recipient(found, partner)
    request = settled(visit, found.case_id, choosing.wanted(visit.form, recipient))
    look = escalate.look(visit.desk, visit.session, visit.actor, request, documents=True)
    made = look.drafted.composition.record.documents
    opened = visit.form.get("open") or visit.query.get("open")
    if opened:
        return papers.opening(made, opened)
    return Show(
        "escalate/documents.html",
        {
            "found": found,
            "recipient": recipient,
            "documents": [papers.shape(each) for each in made],
            "blocking": _mendable(look.preview.blocking),
            "carried": [p for p in visit.form.pairs if p[0] not in ("act", "open")],
            "here": f"/desk/cases/{found.case_id}/preview/{partner}",
        },
    )


def shown(
    visit: Visit,
    found: Escalation,
    partner: str,
    *,
    error: BrokerError | None = None,
    documents: bool = False,
) -> Show:
    """The page of one recipient. `error` is what a draft was refused for."""
    recipient = _recipient(found, partner)
    want = choosing.wanted(visit.form, recipient)
    chosen = choosing.chosen(visit.form, found)
    tabs = [r for r in found.recipients if r.route.addressee in {*chosen, partner}]
    request = settled(visit, found.case_id, want)
    look = escalate.look(visit.desk, visit.session, visit.actor, request, documents=documents)
    at = [t.route.addressee for t in tabs].index(partner)
    changes, refused = _what_if(visit, look, want)
    return Show(
        "escalate/preview.html",
        {
            "found": found,
            "recipient": recipient,
            "tabs": tabs,
            "following": tabs[(at + 1) % len(tabs)] if len(tabs) > 1 else None,
            "chosen": [t.route.addressee for t in tabs],
            "want": want,
            "look": look,
            "grounds": look.grounds,
            "added": [g for g in look.preview.groups if g.row is not None and g.row.reason == "added"],
            "addable": ADDABLE,
            "add_reasons": ADD_REASONS,
            "blocking": _mendable(look.preview.blocking),
            "others": _mendable(look.preview.other),
            "undecided": [t for t in look.preview.masked if t.spans and not t.cleared],
            "carried": list(choosing.carried(visit.form, but=partner)),
            "changes": changes,
            "refused": refused,
            "error": error,
            "issues": getattr(error, "issues", ()),
            "pack": visit.desk.pack,
            "rendered": documents,
        },
        status=409 if isinstance(error, Conflict) else 400 if error else 200,
    )


def draft_all(visit: Visit, found: Escalation, partners: Sequence[str]) -> Answer:
    """Store all drafts or none. What blocks one is shown on that recipient's preview, nothing is lost."""
    try:
        made = escalate.draft_all(
            visit.desk, visit.session, visit.actor, [_request(visit, found, p) for p in partners]
        )
    except NotDrafted as failed:
        if not isinstance(failed.error, Refused | Conflict):
            raise failed.error from None
        return shown(visit, found, failed.addressee, error=failed.error, documents=True)
    said = visit.words.many(
        "Drafted for %(n)s recipient. Another person releases it.",
        "Drafted for %(n)s recipients. Another person releases them.",
        len(made),
    )
    going = next_case(visit, found.case_id)
    if going != WORK:  # another case looks alike
        said = f"{said} {visit.words('This is the next case.')}"
    return Go(going, said=said)


def next_case(visit: Visit, but: UUID) -> str:
    """The next confirmed case that nobody drafted yet, or the work list: nobody has to look for it."""
    listed = worklist.section(visit.desk, visit.session, visit.actor, "to-draft", limit=2)
    following = next((row.case_id for row in listed.rows if row.case_id != but), None)
    return WORK if following is None else f"/desk/cases/{following}/escalate"


def _request(visit: Visit, found: Escalation, partner: str) -> Request:
    recipient = next(r for r in found.recipients if r.route.addressee == partner)
    want = choosing.wanted(visit.form, recipient)
    return settled(visit, found.case_id, want)


def settled(visit: Visit, case_id: UUID, want: Wanted) -> Request:
    """The request with grounds and texts as decided.

    Both need a look first: which fields a group opens, and what the mask found, are not in the form.
    """
    if not (want.grounds or want.hide or want.own):
        return want.request(case_id)
    first = _look(visit, case_id, replace(want, grounds={}, hide={}, own={}))
    request = want.request(case_id, first.grounds, first.preview.masked)
    if request.grounds and want.hide:
        # A ground gives values that the mask then leaves in the text: places are those of that view.
        opened = escalate.look(visit.desk, visit.session, visit.actor, replace(request, clear={}))
        request = want.request(case_id, first.grounds, opened.preview.masked)
    return request


def _found(visit: Visit) -> Escalation:
    return escalate.escalation(visit.desk, visit.session, visit.actor, choosing.case_of(visit))


def _recipient(found: Escalation, partner: str) -> Recipient:
    for each in found.recipients:
        if each.route.addressee == partner:
            return each
    raise NotFound("recipient")


def _look(visit: Visit, case_id: UUID, want: Wanted) -> Look:
    return escalate.look(visit.desk, visit.session, visit.actor, want.request(case_id))


def _mendable(findings: Sequence[Finding]) -> list[Mapping[str, Any]]:
    """Findings with the field to mend, where one is named; each once."""
    found = {}
    for finding in findings:
        field = str(finding.params.get("field", ""))
        if not field and finding.pointer:
            try:
                field = field_of(unit_of(finding.pointer))
            except (KeyError, IndexError):
                field = ""
        found[(finding.code, field)] = {"code": finding.code, "severity": finding.severity, "field": field}
    return list(found.values())


def _what_if(visit: Visit, look: Look, want: Wanted) -> tuple[Sequence[Change] | None, BrokerError | None]:
    """What the other purposes or ground asked about would change; None where nothing was asked."""
    form = visit.form
    if form.get("act") != "what-if":
        return None, None
    purposes = tuple(p for p in form.all("if.purpose") if p in visit.desk.pack.purposes) or want.purposes
    group, _, code = form.get("if.ground").partition("|")
    grounds = dict(look.drafted.composition.minimised.view.scope.grounds)
    grounds |= escalate.expand(look.grounds, {group: code}, frozenset(form.all("if.singly")))
    try:
        return explain.alternative(
            look.drafted.composition.minimised.view, purposes=purposes, grounds=grounds
        ), None
    except Refused as refused:
        return None, refused
