"""What minimisation is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from broker.core.agreement import AgreementTerms
from broker.core.manifest import View
from broker.core.masking import MaskedText
from broker.core.rows import RowDecision
from broker.spi import Finding, Json, Language, Party, Unit


@dataclass(frozen=True, slots=True)
class Recipient:
    """For whom. `names` are its own names, domains, services and addresses, `systems` the reference
    systems that are its own; both compared without case."""

    party: Party
    language: Language
    statutory: bool = False
    names: frozenset[str] = frozenset()
    systems: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class MinimiseRequest:
    """Everything beside the case that a minimised referral depends on.

    `element_key` is random for each (partner, referral), `pseudonym_key` for each partner. `clearances`
    maps the pointer (with local ids) of a masked text to the text a person cleared. `prior_recipients`
    entries may name the rows the other authority got (`about`). `removed` are fields that go to nobody
    now. `day` is that of the draft, in the operator's time zone.
    """

    recipient: Recipient
    terms: AgreementTerms | None
    purposes: tuple[str, ...]
    element_key: bytes
    pseudonym_key: bytes
    case_alias: str
    reference: str
    desk: Mapping[str, Json]
    day: date
    prior_recipients: tuple[Mapping[str, Json], ...] = ()
    handling: Mapping[str, Json] = field(default_factory=dict)
    legal_basis: Mapping[str, Json] = field(default_factory=dict)
    grounds: Mapping[str, str] = field(default_factory=dict)
    clearances: Mapping[str, str] = field(default_factory=dict)
    added_rows: Mapping[str, str] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Minimised:
    """What one recipient gets, and what became of the rest.

    `units` (sorted by pointer) are exactly the values of `facts` and `entities`. `withheld` holds every
    other held value, the original of a transformed one included, at its pointer with local ids.
    `masked` maps the pointer (with local ids) of a masked text to before, after and what the mask found,
    for the person who clears it.
    """

    view: View
    rows: Mapping[str, RowDecision]
    element_ids: Mapping[str, str]
    facts: Mapping[str, Mapping[str, Json]]
    entities: Mapping[str, Mapping[str, Mapping[str, Json]]]
    units: tuple[Unit, ...]
    apart: tuple[Unit, ...]
    withheld: tuple[Unit, ...]
    manifest: Mapping[str, Json]
    findings: tuple[Finding, ...]
    masked: Mapping[str, MaskedText]
