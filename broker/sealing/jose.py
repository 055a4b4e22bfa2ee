"""Strict JWS: ES256 over python-jose key objects, and nothing else of python-jose.

python-jose alone accepts `crit`, other texts for the same token, an algorithm that is not the
key's, duplicate members and more (each probe is a test). So this module does the parsing, checks
algorithm, type and key against each other, and leaves only the arithmetic to
`jose.jwk.Key.sign/verify`. Never call `jose.jwt.decode`, `jose.jws.verify`, `jose.jwe` or
`jose.jwk.construct` on what came from outside.

A token is verified as bytes and parsed afterwards; replay and equality are keyed on ids or digests
of the payload, never on the token's text (ECDSA signatures are malleable).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk as jose_jwk
from jose.backends import ECKey

from broker.core.canonical import b64u, decode, encode_trusted, unb64u
from broker.errors import Misconfigured, NotAuthentic, Refused
from broker.spi import Json

ALG = "ES256"
MAX_HEADER = 2048
MAX_TOKEN = 12 * 1024 * 1024
"""A referral package holds at most 8 MiB of plaintext; base64url makes 4/3 of it."""
OWN_HEADER = frozenset({"alg", "kid", "typ"})

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})")
_COORDINATE = re.compile(r"[A-Za-z0-9_-]{43}")
_THUMBPRINT_MEMBERS = ("crv", "kty", "x", "y")

# python-jose also installs the packages `ecdsa` and `rsa` (timing leaks, never fixed). They must
# stay dormant: the EC backend has to be the one on `cryptography`.
if ECKey.__module__ != "jose.backends.cryptography_backend":
    raise Misconfigured(
        "jose-backend",
        f"python-jose signs with {ECKey.__module__}, not with cryptography",
        "Reinstall python-jose together with cryptography.",
    )


@dataclass(frozen=True, slots=True)
class Parsed:
    """A well-formed token whose signature nobody has checked yet."""

    header: Mapping[str, Json]
    payload: bytes
    signing_input: bytes
    signature: bytes


@dataclass(frozen=True)
class PinnedKey:
    """A public key with all it may be used for: algorithm, token types, time."""

    kid: str
    alg: str
    typs: frozenset[str]
    public: ec.EllipticCurvePublicKey
    not_before: datetime | None = None
    not_after: datetime | None = None

    def __post_init__(self) -> None:
        if self.alg != ALG or not isinstance(self.public.curve, ec.SECP256R1):
            raise Refused("key-curve", "only P-256 keys for ES256 can be pinned")

    @cached_property
    def _key(self) -> Any:
        return jose_jwk.construct(self.public, self.alg)

    def covers(self, at: datetime, *, early: timedelta = timedelta(0)) -> bool:
        """Whether the key was in use at `at`, or comes into use within `early` after it."""
        if self.not_before is not None and at + early < self.not_before:
            return False
        return self.not_after is None or at <= self.not_after

    def verifies(self, parsed: Parsed) -> bool:
        """Whether the signature is this key's."""
        return bool(self._key.verify(parsed.signing_input, parsed.signature))


class KeySet:
    """Pinned keys by `kid`. Two keys with one `kid` are a mistake and refused."""

    def __init__(self, keys: Iterable[PinnedKey]) -> None:
        self._keys: dict[str, PinnedKey] = {}
        for key in keys:
            if key.kid in self._keys:
                raise Refused("key-duplicate", "two keys have the same kid")
            self._keys[key.kid] = key

    def find(self, kid: str) -> PinnedKey | None:
        """The key of that id, or None."""
        return self._keys.get(kid)

    def __iter__(self) -> Any:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._keys)


@dataclass(frozen=True)
class SigningKey:
    """A loaded private key behind python-jose's `Key` interface (the seam for PKCS#11)."""

    kid: str
    typs: frozenset[str]
    key: Any
    """`jose.backends.base.Key`: sign(message) gives r‖s."""
    alg: str = ALG

    @classmethod
    def load(cls, kid: str, typs: Iterable[str], private: ec.EllipticCurvePrivateKey) -> SigningKey:
        """A key held in this process."""
        if not isinstance(private.curve, ec.SECP256R1):
            raise Refused("key-curve", "ES256 signs with a P-256 key")
        return cls(kid, frozenset(typs), jose_jwk.construct(private, ALG))

    @cached_property
    def _headers(self) -> dict[str, bytes]:
        members = {"alg": self.alg, "kid": self.kid}
        return {typ: b64u(encode_trusted({**members, "typ": typ})).encode("ascii") for typ in self.typs}

    def header(self, typ: str) -> bytes:
        """The encoded protected header for `typ`, which must be one of this key's."""
        header = self._headers.get(typ)
        if header is None:
            raise Misconfigured("key-purpose", f"key {self.kid} may not sign {typ}")
        return header


