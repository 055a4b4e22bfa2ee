"""What Europol's rules ask of a package, checked on what was rendered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from adapters.europol import package, plan
from adapters.europol.sheet import LIVE
from broker.spi import Document, Finding, Json, MinimisedReferral

PACKAGE = "europol.json"
SHEET = "europol.txt"


def lint(referral: MinimisedReferral, documents: Sequence[Document]) -> list[Finding]:
    """Blocks a package without purpose or evaluation, with wrong codes, or with a live locator."""
    found = {document.name: document.content for document in documents}
    missing = [name for name in (PACKAGE, SHEET) if name not in found]
    if missing:
        return [Finding("europol-document-missing", "block", params={"name": name}) for name in missing]
    try:
        made = json.loads(found[PACKAGE])
        text = found[SHEET].decode()
        findings = [*_purpose(made), *_handling(made["handling"]), *_evaluations(referral, made)]
        findings += _article_30(referral, made)
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Finding("europol-unreadable", "block")]
    if LIVE.search(text):
        findings.append(Finding("europol-live-locator", "block", params={"name": SHEET}))
    for pointer, field in sorted(referral.fields.items()):
        if field and field not in plan.NEEDS:
            findings.append(Finding("europol-not-taken", "note", pointer, {"field": field}))
    return findings


def _purpose(made: Mapping[str, Json]) -> Iterator[Finding]:
    """A package names its letters of Art. 18(2), its basis, its addressee and its relay."""
    if not made["purposes"] or not all(p["letter"] in plan.PURPOSES for p in made["purposes"]):
        yield Finding("europol-no-purpose-letter", "block")
    if made["basis"] != plan.BASIS:
        yield Finding("europol-no-basis", "block")
    if not made["addressee"]["name"] or not made["relay"]["name"]:
        yield Finding("europol-no-relay", "block")


def _handling(handling: Mapping[str, Json]) -> Iterator[Finding]:
    codes = set(handling["codes"])
    if handling["status"] != "proposed":
        yield Finding("europol-handling-set", "block", "/facts/handling/codes")
    if not codes <= set(plan.HANDLING) or ("H0" in codes and len(codes) > 1):
        yield Finding("europol-handling-code", "block", "/facts/handling/codes")
    if ("H3" in codes) != bool(handling["h3"]):
        yield Finding("europol-h3-text", "block", "/facts/handling/codes")
    if not codes:
        yield Finding("europol-no-handling-code", "warn", "/facts/handling/codes")


def _evaluations(referral: MinimisedReferral, made: Mapping[str, Json]) -> Iterator[Finding]:
    """Every person, event and item is there and carries a 4x4."""
    for collection in plan.EVALUATED:
        found = {entry["id"]: entry for entry in made["elements"].get(collection, ())}
        for element in sorted(referral.entities.get(collection, {})):
            grade = found.get(element, {}).get("evaluation", {})
            pointer = f"/entities/{collection}/{element}"
            if grade.get("source") not in plan.SOURCE or grade.get("info") not in plan.INFORMATION:
                yield Finding("europol-no-evaluation", "block", pointer)
            elif not grade["assessed"]:
                yield Finding("europol-unassessed", "note", pointer)


def _article_30(referral: MinimisedReferral, made: Mapping[str, Json]) -> Iterator[Finding]:
    wanted = package.compose(referral)["article_30"]
    if made["article_30"] != wanted:
        yield Finding("europol-article-30", "block")
