"""Load a country pack: the matrix, routes, statutes, clocks, checks and texts of one country.

A pack is a folder of JSON files. It is parsed strictly, checked against the vocabularies of
`pack_types`, and frozen; `digest` names exactly what was loaded. Another country is another folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from broker import packs
from broker.core import canonical
from broker.core.fields import FIELD_IDS, MINOR_RULE
from broker.core.pack_read import Reader, broken
from broker.core.pack_types import (
    CheckRule,
    Clock,
    Desk,
    FieldRule,
    HandlingDefault,
    Keeping,
    Purpose,
    Routes,
    Statutes,
    Statutory,
    Texts,
    UrgentDesk,
)
from broker.errors import Refused
from broker.spi import Json

FILES = (
    "checks",
    "clocks",
    "conditions",
    "fields",
    "formats",
    "grounds",
    "handling",
    "inhope",
    "pack",
    "retention",
    "routes",
    "statutes",
)
MAX_BYTES = 512 * 1024


@dataclass(frozen=True)
class Pack:
    """One country's rules. `digest` covers every file, `matrix_digest` the matrix alone (hex)."""

    name: str
    country: str
    version: str
    timezone: str
    languages: tuple[str, ...]
    digest: str
    matrix_digest: str
    roles: Mapping[str, str]
    """role → recipient class."""
    fields: Mapping[str, FieldRule]
    core: frozenset[str]
    purposes: Mapping[str, Purpose]
    pairs: frozenset[tuple[str, str]]
    """(recipient class, purpose) pairs that may be released."""
    competence: Mapping[str, tuple[str, ...]]
    """recipient class → reasons of competence for its rows."""
    statutory: Statutory
    coarse: Mapping[str, str]
    actions: Mapping[str, str]
    c_groups: Mapping[str, str]
    """field → group in which action C is justified, also for the fields of the minor rule."""
    routes: Routes
    inhope: frozenset[str]
    inhope_as_of: date
    statutes: Statutes
    clocks: Mapping[str, Clock]
    holidays: frozenset[date]
    retention: Mapping[str, Keeping]
    checks: Mapping[str, CheckRule]
    gap_texts: Mapping[str, Texts]
    conditions: Mapping[str, Texts]
    handling: Mapping[str, HandlingDefault]
    formats: Mapping[str, tuple[str, ...]]  # recipient class → adapters that render for it, in order
    grounds: Mapping[str, tuple[str, ...]]
    """C group → coded grounds that may be given for it."""
    ground_texts: Mapping[str, Texts]
    ground_free_text: frozenset[str]
    """Fields whose ground may carry free text (ruling 8)."""
    vital_interest: frozenset[str]
    """Fields that may go without consent where the reporter is the child at risk (ruling 3)."""
    read_grounds: Mapping[str, Texts]
    urgent_reasons: Mapping[str, Texts]
    desk: Desk
    urgent_desk: UrgentDesk

    @cached_property
    def matrix(self) -> Mapping[str, Mapping[str, str]]:
        """field → recipient class → action."""
        return {field_id: rule.actions for field_id, rule in self.fields.items()}

    @cached_property
    def classes(self) -> Mapping[str, str]:
        """recipient class → role."""
        return {recipient_class: role for role, recipient_class in self.roles.items()}

    def action(self, field_id: str, recipient_class: str) -> str:
        """The matrix; what has no row or no column is dropped."""
        rule = self.fields.get(field_id)
        return "-" if rule is None else rule.actions.get(recipient_class, "-")

    def role(self, recipient_class: str) -> str | None:
        """What this class is to the operator, or None for a class the pack does not know."""
        return self.classes.get(recipient_class)

    def is_statutory(self, recipient_class: str) -> bool:
        """Whether the route rests on statute and so does not hang on an agreement (ruling 5)."""
        return recipient_class in self.statutory.classes

    def purpose_fields(self, purposes: tuple[str, ...]) -> frozenset[str]:
        """core ∪ purposes. A purpose that names a column adds what that column does not drop."""
        wanted = set(self.core)
        for name in purposes:
            purpose = self.purposes[name]
            wanted |= purpose.fields
            if purpose.column is not None:
                wanted |= {f for f in self.fields if self.action(f, purpose.column) != "-"}
        return frozenset(wanted)

    def due(self, clock: str, start: datetime) -> datetime:
        """When `clock` runs out; working days are those of the operator's country."""
        rule = self.clocks[clock]
        if not rule.working_days:
            return start + rule.span
        local = start.astimezone(ZoneInfo(self.timezone))
        day, left = local.date(), rule.working_days
        while left:
            day += timedelta(days=1)
            left -= day.weekday() < 5 and day not in self.holidays
        moved = datetime.combine(day, time(local.hour, local.minute, local.second), local.tzinfo)
        return moved.astimezone(start.tzinfo)

    def with_switch(self, switch: date) -> Pack:
        """The same pack with another date for the last change of statutes; the digest says so."""
        last, before = self.statutes.periods[-1], self.statutes.periods[-2]
        if before.start >= switch:
            raise broken("statutes", "/switch", "the switch date lies before the period it ends")
        periods = (*self.statutes.periods[:-2], replace(before, end=switch), replace(last, start=switch))
        statutes = replace(self.statutes, periods=periods, switch=switch)
        mark = canonical.encode({"pack": self.digest, "switch": switch.isoformat()})
        return replace(self, statutes=statutes, digest=canonical.sha256_hex(mark))


