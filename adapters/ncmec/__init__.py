"""NCMEC CyberTipline: one report with the text sheets of its items, and the way to send it.

See docs/adapters/ncmec.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adapters.ncmec import rules
from adapters.ncmec.files import LETTER
from adapters.ncmec.identity import INFO
from adapters.ncmec.report import WITHDRAWALS, compose
from adapters.ncmec.session import NcmecSession
from adapters.ncmec.tree import NotXml, printable, read, write
from broker.spi import Document, Finding, Issue, Json, Line, MinimisedReferral

XML, TEXT = "text/xml", "text/plain"


class Ncmec:
    """Implements `spi.Renders` and `spi.Connects`."""

    info = INFO
    repeatable = True
    """Not because the CyberTipline knew our key, but because what was done is kept: a report is finished
    once, and one whose number was lost is never finished and deleted there within a day."""

    def render(self, referral: MinimisedReferral) -> Sequence[Document]:
        """`report.xml` with `item-<n>.txt` and `filedetails-<n>.xml`, or `withdrawal.txt` alone."""
        report = compose(referral)
        if report.root is None:
            return (Document(LETTER, TEXT, report.letter.encode()),)
        documents = [Document("report.xml", XML, write(report.root))]
        for sheet in report.sheets:
            content = printable(sheet.text).encode()
            documents.append(Document(f"item-{sheet.number}.txt", TEXT, content))
            documents.append(Document(f"filedetails-{sheet.number}.xml", XML, write(sheet.details)))
        return tuple(documents)

    def lint(self, referral: MinimisedReferral, documents: Sequence[Document]) -> Sequence[Finding]:
        """Blocks what the server would refuse; warns of and notes what the format could not hold."""
        return (*self._checked(referral, documents), *compose(referral).losses, *_lost(referral))

    def endpoint_issues(self, endpoint: Mapping[str, Json]) -> Sequence[Issue]:
        """There is one CyberTipline, in the operator's file; a partner adds nothing."""
        return [Issue("", "unknown-member", "needs no endpoint data")] if endpoint else []

    def connect(self, line: Line) -> NcmecSession:
        """See `spi.Connects.connect`."""
        return NcmecSession.on(line)

    def _checked(self, referral: MinimisedReferral, documents: Sequence[Document]) -> Iterator[Finding]:
        wanted = LETTER if referral.kind in WITHDRAWALS else "report.xml"
        if wanted not in {document.name for document in documents}:
            yield Finding("ncmec-document-missing", "block", params={"name": wanted})
        if referral.addressee.recipient_class != "NCM":
            yield Finding("ncmec-other-addressee", "warn")
        for document in documents:
            if document.media_type != XML:
                continue
            try:
                root = read(document.content)
            except NotXml:
                yield Finding("ncmec-not-xml", "block", params={"name": document.name})
                continue
            yield from rules.check(root, referral.drafted_at)


def _lost(referral: MinimisedReferral) -> Iterator[Finding]:
    """What this referral holds and the report does not, or holds by number only."""
    for pointer, field in sorted(referral.fields.items()):
        if field and field not in INFO.needs and referral.kind not in WITHDRAWALS:
            yield Finding("ncmec-not-shown", "note", pointer, {"field": field})
    root = compose(referral).root
    if root is not None and any(printable(node.text) != node.text for _, _, node in root.walk()):
        yield Finding("ncmec-character-escaped", "note")


adapter = Ncmec()

__all__ = ["INFO", "Ncmec", "adapter"]
