"""Commands about cases: import, confirm, show, schema, the urgent call."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.progress import track
from sqlmodel import col, select

from broker.cli.console import Json, acting, desk, err, out, reported, show, show_error, show_rows
from broker.core import case as core_case
from broker.core.confirmation import Claim
from broker.desk import casefile, confirm, intake, setaside
from broker.desk import route as desk_route
from broker.errors import BrokerError
from broker.store import tables
from broker.store.engine import unit_of_work

case = typer.Typer(help="Cases: take in, confirm, look at.", no_args_is_help=True)


@case.command("import")
@reported
def case_import(
    files: Annotated[list[Path], typer.Argument(help="Canonical cases, or exports for an adapter.")],
    adapter: Annotated[str | None, typer.Option(help="Ingest adapter, such as arachnid.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE for the adapter; NAME=@FILE reads the value from a file."),
    ] = None,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="The export is invented data.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, store nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Take cases in. What is refused is refused whole, by field and rule; the rest is stored."""
    taken: list[dict[str, object]] = []
    refused = 0
    options = dict(option_of(text) for text in option or ())
    with desk(cases=True) as d:
        actor = acting(d)
        actor.needs("analyst")
        for path in track(files, "Taking in", console=err, disable=as_json or len(files) < 3):
            try:
                content = path.read_bytes()
                with unit_of_work(d.db) as session:
                    drafts = None if adapter is None else intake.read_export(d, adapter, content, options)
                    made = (
                        [intake.take_in(d, session, actor, content)]
                        if drafts is None
                        else [
                            intake.take_in_draft(d, session, actor, draft, synthetic=synthetic)
                            for draft in drafts
                        ]
                    )
                    if dry_run:
                        session.rollback()
                findings = [f"{f.code} {f.pointer}".strip() for draft in drafts or () for f in draft.findings]
                taken += [
                    {"case": str(case_id), "kind": c.kind, "urgency": c.urgency, "findings": findings}
                    for case_id, c in made
                ]
            except BrokerError as error:
                refused += 1
                err.print(f"File {files.index(path) + 1} of {len(files)}:")
                show_error(error)
    verb = "would be taken in" if dry_run else "taken in"
    words = "\n".join(f"{t['case']}  {t['kind']}  {t['urgency'] or 'no urgency yet'}" for t in taken)
    show(
        {"cases": taken, "refused": refused, "dry_run": dry_run},
        as_json,
        f"{len(taken)} case(s) {verb}, {refused} refused.\n{words}",
    )
    if refused:
        raise typer.Exit(1)


@case.command("amend")
@reported
def case_amend(case_id: UUID, file: Path, as_json: Json = False) -> None:
    """Store a new version of a case. Verdicts and drafts on the version before do not carry over."""
    with desk(cases=True) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            version, _ = intake.amend(d, session, actor, case_id, file.read_bytes())
    show(
        {"case": str(case_id), "version": version},
        as_json,
        f"Version {version} stored. It has to be confirmed anew.",
    )


def option_of(text: str) -> tuple[str, str]:
    """NAME=VALUE, or NAME=@FILE for what is too long for a command line, such as a saved mapping."""
    name, _, value = text.partition("=")
    if value.startswith("@"):
        return name, Path(value[1:]).read_text(encoding="utf-8")
    return name, value


@case.command("confirm")
@reported
def case_confirm(
    case_id: UUID,
    claim: Annotated[str, typer.Option(help="content_illegal, person_linked or child_in_danger.")],
    about: Annotated[list[str] | None, typer.Option(help="Ids of entities; absent: all of them.")] = None,
    deny: Annotated[bool, typer.Option("--deny", help="Your verdict is no.")] = False,
    as_json: Json = False,
) -> None:
    """Give your verdict on a claim. Two people are needed for each claim that is released."""
    with desk(cases=True) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            confirm.claim(d, session, actor, case_id, claim, tuple(about or ()), says=not deny)
        with unit_of_work(d.db) as session:
            state = session.get_one(tables.CaseFile, case_id).state
    show({"case": str(case_id), "state": state}, as_json, f"Verdict noted. The case is {state}.")


@case.command("call")
@reported
def case_call(
    case_id: UUID,
    reason: Annotated[str, typer.Option(help="Coded reason of the urgent path.")],
    answered: Annotated[bool, typer.Option(help="Somebody named answered.")],
    read_back: Annotated[bool, typer.Option(help="The reference was read back to you.")] = False,
    who: Annotated[str, typer.Option(prompt="Who answered", help="Name or badge; stored encrypted.")] = "",
    as_json: Json = False,
) -> None:
    """Log an urgent call. Only an answered call stops the clock of U1, never a machine's receipt."""
    with desk(cases=True) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            call = confirm.Call(desk=d.pack.urgent_desk.name, answered=answered, read_back=read_back, who=who)
            row = confirm.log_call(d, session, actor, case_id, reason, call)
    stopped = answered and read_back
    show(
        {"call": str(row.id), "clock_stopped": stopped},
        as_json,
        "Call logged; the U1 clock stands." if stopped else "Call logged; the U1 clock runs on: ring again.",
    )


