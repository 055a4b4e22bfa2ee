"""The operator's data files: networks with country and operator, and the addresses of CDNs."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from broker.errors import Misconfigured

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_BYTES = 192 * 1024 * 1024
MAX_ROWS = 3_000_000
STALE_AFTER_DAYS = 60

_COUNTRY = re.compile(r"[A-Z]{2}|")
_ASN = re.compile(r"AS\d{1,10}|")


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """What the table says of one network; "" is not known."""

    network: str
    country: str
    asn: str
    organisation: str


class NetworkTable:
    """Longest matching network of an address, offline.

    CSV in UTF-8 with the header `network,country,asn,organisation`; comment lines `# source: …` and
    `# dated: YYYY-MM-DD` before it. Networks may lie inside one another.
    """

    def __init__(self, rows: Mapping[tuple[int, int], Mapping[int, NetworkRow]], origin: Origin) -> None:
        self._rows = rows
        self._lengths = sorted(rows, key=lambda key: -key[1])
        self.origin = origin

    @classmethod
    def read(cls, content: bytes) -> NetworkTable:
        """Raises `Misconfigured` with the number of the line."""
        origin, lines = _opened(content, ["network", "country", "asn", "organisation"])
        rows: dict[tuple[int, int], dict[int, NetworkRow]] = {}
        for number, (text, country, asn, organisation) in lines:
            network = _network(text, number)
            if not _COUNTRY.fullmatch(country) or not _ASN.fullmatch(asn) or len(organisation) > 200:
                raise _wrong(number, "country is two capital letters, asn AS and a number, both may be empty")
            row = NetworkRow(str(network), country, asn, organisation)
            held = rows.setdefault((network.version, network.prefixlen), {})
            if held.setdefault(int(network.network_address), row) != row:
                raise _wrong(number, "the same network stands twice with different facts")
        return cls(rows, origin)

    def find(self, address: Address) -> NetworkRow | None:
        """The most specific network that holds the address."""
        value, bits = int(address), address.max_prefixlen
        for version, length in self._lengths:
            if version == address.version:
                row = self._rows[version, length].get(value >> (bits - length) << (bits - length))
                if row is not None:
                    return row
        return None

    def stale(self, now: datetime) -> bool:
        """Whether nobody renewed the file for two months, or nobody knows."""
        return self.origin.dated is None or (now.date() - self.origin.dated).days > STALE_AFTER_DAYS


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a data file comes from, so that evidence can name it."""

    name: str
    dated: date | None
    digest: str

    def __str__(self) -> str:
        return f"{self.name} {self.dated or 'undated'} sha256:{self.digest}"


class CdnList:
    """Who stands in front of others: by AS number, network or domain.

    CSV in UTF-8 with the header `match,value,provider`; `match` is asn, network or domain.
    """

    def __init__(self, origin: Origin) -> None:
        self._asns: dict[str, str] = {}
        self._networks: list[tuple[Network, str]] = []
        self._domains: dict[str, str] = {}
        self.origin = origin

    @classmethod
    def read(cls, content: bytes) -> CdnList:
        """Raises `Misconfigured` with the number of the line."""
        origin, lines = _opened(content, ["match", "value", "provider"])
        found = cls(origin)
        for number, (match, value, provider) in lines:
            if match == "asn" and value and _ASN.fullmatch(value):
                found._asns[value] = provider
            elif match == "network":
                found._networks.append((_network(value, number), provider))
            elif match == "domain" and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", value):
                found._domains[value] = provider
            else:
                raise _wrong(number, "match is asn, network or domain, with a value of that form")
        return found

    def provider(self, host: str, address: Address, asn: str) -> str | None:
        """The CDN's name, or None where the list knows of none."""
        if asn and asn in self._asns:
            return self._asns[asn]
        for network, provider in self._networks:
            if network.version == address.version and address in network:
                return provider
        labels = host.casefold().rstrip(".").split(".")
        suffixes = (".".join(labels[i:]) for i in range(len(labels)))
        return next((self._domains[suffix] for suffix in suffixes if suffix in self._domains), None)


def _opened(content: bytes, header: list[str]) -> tuple[Origin, Iterator[tuple[int, list[str]]]]:
    if len(content) > MAX_BYTES:
        raise Misconfigured("hosting-data", "a data file about hosts is too large")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise Misconfigured("hosting-data", "a data file about hosts is not UTF-8") from None
    said: dict[str, str] = {}
    start = 0
    while start < len(lines) and lines[start].startswith("#"):
        name, _, value = lines[start][1:].partition(":")
        said[name.strip()] = value.strip()
        start += 1
    if start == len(lines) or lines[start].split(",") != header or len(lines) > MAX_ROWS:
        raise Misconfigured(
            "hosting-data", f"a data file about hosts needs the header {','.join(header)} and a bounded size"
        )
    try:
        dated = date.fromisoformat(said["dated"]) if "dated" in said else None
    except ValueError:
        raise Misconfigured("hosting-data", "its line '# dated:' is no date such as 2026-03-01") from None
    origin = Origin(said.get("source", "unnamed"), dated, hashlib.sha256(content).hexdigest())
    return origin, _lines(lines, start + 1, len(header))


def _lines(lines: list[str], start: int, width: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines[start:], start + 1):
        if line.strip():
            cells = next(csv.reader(io.StringIO(line)))
            if len(cells) != width:
                raise _wrong(number, f"has not {width} columns")
            yield number, [cell.strip() for cell in cells]


def _network(text: str, number: int) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        raise _wrong(number, "is no network such as 192.0.2.0/24, without host bits") from None


def _wrong(number: int, detail: str) -> Misconfigured:
    return Misconfigured("hosting-data", f"line {number} of a data file about hosts: {detail}")
