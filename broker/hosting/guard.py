"""Outgoing requests that cannot be led into our own network: https, public addresses, pinned.

The name is resolved once, every address is checked, and the connection goes to the checked address
with the name in SNI, certificate check and Host: a second, different DNS answer changes nothing.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TypeVar

import httpx

from broker.hosting.facts import LookUpFailed

T = TypeVar("T")
Resolver = Callable[[str], Sequence[str]]
Networks = tuple[IPv4Network | IPv6Network, ...]

_GLOBAL6 = ip_network("2000::/3")
_DENIED = tuple(
    ip_network(text)
    for text in (
        "64:ff9b::/96",  # NAT64: carries any IPv4 address, also a private one
        "64:ff9b:1::/48",
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "::ffff:0:0/96",
        "192.88.99.0/24",  # 6to4 relays
    )
)


def is_public(text: str, injected: Networks = ()) -> bool:
    """Whether an address is one of the public Internet. `injected` networks are for tests only."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if any(address in network for network in injected if network.version == address.version):
        return True
    if address.version == 6 and (address not in _GLOBAL6 or getattr(address, "scope_id", None)):
        return False
    denied = any(address in network for network in _DENIED if network.version == address.version)
    return address.is_global and not address.is_multicast and not address.is_reserved and not denied


def system_resolver(seconds: float = 5.0) -> Resolver:
    """The system's resolver, with a bound on its time that it does not have itself."""

    def resolve(host: str) -> Sequence[str]:
        def ask() -> list[str]:
            return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]

        try:
            return list(dict.fromkeys(within(seconds, ask)))
        except (OSError, UnicodeError):
            return []

    return resolve


def within(seconds: float, call: Callable[[], T]) -> T:
    """The call's result, or `LookUpFailed` when it takes longer; the thread is left to die alone."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # handed to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise LookUpFailed("look-up-timeout", "a look-up took too long")
    return results[0]


class GuardedTransport(httpx.BaseTransport):
    """Wraps a transport; refuses every request that is not https to public addresses on port 443."""

    def __init__(
        self,
        inner: httpx.BaseTransport | None = None,
        *,
        resolve: Resolver | None = None,
        injected: Networks = (),
        ports: frozenset[int] = frozenset({443}),
    ) -> None:
        self._inner = inner or httpx.HTTPTransport(trust_env=False, retries=0)
        self._resolve = resolve or system_resolver()
        self._injected = injected
        self._ports = ports

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `LookUpFailed` before a connection is made."""
        url = request.url
        if url.scheme != "https" or url.userinfo or (url.port or 443) not in self._ports:
            raise LookUpFailed("look-up-target", "a look-up goes by https to the usual port, without a user")
        name = url.host
        found = [name] if _is_address(name) else list(self._resolve(name))
        if not found or not all(is_public(address, self._injected) for address in found):
            raise LookUpFailed("look-up-target", "a look-up was led to an address that is not public")
        pinned = httpx.Request(
            request.method,
            url.copy_with(host=found[0]),
            headers=request.headers,  # the Host header stays the name's
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": name},
        )
        return self._inner.handle_request(pinned)

    def close(self) -> None:
        """Closes the wrapped transport."""
        self._inner.close()


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
