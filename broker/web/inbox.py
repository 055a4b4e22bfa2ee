"""The inbox of a partner agency without software of its own: list, open, read on a ground, answer.

Everything is asked of the same queries as the partner API, on its pool and under its row-level
security: what is absent and what is another partner's look the same. Opening hands over the signed
document out of the release record and is a collection and an act of reading in the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlmodel import col, select

from broker.api.context import Api
from broker.core import canonical
from broker.core.answers import PLAIN, Answer, label, outcome_of
from broker.desk import answers, events, publish, recheck
from broker.errors import Conflict, Forbidden, NotFound, Refused
from broker.store import access, feed, follow_up, inbox, tables
from broker.store.ledger_append import Entry
from broker.web import page as frame
from broker.web.page import Backstage, File, Go, Show, Visit, inbox_page

GROUNDS = ("triage", "own_case", "supplement", "audit")
_OWN = re.compile(r"[A-Za-z0-9./_ -]{0,64}")


@dataclass(frozen=True, slots=True)
class Referral:
    """A line of the inbox; everything in it stands in the feed row, or is the reader's own doing."""

    release: str
    reference: str
    version: int
    urgency: str
    case_kind: str
    at: datetime
    deadline: datetime | None
    position: int
    opened: bool
    state: str
    withdrawn: str | None


@inbox_page("/referrals", menu="Referrals")
def referrals(visit: Visit) -> frame.Answer:
    """What waits for an answer, the most urgent first; under it what is done, the newest first."""
    stage, asked = _stage(visit), visit.query.get("before")
    before = int(asked) if re.fullmatch(r"\d{1,15}", asked) else None
    waiting = None if before is not None else stage.run(inbox.waiting, stage.api.feed, visit.partner)
    done = stage.run(inbox.done, stage.api.feed, visit.partner, before=before or 2**62)
    rows = [_referral(line) for line in waiting.shown] if waiting else []
    rows.sort(key=lambda row: (row.urgency, row.opened, row.position))
    return Show(
        "inbox/list.html",
        {
            "rows": rows,
            "more": waiting is not None and waiting.more,
            "first": waiting is not None,
            "done": [_referral(line) for line in done.shown],
            "before": done.shown[-1].position if done.more else None,
        },
    )


@inbox_page("/referrals/{release}")
def referral(visit: Visit) -> frame.Answer:
    """One referral: its documents behind a ground, its answers."""
    return _shown(visit)


@inbox_page("/referrals/{release}/open", methods=("POST",))
def open_document(visit: Visit) -> frame.Answer:
    """Hand a document over: recorded as collected and as read on this ground before the bytes leave."""
    stage, release = _stage(visit), visit.params["release"]
    ground, own = visit.form.get("ground"), visit.form.get("own_case_number")
    if ground not in GROUNDS or not _OWN.fullmatch(own):
        return _shown(visit, error="ground" if ground not in GROUNDS else "own_case_number")
    _in_force(visit, stage, release)
    content, media_type = _document(visit, stage, release, visit.form.get("name"))
    part, sha256 = f"documents/{visit.form.get('name')}", canonical.sha256_hex(content)
    collected = {"release": release, "part": part, "sha256": sha256, "generation": feed.IN_HOUSE}
    stage.run(
        feed.hand_over, stage.api.feed, visit.partner, release, part, sha256, at=visit.now,
        entry=_entry(visit, stage.api, "collected", "referral:collected", release, collected),
    )  # fmt: skip
    read = {"release": release, "ground": ground}
    stage.run(
        follow_up.add_read, stage.api.feed, visit.partner, release, at=visit.now, ground=ground,
        user_reference=_visitor(visit), own_case_number=own or None,
        entry=_entry(visit, stage.api, "read", "referral:read", release, read),
    )  # fmt: skip
    return File(visit.form.get("name"), media_type, content, inline=media_type == "application/pdf")


@inbox_page("/referrals/{release}/answer", methods=("POST",))
def answer(visit: Visit) -> frame.Answer:
    """One of the six answers, or a finer code; only for what was opened."""
    stage, release = _stage(visit), visit.params["release"]
    said = visit.form.get("said")
    outcome = visit.form.get(f"finer-{said}") or outcome_of(said) or ""
    made = Answer(
        outcome=outcome,
        case_reference=visit.form.get("reference") or None,
        gaps=tuple(visit.form.all("gaps")) if said == "need-more" else (),
        suggest=visit.form.get("suggest").upper() or None if said == "not-ours" else None,
    )
    if issues := made.issues(visit.desk.pack.checks):
        return _shown(visit, wrong=[issue.field.strip("/") for issue in issues])
    try:
        stage.run(follow_up.handed_out, stage.api.feed, visit.partner, release)
    except NotFound:
        refused = Conflict("not-collected", "open it first: nobody can answer what nobody read")
        return _shown(visit, refused=refused)
    released = visit.session.get_one(tables.Release, release)
    answers.record(visit.desk, visit.session, released, made, via="inbox", by=_visitor(visit))
    return Go(f"/inbox/referrals/{release}", said=visit.words("Your answer is recorded. Thank you."))


