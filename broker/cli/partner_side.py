"""The partner's commands: make keys, pull, open, verify, redact, doctor. They need no server code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from broker.cli.console import Json, out, reported, show
from broker.client.api import Ground
from broker.client.keys import PartnerKeys, new_partner_keys, read_passphrase
from broker.core import answers
from broker.core.outcomes import OUTCOMES
from broker.errors import Refused
from broker.sealing import keyfiles
from broker.sealing import verify as offline
from broker.sealing.package import Check
from broker.sealing.receipts import registered_keys
from broker.sealing.trust import Trust

if TYPE_CHECKING:
    from broker.client.api import PartnerApi

partner_keys = typer.Typer(help="The partner's own keys.", no_args_is_help=True)

KeysDir = Annotated[Path, typer.Option("--keys", help="Folder with the partner's keys.")]
Passphrase = Annotated[
    Path | None, typer.Option("--passphrase-file", help="File with the keys' pass-phrase.")
]
TrustDir = Annotated[Path, typer.Option("--trust", help="Trust folder pinned at onboarding.")]


@partner_keys.command("new")
@reported
def partner_keys_new(
    folder: Path,
    name: Annotated[str, typer.Option(help="Name of the agency, for the registration file.")],
    passphrase_file: Passphrase = None,
    unencrypted: Annotated[
        bool, typer.Option("--unencrypted", help="Keys in clear, on an encrypted disk.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the partner's five keys and a registration file. Only public halves are handed over."""
    passphrase = None if passphrase_file is None else read_passphrase(passphrase_file)
    made = new_partner_keys(folder, name, datetime.now(UTC), passphrase=passphrase, unencrypted=unencrypted)
    words = "\n".join(f"  {k['use']}: {k['thumbprint']}" for k in made["keys"])
    show(
        made,
        as_json,
        f"Keys made. Hand over {folder / 'registration.json'}; read these out by telephone:\n{words}",
    )


def add_to(app: typer.Typer) -> None:
    """Register the commands that stand alone."""
    for function in (pull, open_, verify, redact, read, answer, doctor, thumbprints):
        app.command(function.__name__.rstrip("_"))(function)


@reported
def pull(
    url: Annotated[str, typer.Argument(help="The broker's base URL.")],
    partner: Annotated[str, typer.Option(help="Your partner id, which is also your client id.")],
    keys: KeysDir,
    to: Annotated[Path, typer.Option("--to", help="Folder to store referrals in.")],
    trust: Annotated[Path | None, typer.Option(help="Trust folder pinned at onboarding.")] = None,
    passphrase_file: Passphrase = None,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="Store unopened: no decryption key in this zone.")
    ] = False,
    urgency: Annotated[str | None, typer.Option(help="Only rows of this urgency, such as U1.")] = None,
    as_json: Json = False,
) -> None:
    """Fetch what is new: verify, store, send the signed receipt. Resumes where it stopped."""
    from broker.client.pull import Puller

    held = _keys(keys, passphrase_file)
    with _api(url, partner, held) as api:
        pinned = None if trust is None else Trust.load(trust)
        report = Puller(api, held, to, partner, trust=pinned, sealed=sealed).run(urgency)
    show(
        {
            "ok": report.ok,
            "collected": report.collected,
            "withdrawn": report.withdrawn,
            "failures": [{"release": f.release, "what": f.sentence} for f in report.failures],
            "gaps": report.gaps,
            "stopped": report.stopped,
        },
        as_json,
        "\n".join([*report.lines(), *(f"  {to / release}" for release in report.collected)]),
    )
    if not report.ok:
        raise typer.Exit(1)


