"""Commands about police holds: no notice to anybody about a URL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from broker.cli.console import Json, acting, desk, out, reported, show_rows
from broker.desk import hold
from broker.store.engine import unit_of_work

holds = typer.Typer(help="Police holds: no notice to anybody about a URL.", no_args_is_help=True)

Police = Annotated[str, typer.Option("--by", help="Partner id of the police service that asks for it.")]
Until = Annotated[datetime | None, typer.Option(help="UTC; absent: the pack's clock.")]


@holds.command("set")
@reported
def hold_set(url: str, by: Police, until: Until = None) -> None:
    """Hold back every notice about a URL, at the request of the police."""
    with desk(cases=True) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            made = hold.place(d, session, actor, url, by, _utc(until))
    out.print(f"Hold {made} is set.")


@holds.command("renew")
@reported
def hold_renew(hold_id: UUID, by: Police, until: Until = None) -> None:
    """Renew a hold that still runs; only the police can ask for it."""
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            end = hold.renew(d, session, actor, hold_id, by, _utc(until))
    out.print(f"Renewed until {end:%Y-%m-%d %H:%M} UTC.")


@holds.command("end")
@reported
def hold_end(hold_id: UUID, by: Police) -> None:
    """End a hold before its time; only the police can ask for it."""
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            hold.end(d, session, actor, hold_id, by)
    out.print("Ended.")


@holds.command("list")
@reported
def hold_list(as_json: Json = False) -> None:
    """Every hold and until when it runs; no URL."""
    with desk() as d, unit_of_work(d.db) as session:
        acting(d)
        show_rows(hold.listing(d, session), as_json, "Holds")


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
