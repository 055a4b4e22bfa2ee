"""Propose who is competent for a case, with reasons, by the pack's decision table and hard gates.

The table (data) says who could get it; the gates (code) say who may: recognition, vetting, active
partner, agreement, the rule that no host in the operator's country hears of it without the police,
and that an urgent case goes to the domestic police alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from broker.core.confirmation import Released, UrgentCase
from broker.core.decision import Reason
from broker.core.pack import Pack
from broker.core.situation import Situation, situation

_HOME_ROLES = frozenset({"domestic_police", "prosecutor"})


@dataclass(frozen=True, slots=True)
class PartnerInfo:
    """What routing must know of a partner. `direct` is true where its agreement opens a channel of
    its own; `country` is empty for an international body."""

    id: str
    recipient_class: str
    country: str
    active: bool = True
    agreement_in_force: bool = True
    direct: bool = False
    provider: str | None = None
    reachable: bool = True
    """It can receive: keys to pull with, the address of a delivering adapter, or people of the inbox."""


@dataclass(frozen=True, slots=True)
class Gates:
    """The state of the operator on the day. `notices_opened` adds recorded clauses to the pack's."""

    recognition_valid: bool = True
    staff_vetted: bool = True
    police_instruction_ref: str | None = None
    notices_opened: Mapping[str, str] = field(default_factory=dict)
    held_providers: frozenset[str] = frozenset()
    """Folded names of providers with a URL of this case that is under a police hold."""
    notices_wait: bool = False
    """The police has not answered yet and the agreed hours are not over."""


@dataclass(frozen=True, slots=True)
class Route:
    """A proposal. `statutory` says that it rests on statute alone; `fields_removed` go to nobody now."""

    addressee: str
    carrier: str
    recipient_class: str
    purposes: tuple[str, ...]
    reasons: tuple[Reason, ...]
    statutory: bool = False
    unconfirmed: bool = False
    fields_removed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Somebody the table would propose but who may not get it. `addressee` is None without a partner."""

    recipient_class: str
    addressee: str | None
    country: str | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Everything routing has to say about a case; a person decides."""

    routes: tuple[Route, ...]
    refusals: tuple[Refusal, ...]


@dataclass(slots=True)
class _Candidate:
    """A role in one unit (country or provider) with what the table gave it."""

    role: str
    unit: str | None
    purposes: dict[str, None] = field(default_factory=dict)
    reasons: dict[Reason, None] = field(default_factory=dict)


def propose(
    released: Released, pack: Pack, partners: Sequence[PartnerInfo], gates: Gates | None = None
) -> Proposal:
    """Routes and refusals in the order of the table; one route for each addressee."""
    facts = situation(released, pack)
    state = _Deciding(pack, facts, gates or Gates(), tuple(partners), isinstance(released, UrgentCase))
    chosen, refusals = state.choose(_candidates(pack, facts))
    routes: list[Route] = []
    for candidate in chosen:
        for outcome in state.decide(candidate):
            if isinstance(outcome, Route):
                routes.append(outcome)
            else:
                refusals.append(outcome)
    return Proposal(_joined(routes), tuple(refusals))


def _candidates(pack: Pack, facts: Situation) -> list[_Candidate]:
    found: dict[tuple[str, str | None], _Candidate] = {}
    for rule in pack.routes.rules:
        if rule.to not in pack.roles or not all(facts.holds(condition) for condition in rule.when):
            continue
        for unit in _units(rule.per, facts):
            candidate = found.setdefault((rule.to, unit), _Candidate(rule.to, unit))
            candidate.purposes.update(dict.fromkeys(rule.purposes))
            candidate.reasons[Reason(rule.reason, {"rule": rule.id})] = None
    return list(found.values())


def _units(per: str, facts: Situation) -> Iterable[str | None]:
    if per == "host_country":
        return sorted(facts.inhope_hosts)
    if per == "lead_country":
        return sorted(facts.lead_countries & facts.partner_states)
    if per == "provider":
        return sorted(facts.providers)
    return (None,)


