"""Synthetic Arachnid exports in any number, and a hotline that may send notices to one provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from broker.demo.house import Agency, House, add_agency
from broker.desk import confirm
from broker.store.engine import unit_of_work

PROVIDER = "Synthetic Host ZZ (example)"
HOST = Agency(PROVIDER, "HSP", "ZZ", "en", ("P5",), transfer="clauses (synthetic)", provider=PROVIDER)


def envelope(number: int) -> bytes:
    """One Shield answer with the hotline's report: an exact match that two organisations classified."""
    return json.dumps(
        {
            "shield": {
                "classification": "csam",
                "match_type": "exact",
                "sha256_hex": sha256(f"synthetic {number}".encode()).hexdigest(),
                "organisations": 2,
            },
            "lookup_at": "2026-03-01T09:05:00Z",
            "report": {
                "received_at": "2026-03-01T09:00:00Z",
                "url": f"https://files.example/{number}",
                "media_type": "image/jpeg",
                "urgency": "U4",
                "host": {
                    "ip": "192.0.2.7", "asn": "AS64500", "provider": PROVIDER, "country": "ZZ",
                },
            },
        }
    ).encode()  # fmt: skip


def lines(count: int, first: int = 0) -> Iterator[bytes]:
    """Lines of an export file."""
    for number in range(first, first + count):
        yield envelope(number) + b"\n"


def with_host(house: House) -> House:
    """The house with a provider in a country that a clause opened for notices."""
    desk = house.desk
    pack = replace(
        desk.pack,
        routes=replace(desk.pack.routes, notices_opened={"ZZ": "clause-7"}),
        formats={**desk.pack.formats, "HSP": ("xarf_notice",)},
    )
    opened = replace(house, desk=replace(desk, pack=pack))
    with unit_of_work(opened.desk.db) as session:
        row = add_agency(opened.desk, session, house.people, house.keys, HOST)
    return replace(opened, partners={**house.partners, "host": row})


def review(house: House) -> int:
    """The hotline's own analyst looks at each case, beside the two organisations of the match."""
    with house.desk.db.connect("app") as conn:
        cases = [row[0] for row in conn.execute("select id from case_file where state = 'draft'")]
    for case_id in cases:
        with unit_of_work(house.desk.db) as session:
            confirm.claim(house.desk, session, house.people["analyst-1"], case_id, "content_illegal")
    return len(cases)
