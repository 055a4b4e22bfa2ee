"""The shapes of a country pack: what a country decides, as frozen values (loaded by `pack`).

Everything that differs between countries is data of these types. What may not differ (where a field
stands, what a condition or a check means) is code, and the vocabularies below tie the two: a pack
that uses a word the code does not know is refused when it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Texts = Mapping[str, str]
"""language → text."""

ROLES = frozenset(
    {
        "domestic_police",
        "prosecutor",
        "foreign_police",
        "hotline",
        "europol",
        "interpol",
        "clearing_house",
        "provider",
        "statistics",
        "oversight",
    }
)
"""What a recipient class is to the operator. Code speaks of roles, packs name the classes."""

CONDITIONS = frozenset(
    {
        "hosted_in_operator_country",
        "hosted_in_inhope_country",
        "hosted_elsewhere",
        "host_unknown",
        "no_inhope_host",
        "person_or_victim_lead",
        "identifiable_person",
        "child_in_danger",
        "not_child_in_danger",
        "lead_without_content",
        "lead_in_partner_state",
        "cross_border_lead",
        "victim_unidentified",
        "clearing_house_provider",
        "provider_known",
        "prosecutor_file",
    }
)
"""What a rule of the routing table may ask (implemented in `routing`)."""

COMPETENCES = frozenset(
    {
        "everything",
        "hosted_in_country",
        "items_there",
        "event_in_country",
        "account_in_country",
        "victim_in_country",
        "cross_border_person",
        "unidentified_victim",
        "listed_provider",
        "own_service",
        "linked",
    }
)
"""Reasons of competence by which rows are selected (implemented in `rows`)."""

KINDS = ("content_report", "person_lead", "grooming_or_extortion", "danger")
CHECK_IDS = tuple(f"Q{number:02d}" for number in range(1, 31))
Per = Literal["case", "host_country", "lead_country", "provider"]


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One of the 84 fields with its row of the matrix. `dsc` is the data-subject category."""

    id: str
    name: str
    dsc: str
    fact: str
    sens: int
    free_text: bool
    may_identify: bool
    c_group: str | None
    actions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Purpose:
    """A purpose of a referral: either a list of fields, or the whole column of one class."""

    id: str
    name: str
    fields: frozenset[str]
    column: str | None


@dataclass(frozen=True, slots=True)
class Statutory:
    """What recipients by statute get when no agreement is in force (ruling 5)."""

    classes: frozenset[str]
    purposes: tuple[str, ...]
    c_fields_under: frozenset[str]
    """Urgencies under which a C field may go on this route all the same."""


@dataclass(frozen=True, slots=True)
class RouteRule:
    """A row of the routing table: where all conditions hold, propose a role for these purposes."""

    id: str
    when: tuple[str, ...]
    to: str
    per: Per
    purposes: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """Of two roles one only: `default`, or `instead` where all of `when` hold (ruling 16)."""

    default: str
    instead: str
    when: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Routes:
    """The routing table and its gates."""

    rules: tuple[RouteRule, ...]
    alternatives: tuple[Alternative, ...]
    carriers: Mapping[str, str]
    """role → role that carries for it unless the partner has a direct channel (ruling 10)."""
    content_locators: frozenset[str]
    """Fields that stop when the recognition lapses."""
    content_roles: frozenset[str]
    """Roles that exist for content alone: refused whole when the recognition lapses."""
    prosecutor_systems: frozenset[str]
    """Systems of F09 that show a file at the prosecutor's."""
    notices_opened: Mapping[str, str]
    """host country → id of the clause that opened provider notices there (ruling 11)."""
    partner_states: frozenset[str]
    """Countries whose police are reached as foreign police."""
    listed_countries: frozenset[str]
    """Countries of the clearing house's providers."""
    listed_services: frozenset[str]
    """Services of the clearing house's providers, lower case."""


@dataclass(frozen=True, slots=True)
class StatutePeriod:
    """A statute in force for offences from `start` (inclusive) to `end` (exclusive)."""

    statute: str
    start: date
    end: date | None
    articles: Mapping[str, str]
    """subject (definition, dissemination, …) → article."""


@dataclass(frozen=True, slots=True)
class Statutes:
    """Statutes by offence date; the border between the last two periods is `switch`."""

    periods: tuple[StatutePeriod, ...]
    switch: date
    offences: Mapping[str, tuple[str, ...]]
    """offence type (F03) → subjects."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A time limit. `law` tells a legal deadline from a policy of the house."""

    id: str
    span: timedelta
    working_days: int
    law: bool
    source: str


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long something is kept, and from when."""

    id: str
    span: timedelta
    starts: str
    hold_stops: bool


@dataclass(frozen=True, slots=True)
class CheckRule:
    """One of the thirty checks as this country applies it.

    `scope` is `document` when the check reads only the referral, `process` when it asks how the
    draft came about. `inputs` are the fields it reads.
    """

    id: str
    weight: int
    level: Literal["block", "warn"]
    scope: Literal["document", "process"]
    classes: frozenset[str]
    kinds: frozenset[str]
    inputs: frozenset[str]
    gaps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HandlingDefault:
    """The codes a class starts with. `status` is `proposed` until the right authority sets them."""

    europol: tuple[str, ...]
    tlp: str | None
    pap: str | None
    status: Literal["proposed", "set"]
    conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Desk:
    """The operator's desk as it stands in F72, until the deployment names its own."""

    organisation: str
    phone: str
    mail: str
    hours: str
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UrgentDesk:
    """Whom to ring under U1."""

    name: str
    phone: str
    hours: str