@dataclass(frozen=True, slots=True)
class _Deciding:
    pack: Pack
    facts: Situation
    gates: Gates
    partners: tuple[PartnerInfo, ...]
    urgent: bool

    def choose(self, candidates: list[_Candidate]) -> tuple[list[_Candidate], list[Refusal]]:
        """The urgent path and the choice between police and prosecutor, before anybody is looked up."""
        dropped = {c.role: "urgent-domestic-police-only" for c in candidates if self._barred_by_urgency(c)}
        roles = {candidate.role for candidate in candidates}
        for alternative in self.pack.routes.alternatives:
            winner, loser = alternative.default, alternative.instead
            if self._takes_instead(alternative.instead, alternative.when):
                winner, loser = loser, winner
            if winner in roles:
                dropped.setdefault(loser, "the-other-authority-is-chosen")
        kept = [c for c in candidates if c.role not in dropped]
        refusals = [self._refusal(c, None, Reason(dropped[c.role])) for c in candidates if c.role in dropped]
        return kept, refusals

    def _barred_by_urgency(self, candidate: _Candidate) -> bool:
        return self.urgent and candidate.role != "domestic_police"

    def _takes_instead(self, role: str, when: tuple[str, ...]) -> bool:
        # A file at an authority that cannot be reached must not leave the case with nobody.
        reachable = any(p.active for p in self._matching(_Candidate(role, None)))
        return not self.urgent and reachable and all(self.facts.holds(condition) for condition in when)

    def decide(self, candidate: _Candidate) -> list[Route | Refusal]:
        """One candidate against the gates, for each partner that fits it."""
        barred = self._barred(candidate)
        if barred is not None:
            return [self._refusal(candidate, None, barred)]
        fitting = self._matching(candidate)
        if not fitting:
            return [self._refusal(candidate, None, Reason("no-partner"))]
        return [self._route(candidate, partner) for partner in fitting]

    def _barred(self, candidate: _Candidate) -> Reason | None:
        """Gates that hold whoever the partner is."""
        if not self.gates.staff_vetted:
            return Reason("vetting-expired")
        if not self.gates.recognition_valid and not self._may_tip(candidate):
            return Reason("recognition-lapsed")
        if candidate.role == "provider":
            return self._notice_barred(candidate)
        return None

    def _may_tip(self, candidate: _Candidate) -> bool:
        """Without recognition only a tip about danger goes out, and no content locator (ruling 5)."""
        return self.facts.danger and candidate.role not in self.pack.routes.content_roles

    def _notice_barred(self, candidate: _Candidate) -> Reason | None:
        """Provider notices (REQ-08, REQ-66, ruling 11). Every country the provider hosts in must be open."""
        countries = self.facts.providers[candidate.unit or ""]
        if self.facts.hold or candidate.unit in self.gates.held_providers:
            return Reason("police-hold")
        if self.pack.country in countries and self.gates.police_instruction_ref is None:
            return Reason("hosted-in-operator-country")
        if self.gates.notices_wait:
            return Reason("waits-for-police")
        if not countries:
            return Reason("host-unknown")
        abroad = countries - {self.pack.country}
        if abroad & self.pack.inhope:
            return Reason("inhope-hotline-decides")
        opened = {**self.pack.routes.notices_opened, **self.gates.notices_opened}
        if not abroad <= opened.keys():
            return Reason("provider-notices-off")
        return None

    def _matching(self, candidate: _Candidate) -> list[PartnerInfo]:
        wanted = self.pack.roles.get(candidate.role)
        return [p for p in self.partners if p.recipient_class == wanted and self._fits(candidate, p)]

    def _fits(self, candidate: _Candidate, partner: PartnerInfo) -> bool:
        if candidate.role in _HOME_ROLES:
            return partner.country == self.pack.country
        if candidate.role == "provider":
            return partner.provider is not None and partner.provider.casefold() == candidate.unit
        return candidate.unit is None or partner.country == candidate.unit

    def _route(self, candidate: _Candidate, partner: PartnerInfo) -> Route | Refusal:
        if not partner.active:
            return self._refusal(candidate, partner, Reason("partner-not-active"))
        statutory = self.pack.is_statutory(partner.recipient_class)
        if not partner.agreement_in_force and not statutory:
            return self._refusal(candidate, partner, Reason("agreement-not-in-force"))
        carrier = self._carrier(candidate, partner)
        if carrier is None:
            return self._refusal(candidate, partner, Reason("no-carrier"))
        if not carrier.reachable and not self.urgent:  # who is rung hears it by telephone (ruling 3)
            return self._refusal(candidate, partner, Reason("no-way-to-receive"))
        lapsed = not self.gates.recognition_valid
        reasons = [*candidate.reasons, *([Reason("recognition-lapsed")] if lapsed else [])]
        return Route(
            addressee=partner.id,
            carrier=carrier.id,
            recipient_class=partner.recipient_class,
            purposes=tuple(candidate.purposes),
            reasons=tuple(reasons),
            statutory=statutory and not partner.agreement_in_force,
            unconfirmed=self.urgent,
            fields_removed=self.pack.routes.content_locators if lapsed else frozenset(),
        )

    def _carrier(self, candidate: _Candidate, partner: PartnerInfo) -> PartnerInfo | None:
        """The addressee itself, or by default the national police (ruling 10): one that can receive first."""
        role = self.pack.routes.carriers.get(candidate.role)
        if role is None or partner.direct:
            return partner
        able = [p for p in self._matching(_Candidate(role, None)) if p.active]
        return next((p for p in able if p.reachable), able[0] if able else None)

    def _refusal(self, candidate: _Candidate, partner: PartnerInfo | None, reason: Reason) -> Refusal:
        country = candidate.unit if candidate.role != "provider" else None
        return Refusal(
            self.pack.roles[candidate.role],
            None if partner is None else partner.id,
            country if partner is None else partner.country or None,
            (reason,),
        )


def _joined(routes: Iterable[Route]) -> tuple[Route, ...]:
    """One route for each addressee: a partner reached by several units gets their purposes together."""
    found: dict[str, Route] = {}
    for route in routes:
        before = found.get(route.addressee)
        if before is not None:
            route = Route(  # noqa: PLW2901
                route.addressee,
                before.carrier,
                before.recipient_class,
                tuple(dict.fromkeys((*before.purposes, *route.purposes))),
                tuple(dict.fromkeys((*before.reasons, *route.reasons))),
                before.statutory,
                before.unconfirmed,
                before.fields_removed,
            )
        found[route.addressee] = route
    return tuple(found.values())