@case.command("show")
@reported
def case_show(
    case_id: UUID,
    full: Annotated[
        bool, typer.Option("--full", help="Print the whole case as JSON (personal data!).")
    ] = False,
    routes: Annotated[
        bool, typer.Option("--routes", help="Who is competent, and who is not, with reasons.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What a case holds, what is claimed, confirmed and missing."""
    with desk(cases=True) as d:
        acting(d).needs("analyst", "releaser", "dpo")
        with unit_of_work(d.db) as session:
            found, version = casefile.read_version(d, session, case_id)
            file = session.get_one(tables.CaseFile, case_id)
            claims = sorted(confirm.claims_of(session, case_id, version), key=lambda c: (c.kind, c.about))
            proposal = desk_route.describe(d, session, case_id) if routes else None
    if full:
        sys.stdout.write(json.dumps(found.data, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
        return
    counts = {
        name: len(found.data.get(name, {})) for name in ("items", "locations", "persons", "events", "victims")
    }
    names = [f"{c.kind} about {', '.join(c.about) or 'the case'} ({_count(c)})" for c in claims]
    result = {
        "case": str(case_id),
        "version": version,
        "kind": found.kind,
        "state": file.state,
        "urgency": file.urgency,
        "holds": counts,
        "claims": [{"kind": c.kind, "about": list(c.about), "verdicts": _count(c)} for c in claims],
        "routes": proposal,
    }
    holds = ", ".join(f"{n} {name}" for name, n in counts.items() if n)
    show(
        result,
        as_json,
        f"{found.kind}, {file.state}, version {version}, {file.urgency or 'no urgency'}: {holds}.\n"
        f"Claims: {'; '.join(names) or 'none yet'}.",
    )
    if proposal is not None and not as_json:
        for line in desk_route.in_words(proposal):
            out.print(line)


def _count(claim: Claim) -> str:
    """How many said yes, and how many no; not who."""
    yes = sum(verdict.says for verdict in claim.verdicts)
    no = len(claim.verdicts) - yes
    return f"{yes} yes" + (f", {no} no" if no else "")


@case.command("set-aside")
@reported
def case_set_aside(
    case_id: UUID,
    reason: Annotated[str, typer.Option(help=f"One of {', '.join(setaside.REASONS)}.")],
    as_json: Json = False,
) -> None:
    """End a confirmed case that routing gives to nobody. Another person agrees; anybody may reopen it."""
    with desk(cases=True) as d, unit_of_work(d.db) as session:
        setaside.set_aside(d, session, acting(d), case_id, reason)
    said = "Set aside. Another person agrees with `broker case agree`."
    show({"case": str(case_id), "state": setaside.WAITS}, as_json, said)


@case.command("agree")
@reported
def case_agree(case_id: UUID, as_json: Json = False) -> None:
    """The second person's yes to a case that was set aside as having no addressee."""
    with desk(cases=True) as d, unit_of_work(d.db) as session:
        setaside.agree(d, session, acting(d), case_id)
    show({"case": str(case_id), "state": setaside.AGREED}, as_json, "Closed as having no addressee.")


@case.command("reopen")
@reported
def case_reopen(case_id: UUID, as_json: Json = False) -> None:
    """Take a case that was set aside back to where it is drafted."""
    with desk(cases=True) as d, unit_of_work(d.db) as session:
        setaside.reopen(d, session, acting(d), case_id)
    show({"case": str(case_id), "state": "confirmed"}, as_json, "The case is to draft again.")


@case.command("list")
@reported
def case_list(
    state: Annotated[str | None, typer.Option(help="Only cases in this state, such as draft.")] = None,
    as_json: Json = False,
) -> None:
    """The newest 200 cases by id, with kind, urgency and state; nothing of what they hold."""
    query = select(tables.CaseFile).order_by(col(tables.CaseFile.created_at).desc()).limit(200)
    if state is not None:
        query = query.where(col(tables.CaseFile.state) == state)
    with desk() as d:
        acting(d).needs("analyst", "releaser", "dpo")
        with unit_of_work(d.db) as session:
            rows = [
                {
                    "case": str(row.id),
                    "kind": row.kind,
                    "urgency": row.urgency,
                    "state": row.state,
                    "version": row.current_version,
                    "taken_in": f"{row.created_at:%Y-%m-%dT%H:%M:%SZ}",
                }
                for row in session.exec(query)
            ]
    show_rows(rows, as_json, "Cases")


@case.command("schema")
def case_schema() -> None:
    """The JSON Schema of a canonical case."""
    sys.stdout.write(json.dumps(core_case.json_schema(), indent=1) + "\n")
