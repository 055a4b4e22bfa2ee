"""Forty synthetic cases of the four kinds, one of them U1. All invented: `.example`, documentation IPs.

Case 1 is not made here: it is read from a synthetic Project Arachnid Shield answer and a hotline
report by the adapter `arachnid` (`shield_export`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta

from broker.spi import Json

HOSTS = (
    ("BE", "192.0.2", "AS64496", "Synthetic Hosting BE"),
    ("NL", "198.51.100", "AS64497", "Synthetic Hosting NL"),
    ("US", "203.0.113", "AS64498", "Synthetic Hosting US"),
    ("BR", "198.51.100", "AS64499", "Synthetic Hosting BR"),
)
KINDS = ("content_report", "content_report", "person_lead", "grooming_or_extortion", "danger")
AT_PROSECUTOR = frozenset({12, 16})
"""Cases of which the prosecutor already has a file."""
U1_AT = 7
"""Which of the forty goes the urgent path."""


def all_cases(now: datetime, count: int = 39) -> Iterator[dict[str, Json]]:
    """Cases 2 to 40. The same `now` gives the same cases."""
    for number in range(2, count + 2):
        yield make(number, now)


def make(number: int, now: datetime) -> dict[str, Json]:
    """One canonical case."""
    kind = "danger" if number == U1_AT else KINDS[number % len(KINDS)]
    urgency = "U1" if number == U1_AT else {"danger": "U2", "grooming_or_extortion": "U2"}.get(kind, "U3")
    case: dict[str, Json] = {
        "schema": "broker-case/1",
        "synthetic": True,
        "case": {
            "kind": kind,
            "origin_channel": "arachnid" if kind == "content_report" else "public_report",
            "offence_type": _offence(kind),
            "urgency": urgency,
            "urgency_reason": f"Synthetic reason {number}: coded indicators of the report ask for it.",
            "dates": {"opened_at": _at(now, hours=30)},
            "times_reported": 1 + number % 3,
            "offence_at": {"start": (now - timedelta(days=9)).date().isoformat(), "basis": "first_seen"},
        },
        "assessment": {
            "minor_check": "done",
            "narrative": [
                {
                    "text": f"Synthetic report {number}: the account posted an address.",
                    "type": "fact",
                    "source": "reporter",
                },
                {
                    "text": "The account is probably used by one person.",
                    "type": "assessment",
                    "source": "analyst",
                },
            ],
        },
        "evidence": {
            "custody": [
                {"actor_role": "analyst", "action": "observed", "at": _at(now, hours=29), "about": []}
            ],
        },
    }
    if number in AT_PROSECUTOR:
        case["case"]["related_refs"] = [{"system": "parquet", "ref": f"SYN-{number}-2026"}]
    if kind in ("content_report", "person_lead"):
        _content(case, number, now)
    if kind != "content_report":
        _person(case, number, now)
    return case


def shield_export(now: datetime) -> bytes:
    """A synthetic Shield answer (exact match) with the hotline's own report around it."""
    content = hashlib.sha256(b"synthetic content 1").digest()
    sha1 = hashlib.sha1(b"synthetic content 1", usedforsecurity=False).digest()
    return json.dumps(
        {
            "shield": {
                "classification": "csam",
                "match_type": "exact",
                "sha1_base32": base64.b32encode(sha1).decode(),
                "sha256_hex": content.hex(),
                "size_bytes": 48213,
                "near_match_details": [],
            },
            "report": {
                "url": "https://files.host-be.example/synthetic/1",
                "page_url": "https://host-be.example/page/1",
                "received_at": _at(now, hours=3),
                "first_seen": _at(now, hours=3),
                "online": {"online": True, "at": _at(now, hours=1)},
                "reporter_type": "anon",
                "urgency": "U3",
                "urgency_reason": "Synthetic: content stands on a server in the country and is reachable.",
                "host": {
                    "ip": "192.0.2.10",
                    "asn": "AS64496",
                    "provider": "Synthetic Hosting BE",
                    "country": "BE",
                    "method": "rdap",
                    "at": _at(now, hours=1),
                },
            },
        }
    ).encode()


def enrich(data: Json, now: datetime) -> dict[str, Json]:
    """What an analyst adds to the first case: copies elsewhere, an account seen from two countries."""
    case = dict(data)
    item, location = next(iter(case["items"])), next(iter(case["locations"]))
    case["case"] = {**case["case"], "urgency": "U2", "offence_at": {
        "start": (now - timedelta(days=4)).date().isoformat(), "basis": "first_seen"}}  # fmt: skip
    case["reporter"] = {
        "type": "named",
        "identity": {"name": "Synthetic Reporter Q", "contact": "reporter-q@mail.example"},
        "consent_to_contact": True,
        "statement": "I found this address in a synthetic chat room and did not open it again.",
    }
    case["assessment"] = {
        **case.get("assessment", {}),
        "minor_check": "done",
        "narrative": [
            {"text": "The same content stands at three addresses.", "type": "fact", "source": "crawler"},
            {
                "text": "synthetic_handle_1 probably runs all three.",
                "type": "assessment",
                "source": "analyst",
            },
        ],
    }
    case["locations"] = {
        **case["locations"],
        **{f"loc{n}": _location(HOSTS[n - 1], 200 + n, now) for n in (2, 3)},
    }
    case["items"] = {
        **case["items"],
        item: {
            **case["items"][item], "found_at": [location, "loc2", "loc3"],
            "baseline": "baseline", "synthetic_flag": "unknown",
            "human_viewed": {"viewed": True, "by_org": "Synthetic Hotline (example)"},
            "evaluation": {"source": "A", "info": "1"},
        },
    }  # fmt: skip
    _person(case, 1, now)
    case["events"]["event2"] = {
        **case["events"]["event1"], "ip": "198.51.100.77", "country": "NL",
        "event": {"type": "upload", "isp": "Synthetic Telecom NL", "account_of": "person1"},
    }  # fmt: skip
    case["links"]["link1"]["item"] = item
    case["links"]["link2"] = {**case["links"]["link1"], "event": "event2", "item": item}
    return case


