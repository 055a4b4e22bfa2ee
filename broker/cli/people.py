"""Commands about people of the hotline: accounts, roles, signing in and out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from sqlmodel import col, select

from broker import auth
from broker.auth import ROLES, Role
from broker.cli.console import Json, acting, desk, reported, session_path, show, show_rows
from broker.desk.context import Desk
from broker.errors import Forbidden, NotFound, Refused
from broker.runtime import session_life
from broker.sealing.vault import EpochKeys
from broker.store import tables
from broker.store.engine import unit_of_work

staff = typer.Typer(help="People of the hotline: accounts, roles, signing in.", no_args_is_help=True)

PasswordFile = Annotated[
    Path | None, typer.Option(help="File with the password; absent: you are asked, nothing is shown.")
]


@staff.command("add")
@reported
def staff_add(
    login: str,
    role: Annotated[list[str], typer.Option(help=f"One of {', '.join(ROLES)}; may be given several times.")],
    password_file: PasswordFile = None,
    vetted_days: Annotated[int, typer.Option(help="The account ends by itself after so many days.")] = 365,
    as_json: Json = False,
) -> None:
    """Create an account. The first one may be made by anybody who holds the key folder's pass-phrase."""
    password = password_from(password_file, confirm=True)
    if not set(role) <= set(ROLES):
        raise Refused("role", f"a role is one of {', '.join(ROLES)}")
    with desk() as d:
        with unit_of_work(d.db) as session:
            empty = session.exec(select(tables.Staff.id).limit(1)).first() is None
        if empty:
            d.settings.passphrase()  # proof of being the operator: the file is closed to others
        else:
            acting(d).needs("administrator")
        with unit_of_work(d.db) as session:
            actor = auth.add_staff(
                session,
                login=login,
                roles=frozenset(cast("list[Role]", role)),
                password=password,
                vetted_until=d.now() + timedelta(days=vetted_days),
                now=d.now(),
            )
    show({"id": actor.id, "roles": sorted(actor.roles)}, as_json, f"Account {actor.id} made.")


@staff.command("sign-in")
@reported
def staff_sign_in(login: str, password_file: PasswordFile = None) -> None:
    """Sign in on this command line, until ten hours have passed or half an hour without a command."""
    password = password_from(password_file)
    with desk() as d:
        about: dict[str, Any] = {"life": session_life(d.settings)}
        try:
            with unit_of_work(d.db) as session:
                token = auth.sign_in(session, login, password, d.now(), **about)
        except Forbidden as error:
            if error.code != "code-needed":
                raise
            about |= {"key": _totp_key(d), "code": str(typer.prompt("One-time code"))}
            with unit_of_work(d.db) as session:
                token = auth.sign_in(session, login, password, d.now(), **about)
        path = session_path(d.settings.state)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(token)
    show({"signed_in": True}, False, "Signed in.")


@staff.command("sign-out")
@reported
def staff_sign_out() -> None:
    """End the session of this command line."""
    with desk() as d:
        path = session_path(d.settings.state)
        if path.exists():
            with unit_of_work(d.db) as session:
                auth.sign_out(session, path.read_text().strip())
            path.unlink()
    show({}, False, "Signed out.")


@staff.command("disable")
@reported
def staff_disable(
    account: Annotated[str, typer.Argument(help="Its id (`st_…` or `pp_…`).")],
) -> None:
    """End an account and its sessions at once. What it did stays under its id."""
    with desk() as d:
        actor = acting(d)
        actor.needs("administrator")
        with unit_of_work(d.db) as session:
            auth.disable(session, account, d.now())
    show({}, False, "Disabled.")


@staff.command("link")
@reported
def staff_link(login: str, as_json: Json = False) -> None:
    """A one-time sign-in link for the pages, of staff or an inbox person; synthetic data only."""
    with desk() as d:
        d.settings.passphrase()  # proof of being the operator: the file is closed to others
        with unit_of_work(d.db) as session:
            person = auth.find(session, login)
            if person is None:
                raise NotFound("account")
            token = auth.links.make(session, person.id, d.now(), synthetic=d.settings.synthetic)
    path = auth.links.path(person.id, token)
    show({"path": path, "url": d.settings.issuer + path}, as_json, d.settings.issuer + path)


@staff.command("totp")
@reported
def staff_totp(login: str, as_json: Json = False) -> None:
    """Give an account a new secret for one-time codes; the older one ends. Shown once, here."""
    with desk() as d:
        acting(d).needs("administrator")
        with unit_of_work(d.db) as session:
            person = auth.find(session, login)
            if person is None:
                raise NotFound("account")
            given = auth.totp.assign(session, _totp_key(d), person.id, login, d.now())
    show({"secret": given.secret, "uri": given.uri}, as_json, f"Secret: {given.secret}\n{given.uri}")


@staff.command("oidc")
@reported
def staff_oidc(
    login: str,
    issuer: Annotated[str, typer.Option(help="Issuer of the OpenID provider.")],
    subject: Annotated[str, typer.Option(help="The provider's `sub` of this person.")],
) -> None:
    """Link an account to a subject of the OpenID provider: they then sign in there."""
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            auth.oidc.link(session, actor, auth.staff_id(session, login), issuer, subject, d.now())
    show({}, False, "Linked.")


@staff.command("list")
@reported
def staff_list(as_json: Json = False) -> None:
    """Accounts with login, roles and the day their vetting ends."""
    with desk() as d:
        acting(d).needs("administrator", "dpo")
        with unit_of_work(d.db) as session:
            rows = session.exec(select(tables.Staff).order_by(col(tables.Staff.created_at))).all()
    show_rows(
        [
            {
                "id": p.id,
                "login": p.login,
                "roles": " ".join(p.roles),
                "vetted_until": p.vetted_until.date() if p.vetted_until else None,
                "disabled": p.disabled_at is not None,
            }
            for p in rows
        ],
        as_json,
        "Accounts",
    )


def _totp_key(d: Desk) -> bytes:
    return EpochKeys(d.settings.keys, d.settings.passphrase()).lasting("totp")


def password_from(path: Path | None, confirm: bool = False) -> str:
    """The password in a file that is closed to others, or asked for."""
    if path is not None:
        if path.stat().st_mode & 0o077:
            raise Forbidden("open-password", "the password file can be read by others; chmod 0600")
        return path.read_text().strip()
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=confirm))
