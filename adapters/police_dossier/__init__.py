"""Police dossier: a signed, readable PDF and a CSV of one minimised referral.

The PDF is what an officer annexes to the first record; the CSV holds the five columns that Dutch
and Belgian police already receive from hotline tools, followed by every fact. See
docs/adapters/police_dossier.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.police_dossier import checks, page, sheet
from adapters.police_dossier.dossier import compose
from adapters.police_dossier.plan import NEEDS
from broker.spi import AdapterInfo, Document, Finding, MinimisedReferral


class PoliceDossier:
    """Implements `spi.Renders`."""

    info = AdapterInfo(
        name="police_dossier",
        title="Police dossier (PDF and CSV)",
        speaks="PDF/A-3a with PDF/UA-1 tags; CSV with the five SCART police columns first",
        version="1",
        tried_live=False,
        needs=NEEDS,
        media_types=("application/pdf", "text/csv"),
    )

    def render(self, referral: MinimisedReferral) -> Sequence[Document]:
        """`referral.pdf` (to be signed) and `referral.csv`, from the same leaves."""
        dossier = compose(referral)
        return (
            Document("referral.pdf", "application/pdf", page.write(referral, dossier), sign="pades"),
            Document("referral.csv", "text/csv", sheet.write(referral, dossier)),
        )

    def lint(self, referral: MinimisedReferral, documents: Sequence[Document]) -> Sequence[Finding]:
        """What is wrong with, or missing from, the rendered documents."""
        return checks.lint(referral, documents)


adapter = PoliceDossier()
