"""Commands about adapters: what is installed, and whether it keeps its promises."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated

import typer
from rich.progress import Progress

from broker.cli.console import Json, err, reported, show_rows
from broker.conformance import check
from broker.errors import NotFound
from broker.runtime import adapters as installed
from broker.spi import Connects, Ingests, Renders

adapters = typer.Typer(help="Adapters: formats out and in.", no_args_is_help=True)


@adapters.command("list")
@reported
def adapters_list(as_json: Json = False) -> None:
    """Every installed adapter with its protocols and whether it was ever tried live."""
    rows = []
    for name, adapter in installed().items():
        protocols = [
            word
            for word, protocol in (("render", Renders), ("deliver", Connects), ("ingest", Ingests))
            if isinstance(adapter, protocol)
        ]
        rows.append(
            {
                "name": name,
                "protocols": " ".join(protocols),
                "speaks": adapter.info.speaks,
                "version": adapter.info.version,
                "tried_live": adapter.info.tried_live,
            }
        )
    show_rows(rows, as_json, "Adapters")


@adapters.command("check")
@reported
def adapters_check(
    name: Annotated[str | None, typer.Argument(help="An adapter; absent with --all.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Check every installed adapter.")] = False,
    generated: Annotated[int, typer.Option(help="Generated referrals for each render adapter.")] = 1000,
    as_json: Json = False,
) -> None:
    """Run the conformance suite: pure, deterministic, reads no field beyond what it declares.

    Render adapters are tried on the samples and on generated referrals, the same in every run; ingest
    adapters on hostile input.
    """
    found = installed()
    if name is not None and name not in found:
        raise NotFound("adapter")
    chosen = found if every or name is None else {name: found[name]}
    rows = []
    with Progress(console=err, disable=as_json) as progress:
        for each, adapter in chosen.items():
            tried = generated if isinstance(adapter, Renders) else 0
            task = progress.add_task(each, total=tried or None)
            begin = time.monotonic()
            findings = check(adapter, count=tried, step=partial(progress.advance, task))
            progress.update(task, total=tried or 1, completed=tried or 1)
            rows.append(
                {
                    "name": each,
                    "generated": tried,
                    "seconds": round(time.monotonic() - begin),
                    "findings": " ".join(sorted({f.code for f in findings})) or "none",
                    "ok": not findings,
                }
            )
    show_rows(rows, as_json, "Conformance")
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)
