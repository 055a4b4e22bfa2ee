"""Europol: what a private party may hand over under Article 26b, for a national unit to relay.

`europol.json` for machines and `europol.txt`, plain text to be pasted into a SIENA message by the
unit that relays it. A hotline has no SIENA and sets no handling code. See docs/adapters/europol.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.europol import checks, package, sheet
from adapters.europol.plan import NEEDS
from broker.spi import AdapterInfo, Document, Finding, MinimisedReferral


class Europol:
    """Implements `spi.Renders`."""

    info = AdapterInfo(
        name="europol",
        title="Europol package (Article 26b, for relay)",
        speaks="Regulation (EU) 2016/794 Art. 18(2), 26b, 29 and 30 as JSON of our own; plain text for SIENA",
        version="1",
        tried_live=False,
        needs=NEEDS,
        media_types=("application/json", "text/plain"),
    )

    def render(self, referral: MinimisedReferral) -> Sequence[Document]:
        """Both documents, of one package."""
        made = package.compose(referral)
        return (
            Document(checks.PACKAGE, "application/json", package.encode(made)),
            Document(checks.SHEET, "text/plain", sheet.write(made)),
        )

    def lint(self, referral: MinimisedReferral, documents: Sequence[Document]) -> Sequence[Finding]:
        """What Europol's rules ask for and the package lacks."""
        return checks.lint(referral, documents)


adapter = Europol()
