"""Which entities of a case one recipient is competent for, and why (ruling 1: default none).

Rows come before fields. Only confirmed entities take part at all; each is then kept for a coded reason
or not. Being linked to something kept pulls in one step of F73, but never an account, event or victim
that is known to be in another state where competence goes by country: French police do not get the
Belgian account. A place is never kept because something that stands there is: a host never sees
another host's address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broker.core.fields import COLLECTIONS
from broker.spi import Json

BY_COUNTRY = frozenset({"hosted_in_country", "event_in_country", "account_in_country", "victim_in_country"})
_SAFE_VICTIM = frozenset({"identified", "safeguarded"})


@dataclass(frozen=True, slots=True)
class RowDecision:
    """Whether an entity goes to this recipient. `reason` is a stable code."""

    kept: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Competence:
    """What this recipient is competent for. Built from pack, partner and agreement; nothing of a case.

    `codes` are the pack's (`pack_types.COMPETENCES`); `names` the recipient's own names, domains and
    addresses (lower case), `listed_*` those of the providers a clearing house covers.
    """

    codes: frozenset[str]
    countries: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    listed_countries: frozenset[str] = frozenset()
    listed_services: frozenset[str] = frozenset()
    collections_removed: frozenset[str] = frozenset()


ADD_REASONS = ("asked-for", "same-person", "needed-to-understand", "protects-a-child")
"""Why an analyst adds a row that this recipient would not get by its competence (ruling 1)."""
_DOMESTIC = RowDecision(True, "everything")
_NOT_CONFIRMED = RowDecision(False, "not_confirmed")
_NONE = RowDecision(False, "no_competence")
ADDABLE = frozenset({_NONE.reason})
"""Only what competence alone keeps back: never the unconfirmed, another host, or past the agreement."""
_REMOVED = RowDecision(False, "agreement")
_FOREIGN_ADDRESS = RowDecision(False, "not_own_service")


def select(
    data: Mapping[str, Json],
    eligible: frozenset[str],
    competence: Competence,
    added: Mapping[str, str],
) -> dict[str, RowDecision]:
    """local id → decision, for every entity of the case, in the case's order.

    `eligible` are the confirmed rows; `added` are entities the analyst adds, with a coded reason. An
    added entity brings nothing else with it, and cannot pass the agreement.
    """
    if "everything" in competence.codes:
        kept = dict.fromkeys(eligible, _DOMESTIC.reason)
    else:
        kept = _Selection(data, eligible, competence).run(added)
    removed = competence.collections_removed
    decisions: dict[str, RowDecision] = {}
    for collection in COLLECTIONS:
        for local_id in data.get(collection, ()):
            if local_id not in eligible:
                decisions[local_id] = _NOT_CONFIRMED
            elif collection in removed:
                decisions[local_id] = _REMOVED
            else:
                reason = kept.get(local_id)
                decisions[local_id] = _NONE if reason is None else RowDecision(True, reason)
    for local_id, entity in data.get("locations", {}).items():
        if "own_service" in competence.codes and not own_service(entity, competence.names):
            # Not even by hand: an added location of another host would show that host's addresses.
            decisions[local_id] = _FOREIGN_ADDRESS
    return decisions


def own_service(location: Json, names: frozenset[str]) -> bool:
    """Whether a location is on one of these services or addresses."""
    host = location.get("host", {})
    site = location.get("site", {})
    return any(
        isinstance(name, str) and name.casefold() in names
        for name in (host.get("provider"), host.get("ip"), host.get("asn"), site.get("domain"))
    )


class _Selection:
    """One run of the selection over the confirmed part of a case."""

    def __init__(self, data: Mapping[str, Json], eligible: frozenset[str], competence: Competence) -> None:
        self.competence = competence
        self.rows: dict[str, Mapping[str, Json]] = {
            name: {i: e for i, e in data.get(name, {}).items() if i in eligible} for name in COLLECTIONS
        }
        self.kept: dict[str, str] = {}
        self.neighbours: dict[str, set[str]] = {}
        self.country: dict[str, str] = {}
        self._read_links()
        self._read_countries()

    def run(self, added: Mapping[str, str]) -> dict[str, str]:
        """local id → reason, for what is kept."""
        codes = self.competence.codes
        self._direct(codes)
        if "linked" in codes:
            self._linked()
        self._accounts_and_events()
        if "items_there" in codes and codes.isdisjoint({"linked", "own_service"}):
            self._depicted()
        for local_id in added:
            self.kept.setdefault(local_id, "added")
        self._contacts_and_links()
        return self.kept

    def _keep(self, ids: Iterable[str], reason: str) -> None:
        for local_id in ids:
            self.kept.setdefault(local_id, reason)

    def _read_links(self) -> None:
        for link in self.rows["links"].values():
            ends = ends_of(link)
            for end in ends:
                self.neighbours.setdefault(end, set()).update(ends)

    def _read_countries(self) -> None:
        for name in ("locations", "events", "victims"):
            for local_id, entity in self.rows[name].items():
                if "country" in entity:
                    self.country[local_id] = entity["country"]
        for local_id, person in self.rows["persons"].items():
            if "country_estimate" in person:
                self.country[local_id] = person["country_estimate"]["country"]

    def _in_country(self, collection: str) -> list[str]:
        countries = self.competence.countries
        return [i for i in self.rows[collection] if self.country.get(i) in countries]

    def _direct(self, codes: frozenset[str]) -> None:
        if "hosted_in_country" in codes:
            self._keep(self._in_country("locations"), "hosted_in_country")
        if "account_in_country" in codes:
            self._keep(self._in_country("persons"), "account_in_country")
        if "event_in_country" in codes:
            self._keep(self._in_country("events"), "event_in_country")
        if "victim_in_country" in codes:
            self._keep(self._in_country("victims"), "victim_in_country")
        if "cross_border_person" in codes:
            self._cross_border()
        if "listed_provider" in codes:
            self._listed()
        if "own_service" in codes:
            locations, names = self.rows["locations"], self.competence.names
            self._keep((i for i, e in locations.items() if own_service(e, names)), "own_service")
        if "unidentified_victim" in codes:
            self._unidentified()
        if "items_there" in codes:
            for local_id, item in self.rows["items"].items():
                if any(place in self.kept for place in item.get("found_at", ())):
                    self._keep([local_id], "items_there")

    def _cross_border(self) -> None:
        """Persons and events with a link to two or more states, or to none that is known."""
        for name in ("persons", "events"):
            for local_id in self.rows[name]:
                states = self._states(local_id)
                if len(states) != 1:
                    self._keep([local_id], "two_or_more_states" if states else "no_state_known")

    def _states(self, local_id: str) -> set[str]:
        around = {local_id} | self.neighbours.get(local_id, set())
        around |= {i for i, e in self.rows["events"].items() if account_of(e) == local_id}
        around |= {p for i in around if (p := account_of(self.rows["events"].get(i, {})))}
        around |= {place for i in around for place in self.rows["items"].get(i, {}).get("found_at", ())}
        return {self.country[i] for i in around if i in self.country}

    def _listed(self) -> None:
        countries, services = self.competence.listed_countries, self.competence.listed_services
        for local_id, place in self.rows["locations"].items():
            if place.get("country") in countries or own_service(place, services):
                self._keep([local_id], "listed_provider")
        for local_id, person in self.rows["persons"].items():
            if str(person.get("account", {}).get("service", "")).casefold() in services:
                self._keep([local_id], "listed_provider")

    def _unidentified(self) -> None:
        for local_id, victim in self.rows["victims"].items():
            if victim.get("identification") not in _SAFE_VICTIM:
                items = [i for i in self.neighbours.get(local_id, ()) if i in self.rows["items"]]
                if items:
                    self._keep([local_id, *items], "unidentified_victim")

    def _linked(self) -> None:
        for local_id in list(self.kept):
            self._keep((i for i in self.neighbours.get(local_id, ()) if self._may_follow(i)), "linked")

    def _may_follow(self, local_id: str) -> bool:
        """Whether a link may lead there: to confirmed rows only, and not into another state."""
        if not any(local_id in self.rows[name] for name in ("items", "persons", "events", "victims")):
            return False
        if "cross_border_person" in self.competence.codes:
            return local_id in self.rows["items"]  # fields.json: items linked to them, no more
        return self._is_near(local_id)

    def _accounts_and_events(self) -> None:
        """An account's events and an event's account belong together, unless in another state."""
        accounts = [(i, account_of(e)) for i, e in self.rows["events"].items()]
        for event, person in accounts:
            if event in self.kept and person in self.rows["persons"] and self._is_near(person):
                self._keep([person], "account_of_event")
        for event, person in accounts:
            if person in self.kept and self._is_near(event):
                self._keep([event], "event_of_account")

    def _is_near(self, local_id: str) -> bool:
        """Not known to be in another state, where competence goes by country."""
        if not self.competence.codes & BY_COUNTRY:
            return True
        return self.country.get(local_id, "") in self.competence.countries | {""}

    def _depicted(self) -> None:
        """Where no links are followed, the age and sex of a victim are attributes of the item."""
        for link in self.rows["links"].values():
            item = link.get("item", link["subject"])
            if item in self.kept and item in self.rows["items"]:
                self._keep((i for i in ends_of(link) if i in self.rows["victims"]), "depicted")

    def _contacts_and_links(self) -> None:
        for local_id, contact in self.rows["contacts"].items():
            if contact["person"] in self.kept:
                self._keep([local_id], "contact_of_person")
        for local_id, link in self.rows["links"].items():
            others = ends_of(link) - {link["subject"]}
            if link["subject"] in self.kept and (not others or any(i in self.kept for i in others)):
                self._keep([local_id], "ends_kept")


def ends_of(link: Mapping[str, Json]) -> set[str]:
    """Local ids a link joins."""
    ends = {link["subject"], *link.get("victims", ())}
    ends.update(link[name] for name in ("item", "event") if name in link)
    return ends


def account_of(event: Mapping[str, Json]) -> str:
    """The person whose account made the event, or `""`."""
    return str(event.get("event", {}).get("account_of", ""))
