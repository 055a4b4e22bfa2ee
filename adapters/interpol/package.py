"""`interpol.json`: items and victims as this recipient gets them, each by its element id."""

from __future__ import annotations

import json
from collections.abc import Mapping

from adapters.interpol import plan
from broker.spi import Json, MinimisedReferral, Party


def compose(referral: MinimisedReferral) -> dict[str, Json]:
    """The package. Deterministic; two referrals that differ in suspects only give the same bytes."""
    return {
        "schema": "broker-interpol/1",
        "purpose": "victim identification",
        "addressee": _party(referral.addressee),
        "relay": _party(referral.carrier),
        "reference": referral.reference,
        "release": referral.release,
        "version": referral.version,
        "kind": referral.kind,
        "supersedes": referral.supersedes,
        "issuer": referral.issuer,
        "drafted_at": referral.drafted_at.isoformat(),
        "unconfirmed": referral.unconfirmed,
        "facts": _facts(referral),
        "countries": _countries(referral),
        "country_estimates": _estimates(referral),
        "confirmations": _confirmations(referral),
        "items": [_item(referral, e) for e in sorted(referral.entities.get("items", {}))],
        "victims": [_plain(referral, "victims", e) for e in sorted(referral.entities.get("victims", {}))],
        "locations": [_location(referral, e) for e in sorted(referral.entities.get("locations", {}))],
    }


def encode(made: Mapping[str, Json]) -> bytes:
    """Members sorted, UTF-8, one line an entry."""
    return (json.dumps(made, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _party(party: Party) -> dict[str, str]:
    return {"name": party.name, "class": party.recipient_class, "country": party.country}


def _facts(referral: MinimisedReferral) -> dict[str, Json]:
    found = {
        section: {name: held[name] for name in names if held.get(name) is not None}
        for section, names in plan.FACTS.items()
        if (held := referral.facts.get(section))
    }
    return {section: values for section, values in found.items() if values}


def _countries(referral: MinimisedReferral) -> list[str]:
    """Countries concerned, without the reasons: a reason may point to an account."""
    basis = referral.facts.get("case", {}).get("jurisdiction_basis")
    entries = basis if isinstance(basis, list) else []
    found = [e.get("country") if isinstance(e, Mapping) else e for e in entries]
    return sorted({country for country in found if isinstance(country, str)})


def _estimates(referral: MinimisedReferral) -> list[str]:
    """Countries in which a reported account may be; not how many accounts, and not which."""
    persons = referral.entities.get("persons", {}).values()
    found = [p.get("country_estimate") for p in persons]
    return sorted({e["country"] for e in found if isinstance(e, Mapping) and "country" in e})


def _confirmations(referral: MinimisedReferral) -> list[Json]:
    """Who confirmed what about items and victims; `about` names only what stands in this package."""
    given = referral.facts.get("assessment", {}).get("confirmations")
    kept = {e for c in plan.ELEMENTS for e in referral.entities.get(c, {})}
    return [
        {**entry, "about": sorted(kept.intersection(entry.get("about") or ()))}
        for entry in (given if isinstance(given, list) else [])
        if isinstance(entry, Mapping) and entry.get("claim") in plan.CLAIMS
    ]


def _plain(referral: MinimisedReferral, collection: str, element: str) -> dict[str, Json]:
    held = referral.entities[collection][element]
    names = plan.ELEMENTS[collection]
    return {name: held[name] for name in names if held.get(name) is not None} | {"id": element}


def _item(referral: MinimisedReferral, element: str) -> dict[str, Json]:
    """An item with the locations of this package it was found at."""
    made = _plain(referral, "items", element)
    ref = referral.entities["items"][element].get("ref")
    if isinstance(ref, Mapping):
        where = set(referral.entities.get("locations", {}))
        made["ref"] = {
            "ref": ref.get("ref"),
            "found_at": sorted(where.intersection(ref.get("found_at") or ())),
        }
    elif isinstance(ref, str):
        made["ref"] = {"ref": ref, "found_at": []}
    return made


def _location(referral: MinimisedReferral, element: str) -> dict[str, Json]:
    """A location as a country and a type of site, never a domain."""
    made = _plain(referral, "locations", element)
    site = referral.entities["locations"][element].get("site")
    if isinstance(site, Mapping) and site.get("type"):
        made["site_type"] = site["type"]
    return made
