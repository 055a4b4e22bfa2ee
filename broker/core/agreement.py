"""A partner's agreement: an immutable JSON body, compiled into what narrows a release.

The body has the 14 items that art. 20 of the Belgian act of 30 July 2018 asks of a protocol. It can only
narrow the class matrix, in rows and fields: there is no member by which it could add anything, and one
that is not known is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from broker.core import canonical
from broker.core.fields import COLLECTIONS, FIELD_IDS
from broker.errors import Issue, Refused
from broker.spi import Json

SCHEMA = "broker-agreement/1"
ALWAYS_TRAVEL = frozenset({"F67", "F68", "F71", "F72"})
"""Handling, legal basis, reference and desk: a referral without them may not be made."""
CATEGORIES = frozenset({"S", "V", "R", "T", "N"})
MAX_DAYS = 3660


@dataclass(frozen=True, slots=True)
class AgreementTerms:
    """What an agreement version allows. `digest` is the SHA-256 (hex) of the canonical body."""

    partner: str
    version: int
    digest: str
    recipient_class: str
    purposes: frozenset[str]
    legal_bases: Mapping[str, Mapping[str, str]]
    """purpose → data-subject category → recorded legal basis (REQ-03)."""
    transfer_mechanism: str | None
    categories: frozenset[str]
    """Data-subject categories that may go at all; `N` always may."""
    jurisdictions: frozenset[str]
    """Countries the recipient's competence is narrowed to; empty: not narrowed."""
    handling_ceiling: tuple[str, ...]
    fields_removed: frozenset[str]
    rows_removed: frozenset[str]
    """Collections that never go."""
    grounds: Mapping[str, frozenset[str]]
    """C group → coded grounds that count (ruling 8)."""
    retrieval_window_days: int
    onward_rule: str
    valid_from: date
    valid_to: date

    def in_force(self, day: date) -> bool:
        """Both days included."""
        return self.valid_from <= day <= self.valid_to


def digest(body: Mapping[str, Json]) -> str:
    """Names exactly this body."""
    return canonical.sha256_hex(canonical.encode(body))


def compile(body: Mapping[str, Json]) -> AgreementTerms:
    """Check and compile a body. Raises `Refused` (`agreement-refused`) with every broken rule."""
    issues = [*_unknown(body), *_missing_items(body), *_broken(body)]
    if issues:
        raise Refused(
            "agreement-refused",
            f"the agreement was not taken: {len(issues)} rule(s) broken",
            tuple(issues),
            hint="correct the members named; an agreement can only narrow what its class may get",
        )
    period, communication = body["duration"], body["communication"]
    return AgreementTerms(
        partner=body["partner"],
        version=body["version"],
        digest=digest(body),
        recipient_class=body["recipient_class"],
        purposes=frozenset(body["purposes"]),
        legal_bases=_bases(body),
        transfer_mechanism=(body["transfer"] or {}).get("mechanism"),
        categories=frozenset(body["data"]["categories"]) | {"N"},
        jurisdictions=frozenset(body["data"]["jurisdictions"]),
        handling_ceiling=tuple(body["proportionality"]["handling_ceiling"]),
        fields_removed=frozenset(body["data"]["fields_removed"]),
        rows_removed=frozenset(body["data"]["rows_removed"]),
        grounds=MappingProxyType(
            {group: frozenset(codes) for group, codes in body["proportionality"]["grounds"].items()}
        ),
        retrieval_window_days=communication["retrieval_window_days"],
        onward_rule=body["proportionality"]["onward_rule"],
        valid_from=date.fromisoformat(period["valid_from"]),
        valid_to=date.fromisoformat(period["valid_to"]),
    )


def _bases(body: Mapping[str, Json]) -> Mapping[str, Mapping[str, str]]:
    bases: dict[str, dict[str, str]] = {}
    for entry in body["legal_bases"]:
        bases.setdefault(entry["purpose"], {}).update(dict.fromkeys(entry["categories"], entry["basis"]))
    return MappingProxyType({purpose: MappingProxyType(by) for purpose, by in bases.items()})


Check = Callable[[Json], bool]


def _text(value: Json) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _texts(value: Json) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _some_texts(value: Json) -> bool:
    return _texts(value) and bool(value)


def _within(known: frozenset[str]) -> Check:
    return lambda value: _texts(value) and set(value) <= known


def _matching(pattern: str) -> Check:
    form = re.compile(pattern)
    return lambda value: isinstance(value, str) and form.fullmatch(value) is not None


def _each_matching(pattern: str) -> Check:
    one = _matching(pattern)
    return lambda value: isinstance(value, list) and all(map(one, value))


def _whole(low: int, high: int) -> Check:
    return lambda value: type(value) is int and low <= value <= high


def _day(value: Json) -> bool:
    try:
        day = date.fromisoformat(value)
        return day.isoformat() == value and 1 < day.year < 9999
    except (TypeError, ValueError):
        return False


def _dpos(value: Json) -> bool:
    members = {"party", "contact", "opinion"}
    return isinstance(value, list) and bool(value) and all(_object(v, members, _text) for v in value)


