"""Commands of the data protection officer: the register, the ledger, erasure."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from broker.cli.console import Json, acting, desk, reported, show
from broker.desk import authenticity, retain
from broker.desk import export as desk_export
from broker.desk.register import RegisterFilter
from broker.jobs import note_checker
from broker.store import ledger_verify
from broker.store.engine import unit_of_work

register = typer.Typer(
    help="The register of disclosures: payload-free, survives erasure.", no_args_is_help=True
)
ledger = typer.Typer(help="The ledger: recompute it from its leaves.", no_args_is_help=True)


@register.command("export")
@reported
def register_export(
    to: Annotated[Path | None, typer.Option("--to", help="File to write; absent: standard output.")] = None,
    partner: Annotated[str | None, typer.Option(help="Only what this addressee got.")] = None,
    case: Annotated[UUID | None, typer.Option(help="Only what left of this case.")] = None,
    fmt: Annotated[desk_export.Format, typer.Option("--format", help="csv, jsonl or pdf.")] = "csv",
    bom: Annotated[bool, typer.Option("--bom", help="CSV with a byte order mark.")] = False,
    semicolon: Annotated[bool, typer.Option("--semicolon", help="CSV with semicolons.")] = False,
) -> None:
    """Who received which kinds of field, when, under what, and what came back; the export is a leaf."""
    with desk(purposes={"token"} if fmt == "pdf" else set()) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            chosen = RegisterFilter(partner=partner, case_id=case)
            made = desk_export.export(d, session, actor, chosen, fmt, bom=bom, semicolon=semicolon)
        with made.file as file:
            if to is None:
                shutil.copyfileobj(file, sys.stdout.buffer)
            else:
                with to.open("wb") as target:
                    shutil.copyfileobj(file, target)


@register.command("erase")
@reported
def register_erase(case: UUID, as_json: Json = False) -> None:
    """Close a case for good: keys, content and sealed bytes go now; register and proofs stay.

    It is unrecoverable once the month's key is destroyed (`broker keys rotate-epoch`).
    """
    with desk() as d:
        actor = acting(d)
        done = retain.erase_case(d, actor, case)
    show(
        {"keys": done.keys, "sealed_objects": done.sealed_objects, "epochs": done.epochs},
        as_json,
        f"Closed: {done.keys} keys and {done.sealed_objects} sealed objects deleted. Unrecoverable when "
        f"{', '.join(done.epochs) or 'nothing'} is destroyed.",
    )


@ledger.command("verify")
@reported
def ledger_verify_command(as_json: Json = False) -> None:
    """Recompute everything from the leaves: tree, tiles, checkpoints, feed, releases without a leaf."""
    with desk(purposes={"token"}) as d:
        check_note = note_checker(d)
        with d.db.connect("app") as conn:
            report = ledger_verify.verify_all(conn, check_note)
        with unit_of_work(d.db) as session:
            authenticity.remember(d, session, report, "command")
    show(report.as_json(), as_json, report.words())
    if not report.ok:
        raise typer.Exit(1)
