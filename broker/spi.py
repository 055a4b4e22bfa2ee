"""All that an adapter may see: the minimised referral, documents, findings and the protocols.

An adapter imports this module and nothing else of the broker. It never sees the case, the agreement,
a withheld value, a key or the database: what it renders comes out of `MinimisedReferral` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from broker.errors import Issue, Refused

Json = Any
"""A JSON value of the profile in docs/spec/canonical.md: no floats, ASCII member names."""

Language = Literal["nl", "fr", "de", "en"]


class Unit(NamedTuple):
    """A disclosure unit: the smallest thing the matrix gives or withholds (docs/spec/referral.md).

    `field` is the field id (`F29`) or `""` for generated text; `pointer` is an RFC 6901 pointer into
    the referral's `doc`.
    """

    field: str
    pointer: str
    value: Json


@dataclass(frozen=True, slots=True)
class Party:
    """An addressee or carrier as it stands in the referral."""

    partner: str
    recipient_class: str
    country: str
    name: str


@dataclass(frozen=True, slots=True)
class MinimisedReferral:
    """One case as one recipient gets it. `payload` is the canonical document that will be signed."""

    release: str
    reference: str
    version: int
    kind: str
    supersedes: str | None
    issuer: str
    addressee: Party
    carrier: Party
    language: Language
    drafted_at: datetime
    purposes: tuple[str, ...]
    unconfirmed: bool
    facts: Mapping[str, Mapping[str, Json]]
    entities: Mapping[str, Mapping[str, Mapping[str, Json]]]
    withheld: Mapping[str, Json]
    fields: Mapping[str, str]
    """pointer → field id, for every unit in `facts` and `entities`."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """A rendered document. `sign="pades"` asks release to sign it; `name` is ASCII and says nothing."""

    name: str
    media_type: str
    content: bytes
    sign: Literal["pades"] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something an adapter or a check noticed. `pointer` locates it; the value is never repeated."""

    code: str
    severity: Literal["block", "warn", "note"]
    pointer: str = ""
    params: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CaseDraft:
    """What an ingest adapter makes of somebody's export: a canonical case (not yet validated)."""

    case: Mapping[str, Json]
    source: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """What `broker adapters list` shows. `tried_live` is false until somebody did, with a date."""

    name: str
    title: str
    speaks: str
    version: str
    tried_live: bool
    needs: frozenset[str] = frozenset()
    """Field ids that `render` reads; the conformance suite holds it to that."""
    media_types: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """Names that `ingest` takes as options, in the order in which a page asks for them."""


@runtime_checkable
class Renders(Protocol):
    """Outbound: a pure function from the minimised referral to documents."""

    info: AdapterInfo

    def render(self, referral: MinimisedReferral) -> Sequence[Document]:
        """Pure and deterministic: same referral, same bytes. No clock, network, key or file."""

    def lint(self, referral: MinimisedReferral, documents: Sequence[Document]) -> Sequence[Finding]:
        """The adapter's own check of its output, in milliseconds (ruling 30)."""


@runtime_checkable
class Ingests(Protocol):
    """Inbound: somebody's export to canonical case drafts. Hostile input is refused, never half read."""

    info: AdapterInfo

    def ingest(self, content: bytes, *, options: Mapping[str, str]) -> Sequence[CaseDraft]:
        """Raises `broker.errors.Refused` with field and rule; bounded time and memory."""


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """What the other system answered, stored verbatim. Without it nothing is `delivered`.

    `proves="submission"`: it was handed to somebody who passes it on (a mail relay); the delivery
    then waits for the addressee's own word.
    """

    evidence: bytes
    media_type: str
    remote_reference: str
    proves: Literal["delivery", "submission", "retraction"] = "delivery"


class Undelivered(Exception):
    """It was not delivered, or nobody can tell. `code` is kebab-case and holds nothing the other side said.

    `certain`: the other side surely did not take it. `again`: a later attempt may succeed, or tell. `answer`:
    what came back, to be kept as evidence of the failure.
    """

    def __init__(
        self, code: str, *, certain: bool, again: bool = False, answer: DeliveryReceipt | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.certain = certain
        self.again = again
        self.answer = answer


class Progress(Protocol):
    """What one delivery remembers from attempt to attempt: short texts by name, encrypted with the case.

    For systems that take a delivery in steps. Not for the documents: those come again each time.
    """

    def load(self) -> Mapping[str, str]:
        """What was saved last; empty before."""

    def save(self, values: Mapping[str, str]) -> None:
        """Replaces it. When this returns it outlives a kill."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a delivering adapter is connected with: pinned data of the partner, and the house's side.

    `house` comes from the operator's file for this adapter; what in it is a secret is a path.
    """

    endpoint: Mapping[str, Json]
    house: Mapping[str, Json]
    reference: str
    language: Language
    at: datetime
    progress: Progress
    reply_url: str | None = None


@runtime_checkable
class Delivers(Protocol):
    """Outbound to a system that cannot pull, connected for one delivery; each step idempotent by `key`."""

    def send(self, documents: Sequence[Document], *, key: str) -> DeliveryReceipt:
        """Opens, sends and finishes; the same `key` never delivers twice. Raises `Undelivered`."""

    def retract(self, remote_reference: str, *, key: str) -> DeliveryReceipt:
        """Takes a delivery back where the system allows it. Raises `Undelivered`."""


@runtime_checkable
class Connects(Protocol):
    """The registered half of a delivering adapter. `repeatable`: sending the same key again is harmless,
    because the other system knows it, or because `Line.progress` tells how far it came; without it an
    attempt that was cut off is never repeated by itself."""

    info: AdapterInfo
    repeatable: bool

    def endpoint_issues(self, endpoint: Mapping[str, Json]) -> Sequence[Issue]:
        """What is wrong with a partner's endpoint before it is pinned."""

    def connect(self, line: Line) -> Delivers:
        """For one delivery; opens nothing yet."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a machine on the way says about a delivery: `key` is the one it was sent with."""

    key: str
    kind: Literal["failed", "delayed"]
    code: str
    kept: bytes = b""
    """What of it is kept as evidence: words of machines. Never the report as it came, since anybody may write
    one and attach what the broker must not hold."""


@runtime_checkable
class ReadsReports(Protocol):
    """For channels that report back later, such as mail (RFC 3464)."""

    def read_report(self, content: bytes) -> Report:
        """Raises `broker.errors.Refused` when it is no report about a delivery of ours."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What became of something we sent, as the other system tells it: `outcome` is a code of domain.md §9."""

    remote_reference: str
    """What the other system called it when it took it (`DeliveryReceipt.remote_reference`)."""
    outcome: str
    key: str
    """The other system's name for this news: the same key again is no second answer."""


@runtime_checkable
class ReadsReturns(Protocol):
    """For systems whose lists tell what became of what we sent. `sent_by` is the adapter that sent it."""

    sent_by: str

    def read_returns(self, content: bytes, *, options: Mapping[str, str]) -> Sequence[Returned]:
        """Raises `broker.errors.Refused` with field and rule; bounded time and memory."""


__all__ = [
    "AdapterInfo",
    "CaseDraft",
    "Connects",
    "Delivers",
    "DeliveryReceipt",
    "Document",
    "Finding",
    "Ingests",
    "Issue",
    "Json",
    "Language",
    "Line",
    "MinimisedReferral",
    "Party",
    "Progress",
    "ReadsReports",
    "ReadsReturns",
    "Refused",
    "Renders",
    "Report",
    "Returned",
    "Undelivered",
    "Unit",
]
