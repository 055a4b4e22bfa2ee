"""A third party's adapter: reference, urgency and addresses as plain text. It knows `broker.spi` only."""

from __future__ import annotations

from collections.abc import Sequence

from broker.spi import AdapterInfo, Document, Finding, MinimisedReferral


class PlainSheet:
    """Renders `sheet.txt`."""

    info = AdapterInfo(
        name="plain_sheet",
        title="Plain sheet (synthetic third party)",
        speaks="plain text",
        version="0.0.1",
        tried_live=False,
        needs=frozenset({"F06", "F29"}),
        media_types=("text/plain",),
    )

    def render(self, referral: MinimisedReferral) -> Sequence[Document]:
        """One line for each fact; addresses broken (ruling 12)."""
        lines = [referral.reference, str(referral.facts.get("case", {}).get("urgency", "-"))]
        for _, location in sorted(referral.entities.get("locations", {}).items()):
            url = str(location.get("url", ""))
            lines.append(url.replace("http", "hxxp", 1).replace(".", "[.]"))
        return [Document("sheet.txt", "text/plain", "\n".join(lines).encode())]

    def lint(self, referral: MinimisedReferral, documents: Sequence[Document]) -> Sequence[Finding]:
        """The reference must be there: it is what people quote."""
        sheet = documents[0].content if documents else b""
        found = sheet.startswith(referral.reference.encode())
        return [] if found else [Finding("reference-missing", "block")]


adapter = PlainSheet()
