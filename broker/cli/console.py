"""What commands share: opening the desk, who is acting, how results and errors are shown.

Nothing printed here comes out of a case unless the command's whole purpose is to show it to the
person who asked (`case show`, `referral preview`); locators are then shown broken.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import psycopg
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import IntegrityError, OperationalError

from broker import auth
from broker.auth import Actor
from broker.desk.context import Desk
from broker.errors import BrokerError, Conflict, Forbidden, Misconfigured, Refused
from broker.runtime import open_desk, session_life
from broker.settings import Settings
from broker.store.engine import unit_of_work

P = ParamSpec("P")
R = TypeVar("R")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of words.")]
SESSION_FILE = "session"
_LINK = re.compile(r"\bhttp(s?)://([^/\s]+)", re.IGNORECASE)

FINDINGS = {
    "taint": "this is withheld, but stands word for word in something that would go; rewrite that",
    "implied": "this is withheld, but shows inside an address that goes",
    "text-leak": "free text names something that is withheld; clear the masked text",
    "text-unread": "free text that nobody has read yet",
    "consent-missing": "may not go without the reporter's consent",
    "adapter-failed": "no document could be made of it",
}
"""What findings mean that are no check of the pack."""


def reported(function: Callable[P, R]) -> Callable[P, R]:
    """Turn errors of the broker into words on standard error and exit code 1."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BrokerError as error:
            show_error(error)
        except ValidationError as error:  # the settings; their values are not repeated
            names = ", ".join(sorted({f"BROKER_{str(e['loc'][0]).upper()}" for e in error.errors()}))
            show_error(Misconfigured("setting", f"not a valid value: {names}", "see docs/operators"))
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            show_error(Misconfigured("file", f"{error.strerror or 'a file cannot be used'}{where}".lower()))
        except IntegrityError as error:  # a guard of the database that no check before it has words for
            diagnosis = getattr(error.orig, "diag", None)
            rule = getattr(diagnosis, "constraint_name", None) or "a guard"
            show_error(
                Conflict("database-rule", f"the database does not allow it ({rule}); nothing was stored")
            )
        except (psycopg.OperationalError, OperationalError):
            hint = "check BROKER_DATABASE_URL, the role's password and the server"
            show_error(Misconfigured("database", "the database cannot be reached", hint))
        raise typer.Exit(1)

    return run


def show_error(error: BrokerError) -> None:
    """What happened, which rules, what to do next; never a value."""
    err.print(f"[bold]Not done[/bold] ({error.code}): {escape(error.message)}.")
    if isinstance(error, Refused):
        lines = [
            f"  · {issue.field or 'the whole'}: {FINDINGS.get(issue.rule, issue.detail)} ({issue.rule})"
            for issue in error.issues
        ]
        for line in dict.fromkeys(lines):
            err.print(line, markup=False)
    if error.hint:
        err.print(f"Next: {error.hint.rstrip('.')}.", markup=False)


@contextmanager
def desk(*, purposes: Collection[str] = (), cases: bool = False) -> Iterator[Desk]:
    """The desk for one command, with the keys it needs and no others."""
    with open_desk(Settings(), purposes=purposes, cases=cases) as opened:
        yield opened


def acting(desk: Desk) -> Actor:
    """Who is signed in on this command line."""
    token = os.environ.get("BROKER_SESSION") or _read_session(desk.settings.state)
    if not token:
        raise Forbidden("sign-in", "you are not signed in; use `broker staff sign-in`")
    with unit_of_work(desk.db) as session:
        return auth.whoami(session, token, desk.now(), life=session_life(desk.settings))


def session_path(state: Path) -> Path:
    """Where the session token of this command line lies (mode 0600)."""
    return Path(os.environ.get("BROKER_SESSION_FILE") or state / SESSION_FILE)


def _read_session(state: Path) -> str:
    try:
        return session_path(state).read_text().strip()
    except FileNotFoundError:
        return ""


def show(result: Mapping[str, Any], as_json: bool, words: str) -> None:
    """One result: a JSON document, or words."""
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False, sort_keys=True, default=str) + "\n")
    else:
        out.print(words, markup=False)


def show_rows(rows: Sequence[Mapping[str, Any]], as_json: bool, title: str) -> None:
    """A list: a JSON document `{items: […]}`, or a table."""
    if as_json:
        show({"items": list(rows)}, True, "")
        return
    if not rows:
        out.print(f"{title}: none.")
        return
    heads = [name.replace("_", " ") for name in rows[0]]
    cells = [["" if v is None else str(v) for v in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    out.print(title, style="bold", markup=False)
    for line in (heads, *cells):  # one line a row, whatever the width: ids and digests are copied
        out.print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip(),
            markup=False,
        )


def unlinked(text: str) -> str:
    """Text with its addresses broken, so that no terminal makes a link of them (ruling 12)."""
    return _LINK.sub(lambda m: f"hxxp{m[1]}://{m[2].replace('.', '[.]')}", text)
