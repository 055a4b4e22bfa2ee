"""CASE/UCO: the minimised referral as a JSON-LD graph, for tools that read CASE 1.4 and 1.5.

Everything in the graph is a value of the referral or a word of the ontology; what the ontology has
no place for stands beside its element as an annotation. See docs/adapters/case_uco.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.case_uco import checks, mapping
from adapters.case_uco.places import NEEDS
from broker.spi import AdapterInfo, Document, Finding, MinimisedReferral

NAME = "referral.jsonld"
MEDIA_TYPE = "application/ld+json"


class CaseUco:
    """Implements `spi.Renders`."""

    info = AdapterInfo(
        name="case_uco",
        title="CASE/UCO graph (JSON-LD)",
        speaks="CASE 1.4 and 1.5 on UCO 1.4 and 1.5, as JSON-LD 1.1 with its context inside",
        version="1",
        tried_live=False,
        needs=NEEDS,
        media_types=(MEDIA_TYPE,),
    )

    def render(self, referral: MinimisedReferral) -> Sequence[Document]:
        """`referral.jsonld`."""
        return (Document(NAME, MEDIA_TYPE, mapping.compose(referral).encode()),)

    def lint(self, referral: MinimisedReferral, documents: Sequence[Document]) -> Sequence[Finding]:
        """What is wrong with the graph, or lost on the way to it."""
        return checks.lint(referral, documents, NAME)


adapter = CaseUco()
