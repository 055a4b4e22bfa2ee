"""Requests, agreements and projections of cases for the tests of minimisation."""

from __future__ import annotations

import copy
import json
from datetime import date
from functools import cache
from typing import Any

from broker.core import agreement
from broker.core.agreement import AgreementTerms
from broker.core.confirmation import Released
from broker.core.minimise import Minimised, MinimiseRequest, Recipient, minimise
from broker.core.pack import Pack, load_pack
from broker.spi import Party

COUNTRY = {"BEP": "BE", "BEM": "BE", "NCM": "US", "STA": "BE", "CMP": "BE"}
"""Where the test recipient of a class is; all others are in France."""
OWN_HOUSE = ("STA", "CMP")
KEY = b"k" * 32


@cache
def pack() -> Pack:
    return load_pack("be")


def pairs() -> list[tuple[str, str]]:
    return sorted(pack().pairs)


def body(recipient_class: str, purposes: tuple[str, ...], /, **changes: Any) -> dict[str, Any]:
    """A whole agreement that narrows nothing; `changes` replace members by path, `data__categories`."""
    found: dict[str, Any] = {
        "schema": "broker-agreement/1",
        "version": 3,
        "partner": "pt_synthetic",
        "recipient_class": recipient_class,
        "parties": ["Synthetic Hotline", "Synthetic Partner"],
        "controllers": ["Synthetic Hotline"],
        "dpos": [{"party": "Synthetic Hotline", "contact": "dpo@hotline.example", "opinion": "doc-1"}],
        "purposes": list(purposes),
        "data": {
            "categories": ["S", "V", "R", "T"],
            "format": "broker-referral/1",
            "jurisdictions": [],
            "fields_removed": [],
            "rows_removed": [],
        },
        "recipient_categories": ["synthetic unit"],
        "legal_bases": [{"purpose": p, "categories": ["S", "V"], "basis": f"basis-{p}"} for p in purposes],
        "communication": {"method": "pull", "retrieval_window_days": 30},
        "proportionality": {
            "measures": "minimisation by matrix",
            "grounds": {group: list(codes) for group, codes in pack().grounds.items()},
            "handling_ceiling": ["TLP:AMBER+STRICT"],
            "onward_rule": "none",
        },
        "restrictions_on_rights": "as the law has it",
        "rights_modalities": "through the officer",
        "periodicity": "case by case",
        "duration": {"valid_from": "2026-01-01", "valid_to": "2027-12-31"},
        "sanctions": "as the law has it",
        "transfer": {"mechanism": "art46", "assessment": "doc-2"},
    }
    for path, value in changes.items():
        *parents, name = path.split("__")
        target = found
        for parent in parents:
            target = target[parent]
        target[name] = value
    return found


@cache
def _terms(recipient_class: str, purposes: tuple[str, ...], changes: str) -> AgreementTerms:
    return agreement.compile(body(recipient_class, purposes, **json.loads(changes)))


def terms(recipient_class: str, purposes: tuple[str, ...], /, **changes: Any) -> AgreementTerms | None:
    if recipient_class in OWN_HOUSE:
        return None
    return _terms(recipient_class, purposes, json.dumps(changes))


def recipient(recipient_class: str, **changes: Any) -> Recipient:
    country = changes.pop("country", COUNTRY.get(recipient_class, "FR"))
    party = Party("pt_synthetic", recipient_class, country, "Synthetic Partner")
    return Recipient(party, **{"language": "en", **changes})


def request(recipient_class: str, *purposes: str, **changes: Any) -> MinimiseRequest:
    """A request of fixed keys; members of `Recipient` and of the request may be changed."""
    of_recipient = {n: changes.pop(n) for n in ("country", "names", "statutory", "systems") if n in changes}
    if recipient_class == "HSP":
        of_recipient.setdefault("names", frozenset({"198.51.100.11"}))
    members: dict[str, Any] = {
        "recipient": recipient(recipient_class, **of_recipient),
        "terms": terms(recipient_class, purposes),
        "purposes": purposes,
        "element_key": KEY,
        "pseudonym_key": b"p" * 32,
        "case_alias": "a" * 26,
        "reference": "CF-2026-000123-7",
        "desk": {"organisation": "Synthetic Hotline", "phone": "+32 2 000 00 00"},
        "day": date(2026, 3, 2),
        "handling": {"tlp": "AMBER+STRICT"},
        "legal_basis": {"basis": "art. 175"},
    }
    return MinimiseRequest(**{**members, **changes})


def run(released: Released, recipient_class: str, *purposes: str, **changes: Any) -> Minimised:
    return minimise(released, pack(), request(recipient_class, *purposes, **changes))


def disclosed(minimised: Minimised) -> str:
    """Everything that reaches the recipient, sealed apart or not, as text to search."""
    units = [[u.pointer, u.value] for u in (*minimised.units, *minimised.apart)]
    return json.dumps([units, minimised.manifest], ensure_ascii=False)


def grounds_for(recipient_class: str) -> dict[str, str]:
    """A ground for each field of action C."""
    return {
        f: pack().grounds[pack().c_groups[f]][0]
        for f in pack().fields
        if pack().action(f, recipient_class) == "C"
    }


def changed(document: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(document)
