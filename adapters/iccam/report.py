"""`iccam-report.json`: the body of `POST rest/reports`, from a minimised referral.

Analyst names are the house's and are added when it is sent: a referral names no person of the hotline.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.iccam.codes import codes
from broker.spi import Json, MinimisedReferral

NEEDS = frozenset(
    {
        *("F08", "F16", "F24", "F29", "F31", "F33", "F34", "F51", "F52", "F59", "F76", "F77", "F78"),
        *("F79", "F83"),
    }
)
NAME = "iccam-report.json"
VIRTUAL = frozenset({"ai", "drawn"})
_AGE = {
    "0-2": "infant",
    "3-6": "prepubescent",
    "7-9": "prepubescent",
    "14-15": "pubescent",
    "16-17": "pubescent",
}
"""10-13 lies across two of ICCAM's words: it goes as not categorised."""


def write(referral: MinimisedReferral) -> bytes:
    """Canonical JSON; without a single URL the list is empty, and sending it is refused."""
    return json.dumps(body(referral), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def body(referral: MinimisedReferral) -> dict[str, Any]:
    """The report. Its references are unique: the referral's own, with its version."""
    places = referral.entities.get("locations", {})
    reference = f"{referral.reference}.{referral.version}"
    chosen = [name for name in sorted(places) if isinstance(places[name].get("url"), str)]
    first = places[chosen[0]] if chosen else {}
    lists = codes()
    commerce = first.get("commerce")
    return {
        "hotlineReceivedDate": _received(referral),
        "hotlineReference": reference,
        "memo": "",
        "sourceUrlUsername": _member(first.get("credentials"), "username") or "",
        "sourceUrlPassword": _member(first.get("credentials"), "password") or "",
        "sourceUrlReferrer": first.get("referrer"),
        "sourceUrlSiteType": lists.get("site_type", _member(first.get("site"), "type"))
        or lists.lists["site_type"]["other"],
        "sourceUrlCommerciality": lists.get("commerciality", _member(commerce, "commerciality")) or 1,
        "sourceUrlPaymentMethods": list(_payments(commerce)) or [1],
        "urls": [
            _url(referral, name, f"{reference}.{n}", source=n == 1) for n, name in enumerate(chosen, start=1)
        ],
    }


def _url(referral: MinimisedReferral, name: str, reference: str, *, source: bool) -> dict[str, Any]:
    place = referral.entities["locations"][name]
    host, lists = place.get("host"), codes().lists
    here = [item for item in _items(referral) if name in _found_at(item.get("ref"))]
    organisation: dict[str, Json] = {"organizationName": _member(host, "provider") or ""}
    number = str(_member(host, "asn") or "").upper().removeprefix("AS")
    if number.isdigit():
        organisation["autonomousSystemNumber"] = int(number)
    is_cdn = _member(place.get("cdn"), "is_cdn")
    if isinstance(is_cdn, bool):
        organisation["isContentDeliveryNetwork"] = is_cdn
    return {
        "urlString": place.get("url"),
        "hotlineReference": reference,
        "hostingCountryCode": place.get("country"),
        "hostingIpAddress": _member(host, "ip"),
        "hostingIsp": _member(host, "provider") or "",
        "hostingOrganization": organisation,
        "isSourceUrl": source,
        "memo": "",
        "contentType": lists["content_type"]["media" if here else "website"],
        "assessment": _assessment(referral, here),
        "actions": [],
    }


def _assessment(referral: MinimisedReferral, here: list[Mapping[str, Json]]) -> dict[str, Any] | None:
    """None where nothing says that it was assessed: a default would be a claim."""
    lists = codes()
    found = sorted(c for item in here if (c := lists.get("classification", item.get("baseline"))))
    if not found:
        return None
    victims = [referral.entities["victims"][v] for v in sorted(referral.entities.get("victims", {}))]
    ages = {_AGE.get(str(v.get("age_band")), "unknown") for v in victims}
    sexes = {str(v.get("sex")) for v in victims}
    sex = "both" if sexes == {"female", "male"} else sexes.pop() if len(sexes) == 1 else "unknown"
    return {
        "classification": found[0],
        "ageCategorization": lists.get("age", ages.pop() if len(ages) == 1 else "unknown"),
        "genderCategorization": lists.get("gender", sex) or 1,
        # The lists have yes and no alone. What may be a real child is never told as made up.
        "virtualContentCategorization": int(all(item.get("synthetic_flag") in VIRTUAL for item in here)),
        "userGeneratedContentCategorization": int(_any(here, "self_generated")),
        "childModelingCategorization": int(_any(here, "modelling")),
    }


def _any(here: list[Mapping[str, Json]], name: str) -> bool:
    return any(_member(item.get("self_generated"), name) == "yes" for item in here)


def _received(referral: MinimisedReferral) -> str:
    """When the hotline got it; when it is not told, or by the day alone, when this was drafted."""
    at = _member(referral.facts.get("case", {}).get("dates"), "opened_at")
    try:
        opened = datetime.fromisoformat(str(at))
    except ValueError:
        opened = referral.drafted_at
    known = referral.drafted_at if opened.tzinfo is None else opened
    return known.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _items(referral: MinimisedReferral) -> Iterator[Mapping[str, Json]]:
    items = referral.entities.get("items", {})
    return (items[name] for name in sorted(items))


def _found_at(ref: Json) -> list[str]:
    found = _member(ref, "found_at")
    return found if isinstance(found, list) else []


def _payments(commerce: Json) -> Iterator[int]:
    methods, other = _member(commerce, "payment_methods"), codes().lists["payment_method"]["other"]
    numbers = (codes().get("payment_method", m) or other for m in (methods or ()))
    yield from dict.fromkeys(numbers)


def _member(value: Json, name: str) -> Json:
    return value.get(name) if isinstance(value, Mapping) else None
