"""Confirm claims by two people: what may leave is a `ConfirmedCase`, or an `UrgentCase` under U1.

Claims are confirmed, not cases (ruling 2): that content is illegal, that an account or person is
linked to it, that a child is in danger. A near match, a score or a test answer never confirms.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from broker.core.case import Case
from broker.core.decision import Permit, Reason, Refuse, refuse
from broker.core.reach import rows_of
from broker.spi import Json

ClaimKind = Literal["content_illegal", "person_linked", "child_in_danger"]
Basis = Literal["human", "orb_consensus", "iccam", "own_tool"]

PEOPLE = 2
_MATCHES = frozenset({"orb_consensus", "iccam"})
_ABOUT: Mapping[str, tuple[str, ...]] = {
    "content_illegal": ("items", "locations"),
    "person_linked": ("persons", "events"),
    "child_in_danger": ("victims", "persons", "items"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer to one claim.

    A local verdict has `analyst` (opaque staff id) and no organisation; an imported one names its
    organisation and, where known, the analyst's code there. `organisations` counts who classified
    the matched material; `match` says how it was matched.
    """

    basis: Basis
    says: bool
    at: str
    analyst: str | None = None
    organisation: str | None = None
    organisations: int = 1
    match: Literal["exact", "near", "none"] = "none"


@dataclass(frozen=True, slots=True)
class Claim:
    """What is said, and about which entities of the case (local ids)."""

    id: str
    kind: ClaimKind
    about: tuple[str, ...]
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfirmedCase:
    """A case with at least one claim that two people confirmed. `rows` may be released, no others."""

    case: Case
    claims: tuple[Claim, ...]
    rows: frozenset[str]


@dataclass(frozen=True, slots=True)
class UrgentCase:
    """One person, a coded reason, domestic police only; `claims` may be unconfirmed (ruling 3)."""

    case: Case
    reason: str
    by: str
    claims: tuple[Claim, ...]
    rows: frozenset[str]


Released: TypeAlias = ConfirmedCase | UrgentCase


@dataclass(frozen=True, slots=True)
class House:
    """Who the operator is, so that one person under two names is not counted twice.

    `name` is the organisation as imports write it; `aliases` maps an analyst's code in the hotline's
    own tool to the staff id here.
    """

    name: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Count:
    """Distinct people behind a claim."""

    local: frozenset[str]
    tool: frozenset[str]
    outside: frozenset[tuple[str, str]]
    consensus: bool

    @property
    def house(self) -> int:
        # People known under two name spaces that nobody mapped can be the same person, so the
        # larger group counts, not the sum.
        return max(len(self.local), len(self.tool))

    @property
    def people(self) -> int:
        return self.house + len(self.outside) + self.consensus


def confirm(
    case: Case, claims: Sequence[Claim], house: House | None = None
) -> Permit[ConfirmedCase] | Refuse:
    """The confirmed claims of a case, with the rows they open.

    Imported verdicts are taken from the case (F60). Refused, with every reason of every claim, when
    no claim is confirmed; a claim that fails beside one that holds is left out with its rows.
    """
    if not claims:
        return refuse("no-claims")
    confirmed: list[Claim] = []
    reasons: list[Reason] = []
    for claim in claims:
        decision = judge(case, claim, claims, house)
        if isinstance(decision, Permit):
            confirmed.append(decision.value)
        else:
            reasons += decision.reasons
    if not confirmed:
        return Refuse(tuple(reasons))
    rows = rows_of(case.data, [(claim.kind, claim.about) for claim in confirmed])
    return Permit(ConfirmedCase(case, tuple(confirmed), rows))


def judge(
    case: Case, claim: Claim, others: Iterable[Claim] = (), house: House | None = None
) -> Permit[Claim] | Refuse:
    """One claim. Permitted, it comes back with the imported verdicts that count for it."""
    faults = _faults(case.data, claim)
    if faults:
        return Refuse(faults)
    full = Claim(claim.id, claim.kind, claim.about, (*claim.verdicts, *_imported(case.data, claim)))
    same = [claim, *(o for o in others if o.kind == claim.kind and _overlap(o, claim))]
    if any(not verdict.says for each in same for verdict in each.verdicts):
        return refuse("disagreement", claim=claim.id)
    count = _count(case.data, full, house or House())
    if count.people >= PEOPLE and count.house:
        return Permit(full)
    code = "no-own-review" if count.people >= PEOPLE else "too-few-people"
    return refuse(code, claim=claim.id, people=count.people)


