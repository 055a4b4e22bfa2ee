"""What the routing table may ask about a case, worked out from its releasable rows alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from broker.core.confirmation import Released, UrgentCase
from broker.core.pack import Pack
from broker.spi import Json

_UNIDENTIFIED = frozenset({"unknown", "possibly_known"})
_VICTIM_FACTS = ("identity", "account_id", "location_clues")


@dataclass(frozen=True, slots=True)
class Situation:
    """Facts about one case. Countries are ISO 3166 codes; providers are folded host names."""

    hosts: frozenset[str]
    inhope_hosts: frozenset[str]
    """Host countries abroad that have an INHOPE hotline."""
    elsewhere: frozenset[str]
    untraced: bool
    content: bool
    providers: Mapping[str, frozenset[str]]
    """provider → countries in which it hosts something of this case."""
    people: bool
    victim_lead: bool
    identifiable: bool
    lead_countries: frozenset[str]
    cross_border: bool
    victim_unidentified: bool
    danger: bool
    listed_provider: bool
    prosecutor_file: bool
    hold: bool
    home: str
    partner_states: frozenset[str]

    def holds(self, condition: str) -> bool:
        """Whether one condition of the table holds. `KeyError` for a word outside the vocabulary."""
        return _CONDITIONS[condition](self)


_CONDITIONS: Mapping[str, Callable[[Situation], bool]] = MappingProxyType(
    {
        "hosted_in_operator_country": lambda s: s.home in s.hosts,
        "hosted_in_inhope_country": lambda s: bool(s.inhope_hosts),
        "hosted_elsewhere": lambda s: bool(s.elsewhere),
        "host_unknown": lambda s: s.untraced,
        "no_inhope_host": lambda s: not s.inhope_hosts,
        "person_or_victim_lead": lambda s: s.people or s.victim_lead,
        "identifiable_person": lambda s: s.identifiable,
        "child_in_danger": lambda s: s.danger,
        "not_child_in_danger": lambda s: not s.danger,
        "lead_without_content": lambda s: not s.content,
        "lead_in_partner_state": lambda s: bool(s.lead_countries & s.partner_states),
        "cross_border_lead": lambda s: s.cross_border,
        "victim_unidentified": lambda s: s.victim_unidentified,
        "clearing_house_provider": lambda s: s.listed_provider,
        "provider_known": lambda s: bool(s.providers),
        "prosecutor_file": lambda s: s.prosecutor_file,
    }
)


def situation(released: Released, pack: Pack) -> Situation:
    """The facts of a released case under a pack."""
    data, rows = released.case.data, released.rows
    places = list(_kept(data, rows, "locations"))
    persons = list(_kept(data, rows, "persons"))
    victims = [victim for _, victim in _kept(data, rows, "victims")]
    items = [item for _, item in _kept(data, rows, "items")]
    hosts = frozenset(place["country"] for _, place in places if "country" in place)
    abroad = hosts - {pack.country}
    return Situation(
        hosts=hosts,
        inhope_hosts=abroad & pack.inhope,
        elsewhere=abroad - pack.inhope,
        untraced=_untraced(places, items),
        content=bool(items or places),
        providers=_providers(places),
        people=bool(persons),
        victim_lead=any(_is_victim_lead(victim) for victim in victims),
        identifiable=any(_identifiable(data, rows, name, person) for name, person in persons),
        lead_countries=_lead_countries(data, rows),
        cross_border=any(
            _identifiable(data, rows, name, person) and len(_states(data, rows, name, person)) != 1
            for name, person in persons
        ),
        victim_unidentified=bool(items)
        and any(v.get("identification", "unknown") in _UNIDENTIFIED for v in victims),
        danger=_danger(released),
        listed_provider=_listed(pack, hosts, places, persons),
        prosecutor_file=_prosecutor_file(data, pack),
        hold=data.get("actions", {}).get("hold", {}).get("state") == "active",
        home=pack.country,
        partner_states=pack.routes.partner_states,
    )


def _kept(
    data: Mapping[str, Json], rows: frozenset[str], collection: str
) -> Iterator[tuple[str, Mapping[str, Json]]]:
    return ((name, entity) for name, entity in data.get(collection, {}).items() if name in rows)


def _untraced(places: list[tuple[str, Mapping[str, Json]]], items: list[Mapping[str, Json]]) -> bool:
    return any("country" not in place for _, place in places) or any(
        not item.get("found_at") for item in items
    )


def _providers(places: list[tuple[str, Mapping[str, Json]]]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for _, place in places:
        name = place.get("host", {}).get("provider")
        if name:
            found.setdefault(name.casefold(), set()).update({place["country"]} if "country" in place else ())
    return {name: frozenset(countries) for name, countries in found.items()}


def _is_victim_lead(victim: Mapping[str, Json]) -> bool:
    return (
        any(fact in victim for fact in _VICTIM_FACTS) or victim.get("identification", "unknown") != "unknown"
    )


def _events_of(data: Mapping[str, Json], rows: frozenset[str], name: str) -> Iterator[Mapping[str, Json]]:
    for _, event in _kept(data, rows, "events"):
        if event.get("event", {}).get("account_of") == name:
            yield event


def _identifiable(
    data: Mapping[str, Json], rows: frozenset[str], name: str, person: Mapping[str, Json]
) -> bool:
    """Something that legal process can start from: an account, a contact, a payment, an address."""
    account = person.get("account", {})
    return (
        "account_id" in account
        or ("service" in account and "handle" in person)
        or bool({"email", "phone"} & set(person.get("contact", {})))
        or "payment_ref" in person
        or any("ip" in event for event in _events_of(data, rows, name))
    )


def _states(
    data: Mapping[str, Json], rows: frozenset[str], name: str, person: Mapping[str, Json]
) -> frozenset[str]:
    found = {event["country"] for event in _events_of(data, rows, name) if "country" in event}
    if "country_estimate" in person:
        found.add(person["country_estimate"]["country"])
    return frozenset(found)


def _lead_countries(data: Mapping[str, Json], rows: frozenset[str]) -> frozenset[str]:
    found: set[str] = set()
    for name, person in _kept(data, rows, "persons"):
        found |= _states(data, rows, name, person)
    for collection in ("events", "victims"):
        found |= {entity["country"] for _, entity in _kept(data, rows, collection) if "country" in entity}
    return frozenset(found)


def _danger(released: Released) -> bool:
    return (
        isinstance(released, UrgentCase)
        or released.case.urgency == "U1"
        or released.case.kind == "danger"
        or any(claim.kind == "child_in_danger" for claim in released.claims)
    )


def _listed(
    pack: Pack,
    hosts: frozenset[str],
    places: list[tuple[str, Mapping[str, Json]]],
    persons: list[tuple[str, Mapping[str, Json]]],
) -> bool:
    names = {place.get("host", {}).get("provider", "").casefold() for _, place in places}
    names |= {place.get("site", {}).get("domain", "").casefold() for _, place in places}
    names |= {person.get("account", {}).get("service", "").casefold() for _, person in persons}
    return bool(hosts & pack.routes.listed_countries or names & pack.routes.listed_services)


def _prosecutor_file(data: Mapping[str, Json], pack: Pack) -> bool:
    references = data["case"].get("related_refs", ())
    return any(ref["system"].casefold() in pack.routes.prosecutor_systems for ref in references)