@reported
def open_(
    folder: Annotated[Path, typer.Argument(help="The folder `pull --sealed` stored in.")],
    partner: Annotated[str, typer.Option(help="Your partner id.")],
    keys: KeysDir,
    trust: TrustDir,
    passphrase_file: Passphrase = None,
    apart: Annotated[
        bool, typer.Option("--apart", help="Open what is sealed apart too, also of a release that is open.")
    ] = False,
    release: Annotated[list[str] | None, typer.Option(help="Only this release; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Decrypt and verify stored referrals; needs no network."""
    from broker.client.stored import open_stored

    held, pinned = _keys(keys, passphrase_file), Trust.load(trust)
    opened, failed = open_stored(
        folder,
        held,
        pinned,
        partner=partner,
        with_apart=apart,
        only=release,
    )
    words = [f"{len(opened)} opened and verified. The next pull sends their receipts."]
    words += [f"FAILED {release_id}: {sentence}" for release_id, sentence in failed.items()]
    result = {
        "ok": not failed,
        "opened": opened,
        "failures": [{"release": r, "what": sentence} for r, sentence in failed.items()],
    }
    show(result, as_json, "\n".join(words))
    if failed:
        raise typer.Exit(1)


@reported
def verify(
    folder: Annotated[Path, typer.Argument(help="A referral's folder, or a redacted.json.")],
    trust: TrustDir,
    registration: Annotated[
        Path | None,
        typer.Option(help="The partner's registration.json: checks the receipt's signature too."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check everything offline: signatures, seal, documents, publication. No server, no database."""
    if folder.is_file():
        report = offline.verify_redacted_file(folder, trust)
    else:
        signers = None if registration is None else registered_keys(registration.read_bytes())
        report = offline.verify_folder(folder, trust, receipt_keys=signers)
    result = {
        "ok": report.ok,
        "checks": [{"name": c.name, "ok": c.ok, "what": c.what} for c in report.checks],
        "not_checked": list(report.not_checked),
        "note": offline.OFFLINE,
    }
    show(result, as_json, "\n".join(report.lines()))
    if not report.ok:
        raise typer.Exit(1)


@reported
def thumbprints(
    trust: Annotated[Path, typer.Argument(help="Trust folder from onboarding.")], as_json: Json = False
) -> None:
    """Show the thumbprints of a trust folder: have them read out to you before you pin it."""
    found = Trust.load(trust).thumbprints()
    show(found, as_json, "\n".join(f"{kid}  {thumbprint}" for kid, thumbprint in found.items()))


@reported
def redact(
    folder: Path,
    keep: Annotated[
        list[str], typer.Option(help="Pointer to keep, or how pointers begin; `*` stands for one step.")
    ],
    to: Annotated[Path | None, typer.Option("--to", help="File to write; absent: standard output.")] = None,
) -> None:
    """Pass on less than you got: what is left still verifies, and its conditions stay on it."""
    data = offline.redact_folder(folder, keep=keep)
    if to is None:
        sys.stdout.buffer.write(data)
    else:
        keyfiles.replace_file(to, data, 0o600)
        out.print(f"Written: {to}. Anyone with the trust folder can verify it.")


@reported
def read(
    url: Annotated[str, typer.Argument(help="The broker's base URL.")],
    release: Annotated[str, typer.Argument(help="Id of the release.")],
    partner: Annotated[str, typer.Option(help="Your partner id.")],
    keys: KeysDir,
    ground: Annotated[Ground, typer.Option(help="Why it is read.")],
    user: Annotated[str | None, typer.Option(help="Your own opaque reference of who reads.")] = None,
    case_number: Annotated[str | None, typer.Option(help="Your own case number.")] = None,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Tell the broker that somebody reads it, and on what ground. No names."""
    with _api(url, partner, _keys(keys, passphrase_file)) as api:
        api.read(release, ground, user_reference=user, own_case_number=case_number)
    show({"release": release, "ground": ground}, as_json, "Noted.")


@reported
def answer(
    url: Annotated[str, typer.Argument(help="The broker's base URL.")],
    release: Annotated[str, typer.Argument(help="Id of the release.")],
    partner: Annotated[str, typer.Option(help="Your partner id.")],
    keys: KeysDir,
    outcome: Annotated[str, typer.Option(help=answers.HELP)],
    case_reference: Annotated[str | None, typer.Option(help="Your own case reference.")] = None,
    gap: Annotated[list[str] | None, typer.Option(help="For O20, O71: checks not met, Q01 to Q30.")] = None,
    suggest: Annotated[str | None, typer.Option(help="For O72: whose it is.")] = None,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Say what became of a referral. Several answers may follow one another."""
    answer_id = uuid4()
    code = answers.outcome_of(outcome)
    if code is None:
        raise Refused("answer-refused", "this is neither one of the six answers nor an outcome code")
    with _api(url, partner, _keys(keys, passphrase_file)) as api:
        api.answer(
            release, answer_id, code, case_reference=case_reference, gaps=tuple(gap or ()), suggest=suggest
        )
    show({"answer": str(answer_id)}, as_json, f"Answered {code}: {OUTCOMES[code]}.")


@reported
def doctor(
    url: Annotated[str, typer.Argument(help="The broker's base URL.")],
    partner: Annotated[str, typer.Option(help="Your partner id.")],
    keys: KeysDir,
    trust: TrustDir,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Say in words what is wrong with the connection: clock, audience, keys, address, trust."""
    from broker.client.doctor import diagnose

    passphrase = None if passphrase_file is None else read_passphrase(passphrase_file)
    checks = diagnose(url, partner, keys, trust, passphrase=passphrase)
    ok = all(check.ok for check in checks)
    result = {
        "ok": ok,
        "checks": [{"name": c.name, "ok": c.ok, "what": c.what, "hint": c.hint} for c in checks],
    }
    show(result, as_json, "\n".join(_check_lines(checks)))
    if not ok:
        raise typer.Exit(1)


def _check_lines(checks: Sequence[Check]) -> Iterator[str]:
    for check in checks:
        yield f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.what}"
        if check.hint:
            yield f"     {check.hint}"


def _keys(folder: Path, passphrase_file: Path | None) -> PartnerKeys:
    return PartnerKeys.load(folder, None if passphrase_file is None else read_passphrase(passphrase_file))


def _api(url: str, partner: str, held: PartnerKeys) -> PartnerApi:
    from broker.client.api import PartnerApi
    from broker.client.auth import BrokerAuth

    return PartnerApi(url, BrokerAuth(url, partner, held.get("auth"), held.get("dpop")))