def load_pack(where: Path | str) -> Pack:
    """Load a pack from a folder, or by name one that is shipped (`be`).

    Raises `Misconfigured` (code `pack-broken`) with file, place and rule.
    """
    folder = where if isinstance(where, Path) else _shipped(where)
    documents = {name: _read(folder, name) for name in FILES}
    reader = Reader(documents)
    pack = _build(reader, folder.name, documents)
    _cross_check(pack)
    return pack


def _shipped(name: str) -> Path:
    if not name.isidentifier():
        raise broken("pack", "", "a shipped pack is named by a plain word; give a path for another")
    return Path(packs.__file__).parent / name


def _read(folder: Path, name: str) -> Json:
    try:
        raw = (folder / f"{name}.json").read_bytes()
    except OSError:
        raise broken(name, "", "the file is missing or cannot be read") from None
    try:
        document = canonical.decode(raw, max_bytes=MAX_BYTES)
    except Refused as error:
        place = error.issues[0].field if error.issues else ""
        raise broken(name, place, error.message) from None
    if not isinstance(document, dict):
        raise broken(name, "", "must be an object")
    return document


def _build(reader: Reader, name: str, documents: Mapping[str, Json]) -> Pack:
    head = reader.head()
    fields = reader.fields()
    return Pack(
        name=name,
        digest=canonical.sha256_hex(canonical.encode(dict(documents))),
        matrix_digest=canonical.sha256_hex(canonical.encode(documents["fields"])),
        fields=fields,
        c_groups=_c_groups(fields, reader.minor_group()),
        **head,
        **reader.matrix_parts(),
        **reader.rules(),
        **reader.texts(),
    )


def _c_groups(fields: Mapping[str, FieldRule], minor_group: str) -> Mapping[str, str]:
    groups = {f: rule.c_group for f, rule in fields.items() if rule.c_group is not None}
    return {**dict.fromkeys(MINOR_RULE, minor_group), **groups}


def _cross_check(pack: Pack) -> None:
    """What no single file can show: the files speak of the same fields, classes and purposes."""
    classes = set(pack.roles.values())
    if set(pack.fields) != set(FIELD_IDS):
        raise broken("fields", "/fields", "the matrix does not have exactly the fields of the schema")
    for rule in pack.fields.values():
        if set(rule.actions) != classes:
            raise broken("fields", f"/fields/{rule.id}", "a field needs one action for each class")
        if not set(rule.actions.values()) <= set(pack.actions):
            raise broken("fields", f"/fields/{rule.id}", "an action that the legend does not have")
        if "C" in rule.actions.values() and rule.c_group not in pack.grounds:
            raise broken("fields", f"/fields/{rule.id}", "action C without a group that has grounds")
    for recipient_class, purpose in pack.pairs:
        if recipient_class not in classes or purpose not in pack.purposes:
            raise broken("fields", "/pairs", "a pair of an unknown class or purpose")
    _check_routes(pack)
    for check in pack.checks.values():
        if not check.classes <= classes or not check.inputs <= set(pack.fields):
            raise broken("checks", f"/checks/{check.id}", "an unknown class or field")
        if not set(check.gaps) <= set(pack.gap_texts):
            raise broken("checks", f"/checks/{check.id}", "a gap without a text")
    _check_output(pack, classes)


def _check_output(pack: Pack, classes: set[str]) -> None:
    for recipient_class, default in pack.handling.items():
        if recipient_class not in classes or not set(default.conditions) <= set(pack.conditions):
            raise broken("handling", f"/{recipient_class}", "an unknown class or condition")
    if set(pack.formats) != classes:
        raise broken("formats", "/formats", "must have exactly the classes of the pack")


def _check_routes(pack: Pack) -> None:
    for rule in pack.routes.rules:
        recipient_class = pack.roles.get(rule.to)
        for purpose in rule.purposes:
            if (recipient_class, purpose) not in pack.pairs:
                raise broken("routes", f"/rules/{rule.id}", "proposes a pair that the matrix does not have")
    if "domestic_police" not in pack.roles:
        raise broken("pack", "/roles", "every pack has the role domestic_police")
    if not pack.statutory.classes <= set(pack.roles.values()):
        raise broken("pack", "/statutory", "an unknown class")