def _offence(kind: str) -> str:
    return {"grooming_or_extortion": "sextortion", "danger": "grooming"}.get(kind, "csam_dissemination")


def _content(case: dict[str, Json], number: int, now: datetime) -> None:
    country = HOSTS[number % len(HOSTS)][0]
    digest = hashlib.sha256(f"synthetic content {number}".encode()).hexdigest()
    case["items"] = {
        "item1": {
            "found_at": ["loc1"],
            "crypto_hash": [{"alg": "sha256", "value": digest}],
            "media": {"type": "image/jpeg", "size": 40_000 + number},
            "known_status": {
                "status": "known" if number % 2 else "new",
                "match": "exact" if number % 2 else "none",
            },
            "synthetic_flag": "unknown",
            "seen": {
                "first": {"at": _at(now, hours=40), "meaning": "observed", "clock": "hotline"},
                "last": {"at": _at(now, hours=2), "meaning": "observed", "clock": "hotline"},
            },
            "human_viewed": {"viewed": True, "by_org": "Synthetic Hotline (example)"},
            "viewed_scope": {"whole_file": True, "exif": False, "by_org": "Synthetic Hotline (example)"},
            "publicly_available": "open",
            "labels": [{"scheme": "INHOPE", "version": "2023", "label": "baseline"}],
            "baseline": "baseline",
            "evaluation": {"source": "A", "info": "1"},
        }
    }
    case["locations"] = {"loc1": _location(HOSTS[number % len(HOSTS)], number, now)}
    case["case"]["jurisdiction_basis"] = [
        {"country": country, "reason": "host", "confidence": "high", "about": ["loc1"]}
    ]


def _location(host: tuple[str, str, str, str], number: int, now: datetime) -> dict[str, Json]:
    country, net, asn, provider = host
    return {
        "url": f"https://files.host-{country.lower()}.example/synthetic/{number}",
        "page_url": f"https://host-{country.lower()}.example/page/{number}",
        "site": {"type": "file_host", "domain": f"host-{country.lower()}.example"},
        "host": {"ip": f"{net}.{number}", "asn": asn, "provider": provider},
        "country": country,
        "trace": {"method": "rdap", "at": _at(now, hours=2), "tool_version": "1.0"},
        "last_check": {"online": True, "at": _at(now, hours=1)},
        "cdn": {"is_cdn": False},
        "commerce": {"commerciality": "non_commercial"},
    }


def _person(case: dict[str, Json], number: int, now: datetime) -> None:
    country = "BE" if number % 3 else "FR"
    case["persons"] = {
        "person1": {
            "account": {"service": "chat.example", "account_id": f"synthetic-account-{number}"},
            "handle": f"synthetic_handle_{number}",
            "profile": {
                "url": f"https://chat.example/u/synthetic_handle_{number}",
                "bio": "Synthetic biography.",
            },
            "contact": {"email": f"person{number}@mail.example", "verified": False},
            "minor_flag": "adult",
            "child_access": "likely" if case["case"]["kind"] == "danger" else "none",
            "country_estimate": {"country": country, "confidence": "medium"},
            "evaluation": {"source": "X", "info": "4"},
        }
    }
    case["events"] = {
        "event1": {
            "ip": f"203.0.113.{number}",
            "port": 40_000 + number,
            "timestamp": {"at": _at(now, hours=26), "meaning": "login", "clock": "platform"},
            "event": {"type": "login", "isp": "Synthetic Telecom", "account_of": "person1"},
            "ip_role": "account",
            "country": country,
        }
    }
    case["case"].setdefault("jurisdiction_basis", []).append(
        {"country": country, "reason": "account", "confidence": "medium", "about": ["person1"]}
    )
    link: dict[str, Json] = {
        "subject": "person1", "event": "event1", "relation": "posted", "type": "fact", "confidence": "high",
    }  # fmt: skip
    if "items" in case:
        link["item"] = "item1"
    else:
        case["victims"] = {
            "victim1": {"age_band": "14-15", "sex": "unknown", "identification": "unknown", "country": "BE"}
        }
        case["contacts"] = {
            "contact1": {
                "person": "person1",
                "victims": ["victim1"],
                "platform": "chat.example",
                "first": {"at": _at(now, hours=90), "meaning": "sent", "clock": "platform"},
                "last": {"at": _at(now, hours=26), "meaning": "sent", "clock": "platform"},
                "count": 12 + number,
                "demands": ["images", "money"] if number % 2 else ["meeting"],
                "medium": "text",
            }
        }
        link |= {"victims": ["victim1"], "relation": "contacted"}
    case["links"] = {"link1": link}


def _at(now: datetime, *, hours: int) -> str:
    return (now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S+00:00")
