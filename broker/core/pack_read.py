"""Read the files of a pack into typed values; every broken rule says which file, where and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Any, TypeVar

from broker.core.pack_types import (
    CHECK_IDS,
    COMPETENCES,
    CONDITIONS,
    KINDS,
    ROLES,
    Alternative,
    CheckRule,
    Clock,
    Desk,
    FieldRule,
    HandlingDefault,
    Keeping,
    Purpose,
    RouteRule,
    Routes,
    StatutePeriod,
    Statutes,
    Statutory,
    Texts,
    UrgentDesk,
)
from broker.errors import Misconfigured
from broker.spi import Json

T = TypeVar("T")


def broken(file: str, place: str, rule: str) -> Misconfigured:
    """The error every broken pack ends in."""
    return Misconfigured(
        "pack-broken", f"{file}.json{place}: {rule}", hint="correct the pack and start again"
    )


class Reader:
    """Typed access to the parsed files."""

    def __init__(self, documents: Mapping[str, Json]) -> None:
        self._documents = documents

    def _at(self, file: str, *path: str, kind: type[T]) -> T:
        value: Any = self._documents[file]
        for name in path:
            if not isinstance(value, dict) or name not in value:
                raise broken(file, "/" + "/".join(path), "is missing")
            value = value[name]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise broken(file, "/" + "/".join(path), f"must be of type {kind.__name__}")
        return value

    def _each(self, file: str, name: str, build: Callable[[Any], T]) -> list[T]:
        """Build a value from each entry of a list; a wrong shape names the entry."""
        built = []
        for index, entry in enumerate(self._at(file, name, kind=list)):
            try:
                built.append(build(entry))
            except (KeyError, TypeError, ValueError, AttributeError):
                raise broken(file, f"/{name}/{index}", "does not have the required shape") from None
        return built

    def _map(self, file: str, name: str, build: Callable[[str, Any], T]) -> Mapping[str, T]:
        built = {}
        for key, entry in self._at(file, name, kind=dict).items():
            try:
                built[key] = build(key, entry)
            except (KeyError, TypeError, ValueError, AttributeError):
                raise broken(file, f"/{name}/{key}", "does not have the required shape") from None
        return MappingProxyType(built)

    def _words(self, file: str, name: str, known: frozenset[str], what: str) -> frozenset[str]:
        words = frozenset(self._at(file, name, kind=list))
        if not words <= known:
            raise broken(file, f"/{name}", f"an unknown {what}")
        return words

    def _languages(self) -> tuple[str, ...]:
        return _strings(self._at("pack", "languages", kind=list))

    def _text_map(self, file: str, name: str) -> Mapping[str, Texts]:
        wanted = set(self._languages())

        def texts(key: str, value: Any) -> Texts:
            if not set(value) >= wanted or not all(isinstance(t, str) and t for t in value.values()):
                raise broken(file, f"/{name}/{key}", "needs a text in every language of the pack")
            return MappingProxyType(dict(value))

        return self._map(file, name, texts)

    def head(self) -> dict[str, Any]:
        """Who and where."""
        roles = self._map("pack", "roles", lambda _key, value: str(value))
        if not set(roles) <= ROLES or len(set(roles.values())) != len(roles):
            raise broken("pack", "/roles", "an unknown role, or one class with two roles")
        desk = self._at("pack", "desk", kind=dict)
        urgent = self._at("pack", "urgent_desk", kind=dict)
        statutory = self._at("pack", "statutory", kind=dict)
        try:
            return {
                "country": self._at("pack", "country", kind=str),
                "version": self._at("pack", "version", kind=str),
                "timezone": self._at("pack", "timezone", kind=str),
                "languages": self._languages(),
                "roles": roles,
                "desk": Desk(**{**desk, "languages": _strings(desk["languages"])}),
                "urgent_desk": UrgentDesk(**urgent),
                "statutory": Statutory(
                    frozenset(statutory["classes"]),
                    _strings(statutory["purposes"]),
                    frozenset(statutory["c_fields_under"]),
                ),
            }
        except (KeyError, TypeError):
            raise broken("pack", "", "desk, urgent_desk or statutory has the wrong shape") from None

    def minor_group(self) -> str:
        """The group in which C is justified where the minor rule turns F into C."""
        return self._at("pack", "minor_rule_group", kind=str)

    def fields(self) -> Mapping[str, FieldRule]:
        """The matrix."""
        rules = self._each("fields", "fields", _field)
        if len({rule.id for rule in rules}) != len(rules):
            raise broken("fields", "/fields", "a field id occurs twice")
        return MappingProxyType({rule.id: rule for rule in rules})

    def matrix_parts(self) -> dict[str, Any]:
        """The rest of fields.json, and the row competence as codes (pack.json)."""

        def competence(_key: str, value: Any) -> tuple[str, ...]:
            if not set(value) <= COMPETENCES:
                raise ValueError("unknown competence")
            return _strings(value)

        pairs = self._at("fields", "pairs", "list", kind=list)
        known = {str(entry.get("id")) for entry in self._at("fields", "fields", kind=list)}
        purposes = self._map("fields", "purposes", _purpose)
        core = frozenset(self._at("fields", "core", "fields", kind=list))
        if not core.union(*(p.fields for p in purposes.values())) <= known:
            raise broken("fields", "/purposes", "core or a purpose names a field that is not there")
        return {
            "core": core,
            "purposes": purposes,
            "pairs": frozenset((str(a), str(b)) for a, b in pairs),
            "competence": self._map("pack", "competence", competence),
            "coarse": self._map("fields", "coarse", lambda _key, value: str(value)),
            "actions": MappingProxyType(self._at("fields", "legend", "actions", kind=dict)),
        }

    def rules(self) -> dict[str, Any]:
        """Routes, statutes, clocks, retention, checks."""
        return {
            "routes": self._routes(),
            "inhope": frozenset(_strings(self._at("inhope", "countries", kind=list))),
            "inhope_as_of": date.fromisoformat(self._at("inhope", "as_of", kind=str)),
            "statutes": self._statutes(),
            "clocks": self._map("clocks", "clocks", _clock),
            "holidays": frozenset(self._each("clocks", "holidays", date.fromisoformat)),
            "retention": self._map("retention", "keep", _keeping),
            "checks": self._checks(),
        }

    def texts(self) -> dict[str, Any]:
        """Codes that people see, with their words."""
        return {
            "gap_texts": self._text_map("checks", "gaps"),
            "conditions": self._text_map("conditions", "texts"),
            "handling": self._map("handling", "defaults", _handling),
            "grounds": self._map("grounds", "c_groups", lambda _key, value: _strings(value)),
            "ground_texts": self._text_map("grounds", "texts"),
            "ground_free_text": frozenset(self._at("grounds", "free_text_fields", kind=list)),
            "vital_interest": frozenset(self._at("grounds", "vital_interest_fields", kind=list)),
            "read_grounds": self._text_map("grounds", "read"),
            "urgent_reasons": self._text_map("grounds", "urgent"),
            "formats": self._map("formats", "formats", _format),
        }

    def _routes(self) -> Routes:
        text = "routes"
        return Routes(
            rules=tuple(self._each(text, "rules", _route_rule)),
            alternatives=tuple(self._each(text, "alternatives", _alternative)),
            carriers=self._map(text, "carriers", lambda _key, value: str(value)),
            content_locators=frozenset(self._at(text, "content_locators", kind=list)),
            content_roles=self._words(text, "content_roles", ROLES, "role"),
            prosecutor_systems=frozenset(self._at(text, "prosecutor_systems", kind=list)),
            notices_opened=self._map(text, "notices_opened", lambda _key, value: str(value["clause"])),
            partner_states=frozenset(self._at(text, "partner_states", kind=list)),
            listed_countries=frozenset(self._at(text, "listed_providers", "countries", kind=list)),
            listed_services=frozenset(self._at(text, "listed_providers", "services", kind=list)),
        )

    def _statutes(self) -> Statutes:
        periods = tuple(self._each("statutes", "periods", _period))
        for before, after in pairwise(periods):
            if before.end != after.start:
                raise broken("statutes", "/periods", "the periods leave a gap or overlap")
        if len(periods) < 2 or periods[-1].end is not None:
            raise broken("statutes", "/periods", "two periods at least, the last one open")
        offences = self._map("statutes", "offences", lambda _key, value: _strings(value))
        return Statutes(periods, periods[-1].start, offences)

    def _checks(self) -> Mapping[str, CheckRule]:
        checks = {check.id: check for check in self._each("checks", "checks", _check)}
        if tuple(checks) != CHECK_IDS:
            raise broken("checks", "/checks", "must list Q01 to Q30 once each, in order")
        return MappingProxyType(checks)


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise TypeError("a list of strings")
    return tuple(value)


def _field(entry: Any) -> FieldRule:
    return FieldRule(
        id=entry["id"],
        name=entry["field"],
        dsc=entry["dsc"],
        fact=entry["fact"],
        sens=entry["sens"],
        free_text=entry.get("free_text", False),
        may_identify=entry.get("may_identify", False),
        c_group=entry.get("c_group"),
        actions=MappingProxyType(dict(entry["actions"])),
    )


def _purpose(key: str, entry: Any) -> Purpose:
    if "column" in entry or isinstance(entry["fields"], str):
        # "the STA column": the one purpose text of the matrix that stands for a list
        column = entry.get("column") or entry["fields"].split()[1]
        return Purpose(key, entry["name"], frozenset(), column)
    return Purpose(key, entry["name"], frozenset(_strings(entry["fields"])), None)


def _route_rule(entry: Any) -> RouteRule:
    rule = RouteRule(
        entry["id"],
        _strings(entry["when"]),
        entry["to"],
        entry.get("per", "case"),
        _strings(entry["purposes"]),
        entry["reason"],
    )
    if not rule.when or not set(rule.when) <= CONDITIONS or rule.to not in ROLES:
        raise ValueError("an unknown condition or role")
    if rule.per not in {"case", "host_country", "lead_country", "provider"}:
        raise ValueError("an unknown unit")
    return rule


def _alternative(entry: Any) -> Alternative:
    found = Alternative(entry["default"], entry["instead"], _strings(entry["when"]))
    if not set(found.when) <= CONDITIONS or not {found.default, found.instead} <= ROLES:
        raise ValueError("an unknown condition or role")
    return found


def _period(entry: Any) -> StatutePeriod:
    end = entry.get("end")
    return StatutePeriod(
        entry["statute"],
        date.fromisoformat(entry["start"]),
        None if end is None else date.fromisoformat(end),
        MappingProxyType({str(key): str(value) for key, value in entry["articles"].items()}),
    )


def _span(entry: Any) -> timedelta:
    return timedelta(days=entry.get("days", 0), hours=entry.get("hours", 0), minutes=entry.get("minutes", 0))


def _clock(key: str, entry: Any) -> Clock:
    clock = Clock(key, _span(entry), entry.get("working_days", 0), entry["law"], entry["source"])
    if (clock.span <= timedelta(0)) == (clock.working_days <= 0):
        raise ValueError("a clock runs a span or working days")
    return clock


def _keeping(key: str, entry: Any) -> Keeping:
    return Keeping(key, _span(entry), entry["starts"], entry["hold_stops"])


def _check(entry: Any) -> CheckRule:
    check = CheckRule(
        entry["id"],
        entry["weight"],
        entry["level"],
        entry["scope"],
        frozenset(_strings(entry["classes"])),
        frozenset(_strings(entry["kinds"])),
        frozenset(_strings(entry["inputs"])),
        _strings(entry["gaps"]),
    )
    if check.level not in {"block", "warn"} or check.scope not in {"document", "process"}:
        raise ValueError("an unknown level or scope")
    if not check.kinds <= set(KINDS) or (check.weight > 0) != (check.level == "warn") or not check.gaps:
        raise ValueError("an unknown kind, or a weight that does not fit")
    return check


def _format(_key: str, entry: Any) -> tuple[str, ...]:
    names = _strings(entry)
    if len(set(names)) != len(names) or not all(names):
        raise ValueError("an adapter is named twice, or not at all")
    return names


def _handling(_key: str, entry: Any) -> HandlingDefault:
    default = HandlingDefault(
        _strings(entry["europol"]), entry["tlp"], entry["pap"], entry["status"], _strings(entry["conditions"])
    )
    if default.status not in {"proposed", "set"}:
        raise ValueError("an unknown status")
    return default
