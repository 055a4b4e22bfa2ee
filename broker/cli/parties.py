"""Commands about partners and their agreements."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import col, select

from broker import auth
from broker.cli.console import Json, acting, desk, reported, show, show_rows
from broker.cli.people import PasswordFile, password_from
from broker.core import canonical
from broker.desk import agreements
from broker.desk import partners as desk_partners
from broker.store import tables
from broker.store.engine import unit_of_work

partner = typer.Typer(help="Partner agencies: registration, keys, suspension.", no_args_is_help=True)
person = typer.Typer(help="People of a partner without software: they read its inbox.", no_args_is_help=True)
partner.add_typer(person, name="person")
agreement = typer.Typer(help="Agreements: immutable versions, two approvals.", no_args_is_help=True)


@partner.command("add")
@reported
def partner_add(
    registration: Annotated[Path, typer.Argument(help="The registration file that `partner-keys new` made.")],
    name: Annotated[str, typer.Option(help="Name of the agency.")],
    recipient_class: Annotated[
        str, typer.Option("--class", help="Recipient class of the pack, such as BEP.")
    ],
    country: Annotated[str, typer.Option(help="ISO 3166 code.")],
    language: Annotated[str, typer.Option(help="nl, fr, de or en.")] = "en",
    provider: Annotated[
        str | None, typer.Option(help="For a hosting provider: its name in host facts.")
    ] = None,
    software: Annotated[str | None, typer.Option(help="Which client software it uses.")] = None,
    as_json: Json = False,
) -> None:
    """Register a partner with its pinned keys. Compare the thumbprints by telephone first."""
    document = canonical.decode(registration.read_bytes(), max_bytes=65536)
    with desk(cases=True) as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            row = desk_partners.register(
                d,
                session,
                actor,
                desk_partners.Registration.read(document, tool=recipient_class == desk_partners.TOOL),
                name=name,
                recipient_class=recipient_class,
                country=country,
                language=language,
                provider=provider,
                software=software,
            )
            keys = session.exec(
                select(tables.PartnerKey).where(col(tables.PartnerKey.partner_id) == row.id)
            ).all()
    thumbs = {key.use: key.kid for key in keys}
    words = f"Partner {row.id} registered.\n" + "\n".join(
        f"  {use}: {kid}" for use, kid in sorted(thumbs.items())
    )
    show({"partner": row.id, "client_id": row.client_id, "keys": thumbs}, as_json, words)


@person.command("add")
@reported
def partner_person_add(
    partner_id: Annotated[str, typer.Argument(metavar="PARTNER", help="Id of the partner (`pt_…`).")],
    login: str,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """An account for one person of a partner: it signs in to that partner's inbox and nowhere else."""
    password = password_from(password_file, confirm=True)
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            made = auth.add_person(
                session, actor, partner_id=partner_id, login=login, password=password, now=d.now()
            )
    show({"id": made, "partner": partner_id}, as_json, f"Inbox account {made} made.")


@person.command("list")
@reported
def partner_person_list(
    partner_id: Annotated[str, typer.Argument(metavar="PARTNER", help="Id of the partner (`pt_…`).")],
    as_json: Json = False,
) -> None:
    """The inbox accounts of a partner; `staff disable` ends one."""
    table = tables.InboxPerson
    with desk() as d:
        acting(d).needs("administrator", "dpo")
        with unit_of_work(d.db) as session:
            rows = session.exec(
                select(table).where(col(table.partner_id) == partner_id).order_by(col(table.created_at))
            ).all()
    show_rows(
        [{"id": p.id, "login": p.login, "disabled": p.disabled_at is not None} for p in rows],
        as_json,
        "Inbox accounts",
    )


@partner.command("list")
@reported
def partner_list(as_json: Json = False) -> None:
    """Partners with name, class, country and state."""
    with desk() as d:
        acting(d)
        with unit_of_work(d.db) as session:
            rows = session.exec(select(tables.Partner).order_by(col(tables.Partner.created_at))).all()
    show_rows(
        [
            {
                "id": p.id,
                "name": p.name,
                "class": p.recipient_class,
                "country": p.country,
                "language": p.language,
                "status": p.status,
                "software": p.software,
            }
            for p in rows
        ],
        as_json,
        "Partners",
    )


