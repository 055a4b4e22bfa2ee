"""`httpx` authentication against the broker: private_key_jwt for the token, DPoP for each request.

Usable alone:  httpx.Client(auth=BrokerAuth(url, client_id, auth_key, dpop_key)).get(url + …)
It fetches and keeps the token, repeats once with a nonce when the server asks for one, and follows
the server's clock when its own is off.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from email.utils import parsedate_to_datetime
from hashlib import sha256

import httpx

from broker.client.keys import PartnerKey
from broker.core.canonical import b64u, encode
from broker.errors import BrokerError, Refused
from broker.spi import Json

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
SKEW_NOTICED = 5
"""Seconds; `Date` has whole seconds and travels, so less is noise."""
_RENEW_BEFORE = 15
_ERRORS = frozenset(
    [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_dpop_proof",
        "use_dpop_nonce",
    ]
)


class TokenRefusedError(BrokerError):
    """The broker gave no token. `error` is its OAuth error code, the message its words."""

    def __init__(self, error: str, words: str) -> None:
        super().__init__("token-refused", words, "Run the doctor: it names the usual causes.")
        self.error = error


class BrokerAuth(httpx.Auth):
    """Signs requests to one broker, and refuses to sign for any other address."""

    def __init__(
        self,
        url: str,
        client_id: str,
        auth_key: PartnerKey,
        dpop_key: PartnerKey,
        *,
        scope: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = httpx.URL(url)
        self._issuer = url
        self._client_id = client_id
        self._scope = scope
        self._clock = clock
        self._auth, self._dpop = auth_key, dpop_key
        self._auth_signer, self._dpop_signer = auth_key.signer(), dpop_key.signer()
        self._token: str | None = None
        self._expires = 0.0
        self._nonce: str | None = None
        self.skew = 0
        """Seconds to add to our clock to get the server's."""

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """As httpx wants it: only answers of the token endpoint are read into memory here."""
        flow = self.auth_flow(request)
        step = next(flow)
        while True:
            response = yield step
            if step is not request:
                response.read()
            try:
                step = flow.send(response)
            except StopIteration:
                return

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The same for `httpx.AsyncClient`."""
        flow = self.auth_flow(request)
        step = next(flow)
        while True:
            response = yield step
            if step is not request:
                await response.aread()
            try:
                step = flow.send(response)
            except StopIteration:
                return

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Token if needed, the request, and at most one repetition of either."""
        if not same_origin(request.url, self._url):
            raise Refused("auth-origin", "a token is only sent to the broker it was made for")
        if self._token is None or self._now() > self._expires - _RENEW_BEFORE:
            yield from self._fetch()
        response = yield self._dressed(request)
        self._remember_nonce(response)
        if response.status_code != 401:
            return
        challenge = response.headers.get("www-authenticate", "")
        moved = self._follow_clock(response)
        if "use_dpop_nonce" not in challenge and not moved:
            yield from self._fetch()
        yield self._dressed(request)

    def _fetch(self) -> Generator[httpx.Request, httpx.Response, None]:
        for attempt in (1, 2, 3):  # the second may learn the clock, the third the nonce
            response = yield self._token_request()
            self._remember_nonce(response)
            moved = self._follow_clock(response)
            if response.status_code == 200:
                return self._store(response)
            error, words = _oauth_error(response)
            if attempt == 3 or not (moved or error == "use_dpop_nonce"):
                raise TokenRefusedError(error, words)

    def _token_request(self) -> httpx.Request:
        url = self._url.copy_with(path=TOKEN_PATH)
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }
        if self._scope is not None:
            form["scope"] = self._scope
        headers = {"DPoP": self._proof("POST", url), "Accept": "application/json"}
        return httpx.Request("POST", url, data=form, headers=headers)

    def _assertion(self) -> str:
        now = int(self._now())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._issuer,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + 60,
        }
        header = {"alg": "ES256", "kid": self._auth.kid, "typ": "JWT"}
        return _compact(header, claims, self._auth_signer.key.sign)

    def _proof(self, method: str, url: httpx.URL, token: str | None = None) -> str:
        claims: dict[str, Json] = {
            "htm": method,
            "htu": str(url.copy_with(query=None, fragment=None)),
            "iat": int(self._now()),
            "jti": str(uuid.uuid4()),
        }
        if self._nonce is not None:
            claims["nonce"] = self._nonce
        if token is not None:
            claims["ath"] = b64u(sha256(token.encode()).digest())
        header = {"alg": "ES256", "jwk": self._dpop.jwk, "typ": "dpop+jwt"}
        return _compact(header, claims, self._dpop_signer.key.sign)

    def _dressed(self, request: httpx.Request) -> httpx.Request:
        token = self._token or ""
        request.headers["Authorization"] = f"DPoP {token}"
        request.headers["DPoP"] = self._proof(request.method, request.url, token)
        return request

    def _store(self, response: httpx.Response) -> None:
        try:
            body = response.json()
            token, lifetime = body["access_token"], int(body["expires_in"])
            fits = type(token) is str and body["token_type"].lower() == "dpop"
        except (ValueError, KeyError, TypeError, AttributeError):
            fits = False
        if not fits:
            raise TokenRefusedError("invalid_answer", "the token endpoint did not answer as it must")
        self._token, self._expires = token, self._now() + lifetime

    def _remember_nonce(self, response: httpx.Response) -> None:
        nonce = response.headers.get("dpop-nonce")
        if nonce is not None and len(nonce) <= 256:
            self._nonce = nonce

    def _follow_clock(self, response: httpx.Response) -> bool:
        """Take over the server's time; True when that changes what we would sign."""
        skew = clock_skew(response, self._clock())
        if skew is None or abs(skew - self.skew) < SKEW_NOTICED:
            return False
        self.skew = skew if abs(skew) >= SKEW_NOTICED else 0
        return True

    def _now(self) -> float:
        return self._clock() + self.skew


def clock_skew(response: httpx.Response, now: float) -> int | None:
    """Seconds by which the server's clock is ahead of `now`; None when it does not say."""
    try:
        return round(parsedate_to_datetime(response.headers["date"]).timestamp() - now)
    except (KeyError, ValueError, TypeError):
        return None


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Scheme, host and port are equal; a default port equals none."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def _compact(header: Mapping[str, Json], claims: Mapping[str, Json], sign: Callable[[bytes], bytes]) -> str:
    signing_input = f"{b64u(encode(header))}.{b64u(encode(claims))}"
    return f"{signing_input}.{b64u(sign(signing_input.encode('ascii')))}"


def _oauth_error(response: httpx.Response) -> tuple[str, str]:
    try:
        body = response.json()
        error, words = body["error"], body.get("error_description", "")
    except (ValueError, KeyError, TypeError):
        error, words = "", ""
    if error not in _ERRORS:
        return "no_oauth_answer", f"the token endpoint answered {response.status_code}, not OAuth"
    shown = words if type(words) is str and words.isprintable() else ""
    return error, shown[:300] or error
