"""Write the generated parts of the pages, between `<!-- name:begin -->` and `<!-- name:end -->`.

    python -m docs.make            write them
    python -m docs.make --check    only say whether a page is stale (exit code 1)

What is generated comes out of the code that does it, so that a page cannot say something else.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer.main

from broker.api.problems import PROBLEMS, TYPE_PREFIX
from broker.cli import app
from broker.core.fields import BROKER_COMPUTED, SEALED_APART, places
from broker.core.outcomes import FINAL, NEEDS_GAPS, OUTCOMES, WITHDRAW_REASONS
from broker.core.pack import load_pack
from broker.settings import Settings
from broker.store.roles import setup_sql

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"

EVENTS: Mapping[str, str] = {
    "agreement:active": "an agreement version was put in force again",
    "agreement:approved": "a second person approved an agreement version",
    "agreement:ended": "an agreement version was ended",
    "agreement:suspended": "an agreement version was suspended",
    "case:amended": "a new version of a case was stored",
    "case:no-addressee": "a second person agreed that a case has no addressee",
    "case:reopened": "a case that was set aside is to draft again",
    "case:set-aside": "somebody said that a case has no addressee, with a coded reason",
    "case:confirmed": "the claims of a case have the verdicts they need",
    "case:erasure-listed": "the ids of all that an erasure takes away; their digest was signed",
    "case:erased": "a case was closed for good: its keys and content are deleted",
    "case:run-in-parallel": "today's mail and CSV of a case were written to files, to compare",
    "case:taken-in": "a case was taken in",
    "case:urgent": "somebody took the urgent path for a case",
    "case:urgent-call": "a call to a duty desk was logged",
    "case:verdict-given": "somebody gave a verdict on a claim",
    "keys:epoch-rotated": "older epoch keys are destroyed after this",
    "figures:exported": "figures left the house, small counts hidden; a leaf commits to the file",
    "ledger:findings": "the whole ledger was recomputed and something did not hold",
    "ledger:verified": "the whole ledger was recomputed and nothing was found",
    "partner:active": "a suspended partner was let in again",
    "partner:key-revoked": "a partner's key is no longer trusted",
    "partner:keys-added": "a partner's newer keys were pinned",
    "partner:registered": "a partner was registered with its keys",
    "partner:suspended": "a partner was stopped",
    "referral:answer-told": "an answer was told by telephone; who answered rests encrypted",
    "recognition:recorded": "the hotline's recognition was recorded",
    "referral:answered": "the partner said what became of it",
    "referral:approved": "a second person approved a draft by its digest",
    "referral:approved-afterwards": "a second person looked at an urgent release",
    "referral:cancelled": "a release was taken back before it could be collected",
    "referral:collected": "the partner fetched sealed bytes",
    "referral:draft-…": "a draft was closed; the rest of the word is the reason",
    "referral:drafted": "a draft was stored",
    "referral:published": "a release can be collected",
    "referral:read": "somebody at the partner read it, on a coded ground",
    "referral:receipt": "the partner's signed receipt",
    "referral:released": "a release was signed and sealed",
    "referral:resealed": "a release was encrypted again to a newer key",
    "referral:withdrawn": "a release was withdrawn",
    "register:exported": "the register was exported; a leaf commits to the file",
    "staff:vetted": "the end of somebody's vetting was moved",
    "review:asked": "an officer asked to open a drawn release",
    "review:drawn": "a sample of releases was drawn for review",
    "review:granted": "a second person let an officer open a drawn release for half an hour",
    "review:opened": "an officer opened a drawn release, identities masked",
    "review:verdict": "an officer said of fields whether they were necessary",
}
"""Every action an event can have; a test compares it with the code."""


def settings() -> str:
    """Every setting with its variable, default and meaning."""
    rows = []
    for name, each in Settings.model_fields.items():
        default = "" if each.default is None else f"`{each.default}`"
        rows.append((f"`BROKER_{name.upper()}`", default, each.description or ""))
    rows.append(("`BROKER_SESSION_FILE`", "`session` in the state folder", "Command line: the session file."))
    rows.append(("`BROKER_SESSION`", "", "Command line: the session token itself, where there is no file."))
    return _table(("variable", "default", "meaning"), rows)


def commands() -> str:
    """Every command with its arguments and options, as `--help` says them."""
    return "\n".join(_commands(typer.main.get_command(app), ["broker"]))


def problems() -> str:
    """The catalogue of problem types."""
    rows = [(f"`{TYPE_PREFIX}{code}`", str(p.status), p.title, p.what_to_do) for code, p in PROBLEMS.items()]
    return _table(("type", "status", "what happened", "what to do"), rows)


def outcomes() -> str:
    """The codes that a partner answers with."""
    rows = [
        (f"`{code}`", words, "yes" if code in FINAL else "", "yes" if code in NEEDS_GAPS else "")
        for code, words in OUTCOMES.items()
    ]
    return _table(("code", "meaning", "closes the clock", "names checks not met"), rows)


def events() -> str:
    """Every action of the log."""
    return _table(("action", "what happened"), [(f"`{name}`", words) for name, words in EVENTS.items()])


def fields() -> str:
    """The 84 fields by place."""
    raw = json.loads((ROOT / "broker/packs/be/fields.json").read_text())["fields"]
    known = {entry["id"]: entry for entry in raw}
    where: dict[str, list[str]] = {}
    for group, name, field_id in places():
        where.setdefault(field_id, []).append(f"`{group}.{name}`")
    rows = [
        (
            field_id,
            "<br>".join(where[field_id]),
            f"`{entry['type']}`" if entry["type"] else "",
            entry["dsc"],
            entry["fact"],
            str(entry["sens"]),
            "; ".join(_notes(field_id, entry["note"])),
        )
        for field_id, entry in sorted(known.items())
    ]
    heads = ("id", "place", "type", "about whom", "fact", "sensitivity", "notes")
    return _table(heads, rows)


def codes() -> str:
    """The coded reasons of the Belgian pack."""
    pack = load_pack("be")
    groups = [(group, ", ".join(f"`{c}`" for c in codes)) for group, codes in pack.grounds.items()]
    held = {group: sorted(f for f, g in pack.c_groups.items() if g == group) for group in pack.grounds}
    parts = [
        ("Purposes (`--purpose`)", [(f"`{p}`", rule.name) for p, rule in pack.purposes.items()]),
        ("Reasons of the urgent path (`--urgent`)", _texts(pack.urgent_reasons)),
        (
            "Grounds by group of fields (`--ground FIELD=CODE`)",
            [(f"{group}: {' '.join(held[group])}", words) for group, words in groups],
        ),
        ("Reasons to withdraw (`--reason`)", [(f"`{code}`", w) for code, w in WITHDRAW_REASONS.items()]),
    ]
    return "\n\n".join(f"{title}:\n\n{_table(('code', 'meaning'), rows)}" for title, rows in parts)


def roles() -> str:
    """The SQL that makes roles and database."""
    return textwrap.indent(f"```sql\n{setup_sql('broker')}```", "   ")


def agreement() -> str:
    """The example, as it stands in the folder of examples."""
    return f"```json\n{(DOCS / 'examples/agreement.json').read_text()}```"


def adapters() -> str:
    """Installed adapters."""
    from broker.runtime import adapters as installed

    rows = [
        (f"[{name}](adapters/{page_of(a)}.md)", a.info.speaks, "yes" if a.info.tried_live else "never")
        for name, a in installed().items()
    ]
    return _table(("adapter", "speaks", "tried live"), rows)


def page_of(adapter: Any) -> str:
    """Adapters of one module share its page."""
    return str(type(adapter).__module__).split(".")[1]


PARTS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "settings": ("operators/configuration.md", settings),
    "roles": ("operators/README.md", roles),
    "agreement": ("operators/agreements.md", agreement),
    "commands": ("cli.md", commands),
    "problems": ("partners/README.md", problems),
    "outcomes": ("partners/README.md", outcomes),
    "events": ("officers.md", events),
    "codes": ("analysts.md", codes),
    "fields": ("spec/case.md", fields),
    "adapters": ("README.md", adapters),
}
"""Name of the part → page under `docs`, and what writes it."""


def pages() -> dict[Path, str]:
    """Every page with a generated part, as it should be."""
    made: dict[Path, str] = {}
    for name, (page, write) in PARTS.items():
        path = DOCS / page
        text = made.get(path) or path.read_text()
        mark = re.compile(
            rf"^( *)<!-- {name}:begin -->\n.*?^ *<!-- {name}:end -->$", re.MULTILINE | re.DOTALL
        )
        if not mark.search(text):
            raise SystemExit(f"{page} has no place for {name}")
        body = write().rstrip("\n")
        made[path] = mark.sub(
            lambda m, name=name, body=body: (
                f"{m[1]}<!-- {name}:begin -->\n\n{body}\n\n{m[1]}<!-- {name}:end -->"
            ),
            text,
        )
    return made


def _commands(command: Any, path: list[str]) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if children:
        if len(path) > 1:
            yield f"## {' '.join(path)}\n\n{_clean(command.help)}\n"
        for name, child in sorted(children.items()):
            yield from _commands(child, [*path, name])
        return
    yield f"{'#' * len(path)} {' '.join(path)}\n\n{_clean(command.help)}\n"
    rows = []
    for param in command.params:
        if param.name == "help":
            continue
        names = ", ".join(f"`{n}`" for n in (*param.opts, *param.secondary_opts))
        if param.param_type_name == "argument":
            names = f"`{(param.metavar or param.name).upper()}`"
        rows.append((names, "yes" if param.required else "", getattr(param, "help", None) or ""))
    if rows:
        yield _table(("argument or option", "required", "meaning"), rows) + "\n"


def _clean(text: str | None) -> str:
    return textwrap.dedent(text or "").strip()


def _notes(field_id: str, note: str) -> Iterator[str]:
    if field_id in BROKER_COMPUTED:
        yield "filled by the broker, never taken in"
    if field_id in SEALED_APART:
        yield "sealed apart"
    if note:
        yield re.sub(r"[:;]? ?\(?(see REQ-\d+|ruling \d+)\)?", "", note)


def _texts(texts: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    return [(f"`{code}`", words["en"]) for code, words in texts.items()]


def _table(heads: tuple[str, ...], rows: list[Any]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        cells = (str(cell).replace("|", "\\|").replace("\n", " ") for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare."""
    stale = [path for path, text in pages().items() if path.read_text() != text]
    for path in stale:
        if "--check" not in arguments:
            path.write_text(pages()[path])
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
