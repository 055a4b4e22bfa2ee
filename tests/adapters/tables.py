"""What the tests of table adapters share: a mapping, its options, and how a refusal is read."""

from __future__ import annotations

import csv
import io
import json

import pytest

from broker.errors import Refused

MAPPING = {
    "mapping": "broker-mapping/1",
    "name": "synthetic list",
    "zone": "Europe/Brussels",
    "constants": {"case.kind": "content_report", "case.offence_type": "csam_dissemination"},
    "columns": {
        "Report": {"to": "case.reference"},
        "Received": {"to": "case.opened_at", "form": "%d/%m/%Y %H:%M"},
        "URL": {"to": "location.url", "required": True},
        "IP": {"to": "location.ip"},
        "SHA1": {"to": "item.sha1"},
        "First seen": {"to": "item.first_seen", "meaning": "observed", "clock": "hotline"},
        "Kind of site": {"to": "location.site", "codes": {"Image host": "image_host", "Forum": "forum"}},
    },
}
HEADER = list(MAPPING["columns"])
SHA1 = "a9993e364706816aba3e25717850c26c9cd0d89d"
ROW = [
    "SYN-1",
    "01/03/2026 10:00",
    "https://files.host-one.example/a/1",
    "192.0.2.14",
    SHA1,
    "2026-03-01T08:30:00Z",
    "Image host",
]


def mapped(**changes):
    """The options with a changed mapping; None takes a member away."""
    document = {k: v for k, v in {**MAPPING, **changes}.items() if v is not None}
    return {"mapping": json.dumps(document)}


def row(**changes):
    """The row with cells replaced by header (spaces as underscores)."""
    return [changes.get(name.replace(" ", "_"), cell) for name, cell in zip(HEADER, ROW, strict=True)]


def table(*rows, delimiter=";", header=HEADER, encoding="utf-8"):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerows([header, *rows])
    return out.getvalue().encode(encoding)


def refusal(adapter, content, **options):
    """[(field, rule)] of the refusal, without an echo of the canary."""
    with pytest.raises(Refused) as caught:
        adapter.ingest(content, options=options)
    refused = caught.value
    assert refused.__cause__ is None
    assert refused.issues
    told = f"{refused} {refused.hint} {refused.issues}"
    assert "canary" not in told
    return [(issue.field, issue.rule) for issue in refused.issues]


def codes(draft):
    return {finding.code for finding in draft.findings}
