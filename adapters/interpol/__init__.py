"""INTERPOL: what helps to identify a victim, and nothing that identifies a suspect.

`interpol.json`, and `icse.csv` with the columns of an ICSE hash export, for a National Central
Bureau to relay. See docs/adapters/interpol.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.interpol import checks, icse, package
from adapters.interpol.plan import NEEDS
from broker.spi import AdapterInfo, Document, Finding, MinimisedReferral


class Interpol:
    """Implements `spi.Renders`."""

    info = AdapterInfo(
        name="interpol",
        title="INTERPOL victim-identification package (for relay)",
        speaks="JSON of our own; CSV with the header of an ICSE hash export as IPED reads it",
        version="1",
        tried_live=False,
        needs=NEEDS,
        media_types=("application/json", "text/csv"),
    )

    def render(self, referral: MinimisedReferral) -> Sequence[Document]:
        """Both documents; neither reads an account, an event, a link or a contact."""
        made = package.compose(referral)
        return (
            Document(checks.PACKAGE, "application/json", package.encode(made)),
            Document(checks.HASHES, "text/csv", icse.write(made["items"])),
        )

    def lint(self, referral: MinimisedReferral, documents: Sequence[Document]) -> Sequence[Finding]:
        """What must not stand in the documents, and what they lack."""
        return checks.lint(referral, documents)


adapter = Interpol()