def _shown(
    visit: Visit, *, error: str = "", wrong: Sequence[str] = (), refused: Conflict | None = None
) -> frame.Answer:
    stage, release = _stage(visit), visit.params["release"]
    row = _published(visit, stage, release)
    released = visit.session.get_one(tables.Release, release)
    return Show(
        "inbox/referral.html",
        {
            "row": row,
            "documents": [d["name"] for d in released.documents],
            "purposes": released.purposes,
            "grounds": GROUNDS,
            "plain": PLAIN,
            "label": lambda code: label(code, visit.words.language),
            "checks": [
                (check, rule.gaps[0])
                for check, rule in sorted(visit.desk.pack.checks.items())
                if rule.scope != "process" and row.case_kind in rule.kinds and rule.gaps
            ],
            "given": _given(visit, release),
            "error": error,
            "wrong": list(wrong),
            "refused": refused,
            "typed": visit.form,
        },
        409 if refused else 400 if error or wrong else 200,
    )


def _given(visit: Visit, release: str) -> list[tuple[str, datetime]]:
    """Answers of this partner, newest first. The release was found under its own row-level security."""
    table = tables.Answer
    mine = col(table.partner_id) == visit.partner, col(table.release_id) == release
    given = select(table.outcome, table.at).where(*mine).order_by(col(table.at).desc())
    return list(visit.session.exec(given).all())


def _document(visit: Visit, stage: Backstage, release: str, name: str) -> tuple[bytes, str]:
    _published(visit, stage, release)
    record = publish.open_record(visit.desk, visit.session, visit.session.get_one(tables.Release, release))
    for document in record.signed_documents:
        if document.name == name:
            return document.content, document.media_type
    raise NotFound("document")


def _published(visit: Visit, stage: Backstage, release: str) -> Referral:
    """A release of this partner as a line of its inbox, or the 404 of one that never was."""
    if not re.fullmatch(r"[a-z2-7]{26}", release):
        raise NotFound("referral")
    return _referral(stage.run(inbox.line, stage.api.feed, visit.partner, release))


def _in_force(visit: Visit, stage: Backstage, release: str) -> None:
    limit, since = stage.api.settings.bulk_per_hour, visit.now - timedelta(hours=1)
    asked = access.Question(release=release, at=visit.now, since=since, limit=limit)
    standing = stage.run(access.standing, stage.api.app, visit.partner, asked)
    if not standing.in_force and not visit.desk.pack.is_statutory(standing.addressee_class):
        raise Forbidden(
            "agreement-not-in-force",
            "the agreement behind this referral is suspended or over; answers stay open",
        )
    if recheck.kept_from(visit.desk, standing.addressee_class, release):
        raise NotFound("referral")
    if standing.collected >= limit:
        raise Conflict("bulk", "the number of referrals for this hour is used up", "go on in an hour")


def _referral(line: inbox.Line) -> Referral:
    item = orjson.loads(line.row)
    steps = (
        (line.withdrawn is not None, "withdrawn"),
        (line.answered, "answered"),
        (line.read, "read"),
        (line.collected is not None, "collected"),
    )
    return Referral(
        release=item["release"],
        reference=item["reference"],
        version=item["version"],
        urgency=item["urgency"],
        case_kind=item["caseKind"],
        at=datetime.fromisoformat(item["publishedAt"]),
        deadline=datetime.fromisoformat(item["deadline"]) if item.get("deadline") else None,
        position=line.position,
        opened=line.collected is not None,
        state=next((state for holds, state in steps if holds), "new"),
        withdrawn=line.withdrawn,
    )


def _entry(
    visit: Visit, api: Api, leaf_type: Any, action: str, release: str, record: dict[str, Any]
) -> Entry:
    """What the partner API writes for the same act, with the person as its actor."""
    return Entry(
        leaf_type=leaf_type,
        event_id=api.uuid(),
        at=visit.now,
        actor=_visitor(visit),
        record={**record, "partner": visit.partner, "at": events.stamp(visit.now)},
        nonce=api.random(16),
        keep_until=visit.now + api.keep_records,
        due_at=visit.now,
        action=action,
        release_id=release,
        partner_id=visit.partner,
    )


def _visitor(visit: Visit) -> str:
    if visit.visitor is None:
        raise NotFound("account")
    return visit.visitor.id


def _stage(visit: Visit) -> Backstage:
    if visit.backstage is None:
        raise Refused("no-api", "the inbox needs the partner API beside it")
    return visit.backstage
