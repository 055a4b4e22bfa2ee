"""What each of the thirty checks looks at; weights, levels and applicability are data of the pack.

A check answers None (nothing here to check), an empty tuple (passed) or the gaps it found. Document
checks read a referral's facts and entities, whole or minimised: a value that was generalised or
masked is never reported as a gap. Process checks ask how the draft came about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import urlsplit

from broker.spi import Json

Gaps = tuple[str, ...] | None
Entity = Mapping[str, Json]

_SESSION = re.compile(
    r"(^|[?&;])(sid|phpsessid|jsessionid|session(id)?|token|auth|sig|signature)=", re.IGNORECASE
)
_SHORTENERS = frozenset({"bit.ly", "t.co", "tinyurl.com", "goo.gl", "is.gd", "ow.ly", "short.example"})
_URGENT = frozenset({"U1", "U2"})
_REASON_LENGTH = 30
_CONTACT_KINDS = frozenset({"grooming_or_extortion"})


@dataclass(frozen=True, slots=True)
class Document:
    """A referral's content as the checks see it. `at` is None where no clock may be asked."""

    facts: Mapping[str, Entity]
    entities: Mapping[str, Mapping[str, Entity]]
    kind: str
    at: datetime | None = None
    urgent_age: timedelta = timedelta(hours=24)
    age: timedelta = timedelta(hours=72)

    def fact(self, section: str, name: str) -> Json:
        """A case-level value or None."""
        return self.facts.get(section, {}).get(name)

    def each(self, collection: str) -> tuple[Entity, ...]:
        """The entities of a collection, by id."""
        return tuple(entity for _, entity in sorted(self.entities.get(collection, {}).items()))

    @property
    def is_content(self) -> bool:
        """Whether content is what the case is about."""
        return self.kind == "content_report"

    def fresh(self, when: Json) -> bool:
        """Whether an instant is recent enough for this urgency; true where no clock may be asked."""
        if self.at is None or not isinstance(when, str) or len(when) <= len("2026-01-01"):
            return True
        limit = self.urgent_age if self.fact("case", "urgency") in _URGENT else self.age
        return self.at - datetime.fromisoformat(when) <= limit


@dataclass(frozen=True, slots=True)
class Process:
    """How the draft came about; each is the answer to one gate (Q01-Q06, Q28-Q30)."""

    confirmed: bool = True
    urgent: bool = False
    legal_basis: bool = True
    statutory: bool = False
    agreement_in_force: bool = True
    handling_present: bool = True
    handling_compatible: bool = True
    payload_clean: bool = True
    text_cleared: bool = True
    minor_check_done: bool = True
    minor_check_needed: bool = False
    recipients_stated: bool = True
    other_open_referral: bool = False
    language_available: bool = True


def _when(failed: bool, gap: str) -> tuple[str, ...]:
    return (gap,) if failed else ()


def _every(entities: tuple[Entity, ...], holds: Callable[[Entity], bool], gap: str, needed: bool) -> Gaps:
    """All entities must hold; with none there is a gap only where the kind of case needs one."""
    if not entities:
        return (gap,) if needed else None
    return _when(not all(holds(entity) for entity in entities), gap)


def confirmed(p: Process) -> Gaps:
    """Q01: by two people; the urgent path says so in the referral instead."""
    return _when(not (p.confirmed or p.urgent), "not-confirmed")


def lawful(p: Process) -> Gaps:
    """Q02: a statutory route does not hang on an agreement."""
    expired = not p.agreement_in_force and not p.statutory
    return _when(not p.legal_basis, "no-legal-basis") + _when(expired, "agreement-expired")


def handled(p: Process) -> Gaps:
    """Q03."""
    return _when(not p.handling_present, "no-handling") + _when(not p.handling_compatible, "code-conflict")


def clean(p: Process) -> Gaps:
    """Q04."""
    return _when(not p.payload_clean, "forbidden-payload")


