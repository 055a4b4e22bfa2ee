"""One referral in the JSON shape that investigators' triage tools read. See docs/adapters/le_json.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from adapters.le_json import plan
from adapters.le_json.form import misfits
from adapters.le_json.shape import compose
from broker.spi import AdapterInfo, Document, Finding, MinimisedReferral

NAME = "referral-le.json"


class LeJson:
    """Implements `spi.Renders`."""

    info = AdapterInfo(
        name="le_json",
        title="JSON for investigators' triage tools",
        speaks="key paths of CyberTip JSON as two public triage tools read them (2026-09)",
        version="1",
        tried_live=False,
        needs=plan.NEEDS,
        media_types=("application/json",),
    )

    def render(self, referral: MinimisedReferral) -> Sequence[Document]:
        """`referral-le.json`, UTF-8 without escapes."""
        text = json.dumps(compose(referral).document, indent=1, ensure_ascii=False, allow_nan=False)
        return (Document(NAME, "application/json", f"{text}\n".encode()),)

    def lint(self, referral: MinimisedReferral, documents: Sequence[Document]) -> Sequence[Finding]:
        """Blocks a shape the tools could not read; notes what stands in words only."""
        return (*_checked(documents), *compose(referral).losses, *_lost(referral))


def _checked(documents: Sequence[Document]) -> Iterator[Finding]:
    found = {document.name: document.content for document in documents}
    if NAME not in found:
        yield Finding("le-document-missing", "block", params={"name": NAME})
        return
    try:
        document = json.loads(found[NAME])
    except ValueError:
        yield Finding("le-not-json", "block")
        return
    for path in misfits(document):
        yield Finding("le-shape", "block", path)


def _lost(referral: MinimisedReferral) -> Iterator[Finding]:
    for pointer, field in sorted(referral.fields.items()):
        if field and field not in plan.NEEDS:
            yield Finding("le-not-shown", "note", pointer, {"field": field})


adapter = LeJson()
