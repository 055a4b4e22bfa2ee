"""ICCAM API v3: reports to the hotline network. UNVERIFIED LIVE: see docs/adapters/iccam.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from adapters.iccam import report
from adapters.iccam.client import Iccam
from broker.spi import (
    AdapterInfo,
    DeliveryReceipt,
    Document,
    Finding,
    Issue,
    Json,
    Line,
    MinimisedReferral,
    Undelivered,
)


class Connected:
    """One report. Implements `spi.Delivers`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def send(self, documents: Sequence[Document], *, key: str) -> DeliveryReceipt:
        """Report, then read back what ICCAM made of it; the report's number is the proof.

        Idempotent by the report's own reference: ICCAM refuses a second one with it.
        """
        del key
        found = next((d.content for d in documents if d.name == report.NAME), None)
        body = json.loads(found) if found else {}
        if not body.get("urls"):
            raise Undelivered("iccam-nothing-to-report", certain=True)
        analyst = str(self._line.house["analyst"])
        body["reportingAnalystName"] = analyst
        for url in body["urls"]:
            if url["assessment"] is not None:
                url["assessment"]["assessingAnalystName"] = analyst
        with Iccam.open(self._line.house) as iccam:
            number, answer = iccam.report(body)
            try:
                read = iccam.read_report(number)
            except Undelivered:
                read = b""  # the report is in; reading it back is a courtesy
        told = {"report": answer.decode("utf-8", "replace"), "read": read.decode("utf-8", "replace")}
        return DeliveryReceipt(json.dumps(told, sort_keys=True).encode(), "application/json", number)

    def retract(self, remote_reference: str, *, key: str) -> DeliveryReceipt:
        """API v3 has no way to take a report back."""
        del remote_reference, key
        raise Undelivered("iccam-cannot-retract", certain=True)


class IccamAdapter:
    """Implements `spi.Renders` and `spi.Connects`."""

    info = AdapterInfo(
        name="iccam",
        title="ICCAM (unverified live)",
        speaks="ICCAM API v3 over mutual TLS; code lists v3-2024-05",
        version="1",
        tried_live=False,
        needs=report.NEEDS,
        media_types=("application/json",),
    )
    repeatable = True

    def render(self, referral: MinimisedReferral) -> Sequence[Document]:
        """`iccam-report.json`."""
        return (Document(report.NAME, "application/json", report.write(referral)),)

    def lint(self, referral: MinimisedReferral, documents: Sequence[Document]) -> Sequence[Finding]:
        """What ICCAM would not take, or take as less than it is."""
        body = json.loads(documents[0].content)
        findings = [] if body["urls"] else [Finding("iccam-no-url", "warn")]
        if any(not url["hostingCountryCode"] for url in body["urls"]):
            findings.append(Finding("iccam-no-country", "warn"))
        if any(url["assessment"] is None for url in body["urls"]):
            findings.append(Finding("iccam-not-assessed", "warn"))
        flags = {item.get("synthetic_flag") for item in referral.entities.get("items", {}).values()}
        if "suspected_ai" in flags or (flags & report.VIRTUAL and flags - report.VIRTUAL):
            findings.append(Finding("iccam-virtual-as-real", "warn"))  # by its lists: yes or no for a URL
        return findings

    def endpoint_issues(self, endpoint: Mapping[str, Json]) -> Sequence[Issue]:
        """There is one ICCAM, in the operator's file; a partner adds nothing."""
        return [Issue("", "unknown-member", "needs no endpoint data")] if endpoint else []

    def connect(self, line: Line) -> Connected:
        """See `spi.Connects.connect`."""
        return Connected(line)


adapter = IccamAdapter()
