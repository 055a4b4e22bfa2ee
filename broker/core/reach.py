"""Which entities of a case a confirmed claim opens: those it names, and those reached from them.

An item opens its locations; a person the events of the account, the links and the contacts; victims
are reached by links and contacts, or named by a child in danger. A person never opens an item: only
a claim about the item does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from broker.spi import Json


def rows_of(data: Mapping[str, Json], claims: Iterable[tuple[str, Sequence[str]]]) -> frozenset[str]:
    """Local ids eligible for release, for confirmed claims given as (kind, about)."""
    rows: set[str] = set()
    for kind, about in claims:
        rows.update(about)
        if kind == "child_in_danger" and not about:
            rows.update(data.get("victims", {}))
    rows |= _locations(data, rows)
    rows |= _events(data, rows)
    rows |= _links(data, rows)
    rows |= _contacts(data, rows)
    return frozenset(rows)


def _locations(data: Mapping[str, Json], rows: set[str]) -> set[str]:
    items = data.get("items", {})
    return {place for name in rows & set(items) for place in items[name].get("found_at", ())}


def _events(data: Mapping[str, Json], rows: set[str]) -> set[str]:
    events = data.get("events", {})
    return {name for name, event in events.items() if event.get("event", {}).get("account_of") in rows}


def _links(data: Mapping[str, Json], rows: set[str]) -> set[str]:
    """Links whose ends are open, with the event they name; victims also by the open item alone."""
    found: set[str] = set()
    for name, link in data.get("links", {}).items():
        item = link.get("item")
        whole = link["subject"] in rows and (item is None or item in rows)
        if whole:
            found.add(name)
            found |= {link["event"]} if _event_is_open(data, link, rows) else set()
        if whole or item in rows:
            found.update(link.get("victims", ()))
    return found


def _event_is_open(data: Mapping[str, Json], link: Mapping[str, Json], rows: set[str]) -> bool:
    """An event of somebody else's account stays closed although a link names it."""
    event = data.get("events", {}).get(link.get("event"))
    if event is None:
        return False
    account_of = event.get("event", {}).get("account_of")
    return account_of is None or account_of in rows


def _contacts(data: Mapping[str, Json], rows: set[str]) -> set[str]:
    found: set[str] = set()
    for name, contact in data.get("contacts", {}).items():
        if contact["person"] in rows:
            found.add(name)
            found.update(contact.get("victims", ()))
    return found
