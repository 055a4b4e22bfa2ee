"""Access tokens: `at+jwt` (RFC 9068), ES256, 300 s, bound to the client's DPoP key (`cnf.jkt`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from broker.api.directory import ClientRecord
from broker.core.canonical import decode, encode
from broker.errors import NotAuthentic
from broker.sealing.jose import KeySet, SigningKey, sign, verify
from broker.spi import Json

TYP = "at+jwt"
LIFETIME = 300
CACHED_FOR = 60
"""Seconds that a verified token is believed without verifying its signature again."""
_CACHE_SIZE = 10_000
_MAX_TOKEN = 4096


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. `token_hash` is the hex SHA-256 of its text, for the record."""

    client_id: str
    partner_id: str
    scopes: frozenset[str]
    kid: str
    """The partner's key that got the token."""
    jkt: str
    expires: int
    token_hash: str


class TokenIssuer:
    """Makes tokens for this broker's own API: issuer and audience are its public base URL."""

    def __init__(self, public_url: str, key: SigningKey) -> None:
        self._url = public_url
        self._key = key

    def issue(
        self, client: ClientRecord, kid: str, scopes: frozenset[str], jkt: str, now: datetime, jti: str
    ) -> str:
        """A token for `scopes`, good for `LIFETIME` seconds, useless without the key `jkt`, and as long as
        the key `kid` that asked for it is not revoked."""
        issued = int(now.timestamp())
        claims = {
            "iss": self._url,
            "aud": self._url,
            "sub": client.client_id,
            "client_id": client.client_id,
            "partner": client.partner_id,
            "kid": kid,
            "scope": " ".join(sorted(scopes)),
            "iat": issued,
            "exp": issued + LIFETIME,
            "jti": jti,
            "cnf": {"jkt": jkt},
        }
        return sign(encode(claims), self._key, TYP)


class TokenVerifier:
    """Verifies tokens; a token seen within the last minute costs a hash and a look-up."""

    def __init__(self, public_url: str, keys: KeySet) -> None:
        self._url = public_url
        self._keys = keys
        self._cache: dict[bytes, tuple[Claims, int]] = {}

    def verify(self, token: str, now: datetime) -> Claims:
        """The claims; raises `NotAuthentic` for any token that is not ours, whole and in time.

        Expiry is checked on every call, the signature once in `CACHED_FOR` seconds. Suspension of the
        partner and revocation of its keys are not this function's business: the caller asks the
        directory each time.
        """
        moment = int(now.timestamp())
        digest = sha256(token.encode("utf-8", "replace")).digest()
        cached = self._cache.get(digest)
        if cached is not None and moment < cached[1]:
            claims = cached[0]
        else:
            claims = self._verify(token, digest, now)
            self._keep(digest, claims, moment)
        if moment >= claims.expires:
            raise NotAuthentic("token-expired", "the access token has expired")
        return claims

    def _verify(self, token: str, digest: bytes, now: datetime) -> Claims:
        if len(token) > _MAX_TOKEN:
            raise NotAuthentic("token-form", "the access token is not one of this broker's")
        try:
            body = decode(verify(token, self._keys, TYP, now), max_bytes=_MAX_TOKEN)
        except NotAuthentic:
            raise NotAuthentic("token-form", "the access token is not one of this broker's") from None
        if "kid" not in body:  # of the version before
            raise NotAuthentic("token-expired", "the access token has expired")
        if body["iss"] != self._url or body["aud"] != self._url:
            raise NotAuthentic("token-audience", "the access token is for another broker")
        return _claims(body, digest)

    def _keep(self, digest: bytes, claims: Claims, moment: int) -> None:
        self._cache.pop(digest, None)
        while len(self._cache) >= _CACHE_SIZE:  # oldest first: dicts keep their order
            del self._cache[next(iter(self._cache))]
        self._cache[digest] = (claims, min(moment + CACHED_FOR, claims.expires))


def _claims(body: Mapping[str, Json], digest: bytes) -> Claims:
    return Claims(
        client_id=body["client_id"],
        partner_id=body["partner"],
        scopes=frozenset(body["scope"].split()),
        kid=body["kid"],
        jkt=body["cnf"]["jkt"],
        expires=body["exp"],
        token_hash=digest.hex(),
    )
