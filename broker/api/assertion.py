"""Client assertions (`private_key_jwt`, RFC 7523 §3, FAPI 2.0): who is asking for a token."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import NoReturn

from broker.api.directory import AuthKey, ClientRecord, Directory, ReplayStore
from broker.core.canonical import decode
from broker.errors import NotAuthentic, Refused
from broker.sealing.jose import Parsed, PinnedKey, parse, public_key_from_jwk
from broker.spi import Json

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_ASSERTION = 4096
MAX_LIFETIME = 3600
AHEAD = 60
"""Seconds that `iat` and `nbf` may lie ahead of our clock."""
_HEADER = frozenset({"alg", "kid", "typ"})
_TYPES = (None, "JWT", "client-authentication+jwt")  # certified clients leave `typ` out

_UNKNOWN = (
    "the client, its key or its signature was not accepted: no active client has that client_id "
    "with a key of that kid that is in use now and made this signature"
)
"""One sentence for all that is wrong before the signature holds: it does not tell who is one."""


class AssertionRefused(NotAuthentic):
    """`invalid_client` of RFC 6749 §5.2."""

    def __init__(self, message: str) -> None:
        super().__init__("client-assertion", message)


class AssertionVerifier:
    """Verifies assertions against the keys registered for the client."""

    def __init__(self, issuer: str, directory: Directory, replay: ReplayStore) -> None:
        self._issuer = issuer
        self._directory = directory
        self._replay = replay

    async def verify(self, assertion: str, client_id: str | None, now: datetime) -> tuple[ClientRecord, str]:
        """The active client that signed it, and by which key (`kid`); its jti is used up by this call.

        `client_id`: the request parameter of that name, which is optional but has to agree.
        """
        parsed, claims = _read(assertion)
        client, kid = await self._client(claims, parsed, now)
        if client_id is not None and client_id != client.client_id:
            _refuse("the parameter client_id differs from the assertion's")
        if claims.get("iss") != claims.get("sub"):
            _refuse("iss and sub of the assertion have to be the client_id, both")
        # A plain string: an assertion for several audiences could be replayed by one of them.
        if type(claims.get("aud")) is not str or claims["aud"] != self._issuer:
            _refuse("aud of the assertion has to be the issuer, as a plain string")
        expires = _check_times(claims, int(now.timestamp()))
        jti = claims.get("jti")
        if type(jti) is not str or not 1 <= len(jti) <= 256:
            _refuse("jti of the assertion is not a text of 1 to 256 characters")
        once = sha256(f"{client.client_id}\0{jti}".encode()).digest()
        if not await self._replay.remember("assertion", once, expires):
            _refuse("the assertion was used before: make one for each request, with a new jti")
        return client, kid

    async def _client(
        self, claims: Mapping[str, Json], parsed: Parsed, now: datetime
    ) -> tuple[ClientRecord, str]:
        name = claims.get("sub")
        if type(name) is not str or not 1 <= len(name) <= 128 or not name.isprintable():
            _refuse("sub of the assertion is not a client_id")
        client = await self._directory.client(name)
        if client is None or client.status != "active":
            _refuse(_UNKNOWN)
        kid = str(parsed.header["kid"])
        if not any(key.kid == kid and key.usable(now) and _signed_by(key, parsed) for key in client.keys):
            _refuse(_UNKNOWN)
        return client, kid


def _read(assertion: str) -> tuple[Parsed, Mapping[str, Json]]:
    try:
        parsed = parse(assertion, max_bytes=MAX_ASSERTION, allow_header=_HEADER)
        claims = decode(parsed.payload, max_bytes=MAX_ASSERTION)
    except (NotAuthentic, Refused) as error:
        _refuse(f"the assertion is not a well-formed ES256 JWT: {error.message}")
    if parsed.header.get("typ") not in _TYPES:
        _refuse("the header typ of the assertion is neither absent nor JWT")
    if type(parsed.header.get("kid")) is not str or type(claims) is not dict:
        _refuse("the assertion has no kid, or its claims are not an object")
    return parsed, claims


def _signed_by(key: AuthKey, parsed: Parsed) -> bool:
    public = public_key_from_jwk(key.jwk)
    return PinnedKey(key.kid, "ES256", frozenset(), public).verifies(parsed)


def _check_times(claims: Mapping[str, Json], moment: int) -> datetime:
    expires = claims.get("exp")
    if type(expires) is not int:
        _refuse("exp of the assertion is missing or not an integer")
    if expires <= moment:
        _refuse("the assertion has expired by the server's clock")
    if expires > moment + MAX_LIFETIME:
        _refuse("exp of the assertion is more than an hour ahead")
    for name in ("iat", "nbf"):
        at = claims.get(name, moment)
        if type(at) is not int:
            _refuse(f"{name} of the assertion is not an integer")
        if at > moment + AHEAD:
            _refuse(f"{name} of the assertion is in the future by the server's clock")
    return datetime.fromtimestamp(expires, UTC)


def _refuse(message: str) -> NoReturn:
    raise AssertionRefused(message)
