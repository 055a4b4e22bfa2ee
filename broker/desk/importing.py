"""Import somebody's export through the pages: tried, kept encrypted, then taken in whole or not at all."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import func, select

from broker.auth import Actor
from broker.core import case as core_case
from broker.core.case import Case
from broker.desk import formdraft, intake
from broker.desk.context import Desk
from broker.errors import NotFound, Refused
from broker.spi import AdapterInfo, CaseDraft, Finding, Ingests, Issue
from broker.store.engine import UnitSession

CANONICAL = AdapterInfo(
    name="canonical",
    title="Cases of this broker (JSON, or one a line)",
    speaks="broker-case/1",
    version="1",
    tried_live=True,
    media_types=("application/json", "application/jsonl", ".json", ".jsonl"),
)
"""Not an adapter: the document that intake takes as it is."""
MAX_UNPACKED = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Export:
    """An export with what the adapter needs to know of it."""

    adapter: str
    content: bytes
    options: Mapping[str, str]
    synthetic: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """One case that would come in: what it holds by numbers, and what the adapter noticed. No values."""

    number: int
    kind: str
    urgency: str
    holds: Mapping[str, int]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a dry run found. With an issue nothing can be taken in."""

    cases: tuple[Tried, ...]
    issues: tuple[Issue, ...]


def adapters(desk: Desk) -> tuple[AdapterInfo, ...]:
    """What can be imported, by name; our own document first."""
    found = [each.info for _, each in sorted(desk.adapters.items()) if isinstance(each, Ingests)]
    return (CANONICAL, *found)


def info(desk: Desk, name: str) -> AdapterInfo:
    """One of them. Raises `NotFound`."""
    for each in adapters(desk):
        if each.name == name:
            return each
    raise NotFound("ingest adapter")


def keep(desk: Desk, session: UnitSession, actor: Actor, export: Export, form: UUID | None) -> UUID:
    """Put the export away between the steps: encrypted, for its owner, for a week."""
    packed = base64.b64encode(zlib.compress(export.content, 6)).decode()
    held = {
        "adapter": export.adapter,
        "content": packed,
        "options": dict(export.options),
        "synthetic": export.synthetic,
    }
    return formdraft.save(desk, session, actor, "other", held, form)


def kept(desk: Desk, session: UnitSession, actor: Actor, form: UUID) -> Export:
    """The export that was put away. Raises `NotFound`."""
    held = formdraft.load(desk, session, actor, form)
    if "adapter" not in held:
        raise NotFound("form")
    content = zlib.decompressobj().decompress(base64.b64decode(held["content"]), MAX_UNPACKED)
    return Export(held["adapter"], content, dict(held["options"]), held["synthetic"])


def dry_run(desk: Desk, session: UnitSession, actor: Actor, export: Export) -> Trial:
    """Read and check everything, store nothing."""
    actor.needs("analyst")
    try:
        drafts = _drafts(desk, export)
    except Refused as refused:
        return Trial((), _at_least_one(refused))
    cases: list[Tried] = []
    issues: list[Issue] = []
    for number, draft in enumerate(drafts, 1):
        try:
            cases.append(_tried(number, draft, _accepted(draft, export)))
        except Refused as refused:
            issues += [Issue(f"/{number}{i.field}", i.rule, i.detail) for i in _at_least_one(refused)]
    if not issues and drafts:
        issues += _store_one(desk, session, actor, drafts[0], export)
    return Trial(tuple(cases), tuple(issues))


def take_kept(desk: Desk, session: UnitSession, actor: Actor, export: Export, form: UUID) -> list[UUID]:
    """Take in an export that was put away, once: of two that ask at once the second finds it gone.

    Raises `NotFound`, and `Refused` as `take_in`.
    """
    session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(f"import|{form}", 11)))).one()
    formdraft.load(desk, session, actor, form)
    taken = take_in(desk, session, actor, export)
    formdraft.discard(session, actor, form)
    return taken


def take_in(desk: Desk, session: UnitSession, actor: Actor, export: Export) -> list[UUID]:
    """Take every case of the export in, or none. Raises `Refused`."""
    actor.needs("analyst")
    return [
        intake.take_in_draft(desk, session, actor, draft, synthetic=_synthetic(draft, export))[0]
        for draft in _drafts(desk, export)
    ]


def _drafts(desk: Desk, export: Export) -> list[CaseDraft]:
    if export.adapter == CANONICAL.name:
        return [CaseDraft(each.data, CANONICAL.name) for each in _canonical(export.content)]
    return intake.read_export(desk, export.adapter, export.content, dict(export.options))


def _canonical(content: bytes) -> list[Case]:
    """One document, or one on each line (JSON Lines). Issues name the line. Raises `Refused`."""
    lines = [(n, line) for n, line in enumerate(content.splitlines(), 1) if line.strip()]
    if len(lines) < 2 or not all(line.strip().startswith(b"{") for _, line in lines):
        return [core_case.from_bytes(content)]
    cases: list[Case] = []
    issues: list[Issue] = []
    for number, line in lines:
        try:
            cases.append(core_case.from_bytes(line))
        except Refused as refused:
            issues += [Issue(f"/{number}{i.field}", i.rule, i.detail) for i in _at_least_one(refused)]
    if issues:
        raise Refused("case", "some lines are no case", tuple(issues))
    return cases


def _synthetic(draft: CaseDraft, export: Export) -> bool:
    """Our own document says so itself; of a foreign export the importer does."""
    said: Any = draft.case.get("synthetic", False) if export.adapter == CANONICAL.name else False
    return bool(said) or export.synthetic


def _accepted(draft: CaseDraft, export: Export) -> Case:
    return core_case.from_json({**draft.case, "synthetic": _synthetic(draft, export)})


def _store_one(
    desk: Desk, session: UnitSession, actor: Actor, draft: CaseDraft, export: Export
) -> tuple[Issue, ...]:
    """Whether the house takes such a case at all, found by storing one and taking it back."""
    nested = session.begin_nested()
    try:
        intake.take_in_draft(desk, session, actor, draft, synthetic=_synthetic(draft, export))
    except Refused as refused:
        return _at_least_one(refused)
    finally:
        nested.rollback()
    return ()


def _at_least_one(refused: Refused) -> tuple[Issue, ...]:
    return refused.issues or (Issue("", refused.code, refused.message),)


def _tried(number: int, draft: CaseDraft, case: Case) -> Tried:
    names = ("items", "locations", "persons", "events", "victims")
    holds = {name: len(case.data[name]) for name in names if name in case.data}
    return Tried(number, case.kind, case.urgency or "", holds, draft.findings)
