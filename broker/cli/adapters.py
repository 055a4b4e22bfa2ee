"""Commands about adapters: what is installed, and whether it keeps its promises."""

from __future__ import annotations

from typing import Annotated

import typer

from broker.cli.console import Json, reported, show_rows
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
    as_json: Json = False,
) -> None:
    """Run the conformance suite: pure, deterministic, reads no field beyond what it declares."""
    found = installed()
    if name is not None and name not in found:
        raise NotFound("adapter")
    chosen = found if every or name is None else {name: found[name]}
    rows = [
        {"name": each, "findings": " ".join(sorted({f.code for f in findings})) or "none", "ok": not findings}
        for each, findings in ((n, check(a)) for n, a in chosen.items())
    ]
    show_rows(rows, as_json, "Conformance")
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)
