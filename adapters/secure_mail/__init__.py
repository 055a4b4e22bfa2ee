"""Secure mail: for a partner without integration, an S/MIME message to a pinned certificate.

What a relay accepts is on its way, not delivered: that is known from the reply link or a telephone call.
See docs/adapters/secure_mail.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.secure_mail import body, envelope, letter
from broker.spi import (
    AdapterInfo,
    DeliveryReceipt,
    Document,
    Finding,
    Issue,
    Json,
    Line,
    MinimisedReferral,
    Report,
    Undelivered,
)
from broker.spi_out import address_issues, hand_over, read_report

_MEMBERS = frozenset({"address", "certificate"})


class Connected:
    """One letter to one partner. Implements `spi.Delivers`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def send(self, documents: Sequence[Document], *, key: str) -> DeliveryReceipt:
        """See `spi.Delivers.send`; the receipt proves submission only."""
        self._check()
        return self._hand_over(letter.write(self._line, documents, key), key)

    def retract(self, remote_reference: str, *, key: str) -> DeliveryReceipt:
        """Ask by mail to delete; what proves it is the call that follows."""
        del remote_reference  # the addressee knows the reference, not our envelope
        self._check()
        return self._hand_over(letter.retraction(self._line, key), f"{key}.retract")

    def _check(self) -> None:
        if envelope.certificate_issues(self._line.endpoint.get("certificate"), self._line.at):
            raise Undelivered("certificate-expired", certain=True)

    def _hand_over(self, message: bytes, envelope_id: str) -> DeliveryReceipt:
        return hand_over(self._line.house, str(self._line.endpoint["address"]), message, envelope_id)


class SecureMail:
    """Implements `spi.Renders`, `spi.Connects` and `spi.ReadsReports`."""

    info = AdapterInfo(
        name="secure_mail",
        title="Secure mail (S/MIME)",
        speaks="S/MIME (CMS EnvelopedData, RSA or EC, AES-256-CBC) over SMTP; RFC 3464 reports",
        version="1",
        tried_live=False,
        needs=body.NEEDS,
        media_types=("text/plain",),
    )
    repeatable = False
    """A mail that was sent cannot be told from one that was not: never again without a person."""

    def render(self, referral: MinimisedReferral) -> Sequence[Document]:
        """`message.txt`, the text of the mail."""
        return (Document(body.NAME, "text/plain", body.write(referral)),)

    def lint(self, referral: MinimisedReferral, documents: Sequence[Document]) -> Sequence[Finding]:
        """No live locator in the text; a desk to call."""
        text = documents[0].content.decode() if documents else ""
        findings = [Finding("mail-empty", "block")] if not text.strip() else []
        if body.live(text):
            findings.append(Finding("mail-live-locator", "block", "/message.txt"))
        if not referral.facts.get("operator", {}).get("desk"):
            findings.append(Finding("mail-no-desk", "warn"))
        return findings

    def endpoint_issues(self, endpoint: Mapping[str, Json]) -> Sequence[Issue]:
        """An address and the certificate it is encrypted to."""
        issues = envelope.certificate_issues(endpoint.get("certificate")) + address_issues(endpoint)
        if set(endpoint) - _MEMBERS:
            issues.append(Issue("", "unknown-member", "has a member that is not known"))
        return issues

    def connect(self, line: Line) -> Connected:
        """See `spi.Connects.connect`."""
        return Connected(line)

    def read_report(self, content: bytes) -> Report:
        """See `spi.ReadsReports.read_report`."""
        return read_report(content)


adapter = SecureMail()
