"""The block an officer copies into a request to a provider: service, account, IP, port, UTC.

One line for each network event, with the account it belongs to where the referral says so, and one
for each account without an event. Values are exact; none of them is a locator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adapters.police_dossier import moments
from adapters.police_dossier.leaves import plain
from adapters.police_dossier.locators import defang, printable
from broker.spi import Json, MinimisedReferral

DASH = "–"


def lines(referral: MinimisedReferral, names: Mapping[str, str]) -> list[str]:
    """`service / account / IP / port / UTC`, in the order of the tables; a dash where unknown."""
    persons = referral.entities.get("persons", {})
    found: list[str] = []
    with_event: set[str] = set()
    for element in _sorted(referral.entities.get("events", {}), names):
        event = referral.entities["events"][element]
        owner = _member(event.get("event"), "account_of")
        with_event.add(owner)
        cells = [
            *_account(persons.get(owner, {})),
            _scalar(event.get("ip")),
            _scalar(event.get("port")),
            _time(event.get("timestamp")),
        ]
        found += _line(cells)
    for element in _sorted(persons, names):
        if element not in with_event:
            found += _line([*_account(persons[element]), "", "", ""])
    return found


def _line(cells: list[str]) -> Iterator[str]:
    """Nothing at all where every cell is unknown."""
    if any(cells):
        yield " / ".join(printable(defang(cell)) if cell else DASH for cell in cells)


def _account(person: Mapping[str, Json]) -> tuple[str, str]:
    account = person.get("account")
    service = _member(account, "service")
    name = _member(account, "account_id") if isinstance(account, Mapping) else _scalar(account)
    return service, name or _scalar(person.get("handle"))


def _time(value: Json) -> str:
    text = value.get("at") if isinstance(value, Mapping) else value
    return moments.utc(text) if isinstance(text, str) else ""


def _member(value: Json, name: str) -> str:
    return _scalar(value.get(name)) if isinstance(value, Mapping) else ""


def _scalar(value: Json) -> str:
    return "" if isinstance(value, Mapping | list) else plain(value)


def _sorted(elements: Mapping[str, Json], names: Mapping[str, str]) -> list[str]:
    return sorted(elements, key=lambda e: (int(names[e].rsplit(" ", 1)[1]), e))
