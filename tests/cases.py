"""Synthetic cases for every test: full and minimal ones by kind, and random valid ones.

Every free-valued leaf of a built case holds a canary: a string found nowhere else in the case, derived
from its place and a salt. Two builds that differ only in the salt differ only in canaries.

    full_case("person_lead")            a document with every field of the schema
    minimal_case("danger")              the least that makes sense for the kind
    cases()                             hypothesis strategy of valid documents
    canaries(document)                  pointer -> canary
    confirmed(document)                 ConfirmedCase with every claim confirmed by two analysts
    urgent_case(document)               UrgentCase
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from broker.core.case import Case, from_json
from broker.core.confirmation import Claim, ClaimKind, ConfirmedCase, UrgentCase, Verdict, confirm, urgent
from broker.core.decision import Permit

T = TypeVar("T")
Document = dict[str, Any]

KINDS = ("content_report", "person_lead", "grooming_or_extortion", "danger")
COUNTRIES = ("BE", "FR", "US")
AT = "2026-03-01T10:00:00+01:00"
LATER = "2026-03-01T12:30:00+01:00"
ANALYSTS = ("st_analyst1", "st_analyst2")

_FREE = frozenset(
    {
        "access_note",
        "account_id",
        "address",
        "analyst",
        "analyst_identity",
        "bio",
        "by",
        "by_org",
        "contact",
        "device",
        "domain",
        "email",
        "filename",
        "handle",
        "hash",
        "ip",
        "isp",
        "label",
        "latitude",
        "lists",
        "location_clues",
        "longitude",
        "media_pointer",
        "name",
        "orb_ref",
        "organisation",
        "page_url",
        "password",
        "payment_methods",
        "payment_ref",
        "phone",
        "platform",
        "provider",
        "ref",
        "referrer",
        "requested_to",
        "school",
        "self_declared_name",
        "series_ref",
        "service",
        "statement",
        "text",
        "to",
        "tool_version",
        "urgency_reason",
        "url",
        "user_agent",
        "username",
        "value",
    }
)
"""Member names whose string value is free. Enums, dates and small numbers hold no canary (ruling 28)."""

_OFFENCE = {
    "content_report": "csam_dissemination",
    "person_lead": "csam_dissemination",
    "grooming_or_extortion": "sextortion",
    "danger": "live_stream",
}


class Choices(Protocol):
    """Decides what a build leaves open."""

    def has(self) -> bool:
        """Whether an optional member is there."""

    def one(self, options: Sequence[T]) -> T:
        """Which of the codes."""

    def count(self, at_most: int) -> int:
        """How many entities of a collection."""


class Everything:
    """Every member, the first code, as many entities as allowed."""

    def has(self) -> bool:
        return True

    def one(self, options: Sequence[T]) -> T:
        return options[0]

    def count(self, at_most: int) -> int:
        return at_most


class Drawn:
    """Whatever hypothesis draws."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def has(self) -> bool:
        return self._draw(st.booleans())

    def one(self, options: Sequence[T]) -> T:
        return self._draw(st.sampled_from(options))

    def count(self, at_most: int) -> int:
        return self._draw(st.integers(0, at_most))