@partner.command("add-keys")
@reported
def partner_add_keys(
    partner_id: str,
    registration: Annotated[Path, typer.Argument(help="The partner's newer registration file.")],
    as_json: Json = False,
) -> None:
    """Pin a partner's newer keys beside the old ones. Compare the thumbprints by telephone first."""
    document = canonical.decode(registration.read_bytes(), max_bytes=65536)
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            read = desk_partners.Registration.read(document)
            fresh = desk_partners.add_keys(d, session, actor, partner_id, read)
    words = "\n".join(f"  {key.use}: {key.kid}" for key in fresh)
    show(
        {"keys": {key.use: key.kid for key in fresh}},
        as_json,
        f"{len(fresh)} key(s) pinned. Seal again what waits: `broker referral reseal`.\n{words}".rstrip(),
    )


@partner.command("revoke-key")
@reported
def partner_revoke_key(
    partner_id: str, kid: Annotated[str, typer.Argument(help="Id of the key, from `partner show`.")]
) -> None:
    """Stop trusting one key at once: lost, stolen or replaced."""
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            desk_partners.revoke_key(d, session, actor, partner_id, kid)
    show({}, False, "Revoked.")


@partner.command("show")
@reported
def partner_show(partner_id: str, as_json: Json = False) -> None:
    """The keys of a partner with their use and time."""
    with desk() as d:
        acting(d)
        with unit_of_work(d.db) as session:
            desk_partners.get(session, partner_id)
            rows = session.exec(
                select(tables.PartnerKey)
                .where(col(tables.PartnerKey.partner_id) == partner_id)
                .order_by(col(tables.PartnerKey.use), col(tables.PartnerKey.not_before))
            ).all()
    show_rows(
        [
            {
                "kid": k.kid,
                "use": k.use,
                "since": k.not_before.date(),
                "until": k.not_after.date(),
                "revoked": None if k.revoked_at is None else k.revoked_at.date(),
            }
            for k in rows
        ],
        as_json,
        f"Keys of {partner_id}",
    )


@partner.command("suspend")
@reported
def partner_suspend(
    partner_id: str, resume: Annotated[bool, typer.Option("--resume", help="Let it in again.")] = False
) -> None:
    """Stop a partner at once: tokens it holds stop working, nothing can be released to it."""
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            desk_partners.set_status(d, session, actor, partner_id, "active" if resume else "suspended")
    show({}, False, "Resumed." if resume else "Suspended.")


@agreement.command("propose")
@reported
def agreement_propose(partner_id: str, body: Path, as_json: Json = False) -> None:
    """Lay an agreement (JSON, docs/operators/agreements.md) before a second person."""
    document = canonical.decode(body.read_bytes(), max_bytes=262144)
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            digest = agreements.propose(d, session, actor, partner_id, document)
    show({"digest": digest}, as_json, f"Proposed. Digest to approve: {digest}")


@agreement.command("approve")
@reported
def agreement_approve(partner_id: str, digest: str, as_json: Json = False) -> None:
    """The second approval: makes the next immutable version."""
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            version = agreements.approve(d, session, actor, partner_id, digest)
    show({"version": version}, as_json, f"Version {version} is in force from its first day.")


@agreement.command("suspend")
@reported
def agreement_suspend(
    partner_id: str,
    version: int,
    resume: Annotated[bool, typer.Option("--resume", help="Put it in force again.")] = False,
) -> None:
    """Suspend a version: new releases and collecting stop; receipts and answers stay open."""
    with desk() as d:
        actor = acting(d)
        with unit_of_work(d.db) as session:
            agreements.set_status(d, session, actor, partner_id, version, "active" if resume else "suspended")
    show({}, False, "Resumed." if resume else "Suspended.")


@agreement.command("list")
@reported
def agreement_list(partner_id: str, as_json: Json = False) -> None:
    """Versions of a partner's agreement, and proposals that wait for their second approval."""
    with desk() as d:
        acting(d)
        with unit_of_work(d.db) as session:
            rows = agreements.listed(session, partner_id)
    show_rows(rows, as_json, f"Agreements of {partner_id}")


@agreement.command("show")
@reported
def agreement_show(
    partner_id: str,
    version: Annotated[int | None, typer.Option(help="Which version; absent: the newest.")] = None,
    digest: Annotated[
        str | None, typer.Option(help="The proposal or version with this digest: what you would approve.")
    ] = None,
) -> None:
    """The body of a version (the newest by default) or of a proposal, as JSON."""
    with desk() as d:
        acting(d)
        with unit_of_work(d.db) as session:
            body = agreements.body_of(session, partner_id, version=version, digest=digest)
    sys.stdout.write(json.dumps(body, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
