"""One HTTP exchange with the CyberTipline: where it may go, how long it may take, what came back."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlsplit

import httpx

from adapters.ncmec.errors import answered, failed
from adapters.ncmec.tree import MAX_BYTES, Node, NotXml, read
from broker.spi import DeliveryReceipt, Undelivered

HOSTS = frozenset({"report.cybertip.org", "exttest.cybertip.org"})
TIMEOUT = 30.0

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_OK, _UNAUTHORISED, _SERVER_ERROR = 200, 401, 500


def checked_base(url: str, hosts: frozenset[str] = HOSTS) -> str:
    """The base URL without a trailing slash: https to a known host, or any loopback address.

    Raises `Undelivered`. Names are compared, not resolved: nothing outside `hosts` is ever asked for.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    known = parts.scheme == "https" and host in hosts and port in {None, 443}
    local = parts.scheme in {"http", "https"} and _is_loopback(host)
    if not (plain and (known or local)):
        raise failed("base-url")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that said what it means. `body` is kept as it came."""

    code: int
    body: bytes
    media_type: str
    request_id: str
    root: Node

    def text(self, name: str) -> str:
        """The text of a child of the root, stripped."""
        return next(iter(self.root.texts(name)), "").strip()

    def good(self) -> Answer:
        """This answer, where it says 0. Raises `Undelivered`."""
        if self.code != 0:
            raise self.refusal()
        return self

    def refusal(self) -> Undelivered:
        """What its code means, with the answer as evidence."""
        return answered(self.code, DeliveryReceipt(self.body, self.media_type, self.request_id))


@dataclass(frozen=True, slots=True)
class Wire:
    """Credentials and a client; never follows a redirect and never reads the environment."""

    base: str
    username: str
    password: str = field(repr=False)
    transport: httpx.BaseTransport | None = None
    hosts: frozenset[str] = HOSTS
    timeout: float = TIMEOUT

    def get(self, path: str) -> Answer:
        """A call without a body."""
        return _meant(self._exchange("GET", path))

    def raw(self, path: str) -> bytes:
        """A body that is no response document: the schema file."""
        response = self._exchange("GET", path)
        if response.status_code != httpx.codes.OK:
            raise failed("unexpected-answer", again=True)
        return response.content

    def xml(self, path: str, content: bytes) -> Answer:
        """One document."""
        headers = {"Content-Type": "text/xml; charset=utf-8"}
        return _meant(self._exchange("POST", path, content=content, headers=headers))

    def form(self, path: str, values: Mapping[str, str]) -> Answer:
        """A form, as `finish` and `retract` want it."""
        return _meant(self._exchange("POST", path, data=dict(values)))

    def file(self, path: str, values: Mapping[str, str], name: str, content: bytes) -> Answer:
        """A form with one text file."""
        part = {"file": (name, content, "text/plain; charset=utf-8")}
        return _meant(self._exchange("POST", path, data=dict(values), files=part))

    def _exchange(self, method: str, path: str, **body: object) -> httpx.Response:
        base = checked_base(self.base, self.hosts)
        try:
            with (
                httpx.Client(
                    auth=(self.username, self.password),
                    timeout=self.timeout,
                    headers={"Accept-Encoding": "identity"},
                    follow_redirects=False,
                    trust_env=False,
                    verify=_authorities(),
                    transport=self.transport,
                ) as client,
                client.stream(method, base + path, **body) as response,  # type: ignore[arg-type]
            ):
                content = b""
                for piece in response.iter_bytes():
                    content += piece
                    if len(content) > MAX_BYTES:
                        raise failed("answer-too-big", certain=False, again=True)
                return httpx.Response(response.status_code, headers=_kept(response), content=content)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise failed("unreachable", again=True) from None
        except httpx.HTTPError:
            raise failed("no-answer", certain=False, again=True) from None


def _meant(response: httpx.Response) -> Answer:
    """The response code in the body decides; HTTP status only where there is no such body."""
    request_id = response.headers.get("Request-ID", "")
    request_id = request_id if _REQUEST_ID.fullmatch(request_id) else ""
    media_type = response.headers.get("Content-Type", "text/xml").partition(";")[0].strip()
    try:
        root = read(response.content)
        code = int(next(iter(root.texts("responseCode")), "").strip())
    except (NotXml, ValueError):
        kept = DeliveryReceipt(response.content, media_type, request_id)
        raise _unmeant(response.status_code, kept) from None
    return Answer(code, response.content, media_type, request_id, root)


def _unmeant(status: int, kept: DeliveryReceipt) -> Undelivered:
    if status == _UNAUTHORISED:
        return failed("authentication-required", answer=kept)
    broken = status >= _SERVER_ERROR
    # A success that says nothing may have been one.
    return failed("unexpected-answer", certain=not broken and status != _OK, again=broken, answer=kept)


@cache
def _authorities() -> ssl.SSLContext:
    """Read once: loading the certificate authorities costs more than an exchange."""
    return httpx.create_ssl_context(trust_env=False)


def _kept(response: httpx.Response) -> dict[str, str]:
    """Only what is read later: a stored length or encoding would no longer be true."""
    names = ("Content-Type", "Request-ID")
    return {name: response.headers[name] for name in names if name in response.headers}
