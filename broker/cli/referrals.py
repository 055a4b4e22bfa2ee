"""Commands about referrals: draft, preview, release, cancel, withdraw, reseal, show."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlmodel import Session, col, select

from broker.cli import looking
from broker.cli.console import Json, acting, desk, out, reported, show, show_rows
from broker.cli.preview import preview_words
from broker.core import canonical
from broker.core.outcomes import WITHDRAW_REASONS
from broker.core.rows import ADD_REASONS
from broker.desk import draft, overdue, publish, release
from broker.desk.context import Desk
from broker.desk.draft import Request
from broker.desk.look import look
from broker.errors import NotFound, Refused
from broker.store import ledger, tables
from broker.store.engine import unit_of_work

referral = typer.Typer(
    help="Referrals: draft, look, release by a second person, take back.", no_args_is_help=True
)

To = Annotated[str, typer.Option("--to", help="Partner id of the addressee.")]
Purposes = Annotated[list[str] | None, typer.Option("--purpose", help="Purpose id; absent: as routed.")]
Grounds = Annotated[
    list[str] | None,
    typer.Option("--ground", help="FIELD=CODE: coded necessity for a field that needs one (group C)."),
]
Rows = Annotated[
    list[str] | None,
    typer.Option(
        "--add-row",
        help=f"ID=REASON: add an entity this recipient would not get; {', '.join(ADD_REASONS)}.",
    ),
]
Clear = Annotated[
    Path | None, typer.Option("--clear", help="JSON file {pointer: cleared text} for masked free text.")
]
Kind = Annotated[str, typer.Option(help="new, supplement, correct, restrict or erase.")]
Urgent = Annotated[str | None, typer.Option("--urgent", help="Coded reason: the urgent path, by one person.")]


@referral.command("draft")
@reported
def referral_draft(
    case_id: UUID, to: To, purpose: Purposes = None, ground: Grounds = None, add_row: Rows = None,
    clear: Clear = None, kind: Kind = "new", urgent: Urgent = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Draft a referral: routed, minimised, rendered, sealed on trial. It lives 24 hours."""
    request = _request(case_id, to, purpose, ground, add_row, clear, kind, urgent)
    with desk(cases=True) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            result = draft.draft(d, session, actor, request)
    show(
        {
            "release": result.release,
            "reference": result.reference,
            "digest": result.digest,
            "expires_at": result.expires_at.isoformat(),
            "gaps": list(result.composition.record.gaps),
        },
        as_json,
        f"Drafted {result.reference} for {result.addressee.name}.\n"
        f"  release  {result.release}\n"
        f"  digest   {result.digest}\n"
        f"  until    {result.expires_at:%Y-%m-%d %H:%M} UTC\n"
        "Another person releases it: `broker referral release "
        f"{result.release} --digest {result.digest}`",
    )


