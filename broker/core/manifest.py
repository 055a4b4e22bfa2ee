"""The view of a recipient, field by field with its clause, and the withheld manifest made from it.

view = column ∩ (core ∪ purposes) ∩ agreement, then legal basis and transfer, then C by recorded ground.
It is a function of pack, recipient, purposes, agreement and grounds: no value of a case is in reach, so
the manifest cannot tell whether a withheld value is held (ruling 15).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from broker.core.agreement import AgreementTerms
from broker.core.fields import FIELD_IDS, MINOR_RULE, SEALED_APART
from broker.core.pack import Pack
from broker.errors import Issue, Refused
from broker.spi import Json

State = Literal["passed", "transformed", "withheld", "apart"]

URGENT_PURPOSE = "P1"
"""What one person alone may release is held to this purpose (clause `urgent`)."""
C_FALLBACK: Mapping[str, str] = MappingProxyType({"F14": "M"})
"""Fields of action C that go in this form where C is not justified (fields.json, F14)."""
_OWN_HOUSE = frozenset({"statistics", "oversight"})
_NATIONAL = frozenset({"domestic_police", "prosecutor"}) | _OWN_HOUSE
_NO_PERSON_LEFT = frozenset({"T", "A"})
EEA = frozenset(re.findall("..", "ATBEBGCYCZDEDKEEESFIFRGRHRHUIEISITLILTLULVMTNLNOPLPTROSESISK"))


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one field. `column` is the matrix cell, `action` what is done to a value.

    `action` is never C; `-` where nothing goes. `clause` says why a field is withheld, `asks` whether
    a recorded ground would open it.
    """

    field: str
    column: str
    action: str
    state: State
    clause: str = ""
    asks: bool = False


@dataclass(frozen=True)
class Scope:
    """All that a view depends on. Equal digests are equal scopes, so views are compiled once."""

    pack: Pack = field(compare=False, repr=False)
    pack_digest: str
    recipient_class: str
    country: str
    purposes: tuple[str, ...]
    terms: AgreementTerms | None = field(compare=False, repr=False)
    terms_digest: str
    statutory: bool
    urgent: bool
    """Released by one person, before confirmation (`UrgentCase`)."""
    urgency: str
    """F06; opens C on the statutory route under U1."""
    grounds: tuple[tuple[str, str], ...]
    removed: frozenset[str] = frozenset()
    """Fields that go to nobody now, whatever else allows them (recognition lapsed, ruling 5)."""

    @classmethod
    def of(
        cls,
        pack: Pack,
        recipient_class: str,
        country: str,
        *,
        purposes: tuple[str, ...],
        terms: AgreementTerms | None,
        grounds: Mapping[str, str],
        statutory: bool = False,
        urgent: bool = False,
        urgency: str = "",
        removed: frozenset[str] = frozenset(),
    ) -> Scope:
        """On the statutory route no agreement counts, whatever is passed."""
        kept = None if statutory else terms
        return cls(
            pack=pack,
            pack_digest=pack.digest,
            recipient_class=recipient_class,
            country=country,
            purposes=tuple(sorted(set(purposes))),
            terms=kept,
            terms_digest="" if kept is None else kept.digest,
            statutory=statutory,
            urgent=urgent,
            urgency=urgency if statutory else "",
            grounds=tuple(sorted(grounds.items())),
            removed=removed,
        )


@dataclass(frozen=True)
class View:
    """The compiled view: a decision for each of the 84 fields."""

    scope: Scope
    decisions: Mapping[str, Decision]
    minor_open: frozenset[str]
    """Fields justified also for a person who is a minor (F43: F becomes C)."""
    mask: frozenset[str]
    """Fields of which something can reach the recipient in the document."""


@lru_cache(maxsize=512)
def compile_view(scope: Scope) -> View:
    """Raises `Refused`: `no-agreement`, `agreement-class`, `purpose-refused`, `ground-refused`."""
    _check_scope(scope)
    _check_grounds(scope)
    rules = _Rules(scope)
    decisions = {field_id: rules.decide(field_id) for field_id in FIELD_IDS}
    opened = frozenset(f for f, _ in scope.grounds) & MINOR_RULE
    if scope.statutory and not rules.c_allowed:
        opened = frozenset()
    reaches = (f for f, d in decisions.items() if d.state in ("passed", "transformed") and d.action != "A")
    return View(scope, MappingProxyType(decisions), opened, frozenset(reaches))