def cleared(p: Process) -> Gaps:
    """Q05."""
    return _when(not p.text_cleared, "text-leak")


def minors(p: Process) -> Gaps:
    """Q06: where somebody is reported, somebody looked whether they are minors. U1 does not wait."""
    if not p.minor_check_needed or p.urgent:
        return None
    return _when(not p.minor_check_done, "minor-check-missing")


def url(d: Document) -> Gaps:
    """Q07."""
    return _every(d.each("locations"), lambda e: _exact(e.get("url")), "url-not-exact", d.is_content)


def _exact(value: Json) -> bool:
    if not isinstance(value, str):
        return False
    parts = urlsplit(value)
    return not _SESSION.search(parts.query) and (parts.hostname or "x") not in _SHORTENERS


def online(d: Document) -> Gaps:
    """Q08."""
    return _every(
        d.each("locations"),
        lambda e: "last_check" in e and d.fresh(e["last_check"].get("at")),
        "stale-online-check",
        d.is_content,
    )


def host(d: Document) -> Gaps:
    """Q09."""
    return _every(d.each("locations"), lambda e: _traced(d, e), "no-host-trace", d.is_content)


def _traced(d: Document, entity: Entity) -> bool:
    trace, found = entity.get("trace"), entity.get("host", {})
    return (
        trace is not None and {"ip", "asn"} <= set(found) and "country" in entity and d.fresh(trace.get("at"))
    )


def hashes(d: Document) -> Gaps:
    """Q10."""
    return _every(d.each("items"), lambda e: bool(e.get("crypto_hash")), "no-hash", d.is_content)


def moments(d: Document) -> Gaps:
    """Q11: zone and meaning are required at intake; what can be missing is whose clock it was."""
    found = list(_moments(d))
    if not found:
        return ("timestamp-ambiguous",) if d.is_content else None
    return _when(not all(_clear(moment) for moment in found), "timestamp-ambiguous")


def _moments(d: Document) -> Iterator[Json]:
    for item in d.each("items"):
        seen = item.get("seen")
        yield from seen.values() if isinstance(seen, Mapping) else ()
    for event in d.each("events"):
        if "timestamp" in event:
            yield event["timestamp"]


def _clear(moment: Json) -> bool:
    return not isinstance(moment, Mapping) or moment.get("clock", "unknown") != "unknown"


def ports(d: Document) -> Gaps:
    """Q12."""
    events = tuple(event for event in d.each("events") if "ip" in event)
    return _every(events, lambda e: "port" in e and "timestamp" in e, "ip-without-port-or-tz", False)


def roles(d: Document) -> Gaps:
    """Q13."""
    events = tuple(event for event in d.each("events") if "ip" in event)
    return _every(events, lambda e: e.get("ip_role", "unknown") != "unknown", "ip-role-unknown", False)


def identifier(d: Document) -> Gaps:
    """Q14: one person that legal process can start from is enough."""
    usable = any(_usable(person) for person in d.each("persons"))
    return _when(not usable, "no-suspect-identifier")


def _usable(person: Entity) -> bool:
    contact = person.get("contact", {})
    verified = contact.get("verified", False) and bool({"email", "phone"} & set(contact))
    return "account_id" in person.get("account", {}) or bool(verified)


def jurisdiction(d: Document) -> Gaps:
    """Q15: the pack's gates decide who is competent; here only whether a reason stands there."""
    return _when(not d.fact("case", "jurisdiction_basis"), "wrong-or-unknown-jurisdiction")


def urgency(d: Document) -> Gaps:
    """Q16."""
    reason = d.fact("case", "urgency_reason")
    short = not isinstance(reason, str) or len(reason) < _REASON_LENGTH
    return _when(d.fact("case", "urgency") is None or short, "urgency-unreasoned")


def risk(d: Document) -> Gaps:
    """Q17: "none" is an answer."""
    return _every(d.each("persons"), lambda e: "child_access" in e, "no-risk-indicator", True)


