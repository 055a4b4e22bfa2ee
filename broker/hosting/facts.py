"""What is known of a host, each fact with the look-up it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from broker.errors import BrokerError
from broker.spi import Json

State = Literal["found", "unresolved", "not-public", "anonymous", "no-host"]
"""`anonymous`: a network that hides the host (.onion); `no-host`: a locator that names none (magnet)."""


class LookUpFailed(BrokerError):
    """A source did not answer, or answered what it may not; what is known stands as it was."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """Evidence of one look-up: kept with the case, whatever came of it.

    `source` names the table (with its digest) or server; `handle` is the registry's own id of the
    answer; `digest` is the SHA-256 of the answer's bytes, or "" where there are none.
    """

    method: Literal["dns", "table", "cdn-list", "rdap"]
    at: datetime
    subject: str
    source: str
    outcome: str
    handle: str = ""
    digest: str = ""
    facts: Mapping[str, Json] = field(default_factory=dict)

    def record(self) -> dict[str, Json]:
        """As canonical JSON takes it."""
        return {
            "method": self.method,
            "at": self.at.isoformat(),
            "subject": self.subject,
            "source": self.source,
            "outcome": self.outcome,
            "handle": self.handle,
            "digest": self.digest,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The host behind one locator at one moment.

    Behind a CDN the address is that of an edge: then `country` is None, because an edge says nothing
    about where the content is, and `edge_country` holds what the table says.
    """

    at: datetime
    state: State
    ip: str | None = None
    addresses: tuple[str, ...] = ()
    asn: str | None = None
    provider: str | None = None
    country: str | None = None
    edge_country: str | None = None
    is_cdn: bool | None = None
    cdn_provider: str | None = None
    abuse: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    lookups: tuple[LookUp, ...] = ()

    def members(self) -> dict[str, Json]:
        """The members of a canonical location that these facts fill: host, country, trace, cdn."""
        host = {n: v for n, v in (("ip", self.ip), ("asn", self.asn), ("provider", self.provider)) if v}
        if not host:
            return {}
        method = "rdap" if any(x.method == "rdap" and x.outcome == "found" for x in self.lookups) else "dns"
        found: dict[str, Json] = {"host": host, "trace": {"method": method, "at": self.at.isoformat()}}
        if self.country is not None:
            found["country"] = self.country
        if self.is_cdn is not None:
            provider = {"provider": self.cdn_provider} if self.cdn_provider else {}
            found["cdn"] = {"is_cdn": self.is_cdn, **provider}
        return found


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that is not what the case says. `None` is not known."""

    member: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class Recheck:
    """The answer to: is this still so? A notice goes out only on `same`."""

    facts: HostFacts
    changes: tuple[Change, ...]

    @property
    def same(self) -> bool:
        """Whether the host is known and as the case has it."""
        return self.facts.state == "found" and not self.changes

    @property
    def moved(self) -> bool:
        """Whether another country is concerned now: the referral goes back to draft (ruling 10)."""
        return any(change.member == "country" and change.after for change in self.changes)
