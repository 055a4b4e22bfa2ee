"""Requests to addresses that somebody else gave us, so that they reach the internet and nothing of ours.

The name is resolved once; every address it has must be global; the connection goes to that address and
TLS is checked against the name. No redirects, no proxies of the environment.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from urllib.parse import urlsplit

import httpx

from broker.errors import Issue, Refused
from broker.hosting.guard import is_public

TIMEOUT = httpx.Timeout(10.0)
MAX_URL = 500
Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return sorted({str(entry[4][0]) for entry in found})


def url_issues(url: object) -> list[Issue]:
    """What is wrong with a URL as an endpoint, without resolving it."""
    if not isinstance(url, str) or len(url) > MAX_URL or not url.isascii():
        return [Issue("/url", "url", f"must be an ASCII URL of at most {MAX_URL} characters")]
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0  # a port that cannot be raises here, not when called
    except ValueError:
        whole = False
    if not whole or parts.scheme != "https":
        return [Issue("/url", "https", "must be an https URL")]
    if parts.username is not None or parts.password is not None or parts.fragment:
        return [Issue("/url", "plain", "must have neither user, password nor fragment")]
    return []


def pin(host: str, port: int, resolver: Resolve, *, loopback: bool = False) -> str:
    """One address of `host` to connect to. Raises `Refused` unless every address is global.

    `loopback` is for tests alone: nothing in the product sets it.
    """
    addresses = resolver(host, port)
    ours = (ip_network("127.0.0.0/8"),) if loopback else ()
    if not addresses or not all(is_public(address, ours) for address in addresses):
        raise Refused("address-not-global", "the address is not one of the public internet")
    return addresses[0]


def post(
    url: str,
    body: bytes,
    headers: dict[str, str],
    *,
    resolver: Resolve = resolve,
    trust: ssl.SSLContext | bool = True,
    loopback: bool = False,
) -> int:
    """POST and return the status. Raises `Refused` for the address, `httpx.HTTPError`, `OSError`."""
    issues = url_issues(url)
    if issues:
        raise Refused("url-refused", "the URL is not one we call", tuple(issues))
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    address = pin(host, port, resolver, loopback=loopback)
    literal = f"[{address}]" if ":" in address else address
    target = f"https://{literal}:{port}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
    with httpx.Client(verify=trust, trust_env=False, follow_redirects=False, timeout=TIMEOUT) as client:
        request = client.build_request(
            "POST",
            target,
            content=body,
            headers={**headers, "Host": host if port == 443 else f"{host}:{port}"},
            extensions={"sni_hostname": host},
        )
        answer = client.send(request, stream=True)  # what it says is not read: only whether it took it
        answer.close()
        return answer.status_code
