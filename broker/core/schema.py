"""The canonical case as typed models: 84 fields, one member each, in sections and collections.

Member names are those of `broker.core.fields`; docs/spec/case.md is generated from here by
`broker case schema`. Every member is optional unless a kind of case requires it: what is missing is
reported by the checks, not refused at the door.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from broker.core.schema_entities import (
    ContactHistory,
    Event,
    HashText,
    Item,
    Link,
    Location,
    Person,
    Victim,
)
from broker.core.schema_types import (
    About,
    Code,
    Confidence,
    Country,
    Date,
    Instant,
    Ip,
    Line,
    LocalId,
    Ref,
    Short,
    Strict,
    Text,
)

Kind = Literal["content_report", "person_lead", "grooming_or_extortion", "danger"]
Urgency = Literal["U1", "U2", "U3", "U4"]
ClaimKind = Literal["content_illegal", "person_linked", "child_in_danger"]


class JurisdictionReason(About):
    """F05, one entry: why a country is concerned."""

    country: Country
    reason: Literal["host", "ip", "account", "victim", "language"]
    confidence: Confidence


class Dates(Strict):
    """F08."""

    opened_at: Instant
    confirmed_at: Instant | None = None


class OffenceAt(Strict):
    """F82: statutes resolve by it."""

    start: Date
    end: Date | None = None
    basis: Literal["stated", "metadata", "first_seen", "estimate"]


class CaseFacts(Strict):
    """Section `case`."""

    kind: Kind
    origin_channel: Literal["public_report", "arachnid", "iccam_in", "partner", "self_report_victim"]
    offence_type: Literal[
        "csam_dissemination",
        "csam_production",
        "live_stream",
        "grooming",
        "sextortion",
        "abuse_manual",
        "exploitation",
        "other",
    ]
    jurisdiction_basis: tuple[JurisdictionReason, ...] = ()
    urgency: Urgency | None = None
    urgency_reason: Annotated[Line, Field(description="free text, at most 500 characters")] | None = None
    dates: Dates
    related_refs: tuple[Ref, ...] = ()
    times_reported: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    offence_at: OffenceAt | None = None


class ReporterIdentity(Strict):
    """F12: sealed apart, and only with consent, a vital interest or an order."""

    name: Short | None = None
    contact: Short | None = None


class SubmissionMeta(Strict):
    """F13: nobody gets it; better not collected."""

    ip: Ip | None = None
    user_agent: Short | None = None
    at: Instant | None = None


class Reporter(Strict):
    """Section `reporter`."""

    type: Literal["anon", "named", "victim", "relative", "organisation", "crawler"] = "anon"
    identity: ReporterIdentity | None = None
    submission_meta: SubmissionMeta | None = None
    statement: Text | None = None
    consent_to_contact: bool = False


class Confirmation(About):
    """F60, one imported verdict with its provenance; local verdicts are given in the broker itself."""

    claim: ClaimKind
    organisation: Short
    analyst: Code | None = None
    at: Instant
    basis: Literal["human", "orb_consensus", "iccam", "own_tool"]
    match: Literal["exact", "near", "none"] = "none"
    organisations: Annotated[int, Field(ge=1, le=1000)] = 1


class Statement(Strict):
    """F64, one sentence of the narrative, marked fact or assessment."""

    text: Text
    type: Literal["fact", "assessment"]
    source: (
        Literal[
            "reporter", "analyst", "platform", "provider", "crawler", "hotline", "partner", "public_record"
        ]
        | None
    ) = None
    """Coded: a free source would be one more place for a name."""


class Assessment(Strict):
    """Section `assessment`."""

    confirmations: tuple[Confirmation, ...] = ()
    analyst_identity: Short | None = None
    narrative: tuple[Statement, ...] = ()
    minor_check: Literal["done", "not_applicable"] | None = None
    """Somebody looked at minor suspects and consensual self-made content (Q06); never disclosed."""


class Custody(About):
    """F65, one step."""

    actor_role: Literal["reporter", "analyst", "crawler", "hotline", "provider", "police"]
    action: Literal["observed", "captured", "assessed", "transferred", "sealed"]
    at: Instant
    hash: HashText | None = None


class Preservation(About):
    """F66, one request."""

    requested_to: Short
    at: Instant
    expires: Instant | None = None


class Evidence(Strict):
    """Section `evidence`."""

    custody: tuple[Custody, ...] = ()
    preservation: tuple[Preservation, ...] = ()


class Removal(About):
    """F69, one action."""

    to: Short
    at: Instant
    status: Literal["requested", "removed", "disabled", "refused", "impossible", "not_requested"]


class Hold(About):
    """F81: police ask that nothing is removed."""

    state: Literal["none", "active", "ended"]
    by: Short | None = None
    until: Instant | None = None


class Actions(Strict):
    """Section `actions`."""

    removal: tuple[Removal, ...] = ()
    hold: Hold | None = None


Key = LocalId


class CaseDocument(Strict):
    """The whole canonical case as it comes in."""

    schema_id: Annotated[Literal["broker-case/1"], Field(alias="schema")]
    synthetic: bool = False
    case: CaseFacts
    reporter: Reporter = Reporter()
    assessment: Assessment = Assessment()
    evidence: Evidence = Evidence()
    actions: Actions = Actions()
    items: dict[Key, Item] = Field(default_factory=dict)
    locations: dict[Key, Location] = Field(default_factory=dict)
    persons: dict[Key, Person] = Field(default_factory=dict)
    events: dict[Key, Event] = Field(default_factory=dict)
    victims: dict[Key, Victim] = Field(default_factory=dict)
    links: dict[Key, Link] = Field(default_factory=dict)
    contacts: dict[Key, ContactHistory] = Field(default_factory=dict)
