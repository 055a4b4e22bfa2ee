"""Commands for many at once: exports to cases, confirmed cases to drafts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from broker.cli import sidebyside
from broker.cli.cases import option_of
from broker.cli.console import Json, acting, desk, err, reported, show
from broker.desk import bulk as jobs
from broker.desk import partners
from broker.desk.exportfiles import exports as exports_in
from broker.store.engine import unit_of_work

bulk = typer.Typer(help="Many at once; killed and started again, it goes on.", no_args_is_help=True)


@bulk.command("take")
@reported
def bulk_take(
    exports: Annotated[
        list[Path], typer.Argument(help="Files, folders of files, or .jsonl with one export a line.")
    ],
    adapter: Annotated[str, typer.Option(help="Ingest adapter, such as arachnid.")] = "arachnid",
    option: Annotated[list[str] | None, typer.Option(help="As for `broker case import`.")] = None,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="The exports are invented data.")] = False,
    as_json: Json = False,
) -> None:
    """Take exports in as draft cases, each whole or not at all. The same export again changes nothing."""
    options = dict(option_of(text) for text in option or ())
    with desk(cases=True) as d, _bar("Taking in", sum(1 for _ in exports_in(exports)), as_json) as step:
        done = jobs.take(d, acting(d), adapter, exports, options, synthetic=synthetic, step=step)
    _say(done, as_json, "case(s) taken in", "export(s) known already")


@bulk.command("draft")
@reported
def bulk_draft(
    partner: Annotated[str, typer.Argument(help="Partner id.")],
    purpose: Annotated[list[str] | None, typer.Option(help="Absent: those of the route.")] = None,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="How many work on it side by side, each with a share.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Render every confirmed case for one partner and queue it for a second person's release."""
    with desk(cases=True) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            partners.get(session, partner)
        purposes = tuple(purpose or ())
        with _bar("Drafting", jobs.waiting(d, partner), as_json) as step:
            if processes == 1:
                done = jobs.draft_all(d, actor, partner, purposes, step=step)
            else:
                done = sidebyside.draft_all(partner, purposes, processes, step)
    _say(done, as_json, "rendered and queued", "left to another process")


@contextmanager
def _bar(what: str, total: int, silent: bool) -> Iterator[jobs.Step]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=err, disable=silent) as progress:
        task = progress.add_task(what, total=total, rate="")

        def step(rows: int) -> None:
            speed = progress.tasks[0].speed
            progress.update(task, advance=rows, rate="" if speed is None else f"{speed:.0f}/s")

        yield step


def _say(done: jobs.Counted, as_json: bool, made: str, known: str) -> None:
    lines = [f"{done.made} {made}, {done.known} {known}, {sum(done.refused.values())} refused."]
    lines += [f"  {number} × {code}" for code, number in sorted(done.refused.items())]
    show({"made": done.made, "known": done.known, "refused": done.refused}, as_json, "\n".join(lines))