def sign(payload: bytes, key: SigningKey, typ: str) -> str:
    """The compact JWS over exactly these bytes."""
    signing_input = key.header(typ) + b"." + b64u(payload).encode("ascii")
    return f"{signing_input.decode('ascii')}.{b64u(key.key.sign(signing_input))}"


def verify(token: str, keys: KeySet, typ: str, at: datetime | None = None) -> bytes:
    """The payload bytes of a token of type `typ` signed by a pinned key that is in use at `at`."""
    return verify_with_key(token, keys, typ, at)[0]


def verify_with_key(
    token: str, keys: KeySet, typ: str, at: datetime | None = None
) -> tuple[bytes, PinnedKey]:
    """`verify`, and which key it was. Without `at` the caller has to judge the key's time."""
    parsed = parse(token, allow_header=OWN_HEADER, require_typ=typ)
    kid = parsed.header.get("kid")
    key = keys.find(kid) if isinstance(kid, str) else None
    if key is None:
        raise NotAuthentic(
            "jws-key-unknown",
            "it is signed with a key that is not pinned here",
            "Compare the key's thumbprint with the one from onboarding, or get the newer key list.",
        )
    if key.alg != parsed.header["alg"] or typ not in key.typs:
        _refuse("key-purpose", "the key that signed it may not sign this type of object")
    if at is not None and not key.covers(at):
        _refuse("key-time", "the key that signed it was not in use at that time")
    if not key.verifies(parsed):
        _refuse("signature", "the signature does not match the content")
    return parsed.payload, key


def parse(
    token: str,
    *,
    max_bytes: int = MAX_TOKEN,
    allow_header: frozenset[str] | None = OWN_HEADER,
    require_typ: str | None = None,
) -> Parsed:
    """Take a compact ES256 JWS apart without trusting it; verifies nothing.

    `allow_header` is the exact list of header members that may occur; None leaves it open (DPoP and
    assertions of third-party clients), yet `crit` and `b64` are refused always. `require_typ`
    compares the type exactly; None accepts any or none.
    """
    if not isinstance(token, str) or len(token) > max_bytes:
        _refuse("size", "it is not a text of permitted size")
    match = _COMPACT.fullmatch(token)
    if match is None:
        _refuse("form", "it is not a compact ES256 signature object")
    encoded, body, tail = match.groups()
    try:
        header = decode(unb64u(encoded), max_bytes=MAX_HEADER)
        payload, signature = unb64u(body), unb64u(tail)
    except Refused:
        _refuse("form", "its parts are not strict base64url, or its header is not strict JSON")
    _check_header(header, allow_header, require_typ)
    return Parsed(header, payload, f"{encoded}.{body}".encode("ascii"), signature)


def public_key_from_jwk(jwk: Mapping[str, Json]) -> ec.EllipticCurvePublicKey:
    """The P-256 key of a public JWK; `Refused` unless every member is of the exact form.

    The form is checked before a library sees it: python-jose turned an integer `x` into 300 MB.
    """
    if not isinstance(jwk, Mapping) or any(member in jwk for member in ("d", "k", "p", "q", "oth")):
        raise Refused("jwk-private", "a public key is expected, without private members")
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
        raise Refused("jwk-type", "only EC keys on P-256 are accepted")
    x, y = (_coordinate(jwk.get(member)) for member in ("x", "y"))
    try:
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        raise Refused("jwk-point", "the coordinates are not a point of P-256") from None


def jwk_from_public_key(public: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The four members of RFC 7638; built from the public numbers, so `d` cannot get in."""
    numbers = public.public_numbers()
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": b64u(numbers.x.to_bytes(32, "big")),
        "y": b64u(numbers.y.to_bytes(32, "big")),
    }


def thumbprint(jwk: Mapping[str, Json]) -> str:
    """RFC 7638 SHA-256 thumbprint of a public P-256 JWK."""
    public_key_from_jwk(jwk)
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS}
    return b64u(sha256(encode_trusted(members)).digest())


def _coordinate(text: Json) -> int:
    if type(text) is not str or not _COORDINATE.fullmatch(text):
        raise Refused("jwk-coordinate", "a coordinate is not 43 characters of base64url")
    return int.from_bytes(unb64u(text), "big")


def _check_header(header: Json, allow: frozenset[str] | None, require_typ: str | None) -> None:
    if type(header) is not dict or "crit" in header or "b64" in header:
        _refuse("header", "its header is not an object, or changes how the signature is read")
    if allow is not None and not header.keys() <= allow:
        _refuse("header", "its header has a member that is not permitted")
    if any(type(header.get(name, "")) is not str for name in ("alg", "kid", "typ", "cty")):
        _refuse("header", "a member of its header is not text")
    if header.get("alg") != ALG:
        _refuse("alg", "its algorithm is not ES256")
    if require_typ is not None and header.get("typ") != require_typ:
        _refuse("typ", f"its type is not {require_typ}")


def _refuse(rule: str, message: str) -> NoReturn:
    raise NotAuthentic(f"jws-{rule}", message)
