"""RDAP (RFC 9082, 9083) for one address: which registry object it belongs to, and whom to write to.

The bootstrap (RFC 9224) is a file the operator gives; nothing is fetched to find out whom to ask.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_network

import httpx

from broker.errors import Misconfigured, Refused
from broker.hosting.facts import LookUp, LookUpFailed
from broker.hosting.guard import GuardedTransport, within
from broker.hosting.tables import Address, Network
from broker.spi import Json
from broker.spi_in import Bounds, Refuse, read_json

MAX_ANSWER = 512 * 1024
MAX_REDIRECTS = 3
SECONDS = 10.0

_BOUNDS = Bounds(MAX_ANSWER, depth=24, values=20_000, media_members=frozenset({"media", "content", "data"}))
_BOOTSTRAP = Bounds(4 * 1024 * 1024, depth=8, values=100_000)
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_EMAIL = re.compile(r"[^\s@<>,;]{1,64}@[A-Za-z0-9.-]{1,190}")


class Bootstrap:
    """IANA's `ipv4.json` and `ipv6.json`: which server answers for which network."""

    def __init__(self, services: list[tuple[Network, str]]) -> None:
        self._services = sorted(services, key=lambda service: -service[0].prefixlen)

    @classmethod
    def read(cls, *files: bytes) -> Bootstrap:
        """Raises `Misconfigured`. Only https servers are kept."""
        services: list[tuple[Network, str]] = []
        try:
            for content in files:
                for networks, urls, *_ in read_json(content, Refuse("bootstrap"), _BOOTSTRAP)["services"]:
                    secure = next((url for url in urls if url.startswith("https://")), None)
                    if secure is not None:
                        services += [(ip_network(network), secure.rstrip("/")) for network in networks]
        except (Refused, KeyError, TypeError, ValueError, AttributeError):
            raise Misconfigured(
                "hosting-data", "the RDAP bootstrap is not IANA's ipv4.json or ipv6.json"
            ) from None
        return cls(services)

    def server(self, address: Address) -> str | None:
        """The base URL of the server for an address."""
        return next(
            (
                url
                for network, url in self._services
                if network.version == address.version and address in network
            ),
            None,
        )


@dataclass(frozen=True, slots=True)
class Registration:
    """What a registry holds about an address: of the registration, not of the machine's place."""

    handle: str
    name: str
    country: str
    organisation: str
    abuse: tuple[str, ...]


class Rdap:
    """One client: bounded in time and size, no redirect that the guard would not let through."""

    def __init__(
        self, bootstrap: Bootstrap, transport: httpx.BaseTransport | None = None, *, seconds: float = SECONDS
    ) -> None:
        self._bootstrap = bootstrap
        self._seconds = seconds
        self._client = httpx.Client(
            transport=transport or GuardedTransport(),
            trust_env=False,
            timeout=seconds,
            follow_redirects=False,
            headers={"Accept": "application/rdap+json", "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def look_up(self, address: Address, at: datetime) -> tuple[Registration | None, LookUp]:
        """Never raises for what a server does: the outcome stands in the evidence."""
        server = self._bootstrap.server(address)
        if server is None:
            return None, LookUp("rdap", at, str(address), "bootstrap", "no-server")
        url = f"{server}/ip/{address}"
        try:
            status, body = within(self._seconds, lambda: self._get(url))
            if status == 404:
                return None, _evidence(at, address, server, "not-registered", body)
            if status != 200:
                return None, _evidence(at, address, server, f"status-{status}", body)
            found = _registration(read_json(body, Refuse("rdap"), _BOUNDS), address)
        except LookUpFailed as failed:
            return None, LookUp("rdap", at, str(address), server, failed.code)
        except Refused as refused:
            return None, LookUp("rdap", at, str(address), server, f"answer-{refused.issues[0].rule}")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError):
            return None, LookUp("rdap", at, str(address), server, "no-answer")
        facts = {"name": found.name, "country": found.country, "organisation": found.organisation}
        return found, _evidence(at, address, server, "found", body, found.handle, facts)

    def _get(self, url: str) -> tuple[int, bytes]:
        for _ in range(MAX_REDIRECTS + 1):
            with self._client.stream("GET", url) as answer:
                if answer.status_code not in _REDIRECT:
                    return answer.status_code, _body(answer)
                url = str(answer.url.join(answer.headers.get("location", "")))
        raise LookUpFailed("look-up-redirects", "a registry sent us on too often")


def _body(answer: httpx.Response) -> bytes:
    """Raw bytes up to the bound; a packed answer is refused, because it could unpack to anything."""
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise LookUpFailed("look-up-packed", "a registry packed its answer although asked not to")
    body = b""
    for chunk in answer.iter_raw(16 * 1024):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise LookUpFailed("look-up-oversize", "a registry's answer is too long")
    return body


def _registration(answer: Json, address: Address) -> Registration:
    refuse = Refuse("rdap")
    if not isinstance(answer, dict) or answer.get("objectClassName") != "ip network":
        refuse("", "type", "is no registry object of a network")
    try:
        first, last = ip_address(_text(answer, "startAddress")), ip_address(_text(answer, "endAddress"))
        covers = first.version == address.version and int(first) <= int(address) <= int(last)
    except ValueError:
        covers = False
    if not covers:
        refuse("", "range", "is about another network")
    country = _text(answer, "country").upper()
    entities = list(_entities(answer, 0))
    organisation = next(
        (name for roles, card in entities if "registrant" in roles for name in _card(card, "fn")), ""
    )
    abuse = [mail for roles, card in entities if "abuse" in roles for mail in _card(card, "email")]
    return Registration(
        handle=_text(answer, "handle"),
        name=_text(answer, "name"),
        country=country if re.fullmatch("[A-Z]{2}", country) else "",
        organisation=organisation,
        abuse=tuple(dict.fromkeys(mail for mail in abuse if _EMAIL.fullmatch(mail)))[:5],
    )


def _entities(holder: Mapping[str, Json], depth: int) -> Iterator[tuple[list[str], Json]]:
    listed = holder.get("entities")
    for entity in listed if isinstance(listed, list) and depth < 4 else ():
        if isinstance(entity, dict):
            roles = entity.get("roles")
            yield (roles if isinstance(roles, list) else []), entity.get("vcardArray")
            yield from _entities(entity, depth + 1)


def _card(card: Json, name: str) -> Iterator[str]:
    """Values of one property of a jCard (RFC 7095): [name, parameters, type, value]."""
    properties = card[1] if isinstance(card, list) and len(card) == 2 else ()
    for entry in properties if isinstance(properties, list) else ():
        if isinstance(entry, list) and len(entry) >= 4 and entry[0] == name and isinstance(entry[3], str):
            yield entry[3][:200]


def _text(holder: Mapping[str, Json], name: str) -> str:
    value = holder.get(name)
    return value[:200] if isinstance(value, str) else ""


def _evidence(
    at: datetime,
    address: Address,
    server: str,
    outcome: str,
    body: bytes,
    handle: str = "",
    facts: Mapping[str, Json] | None = None,
) -> LookUp:
    digest = hashlib.sha256(body).hexdigest()
    return LookUp("rdap", at, str(address), server, outcome, handle, digest, facts or {})
