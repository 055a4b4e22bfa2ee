"""Command of the parallel run: today's mail and CSV beside the referral, compared, nothing sent."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from broker.cli.console import Json, acting, desk, reported, show
from broker.core import today
from broker.desk import parallel as runs
from broker.errors import Refused
from broker.store.engine import unit_of_work

parallel = typer.Typer(help="Try the broker beside today's mail and CSV.", no_args_is_help=True)
MAX_SENT = 32 * 1024 * 1024


@parallel.command("run")
@reported
def parallel_run(
    out: Annotated[Path, typer.Option(help="A new folder for mails, sheets and the comparison (mode 0700).")],
    case: Annotated[list[UUID] | None, typer.Argument(help="Cases; or --since.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Confirmed cases taken in since (UTC).")] = None,
    to: Annotated[str | None, typer.Option(help="Partner; absent: the one police partner.")] = None,
    sent: Annotated[Path | None, typer.Option(help="The CSV your own tool wrote, to compare with.")] = None,
    as_json: Json = False,
) -> None:
    """Write what goes out today and compare it with the referral. Delivers, releases and counts nothing.

    Values stand in the files only; the screen shows counts and codes.
    """
    if not case and since is None:
        raise Refused("parallel-what", "name cases, or say --since")
    if sent is not None and sent.stat().st_size > MAX_SENT:
        raise Refused("today-refused", "the file of today is too large")
    with desk(cases=True) as d:
        actor = acting(d)
        cases = list(case or ())
        if since is not None:
            with unit_of_work(d.db) as session:
                cases += runs.since(session, since.replace(tzinfo=d.now().tzinfo))
        done = runs.run(d, actor, dict.fromkeys(cases), to, None if sent is None else sent.read_bytes())
    _write(out, done)
    compared = done.comparison.counts()
    lines = [f"{len(done.pairs)} case(s), {sum(done.refused.values())} refused. Nothing was sent."]
    lines += [
        f"  {what}: " + (", ".join(f"{n} {verdict}" for verdict, n in sorted(found.items())) or "none")
        for what, found in compared.items()
    ]
    lines.append(f"  fields the referral gives beside them: {len(done.more)}")
    show(done.summary(), as_json, "\n".join(lines))


def _write(out: Path, done: runs.Run) -> None:
    out.mkdir(mode=0o700, parents=True, exist_ok=False)
    for pair in done.pairs:
        folder = out / str(pair.case_id)
        folder.mkdir(mode=0o700)
        _file(folder / "mail.txt", pair.mail)
        _file(folder / "today.csv", pair.sheet)
    _file(out / "comparison.csv", today.report(done.comparison))
    _file(out / "summary.json", json.dumps(done.summary(), sort_keys=True, indent=1).encode() + b"\n")


def _file(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