class _Rules:
    """The scope in the form in which it is asked 84 times."""

    def __init__(self, scope: Scope) -> None:
        pack, terms = scope.pack, scope.terms
        self.scope = scope
        self.role = pack.role(scope.recipient_class) or ""
        self.needed = pack.purpose_fields(scope.purposes)
        self.agreed_purposes = tuple(p for p in scope.purposes if terms is None or p in terms.purposes)
        self.agreed = pack.purpose_fields(self.agreed_purposes)
        self.urgent = pack.purpose_fields((URGENT_PURPOSE,))
        self.statute = pack.purpose_fields(pack.statutory.purposes)
        self.c_allowed = scope.urgency in pack.statutory.c_fields_under
        self.grounds = dict(scope.grounds)
        self.leaves_eea = scope.country not in EEA or self.role == "interpol"

    def decide(self, field_id: str) -> Decision:
        column = self.scope.pack.action(field_id, self.scope.recipient_class)
        clause = self._narrowed(field_id, column)
        if clause:
            return Decision(field_id, column, "-", "withheld", clause)
        if column == "C":
            return self._justified(field_id)
        if column == "F":
            return Decision(field_id, column, "F", "passed")
        return Decision(field_id, column, column, "transformed")

    def _narrowed(self, field_id: str, column: str) -> str:
        """The first clause that withholds the field, or `""`."""
        scope = self.scope
        if column == "-":
            return "matrix:-"
        if field_id not in self.needed:
            return "purpose"
        if scope.urgent and field_id not in self.urgent:
            return "urgent"
        if scope.statutory and (field_id not in self.statute or (column == "C" and not self.c_allowed)):
            return "statutory"
        terms = scope.terms
        if terms is not None:
            category = scope.pack.fields[field_id].dsc
            if (
                field_id not in self.agreed
                or field_id in terms.fields_removed
                or category not in terms.categories
            ):
                return "agreement"
        based = field_id not in scope.removed and self._has_basis(field_id, column)
        return "" if based else "legal_basis"

    def _has_basis(self, field_id: str, column: str) -> bool:
        """REQ-03 and REQ-77/78: suspect and victim fields abroad need basis and, beyond the EEA, transfer."""
        category = self.scope.pack.fields[field_id].dsc
        if self.role in _NATIONAL or category not in ("S", "V") or column in _NO_PERSON_LEFT:
            return True
        terms = self.scope.terms
        if terms is None or (self.leaves_eea and terms.transfer_mechanism is None):
            return False
        return any(
            category in terms.legal_bases.get(purpose, {})
            and field_id in self.scope.pack.purposes[purpose].fields
            for purpose in self.agreed_purposes
        )

    def _justified(self, field_id: str) -> Decision:
        if field_id in self.grounds:
            return Decision(field_id, "C", "F", "apart" if field_id in SEALED_APART else "passed")
        if field_id in C_FALLBACK:
            return Decision(field_id, "C", C_FALLBACK[field_id], "transformed", asks=True)
        return Decision(field_id, "C", "-", "withheld", "matrix:C", asks=True)


def _check_scope(scope: Scope) -> None:
    pack, terms = scope.pack, scope.terms
    role = pack.role(scope.recipient_class)
    if role is None:
        raise Refused("unknown-class", "the pack does not know this recipient class")
    if terms is None:
        by_statute = scope.statutory and pack.is_statutory(scope.recipient_class)
        if not by_statute and role not in _OWN_HOUSE:
            raise Refused("no-agreement", "no agreement in force, and no statute that stands in for it")
    elif terms.recipient_class != scope.recipient_class:
        raise Refused("agreement-class", "the agreement is with another recipient class")
    outside = [p for p in scope.purposes if (scope.recipient_class, p) not in pack.pairs]
    if outside or not scope.purposes:
        issues = tuple(Issue(p, "pair", "not a purpose of this recipient class") for p in outside)
        raise Refused("purpose-refused", "a purpose that this class may not be referred to for", issues)
    if terms is not None and terms.purposes.isdisjoint(scope.purposes):
        raise Refused("purpose-refused", "the agreement covers none of the purposes")
    if scope.urgent and role != "domestic_police":
        raise Refused("urgent-domestic-only", "before confirmation only the domestic police may be told")


def _check_grounds(scope: Scope) -> None:
    """A ground that the agreement does not know is an error, not a silent refusal."""
    issues = []
    for field_id, code in scope.grounds:
        group = scope.pack.c_groups.get(field_id, "")
        allowed = frozenset(scope.pack.grounds.get(group, ()))
        if scope.terms is not None:
            allowed &= scope.terms.grounds.get(group, frozenset())
        if code not in allowed:
            issues.append(Issue(field_id, "ground", "not a ground that is agreed for this group"))
    if issues:
        raise Refused("ground-refused", "a recorded ground is not one of the agreed ones", tuple(issues))


def withheld_manifest(view: View) -> dict[str, Json]:
    """`withheld` of the referral (docs/spec/withheld.md)."""
    scope = view.scope
    return {
        "matrix": {
            "pack": scope.pack.name,
            "version": scope.pack.version,
            "digest": scope.pack.matrix_digest,
        },
        "agreement": scope.terms and {"version": scope.terms.version, "digest": scope.terms.digest},
        "fields": {field_id: _entry(decision) for field_id, decision in view.decisions.items()},
        "can_be_asked_for": [field_id for field_id, decision in view.decisions.items() if decision.asks],
    }


def _entry(decision: Decision) -> dict[str, Json]:
    if decision.state == "transformed":
        return {"state": "transformed", "how": decision.action}
    if decision.state == "withheld":
        return {"state": "withheld", "clause": decision.clause}
    return {"state": decision.state}