def _object(value: Json, members: set[str], each: Check) -> bool:
    return isinstance(value, dict) and set(value) == members and all(map(each, value.values()))


def _legal_bases(value: Json) -> bool:
    known = _within(CATEGORIES)
    return isinstance(value, list) and all(
        isinstance(v, dict)
        and set(v) == {"purpose", "categories", "basis"}
        and _text(v["purpose"])
        and known(v["categories"])
        and _text(v["basis"])
        for v in value
    )


def _transfer(value: Json) -> bool:
    return value is None or _object(value, {"mechanism", "assessment"}, _text)


def _grounds(value: Json) -> bool:
    return isinstance(value, dict) and all(_texts(codes) for codes in value.values())


_FIELDS = frozenset(FIELD_IDS) - ALWAYS_TRAVEL
_RULES: Mapping[str, tuple[Check, str]] = MappingProxyType(
    {
        "/schema": (lambda value: value == SCHEMA, f"must be {SCHEMA}"),
        "/version": (_whole(1, 1_000_000), "must be a whole number from 1"),
        "/partner": (_text, "must name the partner"),
        "/recipient_class": (_matching(r"[A-Z]{3}"), "must be a recipient class"),
        # 1-3: parties, controllers, data protection officers with their opinions
        "/parties": (_some_texts, "must name the parties"),
        "/controllers": (_some_texts, "must name the controllers"),
        "/dpos": (_dpos, "needs party, contact and the opinion's document for each officer"),
        # 4-7: purposes, data, recipients, legal basis
        "/purposes": (lambda v: _each_matching(r"P[1-9]")(v) and bool(v), "must list purposes P1 to P9"),
        "/data/categories": (_within(CATEGORIES), "must list categories out of S V R T N"),
        "/data/format": (_text, "must name the format"),
        "/data/jurisdictions": (_each_matching(r"[A-Z]{2}"), "must list country codes"),
        "/data/fields_removed": (_within(_FIELDS), "must list fields; F67, F68, F71 and F72 always travel"),
        "/data/rows_removed": (_within(frozenset(COLLECTIONS)), "must list collections of the case"),
        "/recipient_categories": (_some_texts, "must list who receives"),
        "/legal_bases": (_legal_bases, "needs purpose, categories and basis in each entry"),
        # 8-9: communication, proportionality
        "/communication/method": (_text, "must say how it is communicated"),
        "/communication/retrieval_window_days": (_whole(1, MAX_DAYS), "must be a number of days"),
        "/proportionality/measures": (_text, "must describe the measures"),
        "/proportionality/grounds": (_grounds, "must map groups to coded grounds"),
        "/proportionality/handling_ceiling": (_texts, "must list handling codes"),
        "/proportionality/onward_rule": (
            lambda value: value in ("none", "ask", "own_authorities"),
            "must be none, ask or own_authorities",
        ),
        # 10-14: restrictions on rights, how rights are used, periodicity, duration, sanctions
        "/restrictions_on_rights": (_text, "must be stated"),
        "/rights_modalities": (_text, "must be stated"),
        "/periodicity": (_text, "must be stated"),
        "/duration/valid_from": (_day, "must be a date"),
        "/duration/valid_to": (_day, "must be a date"),
        "/sanctions": (_text, "must be stated"),
        "/transfer": (_transfer, "must be null, or mechanism and assessment"),
    }
)
ITEMS = tuple(sorted({path.split("/")[1] for path in _RULES}))
"""Top-level members of a body."""


def _unknown(body: Mapping[str, Json]) -> list[Issue]:
    """A member that is not known could be an attempt to widen: refused, never ignored."""
    issues = []
    for name in sorted(set(body) - set(ITEMS)):
        safe = name if re.fullmatch(r"[a-z_]{1,40}", name) else "(member)"
        issues.append(Issue(f"/{safe}", "unknown-member", "an agreement has no such member"))
    for parent in sorted({path.split("/")[1] for path in _RULES if path.count("/") == 2}):
        known = {path.split("/")[2] for path in _RULES if path.startswith(f"/{parent}/")}
        inner = body.get(parent)
        if isinstance(inner, dict) and set(inner) - known:
            issues.append(Issue(f"/{parent}", "unknown-member", "has a member that is not known"))
    return issues


def _missing_items(body: Mapping[str, Json]) -> list[Issue]:
    return [Issue(f"/{name}", "required", "is required") for name in ITEMS if name not in body]


def _broken(body: Mapping[str, Json]) -> list[Issue]:
    issues = []
    for path, (holds, detail) in _RULES.items():
        value: Json = body
        for name in path[1:].split("/"):
            value = value.get(name, ...) if isinstance(value, dict) else ...
        if value is ... and path.split("/")[1] not in body:
            continue  # already reported as missing
        if value is ... or not holds(value):
            issues.append(Issue(path, "form", detail))
    if not issues and body.get("duration") and body["duration"]["valid_to"] < body["duration"]["valid_from"]:
        issues.append(Issue("/duration/valid_to", "order", "lies before the first day"))
    return issues