class Builder:
    """Builds one document; `token` gives the canary of a place."""

    def __init__(self, choices: Choices, kind: str, salt: str) -> None:
        self.choices = choices
        self.kind = kind
        self.salt = salt

    def digest(self, place: str) -> bytes:
        return sha256(f"{self.salt}|{place}".encode()).digest()

    def token(self, place: str) -> str:
        return "".join(chr(97 + byte % 26) for byte in self.digest(place)[:12])

    def digits(self, place: str, length: int) -> str:
        return "".join(str(byte % 10) for byte in self.digest(place)[:length])

    def ids(self, prefix: str, at_most: int) -> list[str]:
        return [f"{prefix}{n}" for n in range(1, self.choices.count(at_most) + 1)]

    def some(self, members: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in members.items() if self.choices.has()}

    def document(self) -> Document:
        ids = {
            "items": self.ids("item", 3),
            "locations": self.ids("loc", 3),
            "persons": self.ids("person", 3),
            "events": self.ids("event", 3),
            "victims": self.ids("victim", 2),
        }
        document: Document = {
            "schema": "broker-case/1",
            "synthetic": True,
            "case": self.case(ids),
            "reporter": self.reporter(),
            "assessment": self.assessment(ids),
            "evidence": self.evidence(ids),
            "actions": self.actions(ids),
            "items": {i: self.item(i, n, ids["locations"]) for n, i in enumerate(ids["items"])},
            "locations": {i: self.location(i, n) for n, i in enumerate(ids["locations"])},
            "persons": {i: self.person(i, n) for n, i in enumerate(ids["persons"])},
            "events": {i: self.event(i, n, ids["persons"]) for n, i in enumerate(ids["events"])},
            "victims": {i: self.victim(i, n) for n, i in enumerate(ids["victims"])},
        }
        if ids["persons"]:
            document["links"] = {i: self.link(n, ids) for n, i in enumerate(self.ids("link", 3))}
            document["contacts"] = {i: self.contact(i, n, ids) for n, i in enumerate(self.ids("contact", 2))}
        return document

    def case(self, ids: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        about = [*ids["locations"][:1]]
        return {
            "kind": self.kind,
            "origin_channel": self.choices.one(["public_report", "arachnid", "partner"]),
            "offence_type": self.choices.one([_OFFENCE[self.kind], "grooming", "abuse_manual", "other"]),
            "dates": {"opened_at": AT, **self.some({"confirmed_at": LATER})},
            **self.some(
                {
                    "jurisdiction_basis": [
                        {"country": "BE", "reason": "account", "confidence": "high", "about": []},
                        {"country": "FR", "reason": "host", "confidence": "medium", "about": about},
                    ],
                    "urgency": self.choices.one(["U2", "U1", "U3", "U4"]),
                    "urgency_reason": f"Synthetic reason {self.token('urgency')}, stated by the platform",
                    "related_refs": [
                        {"system": "ICCAM", "ref": f"IC-{self.token('ref1')}"},
                        {"system": "police", "ref": f"PV-{self.token('ref2')}"},
                    ],
                    "times_reported": 3,
                    "offence_at": {"start": "2026-02-20", "end": "2026-02-28", "basis": "metadata"},
                }
            ),
        }

    def reporter(self) -> dict[str, Any]:
        return {
            "type": self.choices.one(["named", "anon", "relative", "crawler"]),
            "consent_to_contact": self.choices.has(),
            **self.some(
                {
                    "identity": {
                        "name": f"Synthetic Reporter {self.token('reporter')}",
                        "contact": f"{self.token('reporter-contact')}@mail.example",
                    },
                    "submission_meta": {
                        "ip": "192.0.2.77" if self.salt == "a" else "192.0.2.78",
                        "user_agent": f"Agent/{self.token('agent')}",
                        "at": AT,
                    },
                    "statement": f"Synthetic statement {self.token('statement')}.",
                }
            ),
        }

    def assessment(self, ids: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        confirmations = [
            {
                "claim": "content_illegal",
                "organisation": f"Synthetic Hotline {self.token(f'org-{item}')}",
                "analyst": f"an-{self.token(f'analyst-{item}')}",
                "at": AT,
                "basis": "orb_consensus",
                "match": self.choices.one(["exact", "near", "none"]),
                "organisations": 2,
                "about": [item],
            }
            for item in ids["items"][:2]
        ]
        return self.some(
            {
                "confirmations": confirmations,
                "analyst_identity": f"Synthetic Analyst {self.token('staff')}",
                "narrative": [
                    self.sentence(1, "fact"),
                    self.sentence(2, "assessment"),
                ],
                "minor_check": "done",
            }
        )

    def sentence(self, number: int, kind: str) -> dict[str, str]:
        return {
            "text": f"Synthetic sentence {self.token(f'sentence{number}')}.",
            "type": kind,
            "source": "reporter" if kind == "fact" else "analyst",
        }

    def evidence(self, ids: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        custody = [
            {
                "actor_role": "analyst",
                "action": action,
                "at": AT,
                "hash": self.hex(f"custody-{i}"),
                "about": [i],
            }
            for i, action in zip(ids["items"], ("captured", "observed", "assessed"), strict=False)
        ]
        preservation = [
            {"requested_to": f"{self.token(f'pres-{i}')}.example", "at": AT, "expires": LATER, "about": [i]}
            for i in ids["persons"][:2]
        ]
        return self.some({"custody": custody, "preservation": preservation})

    def actions(self, ids: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        removal = [
            {"to": f"{self.token(f'removal-{i}')}.example", "at": AT, "status": "requested", "about": [i]}
            for i in ids["locations"][:2]
        ]
        hold = {
            "state": self.choices.one(["none", "active", "ended"]),
            "by": f"unit {self.token('hold')}",
            "until": LATER,
            "about": [*ids["locations"][:1]],
        }
        return self.some({"removal": removal, "hold": hold})

    def hex(self, place: str) -> str:
        return self.digest(place).hex()

    def item(self, name: str, index: int, locations: Sequence[str]) -> dict[str, Any]:
        moment = {"at": AT, "meaning": "observed", "clock": "hotline", "zone": "Europe/Brussels"}
        members = {
            "crypto_hash": [
                {"alg": "sha256", "value": self.hex(f"{name}-sha256")},
                {"alg": "md5", "value": self.hex(f"{name}-md5")[:32]},
            ],
            "perceptual_hash": [{"alg": "pdq", "value": self.hex(f"{name}-pdq")}],
            "media": {"type": "image/jpeg", "size": 4096 + index},
            "filename": f"synthetic-{self.token(f'{name}-file')}.jpg",
            "media_pointer": f"store://{self.token(f'{name}-pointer')}",
            "exif": {
                "device": f"Camera {self.token(f'{name}-device')}",
                "latitude": f"50.{self.digits(f'{name}-lat', 7)}",
                "longitude": f"4.{self.digits(f'{name}-lon', 7)}",
                "original_at": AT,
            },
            "known_status": {
                "status": self.choices.one(["new", "known", "unknown"]),
                "match": "none",
                "lists": [f"list-{self.token(f'{name}-list')}"],
            },
            "synthetic_flag": self.choices.one(["real", "suspected_ai", "unknown"]),
            "seen": {"first": moment, "last": {**moment, "at": LATER}},
            "human_viewed": {"viewed": True, "by_org": f"Synthetic Org {self.token(f'{name}-viewed')}"},
            "publicly_available": self.choices.one(["open", "login", "onion"]),
            "orb_ref": f"orb-{self.token(f'{name}-orb')}",
            "labels": [
                {"scheme": "UCS", "version": "v3", "label": f"severity-{self.token(f'{name}-label')}"}
            ],
            "baseline": self.choices.one(["baseline", "national"]),
            "evaluation": {"source": "A", "info": "1"},
            "self_generated": {"self_generated": "no", "modelling": "unknown"},
            "viewed_scope": {
                "whole_file": True,
                "exif": False,
                "by_org": f"Synthetic Scope {self.token(f'{name}-scope')}",
            },
        }
        where = [locations[index % len(locations)]] if locations else []
        return {"found_at": where, **self.some(members)}

    def location(self, name: str, index: int) -> dict[str, Any]:
        token = self.token(name)
        members = {
            "url": f"https://{token}.example/item/{self.token(f'{name}-path')}.jpg",
            "page_url": f"https://{token}.example/page/{self.token(f'{name}-page')}",
            "site": {"type": "image_host", "domain": f"{self.token(f'{name}-domain')}.example"},
            "access_note": f"Synthetic access note {self.token(f'{name}-access')}",
            "host": {
                "ip": f"198.51.100.{index + 10 + 100 * (self.salt != 'a')}",
                "asn": f"AS{64496 + index}",
                "provider": f"Synthetic Host {self.token(f'{name}-provider')}",
            },
            "country": self.choices.one([COUNTRIES[index], *COUNTRIES]),
            "trace": {"method": "rdap", "at": AT, "tool_version": f"t-{self.token(f'{name}-tool')}"},
            "last_check": {"online": True, "at": LATER},
            "cdn": {"is_cdn": False, "provider": f"Synthetic Edge {self.token(f'{name}-edge')}"},
            "referrer": f"https://{self.token(f'{name}-referrer')}.example/",
            "commerce": {
                "commerciality": "commercial",
                "payment_methods": ["card", f"voucher-{self.token(f'{name}-voucher')}"],
            },
            "credentials": {
                "username": f"user-{self.token(f'{name}-user')}",
                "password": f"test-{self.token(f'{name}-pass')}",
            },
        }
        return self.some(members)

    def person(self, name: str, index: int) -> dict[str, Any]:
        members = {
            "account": {
                "service": f"{self.token(f'{name}-service')}.example",
                "account_id": f"id-{self.token(f'{name}-account')}",
            },
            "handle": f"handle-{self.token(f'{name}-handle')}",
            "self_declared_name": f"Synthetic Person {self.token(f'{name}-name')}",
            "contact": {
                "email": f"{self.token(f'{name}-mail')}@mail.example",
                "phone": f"+32000{self.digits(f'{name}-phone', 8)}",
                "verified": True,
            },
            "payment_ref": f"wallet-{self.token(f'{name}-wallet')}",
            "profile": {
                "url": f"https://{self.token(f'{name}-profile')}.example/u",
                "bio": f"Synthetic bio {self.token(f'{name}-bio')}",
            },
            "minor_flag": self.choices.one(["adult", "minor", "unknown"]),
            "child_access": self.choices.one(["likely", "none", "claimed", "confirmed"]),
            "evaluation": {"source": "B", "info": "2"},
        }
        if index < 2:  # the third person has no known country
            country = self.choices.one([COUNTRIES[index], *COUNTRIES])
            members["country_estimate"] = {"country": country, "confidence": "medium"}
        return self.some(members)

    def event(self, name: str, index: int, persons: Sequence[str]) -> dict[str, Any]:
        moment = {"at": AT, "meaning": "uploaded", "clock": "provider", "zone": "Europe/Brussels"}
        kind = {"type": "upload", "isp": f"Synthetic ISP {self.token(f'{name}-isp')}"}
        if index < len(persons):
            kind["account_of"] = persons[index]
        members = {
            "ip": f"203.0.113.{index + 10 + 100 * (self.salt != 'a')}",
            "port": 40000 + index,
            "timestamp": moment,
            "event": kind,
            "ip_role": self.choices.one(["upload", "account", "vpn", "unknown"]),
            "evaluation": {"source": "A", "info": "1"},
        }
        if index < 2:
            members["country"] = self.choices.one([COUNTRIES[index], *COUNTRIES])
        return self.some(members)

    def victim(self, name: str, index: int) -> dict[str, Any]:
        states = ["identified", "unknown"] if index == 0 else ["unknown", "possibly_known"]
        members = {
            "age_band": self.choices.one(["10-13", "14-15", "16-17"]),
            "sex": self.choices.one(["unknown", "female", "male"]),
            "identification": self.choices.one(states),
            "identity": {
                "name": f"Synthetic Child {self.token(f'{name}-name')}",
                "dob": "2014-05-06",
                "school": f"Synthetic School {self.token(f'{name}-school')}",
                "address": f"Synthetic Street {self.token(f'{name}-address')}",
                "contact": f"{self.token(f'{name}-contact')}@mail.example",
            },
            "account_id": f"id-{self.token(f'{name}-account')}",
            "location_clues": f"Synthetic clue {self.token(f'{name}-clue')}",
            "series_ref": f"series-{self.token(f'{name}-series')}",
            "country": self.choices.one([COUNTRIES[index], *COUNTRIES]),
        }
        return self.some(members)

    def link(self, index: int, ids: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        link: dict[str, Any] = {
            "subject": ids["persons"][index % len(ids["persons"])],
            "relation": self.choices.one(["posted", "shared", "advertised"]),
            "type": self.choices.one(["fact", "assessment"]),
            "confidence": self.choices.one(["high", "medium", "low"]),
        }
        for member, collection in (("item", "items"), ("event", "events")):
            if index < len(ids[collection]):
                link[member] = ids[collection][index]
        link["victims"] = list(ids["victims"][index : index + 1])
        return link

    def contact(self, name: str, index: int, ids: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        moment = {"at": AT, "meaning": "sent", "clock": "platform"}
        return {
            "person": ids["persons"][index % len(ids["persons"])],
            "victims": list(ids["victims"][index : index + 1]),
            "platform": f"{self.token(f'{name}-platform')}.example",
            "transcript": self.choices.one(["available", "unavailable"]),
            **self.some(
                {
                    "first": moment,
                    "last": {**moment, "at": LATER},
                    "count": 12,
                    "demands": [self.choices.one(["images", "money", "meeting"])],
                    "medium": "text",
                }
            ),
        }


def full_case(kind: str = "content_report", salt: str = "a") -> Document:
    """Every field of the schema: hosts in BE, FR and US; accounts in BE, FR and of unknown country.

    Entity n belongs to entity n: item2 stands at loc2 (FR), link2 ties person2 to item2, event2 and
    victim2. The third of each has no country (location 3: US).
    """
    return Builder(Everything(), kind, salt).document()


def minimal_case(kind: str = "content_report", salt: str = "a") -> Document:
    """The least that makes sense: content with a hash and a place, a person, a contact, or a child."""
    whole = full_case(kind, salt)
    kept: Document = {"schema": whole["schema"], "synthetic": True}
    kept["case"] = {name: whole["case"][name] for name in ("kind", "origin_channel", "offence_type", "dates")}
    if kind == "content_report":
        item, place = whole["items"]["item1"], whole["locations"]["loc1"]
        kept["items"] = {"item1": {name: item[name] for name in ("found_at", "crypto_hash")}}
        kept["locations"] = {"loc1": {name: place[name] for name in ("url", "country")}}
    elif kind == "danger":
        kept["case"]["urgency"] = "U1"
        kept["victims"] = {"victim1": {"identification": "unknown"}}
    else:
        kept["persons"] = {"person1": {"account": whole["persons"]["person1"]["account"]}}
    if kind == "grooming_or_extortion":
        kept["victims"] = {"victim1": {"identification": "unknown"}}
        contact = whole["contacts"]["contact1"]
        kept["contacts"] = {"contact1": {n: contact[n] for n in ("person", "victims", "platform")}}
    return kept


@st.composite
def cases(draw: st.DrawFn) -> Document:
    """Valid documents of any kind with random members, codes and numbers of entities."""
    kind = draw(st.sampled_from(KINDS))
    return Builder(Drawn(draw), kind, "a").document()


def accepted(document: Document) -> Case:
    """The document through intake."""
    return from_json(copy.deepcopy(document))


def canaries(document: Mapping[str, Any]) -> dict[str, str]:
    """pointer -> free string, for every free-valued leaf of a document or of `Case.data`."""
    return dict(_leaves(document, "", ""))


def _leaves(value: Any, pointer: str, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for member, child in value.items():
            yield from _leaves(child, f"{pointer}/{member}", member)
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _leaves(child, f"{pointer}/{index}", name)
    elif isinstance(value, str) and name in _FREE and len(value) >= 6:
        yield pointer, value


def claims_for(case: Case, analysts: Sequence[str] = ANALYSTS) -> list[Claim]:
    """A claim for each item, person and victim, each with a yes of every analyst."""
    verdicts = tuple(Verdict("human", True, AT, analyst) for analyst in analysts)
    kinds: tuple[tuple[str, ClaimKind], ...] = (
        ("items", "content_illegal"),
        ("persons", "person_linked"),
        ("victims", "child_in_danger"),
    )
    return [
        Claim(f"claim-{local_id}", kind, (local_id,), verdicts)
        for collection, kind in kinds
        for local_id in case.data.get(collection, {})
    ]


def confirmed(document: Document) -> ConfirmedCase:
    """Everything that can be claimed, confirmed by two analysts. Fails on a case with nothing in it."""
    case = accepted(document)
    decision = confirm(case, claims_for(case))
    assert isinstance(decision, Permit), decision
    return decision.value


def urgent_case(document: Document, by: str = ANALYSTS[0]) -> UrgentCase:
    """The same on the urgent path; its urgency becomes U1."""
    document = copy.deepcopy(document)
    document["case"]["urgency"] = "U1"
    case = accepted(document)
    decision = urgent(case, claims_for(case, [by]), reason="live-stream", by=by, reasons=["live-stream"])
    assert isinstance(decision, Permit), decision
    return decision.value