def novelty(d: Document) -> Gaps:
    """Q18."""
    return _every(
        d.each("items"),
        lambda e: e.get("known_status", {}).get("status", "unknown") != "unknown",
        "novelty-unknown",
        d.is_content,
    )


def viewed(d: Document) -> Gaps:
    """Q19."""
    return _every(
        d.each("items"),
        lambda e: {"viewed", "by_org"} <= set(e.get("human_viewed", {})),
        "human-review-unknown",
        d.is_content,
    )


def synthetic(d: Document) -> Gaps:
    """Q20: "unknown" is no answer."""
    answered = ("unknown", None)
    return _every(
        d.each("items"), lambda e: e.get("synthetic_flag") not in answered, "ai-status-unknown", d.is_content
    )


def labelled(d: Document) -> Gaps:
    """Q21: scheme and version are required with every label; a missing label is the gap."""
    return _every(d.each("items"), lambda e: bool(e.get("labels")), "classification-incomplete", d.is_content)


def narrated(d: Document) -> Gaps:
    """Q22: the type is required at intake; the source may be missing."""
    sentences = d.fact("assessment", "narrative")
    if not isinstance(sentences, list | tuple) or not sentences:
        return None
    return _when(any("source" not in sentence for sentence in sentences), "fact-assessment-mixed")


def evaluated(d: Document) -> Gaps:
    """Q23."""
    return _every(d.each("persons"), lambda e: "evaluation" in e, "no-evaluation", True)


def context(d: Document) -> Gaps:
    """Q24: coded contact, or its transcript stated unavailable, for each contact."""
    return _every(
        d.each("contacts"),
        lambda e: {"count", "first", "platform"} <= set(e.get("history", {})),
        "no-context",
        d.kind in _CONTACT_KINDS,
    )


def preserved(d: Document) -> Gaps:
    """Q25."""
    return _when(not d.fact("evidence", "preservation"), "no-preservation")


def custody(d: Document) -> Gaps:
    """Q26: there is a chain, and it says how the content was first taken down."""
    steps = d.fact("evidence", "custody")
    if not steps:
        return ("custody-gap",) if d.is_content else None
    first = min(steps, key=lambda step: datetime.fromisoformat(step["at"]).timestamp())
    return _when(first["action"] not in {"observed", "captured"}, "custody-gap")


def removal(d: Document) -> Gaps:
    """Q27: "not requested" is an answer."""
    return _when(not d.fact("actions", "removal"), "removal-state-unknown")


def stated(p: Process) -> Gaps:
    """Q28."""
    return _when(not p.recipients_stated, "no-deconfliction")


def single(p: Process) -> Gaps:
    """Q29."""
    return _when(p.other_open_referral, "duplicate")


def language(p: Process) -> Gaps:
    """Q30."""
    return _when(not p.language_available, "language")


DOCUMENT: Mapping[str, Callable[[Document], Gaps]] = MappingProxyType(
    {
        "Q07": url, "Q08": online, "Q09": host, "Q10": hashes, "Q11": moments, "Q12": ports,
        "Q13": roles, "Q14": identifier, "Q15": jurisdiction, "Q16": urgency, "Q17": risk,
        "Q18": novelty, "Q19": viewed, "Q20": synthetic, "Q21": labelled, "Q22": narrated,
        "Q23": evaluated, "Q24": context, "Q25": preserved, "Q26": custody, "Q27": removal,
    }
)  # fmt: skip
"""Checks that read the referral alone."""

PROCESS: Mapping[str, Callable[[Process], Gaps]] = MappingProxyType(
    {
        "Q01": confirmed, "Q02": lawful, "Q03": handled, "Q04": clean, "Q05": cleared, "Q06": minors,
        "Q28": stated, "Q29": single, "Q30": language,
    }
)  # fmt: skip
"""Checks that ask the process; never named outward."""
