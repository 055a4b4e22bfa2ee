"""DPoP (RFC 9449): checks that a request was signed by the holder of the key, once, for this URL.

Own checks come before any library call: an unauthenticated caller chooses every byte of a proof.
Unknown header members and claims are ignored, as the RFC wants; `crit` is refused.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal, NoReturn
from urllib.parse import urlsplit

import orjson
import pybase64
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from broker.api.directory import Proof, ReplayStore
from broker.core.canonical import b64u
from broker.errors import NotAuthentic, Refused
from broker.sealing.jose import Parsed, parse, public_key_from_jwk, thumbprint
from broker.spi import Json

MAX_PROOF = 4096
SKEW = 60
"""Seconds that a proof may be older or younger than our clock."""
NONCE_WINDOW = 120
_KEYS_KEPT = 4096
_ECDSA = ec.ECDSA(hashes.SHA256())
_UNRESERVED = re.compile(r"%(?:2D|2E|5F|7E|3[0-9]|4[1-9A-F]|5[0-9A]|6[1-9A-F]|7[0-9A])")
# 64 bytes leave four unused bits in the last of 86 characters, which must be zero.
_REST = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{85}[AQgw])")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_PORTS = {"http": 80, "https": 443}


class ProofRefused(NotAuthentic):
    """The proof does not hold. `error` is the OAuth error code of RFC 9449."""

    def __init__(self, message: str, error: Literal["invalid_dpop_proof", "use_dpop_nonce"]) -> None:
        super().__init__("dpop-proof", message)
        self.error = error


class Nonces:
    """Stateless server nonces: a MAC over the present two-minute window, good for two windows."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise Refused("nonce-secret", "the nonce secret has fewer than 32 bytes")
        self._secret = secret

    def current(self, now: datetime) -> str:
        """The nonce to hand out now."""
        return self._at(int(now.timestamp()) // NONCE_WINDOW)

    def accepts(self, nonce: str, now: datetime) -> bool:
        """Whether it is of this window or the one before."""
        window = int(now.timestamp()) // NONCE_WINDOW
        given = nonce.encode("utf-8", "replace")
        return any(hmac.compare_digest(given, self._at(w).encode()) for w in (window, window - 1))

    def _at(self, window: int) -> str:
        return b64u(hmac.digest(self._secret, b"dpop-nonce" + window.to_bytes(8, "big"), sha256))


@dataclass(frozen=True, slots=True)
class _Key:
    jkt: str
    public: ec.EllipticCurvePublicKey


class ProofVerifier:
    """Verifies proofs against URLs built from the configured public base URL, never from `Host`."""

    def __init__(self, public_url: str, replay: ReplayStore, nonces: Nonces | None = None) -> None:
        self._base = (normal_url(public_url) or "").rstrip("/")
        self._replay = replay
        self._nonces = nonces
        self._keys: dict[str, _Key] = {}
        # By the header's exact text: a client sends the same one each time, and parsing it costs
        # more than all other checks. It gets in only when a whole proof has passed.

    async def verify(self, proof: str, method: str, path: str, now: datetime) -> str:
        """The thumbprint of the key of a proof without a token; the proof is used up by this call."""
        checked = self.check(proof, method, path, now)
        if not await self._replay.remember("dpop", checked.once, checked.expires):
            raise replayed()
        return checked.jkt

    def check(
        self,
        proof: str,
        method: str,
        path: str,
        now: datetime,
        *,
        token: str | None = None,
        jkt: str | None = None,
    ) -> Proof:
        """Everything but the first use, which the caller has to see to: `Directory.admit`.

        With `token`, `ath` and `jkt` have to match too. `path` is the raw, percent-encoded path of the
        request.
        """
        key, claims = self._signed(proof)
        target = self._check_request(claims, method, path)
        issued = self._check_time(claims, now)
        if jkt is not None and not hmac.compare_digest(jkt, key.jkt):
            _refuse("the proof is signed with another key than the one the token is bound to")
        if token is not None and claims.get("ath") != b64u(sha256(token.encode()).digest()):
            _refuse("the claim ath is not the hash of the access token")
        self._check_nonce(claims, now)
        self._keep(proof.partition(".")[0], key)
        # By the address itself, not by how this request wrote it: `%72` for `r` would make it new.
        once = sha256(f"{key.jkt}\0{claims['jti']}\0{target}".encode()).digest()
        return Proof(key.jkt, once, datetime.fromtimestamp(issued + SKEW + 1, UTC))

    def _signed(self, proof: str) -> tuple[_Key, Mapping[str, Json]]:
        try:
            header, _, rest = proof.partition(".")
            key = self._keys.get(header)
            if key is None or len(proof) > MAX_PROOF:
                parsed = parse(proof, max_bytes=MAX_PROOF, allow_header=None, require_typ="dpop+jwt")
                key = _key(parsed.header.get("jwk"))
            else:
                parsed = _rest(header, rest)
            _verify_signature(key.public, parsed)
            claims = orjson.loads(parsed.payload)
        except (NotAuthentic, Refused) as error:
            _refuse(f"the proof is not a well-formed ES256 proof: {error.message}")
        except ValueError:
            _refuse("the proof's claims are not JSON")
        if type(claims) is not dict:
            _refuse("the proof's claims are not an object")
        if type(claims.get("jti")) is not str or not 1 <= len(claims["jti"]) <= 256:
            _refuse("the claim jti is not a text of 1 to 256 characters")
        return key, claims

    def _keep(self, header: str, key: _Key) -> None:
        if header not in self._keys:
            if len(self._keys) >= _KEYS_KEPT:
                del self._keys[next(iter(self._keys))]
            self._keys[header] = key

    def _check_request(self, claims: Mapping[str, Json], method: str, path: str) -> str:
        """The normal form of the address that was asked for; the proof is for it."""
        if claims.get("htm") != method:
            _refuse("the claim htm is not the method of this request")
        htu, asked = claims.get("htu"), self._base + path
        expected = normal_url(asked) if "%" in asked else asked
        if type(htu) is not str or expected is None or (htu != expected and normal_url(htu) != expected):
            _refuse("the claim htu is not the public address of this route")
        return expected

    @staticmethod
    def _check_time(claims: Mapping[str, Json], now: datetime) -> int:
        moment, issued = int(now.timestamp()), claims.get("iat")
        if type(issued) is not int:
            _refuse("the claim iat is not an integer")
        if abs(moment - issued) > SKEW:
            _refuse(f"the claim iat is more than {SKEW} seconds away from the server's clock")
        for name in ("nbf", "exp"):
            if name in claims and type(claims[name]) is not int:
                _refuse(f"the claim {name} is not an integer")
        if claims.get("nbf", moment) > moment + SKEW or claims.get("exp", moment) < moment - SKEW:
            _refuse("the proof is not valid now, by its own nbf or exp")
        return issued

    def _check_nonce(self, claims: Mapping[str, Json], now: datetime) -> None:
        if self._nonces is None:
            return
        nonce = claims.get("nonce")
        if type(nonce) is not str or not self._nonces.accepts(nonce, now):
            raise ProofRefused("the proof has to carry the nonce of the header DPoP-Nonce", "use_dpop_nonce")


def replayed() -> ProofRefused:
    """What is raised when a proof comes a second time."""
    return ProofRefused("the proof was used before: its jti is not new", "invalid_dpop_proof")


def normal_url(url: str) -> str | None:
    """RFC 3986 §6.2.2–6.2.3 normal form without query and fragment; None when it is no http URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in _PORTS or not host or parts.username is not None or not url.isascii():
        return None
    if ":" in host:
        host = f"[{host}]"
    where = host if port in (None, _PORTS[scheme]) else f"{host}:{port}"
    path = _ESCAPE.sub(lambda m: m.group().upper(), parts.path or "/")
    path = _UNRESERVED.sub(lambda m: chr(int(m.group()[1:], 16)), path)
    return f"{scheme}://{where}{path}"


def _key(jwk: Json) -> _Key:
    if type(jwk) is not dict:
        raise Refused("jwk-form", "the header has no jwk")
    return _Key(thumbprint(jwk), public_key_from_jwk(jwk))


def _rest(header: str, rest: str) -> Parsed:
    """Payload and signature behind a header that was checked before; as strict as `parse`."""
    match = _REST.fullmatch(rest)
    if match is None:
        raise NotAuthentic("jws-form", "it is not a compact ES256 signature object")
    payload = pybase64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4))
    if b64u(payload) != match[1]:
        raise NotAuthentic("jws-form", "its parts are not strict base64url")
    signature = pybase64.urlsafe_b64decode(match[2] + "==")
    return Parsed({}, payload, f"{header}.{match[1]}".encode("ascii"), signature)


def _verify_signature(public: ec.EllipticCurvePublicKey, parsed: Parsed) -> None:
    raw = parsed.signature
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    try:
        public.verify(encode_dss_signature(r, s), parsed.signing_input, _ECDSA)
    except InvalidSignature:
        raise NotAuthentic("jws-signature", "the signature does not match the content") from None


def _refuse(message: str) -> NoReturn:
    raise ProofRefused(message, "invalid_dpop_proof")
