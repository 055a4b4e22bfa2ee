"""Minimise a released case for one recipient: rows, fields, actions, masks, generated text.

The only way from a case to what leaves the house. Everything random comes in as a key, nothing is read
from a clock, and the result says of every value where it went: disclosed, sealed apart, or withheld.
"""

from __future__ import annotations

from types import MappingProxyType

from broker.core.actions import Self
from broker.core.agreement import AgreementTerms
from broker.core.casefacts import FactsPass
from broker.core.confirmation import Released, UrgentCase
from broker.core.manifest import Scope, View, compile_view, withheld_manifest
from broker.core.masking import mask_texts
from broker.core.pack import Pack
from broker.core.projection import Document, EntityPass
from broker.core.pseudonym import element_ids
from broker.core.quality import named_gaps
from broker.core.request import Minimised, MinimiseRequest, Recipient
from broker.core.rows import Competence, select
from broker.core.summary import generate
from broker.spi import Language, Unit


def minimise(released: Released, pack: Pack, request: MinimiseRequest) -> Minimised:
    """Raises `Refused` when there is no lawful view at all (`manifest.compile_view`)."""
    data = released.case.data
    view = view_for(released, pack, request)
    recipient = request.recipient
    rows = select(data, released.rows, competence_of(pack, recipient, request.terms), request.added_rows)
    ids = element_ids(request.element_key, [i for i, decision in rows.items() if decision.kept])
    role = pack.role(recipient.party.recipient_class) or ""
    me = Self(role, request.pseudonym_key, _folded(recipient.names), _folded(recipient.systems))
    out = Document()
    whole = "everything" in pack.competence[recipient.party.recipient_class]
    kept = EntityPass(data, view, rows, ids, me, whole, out).run()
    FactsPass(released, pack, request, view, me, kept, out).run()
    masked = mask_texts(out, request.clearances)
    _finish(out, view, data["case"]["kind"], recipient.language)
    return Minimised(
        view=view,
        rows=MappingProxyType(rows),
        element_ids=MappingProxyType(ids),
        facts=out.facts,
        entities=out.entities,
        units=tuple(sorted(out.units(), key=_pointer)),
        apart=tuple(sorted(out.apart, key=_pointer)),
        withheld=tuple(out.withheld),
        manifest=withheld_manifest(view),
        findings=tuple(out.findings),
        masked=MappingProxyType(masked),
    )


def view_for(released: Released, pack: Pack, request: MinimiseRequest) -> View:
    """The view alone: what this recipient could get, whatever the case holds."""
    party = request.recipient.party
    return compile_view(
        Scope.of(
            pack,
            party.recipient_class,
            party.country,
            purposes=request.purposes,
            terms=request.terms,
            grounds=request.grounds,
            statutory=request.recipient.statutory,
            urgent=isinstance(released, UrgentCase),
            urgency=released.case.urgency or "",
            removed=request.removed,
        )
    )


def competence_of(pack: Pack, recipient: Recipient, terms: AgreementTerms | None) -> Competence:
    """Pack, partner and agreement as `rows` asks for them; the agreement only narrows."""
    terms = None if recipient.statutory else terms
    countries = frozenset({recipient.party.country})
    if terms is not None and terms.jurisdictions:
        countries &= terms.jurisdictions
    return Competence(
        codes=frozenset(pack.competence[recipient.party.recipient_class]),
        countries=countries,
        names=_folded(recipient.names),
        listed_countries=pack.routes.listed_countries,
        listed_services=pack.routes.listed_services,
        collections_removed=frozenset() if terms is None else terms.rows_removed,
    )


def _finish(out: Document, view: View, kind: str, language: Language) -> None:
    """What is computed from the minimised document only: named gaps (F63) and the generated text."""
    if {"F63", "F84"} <= view.mask:  # which checks apply depends on the kind of case
        gaps = named_gaps(
            out.facts,
            out.entities,
            pack=view.scope.pack,
            recipient_class=view.scope.recipient_class,
            kind=kind,
            mask=view.mask,
        )
        if gaps:
            out.facts.setdefault("assessment", {})["known_gaps"] = list(gaps)
    text = generate(out.facts, out.entities, language)
    if text:
        out.facts["summary"] = {"text": text}


def _pointer(unit: Unit) -> str:
    return unit.pointer


def _folded(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


__all__ = ["MinimiseRequest", "Minimised", "Recipient", "competence_of", "minimise", "view_for"]
