"""Project Arachnid Shield answers and Orb exports to canonical case drafts.

A match is a lead, not a verdict: an exact match becomes an imported confirmation that cannot
confirm by itself, a near match becomes nothing but a label. See docs/adapters/arachnid.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.arachnid import orb
from adapters.arachnid.drafts import draft
from adapters.arachnid.reading import read, refuse
from adapters.arachnid.shield import VERSION
from broker.spi import AdapterInfo, CaseDraft

MAX_CASES = 1000
OPTIONS = ("received_at", "lookup_at", "url")


class Arachnid:
    """Implements `spi.Ingests`."""

    info = AdapterInfo(
        name="arachnid",
        title="Project Arachnid Shield answers and Orb exports",
        speaks="Shield API v1 scan results, bare or in the envelope of docs/adapters/arachnid.md; tables"
        " exported from Orb, with columns mapped by the operator",
        version=VERSION,
        tried_live=False,
        media_types=(
            "application/json",
            "text/csv",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        options=tuple(dict.fromkeys((*OPTIONS, *orb.OPTIONS))),
    )

    def ingest(self, content: bytes, *, options: Mapping[str, str]) -> Sequence[CaseDraft]:
        """One draft for each answer or envelope, or for each row of an Orb export.

        `options` give what a bare answer lacks: `received_at` (required there), `lookup_at`, `url`.
        With the option `mapping` the content is an Orb export (see `orb.OPTIONS`). Raises `Refused`
        with field and rule.
        """
        if "mapping" in options:
            return orb.ingest(content, options)
        for name in options:
            if name not in OPTIONS:
                refuse("", "option", "the options are received_at, lookup_at and url, or mapping for Orb")
        value = read(content)
        entries = value if isinstance(value, list) else [value]
        prefix = "/{}" if isinstance(value, list) else ""
        if not entries:
            refuse("", "empty", "holds no answer")
        if len(entries) > MAX_CASES:
            refuse("", "oversize", f"holds more than {MAX_CASES} answers")
        return [draft(entry, prefix.format(i), options) for i, entry in enumerate(entries)]


adapter = Arachnid()