@referral.command("preview")
@reported
def referral_preview(
    case_id: UUID, to: To, purpose: Purposes = None, ground: Grounds = None, add_row: Rows = None,
    clear: Clear = None, kind: Kind = "new", urgent: Urgent = None,
    clear_to: Annotated[
        Path | None, typer.Option(help="Write the proposed masked texts here, to be read and edited.")
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """What this recipient would get and why: held, sent, reason. Nothing is stored.

    Free text comes masked. Read what `--clear-to` wrote, correct it, and give it to `draft --clear`.
    """
    request = _request(case_id, to, purpose, ground, add_row, clear, kind, urgent)
    with desk(cases=True) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            result = draft.preview(d, session, actor, request)
        words, document = preview_words(d, result)
    if clear_to is not None:
        proposed = {m["pointer"]: m["after"] for m in document["masked"]}
        clear_to.touch(mode=0o600)
        clear_to.write_text(json.dumps(proposed, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    show(document, as_json, words)


@referral.command("release")
@reported
def referral_release(
    releases: Annotated[list[str], typer.Argument(help="Release ids of drafts.")],
    digest: Annotated[
        list[str] | None, typer.Option(help="The digest you looked at; one for each draft.")
    ] = None,
    retrospective: Annotated[
        bool, typer.Option("--retrospective", help="Second approval of an urgent release.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until the signer has signed it.")] = True,
    as_json: Json = False,
) -> None:
    """Approve exactly what you looked at; the signer then signs, logs and publishes it.

    What a partner has collected cannot be taken back; a release can be cancelled for a short time.
    """
    with desk() as d:
        actor = acting(d)
        if retrospective:
            with unit_of_work(d.db) as session:
                for each in releases:
                    release.approve_afterwards(d, session, actor, each)
            show({"approved": releases}, as_json, "Approved afterwards.")
            return
        if len(digest or ()) != len(releases):
            raise Refused(
                "digest", "give the digest of each draft, as you saw it", hint="`--digest …` for each"
            )
        choices = [release.Choice(r, g) for r, g in zip(releases, digest or (), strict=True)]
        with unit_of_work(d.db) as session:
            batch = release.approve(d, session, actor, choices)
        with d.db.connect("app") as conn:
            working = ledger.has_leader(conn)
        states = {each: _wait(d, each, 15.0 if wait and working else 0.0) for each in releases}
    words = "\n".join(f"  {each}: {state}" for each, state in states.items())
    if not working:
        words += "\nNobody signs now: start `broker serve` or `broker worker`, or run `broker worker --once`."
    show({"batch": batch, "states": states, "worker": working}, as_json, f"Approved.\n{words}")


@referral.command("cancel")
@reported
def referral_cancel(release_id: str) -> None:
    """Take a release back before it can be collected."""
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            publish.cancel(d, session, actor, release_id)
    out.print("Cancelled. It was never published; draft it anew when it is right.")


@referral.command("withdraw")
@reported
def referral_withdraw(
    release_id: str,
    reason: Annotated[str, typer.Option(help=f"One of {', '.join(WITHDRAW_REASONS)}.")],
) -> None:
    """Stop collection (410) and tell the carrier. It does not reach into what was collected."""
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            publish.withdraw(d, session, actor, release_id, reason)
    out.print("Withdrawn. The partner's feed says so; its answer shows in the register.")


@referral.command("reseal")
@reported
def referral_reseal(release_id: str, as_json: Json = False) -> None:
    """Encrypt a release again to the carrier's present keys. Seal and proof stay the same."""
    with desk(cases=True, purposes={"release"}) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            generation = publish.reseal(d, session, actor, release_id)
    show({"generation": generation}, as_json, f"Sealed again (generation {generation}).")


@referral.command("refuse")
@reported
def referral_refuse(
    release_id: str, reason: Annotated[str, typer.Option(help="Code.")] = "turned-down"
) -> None:
    """Turn a draft down. Its content goes, its header stays."""
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            draft.refuse(d, session, actor, release_id, reason)
    out.print("Turned down.")


@referral.command("show")
@reported
def referral_show(
    release_id: Annotated[str | None, typer.Argument(help="A release; absent: what is waiting.")] = None,
    content: Annotated[
        bool, typer.Option("--content", help="Every value it holds, as it was stored (personal data!).")
    ] = False,
    documents: Annotated[
        Path | None, typer.Option(help="Write its documents into this folder (personal data!).")
    ] = None,
    as_json: Json = False,
) -> None:
    """One referral from draft to answer, or the list of what waits for a second person.

    Who approves a draft looks at `--content` first: it is the stored draft, whose digest is checked.
    """
    wanted = content or documents is not None
    with desk(cases=wanted) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            if release_id is None:
                show_rows(_waiting(d, session), as_json, "Waiting for release")
                return
            state = _timeline(session, release_id)
            record = look(d, session, actor, release_id) if wanted else None
    lines = list(_in_words(state))
    if record is not None and documents is not None:
        looking.write_documents(record, documents)
        lines.append(f"Documents written to {documents}.")
    if record is not None and content:
        state["content"] = looking.as_document(record)
        lines += looking.in_words(record)
    show(state, as_json, "\n".join(lines))


def add_to(app: typer.Typer) -> None:
    """Hang the list of what is late under the root."""
    app.command("overdue")(late)


@reported
def late(as_json: Json = False) -> None:
    """Everything that is late: calls, second approvals, collections, signing. Nothing expires by it."""
    with desk() as d:
        acting(d).needs("analyst", "releaser", "dpo")
        with unit_of_work(d.db) as session:
            rows = overdue.overdue(d, session)
    show_rows([row.as_json() for row in rows], as_json, "Overdue")
    if not as_json:
        for kind in dict.fromkeys(row.kind for row in rows):
            out.print(f"{kind}: {overdue.WHAT_TO_DO[kind]}.")


def _in_words(state: Mapping[str, Any]) -> Iterator[str]:
    for name, value in state.items():
        if name != "timeline" and value is not None:
            yield f"  {name:<10} {value}"
    for each in state["timeline"]:
        at = "" if each["position"] is None else f"  ledger {each['position']}"
        yield f"  {each['at']}  {each['what'].partition(':')[2].replace('-', ' ')}  by {each['by']}{at}"


def _request(
    case_id: UUID, to: str, purpose: list[str] | None, ground: list[str] | None, add_row: list[str] | None,
    clear: Path | None, kind: str, urgent: str | None,
) -> Request:  # fmt: skip
    cleared = {} if clear is None else canonical.decode(clear.read_bytes(), max_bytes=1 << 20)
    return Request(
        case_id=case_id,
        addressee=to,
        purposes=tuple(purpose or ()),
        kind=kind,
        grounds=_pairs(ground, "--ground"),
        clear=cleared,
        add_rows=_pairs(add_row, "--add-row"),
        urgent_reason=urgent,
    )


def _pairs(values: list[str] | None, option: str) -> dict[str, str]:
    found = {}
    for value in values or ():
        name, separator, text = value.partition("=")
        if not separator or not text:
            raise Refused("usage", f"{option} has the form NAME=VALUE")
        found[name] = text
    return found


def _wait(d: Desk, release_id: str, seconds: float) -> str:
    """What became of an approved draft: released, closed with a code, or still waiting."""
    end = time.monotonic() + seconds
    while True:
        with unit_of_work(d.db) as session:
            if session.get(tables.Release, release_id) is not None:
                return "released"
            refusal = session.get(tables.DraftRefusal, release_id)
        if refusal is not None:
            return f"closed: {refusal.code}"
        if time.monotonic() >= end:
            return "approved, waiting for the signer"
        time.sleep(0.1)


def _waiting(d: Desk, session: Session) -> list[dict[str, Any]]:
    approved = select(tables.Approval.release_id)
    closed = select(tables.DraftRefusal.release_id)
    rows = session.exec(
        select(tables.Draft, tables.Referral)
        .join(tables.Referral, col(tables.Referral.id) == col(tables.Draft.referral_id))
        .where(
            col(tables.Draft.id).not_in(approved),
            col(tables.Draft.id).not_in(closed),
            col(tables.Draft.expires_at) > d.now(),
        )
        .order_by(col(tables.Draft.drafted_at))
    )
    return [
        {
            "release": row.id,
            "reference": ref.reference,
            "addressee": ref.addressee,
            "drafted_by": row.drafted_by,
            "digest": row.approval_digest,
            "until": row.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for row, ref in rows
    ]


def _timeline(session: Session, release_id: str) -> dict[str, Any]:
    row = session.get(tables.Draft, release_id)
    if row is None:
        raise NotFound("referral")
    ref = session.get_one(tables.Referral, row.referral_id)
    events = session.exec(
        select(tables.Event, tables.LedgerLeaf.position)
        .join(tables.LedgerLeaf, col(tables.LedgerLeaf.event_id) == col(tables.Event.id), isouter=True)
        .where(col(tables.Event.release_id) == release_id)
        .order_by(col(tables.Event.at), col(tables.LedgerLeaf.position))
    )
    return {
        "release": row.id,
        "reference": ref.reference,
        "version": row.version,
        "kind": row.kind,
        "addressee": ref.addressee,
        "carrier": ref.carrier,
        "digest": row.approval_digest,
        "timeline": [
            {"at": e.at.strftime("%Y-%m-%dT%H:%M:%SZ"), "what": e.action, "by": e.actor, "position": position}
            for e, position in events
        ],
    }
