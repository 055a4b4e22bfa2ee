"""The tree of commands."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from typing import Annotated

import typer

from broker.cli import adapters as adapter_commands
from broker.cli import bulk, cases, deliveries, ledger, operate, parties, partner_side, people, referrals
from broker.cli import holds as hold_commands
from broker.cli import parallel as parallel_commands

HELP = """\
Structured, signed, minimised referrals from a hotline to the authorities.

Analysts: `case import`, `case confirm`, `referral draft`, `referral preview`.
Releasers: `referral release`, `referral cancel`, `referral withdraw`.
Partners: `partner-keys new`, `pull`, `open`, `verify`, `redact`, `doctor`.
Data protection officers: `register export`, `ledger verify`, `agreement …`.

First time here? `broker demo` runs the whole job on synthetic data.
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(operate.db, name="db")
app.add_typer(operate.keys, name="keys")
app.add_typer(people.staff, name="staff")
app.add_typer(parties.partner, name="partner")
app.add_typer(parties.agreement, name="agreement")
app.add_typer(partner_side.partner_keys, name="partner-keys")
app.add_typer(cases.case, name="case")
app.add_typer(bulk.bulk, name="bulk")
app.add_typer(parallel_commands.parallel, name="parallel")
app.add_typer(referrals.referral, name="referral")
app.add_typer(ledger.register, name="register")
app.add_typer(ledger.ledger, name="ledger")
app.add_typer(deliveries.delivery, name="delivery")
app.add_typer(hold_commands.holds, name="hold")
app.add_typer(adapter_commands.adapters, name="adapters")
operate.add_to(app)
partner_side.add_to(app)
referrals.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(installed_version("referral-broker"))
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...


def main() -> None:
    """Entry point of the console script."""
    app()