def urgent(
    case: Case,
    claims: Sequence[Claim],
    *,
    reason: str,
    by: str,
    reasons: Collection[str],
    locked: bool = False,
) -> Permit[UrgentCase] | Refuse:
    """The urgent path: one person and a reason out of the pack's list; all rows of the case.

    `locked` is true while an urgent release of this person waits for its second approval beyond the
    limit.
    """
    faults = []
    if reason not in reasons:
        faults.append(Reason("urgent-reason-missing"))
    if not by:
        faults.append(Reason("urgent-person-missing"))
    if case.urgency != "U1":
        faults.append(Reason("not-u1"))
    if locked:
        faults.append(Reason("urgent-path-locked"))
    if faults:
        return Refuse(tuple(faults))
    rows = frozenset(local_id for _, local_id, _ in case.entities())
    return Permit(UrgentCase(case, reason, by, tuple(claims), rows))


def _faults(data: Mapping[str, Json], claim: Claim) -> tuple[Reason, ...]:
    """What makes a claim void before anybody's verdict is counted."""
    allowed = _ABOUT[claim.kind]
    found = {local_id for group in allowed for local_id in data.get(group, {})}
    if claim.kind != "child_in_danger" and not claim.about:
        return (Reason("claim-names-nothing", {"claim": claim.id}),)
    if not set(claim.about) <= found:
        return (Reason("claim-names-wrong-entity", {"claim": claim.id}),)
    if claim.kind == "content_illegal":
        items = data.get("items", {})
        if any(items.get(local_id, {}).get("baseline") == "not_illegal" for local_id in claim.about):
            return (Reason("assessed-not-illegal", {"claim": claim.id}),)
    return ()


def _imported(data: Mapping[str, Json], claim: Claim) -> list[Verdict]:
    """F60 entries for the same claim that speak of everything this claim speaks of."""
    entries = data.get("assessment", {}).get("confirmations", ())
    return [
        Verdict(
            entry["basis"],
            True,
            entry["at"],
            entry.get("analyst"),
            entry["organisation"],
            entry.get("organisations", 1),
            entry.get("match", "none"),
        )
        for entry in entries
        if entry["claim"] == claim.kind and set(claim.about) <= set(entry.get("about", ()))
    ]


def _count(data: Mapping[str, Json], claim: Claim, house: House) -> _Count:
    local: set[str] = set()
    tool: set[str] = set()
    outside: set[tuple[str, str]] = set()
    consensus = False
    for verdict in claim.verdicts:
        if verdict.match == "near" or not verdict.says:
            continue
        if verdict.basis in _MATCHES:
            consensus |= _is_consensus(data, claim, verdict)
        elif verdict.organisation is None:
            local |= {verdict.analyst} if verdict.analyst and verdict.basis == "human" else set()
        elif verdict.basis == "own_tool" or _same(verdict.organisation, house.name):
            _own(verdict.analyst, house, local, tool)
        elif verdict.basis == "human":
            outside.add((verdict.organisation.casefold(), verdict.analyst or ""))
    return _Count(frozenset(local), frozenset(tool), frozenset(outside), consensus)


def _own(analyst: str | None, house: House, local: set[str], tool: set[str]) -> None:
    """A verdict out of the house's own tool; without a person behind it, it is a score."""
    if analyst is not None:
        known = house.aliases.get(analyst)
        (tool if known is None else local).add(analyst if known is None else known)


def _is_consensus(data: Mapping[str, Json], claim: Claim, verdict: Verdict) -> bool:
    """An exact match speaks for material only, and only when two organisations classified it."""
    items = data.get("items", {})
    return (
        claim.kind == "content_illegal"
        and verdict.match == "exact"
        and verdict.organisations >= PEOPLE
        and all(items.get(local_id, {}).get("crypto_hash") for local_id in claim.about)
    )


def _overlap(one: Claim, other: Claim) -> bool:
    return one.id != other.id and (
        not one.about or not other.about or bool(set(one.about) & set(other.about))
    )


def _same(organisation: str, name: str | None) -> bool:
    return name is not None and organisation.casefold() == name.casefold()
