"""Commands about deliveries to partners that do not pull."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from sqlmodel import col, select

from broker.cli.console import Json, acting, desk, out, reported, show, show_rows
from broker.core import answers as plain
from broker.desk import answers, carry, deliver, endpoints, events, notify, partners, proof, returns
from broker.errors import NotFound, Refused
from broker.sealing import webhooks
from broker.store import tables
from broker.store.engine import unit_of_work

delivery = typer.Typer(help="Deliveries to partners that do not pull.", no_args_is_help=True)
MAX_REPORT = 4 * 1024 * 1024

Delivery = Annotated[UUID, typer.Argument(help="Delivery id, from `broker delivery list`.")]
Desk = Annotated[str, typer.Option(help="Who answered; rests encrypted with the case.")]
Number = Annotated[str, typer.Option(help="The number that was called.")]


@delivery.command("partner")
@reported
def delivery_partner(
    name: Annotated[str, typer.Option(help="Name of the agency.")],
    recipient_class: Annotated[str, typer.Option("--class", help="Recipient class of the pack.")],
    country: Annotated[str, typer.Option(help="ISO 3166 code.")],
    language: Annotated[str, typer.Option(help="nl, fr, de or en.")] = "en",
    provider: Annotated[str | None, typer.Option(help="For a provider: its name in host facts.")] = None,
    as_json: Json = False,
) -> None:
    """Register a partner that has no keys and will not pull; pin where it is reached next."""
    with desk(cases=True) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            row = partners.register(
                d, session, actor, partners.Registration(()), name=name,
                recipient_class=recipient_class, country=country, language=language, provider=provider,
            )  # fmt: skip
    show({"partner": row.id}, as_json, f"Partner {row.id} registered. Next: `broker delivery to {row.id} …`")


@delivery.command("to")
@reported
def delivery_to(
    partner: str,
    config: Annotated[
        Path, typer.Argument(help="JSON file: address and certificate, or as the adapter wants.")
    ],
    adapter: Annotated[str, typer.Option(help="Adapter that delivers; empty for notices.")] = "",
    channel: Annotated[str, typer.Option(help="mail, push or webhook.")] = "mail",
    purpose: Annotated[str, typer.Option(help="referral or notice.")] = "referral",
) -> None:
    """Pin where a partner that does not pull gets referrals, or where anybody gets notices of new ones.

    Compare the certificate's thumbprint with the partner over another channel first.
    """
    try:
        found = json.loads(config.read_bytes())
    except (OSError, ValueError):
        raise Refused("endpoint-file", "the file is not there or is no JSON") from None
    endpoint = endpoints.Endpoint(purpose, channel, adapter, found if isinstance(found, dict) else {})
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            endpoints.set_endpoint(d, session, actor, partner, endpoint)
    out.print("Pinned. The newest endpoint of a purpose counts.")


@delivery.command("stop")
@reported
def delivery_stop(
    partner: str, purpose: Annotated[str, typer.Option(help="referral or notice.")] = "referral"
) -> None:
    """No longer reach a partner there."""
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            endpoints.end_endpoint(d, session, actor, partner, purpose)
    out.print("Ended.")


@delivery.command("list")
@reported
def delivery_list(
    every: Annotated[bool, typer.Option("--all", help="Also what is delivered.")] = False,
    as_json: Json = False,
) -> None:
    """Every delivery and its state: what failed and what is overdue stands here until somebody acts."""
    with desk() as d, unit_of_work(d.db) as session:
        acting(d)
        show_rows(deliver.listing(session, open_only=not every), as_json, "Deliveries")


@delivery.command("show")
@reported
def delivery_show(delivery_id: Delivery, as_json: Json = False) -> None:
    """The steps of a delivery and the evidence that is kept (its digest, not its text)."""
    with desk() as d, unit_of_work(d.db) as session:
        acting(d)
        deliver.get(session, delivery_id)
        steps = session.exec(
            select(tables.DeliveryEvent)
            .where(col(tables.DeliveryEvent.delivery_id) == delivery_id)
            .order_by(col(tables.DeliveryEvent.id))
        )
        rows = [
            {"at": events.stamp(s.at), "state": s.state, "code": s.code, "attempt": s.attempt,
             "evidence": s.evidence_sha256, "by": s.by}
            for s in steps
        ]  # fmt: skip
        show_rows(rows, as_json, "Steps")


@delivery.command("evidence")
@reported
def delivery_evidence(delivery_id: Delivery, sha256: str) -> None:
    """Write one piece of evidence, verbatim, to standard output."""
    with desk(cases=True) as d, unit_of_work(d.db) as session:
        acting(d).needs("releaser", "dpo")
        row = session.exec(
            select(tables.DeliveryEvidence).where(
                col(tables.DeliveryEvidence.delivery_id) == delivery_id,
                col(tables.DeliveryEvidence.sha256) == sha256,
            )
        ).first()
        if row is None:
            raise NotFound("evidence")
        sys.stdout.buffer.write(deliver.open_evidence(d, session, row))


@delivery.command("call")
@reported
def delivery_call(
    delivery_id: Delivery,
    answered_by: Desk,
    number: Number,
    read_back: Annotated[
        bool, typer.Option(help="They read the reference back; otherwise they have nothing.")
    ],
    deleted: Annotated[bool, typer.Option("--deleted", help="They say that they deleted it.")] = False,
) -> None:
    """Log a call to the addressee's desk: it has the referral, it has not, or it deleted it."""
    with desk(cases=True) as d:
        actor = acting(d)
        made = proof.Call(answered_by, number, read_back)
        with unit_of_work(d.db) as session:
            if deleted:
                proof.retracted(d, session, actor, delivery_id, made)
                state = "retracted"
            else:
                state = proof.call(d, session, actor, delivery_id, made)
    out.print(f"Logged: {state}.")


