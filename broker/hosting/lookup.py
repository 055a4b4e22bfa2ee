"""From a locator to the facts about its host, and the same question again before every notice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from broker.hosting.facts import Change, HostFacts, LookUp, LookUpFailed, Recheck
from broker.hosting.guard import Networks, Resolver, is_public, system_resolver
from broker.hosting.rdap import Rdap, Registration
from broker.hosting.tables import Address, CdnList, NetworkRow, NetworkTable
from broker.spi import Json

MAX_ADDRESSES = 32


class HostLookup:
    """Resolver, the operator's files and, where given, RDAP. Holds no case and keeps nothing."""

    def __init__(
        self,
        networks: NetworkTable,
        cdns: CdnList | None = None,
        rdap: Rdap | None = None,
        *,
        resolve: Resolver | None = None,
        injected: Networks = (),
    ) -> None:
        self._networks = networks
        self._cdns = cdns
        self._rdap = rdap
        self._resolve = resolve or system_resolver()
        self._injected = injected

    def look_up(self, url: str, now: datetime, *, prefer: str | None = None) -> HostFacts:
        """Facts about the host of a locator; `prefer` is the address to keep where it still answers.

        Never raises for what the outside does: `state` and the look-ups say what happened.
        """
        if now.tzinfo is None:
            raise ValueError("a look-up needs a moment with its zone")
        host = _host(url)
        if host is None:
            return HostFacts(now, "no-host")
        if host.endswith(".onion"):
            return HostFacts(now, "anonymous")
        addresses, asked = self._addresses(host, now)
        if not addresses:
            return HostFacts(now, "unresolved", lookups=asked)
        if not all(is_public(address, self._injected) for address in addresses):
            return HostFacts(now, "not-public", addresses=addresses, lookups=asked)
        chosen = prefer if prefer in addresses else addresses[0]
        return self._facts(host, ip_address(chosen), addresses, asked, now)

    def recheck(self, location: Mapping[str, Json], now: datetime) -> Recheck:
        """What of a location's recorded host facts (host, country, cdn) is no longer so."""
        held = location.get("host") or {}
        facts = self.look_up(str(location.get("url") or ""), now, prefer=held.get("ip"))
        return Recheck(facts, tuple(_changes(location, facts)))

    def _addresses(self, host: str, now: datetime) -> tuple[tuple[str, ...], tuple[LookUp, ...]]:
        try:
            return (str(ip_address(host)),), ()
        except ValueError:
            pass
        try:
            found = tuple(sorted({str(ip_address(text)) for text in self._resolve(host)}))[:MAX_ADDRESSES]
            outcome = "found" if found else "unresolved"
        except (LookUpFailed, ValueError) as failed:
            found, outcome = (), getattr(failed, "code", "answer-format")
        asked = LookUp("dns", now, host, "resolver", outcome, facts={"addresses": list(found)})
        return found, (asked,)

    def _facts(
        self,
        host: str,
        address: Address,
        addresses: tuple[str, ...],
        asked: tuple[LookUp, ...],
        now: datetime,
    ) -> HostFacts:
        row = self._networks.find(address)
        lookups = [*asked, self._table_evidence(address, row, now)]
        asn = row.asn if row else ""
        cdn: str | None = None
        if self._cdns is not None:
            cdn = self._cdns.provider(host, address, asn)
            said = {"provider": cdn} if cdn is not None else {}
            outcome = "not-listed" if cdn is None else "found"
            lookups.append(LookUp("cdn-list", now, str(address), str(self._cdns.origin), outcome, facts=said))
        registered: Registration | None = None
        if self._rdap is not None:
            registered, evidence = self._rdap.look_up(address, now)
            lookups.append(evidence)
        country = (row.country if row else "") or (registered.country if registered else "") or None
        return HostFacts(
            at=now,
            state="found",
            ip=str(address),
            addresses=addresses,
            asn=asn or None,
            provider=_provider(row, registered),
            country=None if cdn is not None else country,
            edge_country=country if cdn is not None else None,
            is_cdn=None if self._cdns is None else cdn is not None,
            cdn_provider=cdn or None,
            abuse=registered.abuse if registered else (),
            notes=tuple(self._notes(row, registered, now)),
            lookups=tuple(lookups),
        )

    def _table_evidence(self, address: Address, row: NetworkRow | None, now: datetime) -> LookUp:
        source = str(self._networks.origin)
        if row is None:
            return LookUp("table", now, str(address), source, "not-listed")
        facts = {"country": row.country, "asn": row.asn, "organisation": row.organisation}
        return LookUp("table", now, str(address), source, "found", row.network, facts=facts)

    def _notes(self, row: NetworkRow | None, registered: Registration | None, now: datetime) -> Iterator[str]:
        """Reasons to look twice, as codes."""
        if self._networks.stale(now):
            yield "hosting-table-stale"
        if row is None:
            yield "hosting-network-unknown"
        if row and registered and row.country and registered.country not in {"", row.country}:
            yield "hosting-country-disagrees"


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in {"http", "https", "ftp"} or not host:
        return None
    return host.rstrip(".").casefold() or None


def _provider(row: NetworkRow | None, registered: Registration | None) -> str | None:
    known = row.organisation if row else ""
    if not known and registered:
        known = registered.organisation or registered.name
    return known or None


def _changes(location: Mapping[str, Json], facts: HostFacts) -> Iterator[Change]:
    """What differs. A fact that the case never had is a change too: nobody has seen it yet."""
    if facts.state != "found":
        yield Change("state", "found", facts.state)
        return
    host = location.get("host") or {}
    cdn = location.get("cdn") or {}
    pairs = (
        ("host.ip", host.get("ip"), facts.ip),
        ("host.asn", host.get("asn"), facts.asn),
        ("host.provider", host.get("provider"), facts.provider),
        ("country", location.get("country"), facts.country),
        ("cdn.is_cdn", cdn.get("is_cdn"), facts.is_cdn),
    )
    for member, before, after in pairs:
        if member == "host.ip" and before in facts.addresses:
            continue
        if member == "cdn.is_cdn" and after is None:
            continue
        if before != after and not (member == "host.provider" and _folded(before) == _folded(after)):
            yield Change(member, before, after)


def _folded(name: Json) -> str:
    """Spelling is no change of host."""
    return "".join(str(name or "").casefold().split())
