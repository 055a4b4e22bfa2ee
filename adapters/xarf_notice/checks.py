"""The adapter's own check of a notice: nothing live, nothing personal, nothing that carries content."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from adapters.xarf_notice import plan
from adapters.xarf_notice.facts import Facts, applies
from adapters.xarf_notice.locators import LIVE
from adapters.xarf_notice.xarf import FORBIDDEN, Reports
from broker.spi import Document, Finding, Json, MinimisedReferral

MEMBERS = frozenset(
    {
        *("xarf_version", "report_id", "timestamp", "reporter", "sender", "source_identifier", "category"),
        *("type", "url", "classification", "detection_method", "description", "domain", "verified_at"),
        *("verification_method", "media_type", "hash_values", "hosting_provider", "asn", "country_code"),
    }
)
"""Everything this adapter ever writes into a report."""

REQUIRED = frozenset(
    {
        *("xarf_version", "report_id", "timestamp", "reporter", "sender", "source_identifier", "category"),
        *("type", "url", "classification", "detection_method"),
    }
)
_NOTICE = re.compile(r"notice(-\d{1,4})?\.json")
_LONGEST = 1000


def lint(
    referral: MinimisedReferral, documents: Sequence[Document], facts: Facts, reports: Reports
) -> Iterator[Finding]:
    """Blocks what must not go out; warns where a notice says less than it could."""
    found = {document.name: document for document in documents}
    if "notice.txt" not in found:
        yield Finding("xarf-document-missing", "block", params={"name": "notice.txt"})
    else:
        yield from _letter(found["notice.txt"])
    for name, document in found.items():
        if _NOTICE.fullmatch(name):
            yield from _report(document)
    if referral.addressee.recipient_class != plan.PROVIDER:
        yield Finding("xarf-no-provider", "warn")
        if set(found) != {"notice.txt"}:
            yield Finding("xarf-for-providers-only", "block")
        return
    if referral.kind in plan.WITHDRAWALS:
        return
    if applies(referral):
        yield from _complete(referral, facts)
    yield from facts.findings
    yield from reports.findings
    for pointer, field in sorted(referral.fields.items()):
        if field and field not in plan.NEEDS:
            yield Finding("xarf-not-shown", "note", pointer, {"field": field})


def _complete(referral: MinimisedReferral, facts: Facts) -> Iterator[Finding]:
    """Art. 16(2): without an address or somebody to answer to there is no notice."""
    if not facts.places:
        yield Finding("xarf-no-location", "block", "/entities/locations")
    if not facts.desk.mail or not facts.desk.organisation.strip():
        yield Finding("xarf-no-notifier", "block", "/facts/operator/desk")
    if referral.unconfirmed:
        yield Finding("xarf-unconfirmed", "block")


def _letter(document: Document) -> Iterator[Finding]:
    text = document.content.decode(errors="replace")
    if LIVE.search(text):
        yield Finding("xarf-live-locator", "block")
    if any(not char.isprintable() for char in text if char != "\n"):
        yield Finding("xarf-invisible-character", "block")


def _report(document: Document) -> Iterator[Finding]:
    try:
        report: Json = json.loads(document.content)
    except ValueError:
        report = None
    if not isinstance(report, dict):
        yield Finding("xarf-not-json", "block", params={"name": document.name})
        return
    if FORBIDDEN & set(report):
        yield Finding("xarf-carries-content", "block", params={"name": document.name})
    if set(report) - MEMBERS - FORBIDDEN:
        yield Finding("xarf-unknown-member", "block", params={"name": document.name})
    if not set(report) >= REQUIRED or report["classification"] != "baseline":
        yield Finding("xarf-incomplete", "block", params={"name": document.name})
    if len(str(report.get("description", ""))) > _LONGEST:
        yield Finding("xarf-too-long", "block", params={"name": document.name})