@delivery.command("answer")
@reported
def delivery_answer(
    of: Annotated[str, typer.Argument(help="Delivery or release.")],
    outcome: Annotated[str, typer.Argument(help=plain.HELP)],
    answered_by: Desk,
    number: Number,
    case_reference: Annotated[str | None, typer.Option(help="Their case number.")] = None,
    gap: Annotated[list[str] | None, typer.Option(help="For need-more: checks not met, Q01 to Q30.")] = None,
    suggest: Annotated[str | None, typer.Option(help="For not-ours: country or class.")] = None,
    as_json: Json = False,
) -> None:
    """Log a call in which the partner, or a provider, said what became of a referral.

    The same as the partner's own answer: register, ledger, clocks. Whoever answers has received it.
    """
    code = plain.outcome_of(outcome)
    if code is None:
        raise Refused("answer-refused", "this is neither one of the six answers nor an outcome code")
    said = plain.Answer(code, case_reference, tuple(gap or ()), suggest)
    with desk(cases=True) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            state = answers.told(d, session, actor, of, said, answers.Told(answered_by, number))
    words = "Logged" if state == "new" else "Known already"
    show({"outcome": code, "state": state}, as_json, f"{words}: {code}, {plain.label(code, 'en')}.")


@delivery.command("returns")
@reported
def delivery_returns(
    content: Annotated[Path, typer.Argument(help="The other system's list, as the adapter reads it.")],
    adapter: Annotated[str, typer.Option(help="Which adapter reads it.")] = "iccam_in",
    before: Annotated[Path | None, typer.Option(help="The list read before, to see what moved.")] = None,
    as_json: Json = False,
) -> None:
    """Take in what another system says became of what we sent; the same list again changes nothing."""
    for path in (content, before):
        if path is not None and path.stat().st_size > MAX_REPORT:
            raise Refused("report-refused", "the list is too large")
    options = {} if before is None else {"before": before.read_text("utf-8", "replace")}
    with desk(cases=True) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            taken = returns.take(d, session, actor, adapter, content.read_bytes(), options)
    show(
        {"new": taken.new, "same": taken.same, "not_ours": taken.not_ours}, as_json,
        f"{taken.new} new, {taken.same} known already, {taken.not_ours} about reports we did not send.",
    )  # fmt: skip


@delivery.command("report")
@reported
def delivery_report(
    message: Annotated[Path, typer.Argument(help="The bounce or delay message, as it arrived (.eml).")],
    adapter: Annotated[str, typer.Option(help="Which adapter reads it.")] = "secure_mail",
) -> None:
    """Take in what a mail system reports about a delivery."""
    if message.stat().st_size > MAX_REPORT:
        raise Refused("report-refused", "the report is too large")
    with desk(cases=True) as d:
        acting(d).needs("analyst", "releaser", "administrator")
        with unit_of_work(d.db) as session:
            found = proof.report(d, session, adapter, message.read_bytes())
    out.print(f"Taken for delivery {found}.")


@delivery.command("retry")
@reported
def delivery_retry(
    delivery_id: Delivery,
    anew: Annotated[
        bool, typer.Option("--anew", help="From the first step: after `ncmec-finish-unknown`, and a call.")
    ] = False,
) -> None:
    """Queue a failed delivery again. With `outcome-unknown` the partner may get it twice: call first."""
    with desk(cases=anew) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            deliver.retry(d, session, actor, delivery_id, anew=anew)
    out.print("Queued again.")


@delivery.command("offer")
@reported
def delivery_offer(release: str) -> None:
    """Send a release that lies uncollected to the endpoint that its carrier has beside pulling."""
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            made = deliver.offer(d, session, actor, release)
    out.print(f"Queued as delivery {made}.")


@delivery.command("run")
@reported
def delivery_run() -> None:
    """Attempt what is due once, in this process: for a machine without `broker serve` or `broker worker`."""
    with desk(cases=True) as d:
        acting(d).needs("releaser", "administrator")
        done = carry.carry_due(d)
        late = proof.mark_overdue(d)
        told = notify.tell(d)
    out.print(f"{done} attempted, {late} overdue, {told} notices accepted.")


@delivery.command("webhook-key")
@reported
def delivery_webhook_key(as_json: Json = False) -> None:
    """The public key that partners pin to check our webhooks (Standard Webhooks, v1a)."""
    with desk(cases=True) as d:
        key = webhooks.public_key(d.vault().lasting("webhook"))
    show({"key": key}, as_json, key)
