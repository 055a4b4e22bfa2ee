"""JWE to a partner's key: ECDH-ES+A256KW over P-256, A256GCM, strict header (docs/spec/package.md).

joserfc does the arithmetic (python-jose has no ECDH-ES). Before it sees a token from outside, the
form is checked here: exact members, exact sizes, one text for one token, never `zip`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from broker.core.canonical import decode, unb64u
from broker.errors import NotAuthentic, Refused
from broker.sealing.jose import public_key_from_jwk
from broker.spi import Json

ALG = "ECDH-ES+A256KW"
ENC = "A256GCM"
MAX_PACKAGE = 8 * 1024 * 1024
MAX_DOCUMENT = 32 * 1024 * 1024

_HEADER = {"alg", "cty", "enc", "epk", "kid", "typ"}
_EPK = {"crv", "kty", "x", "y"}
# encrypted key 40 bytes, nonce 12, tag 16
_COMPACT = re.compile(
    r"([A-Za-z0-9_-]{1,1024})\.([A-Za-z0-9_-]{54})\.([A-Za-z0-9_-]{16})"
    r"\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]{22})"
)


class _Registry(jwe.JWERegistry):
    """joserfc's own limit is 64 KiB; a package holds up to 8 MiB and a document 32 MiB."""

    max_ciphertext_length = MAX_DOCUMENT * 4 // 3 + 4


_REGISTRY = _Registry(algorithms=[ALG, ENC])


def encrypt(plaintext: bytes, public_jwk: Mapping[str, Json], typ: str, cty: str) -> str:
    """The compact JWE to the partner's key; `public_jwk` carries the partner's `kid`."""
    if len(plaintext) > limit(typ):
        raise Refused("jwe-size", f"{typ} holds at most {limit(typ)} bytes")
    kid = public_jwk.get("kid")
    if type(kid) is not str:
        raise Refused("jwe-kid", "the recipient's key has no kid")
    header = {"alg": ALG, "enc": ENC, "kid": kid, "typ": typ, "cty": cty}
    public = public_key_from_jwk(public_jwk)
    key = ECKey(public, public)
    return jwe.encrypt_compact(header, plaintext, key, registry=_REGISTRY)


def decrypt(
    token: str,
    private_key: ec.EllipticCurvePrivateKey,
    expect_typ: str,
    *,
    expect_cty: str | None = None,
) -> bytes:
    """The plaintext of a JWE of exactly this type; one message for whatever does not open."""
    header = read_header(token, expect_typ)
    if expect_cty is not None and header["cty"] != expect_cty:
        _refuse("cty", f"the encrypted object does not hold {expect_cty}")
    try:
        key = ECKey(private_key, private_key)
        plaintext = jwe.decrypt_compact(token, key, registry=_REGISTRY).plaintext
    except (JoseError, ValueError):
        plaintext = None
    if plaintext is None:
        raise NotAuthentic(
            "jwe-not-opened",
            "the encrypted object does not open with this key",
            "It was encrypted to another key, or it is damaged; collect it again.",
        )
    return plaintext


def read_header(token: str, expect_typ: str) -> Mapping[str, Json]:
    """The checked header of a JWE: says to which `kid` it is addressed. Not authenticated yet."""
    if not isinstance(token, str) or len(token) > limit(expect_typ) * 4 // 3 + 2048:
        _refuse("size", "the encrypted object is larger than permitted")
    match = _COMPACT.fullmatch(token)
    if match is None:
        _refuse("form", "it is not a compact encrypted object of the expected form")
    try:
        parts = [unb64u(part) if part else b"" for part in match.groups()]
        header = decode(parts[0], max_bytes=768)
        _check_header(header, expect_typ)
        public_key_from_jwk(header["epk"])
    except Refused:
        _refuse("form", "the encrypted object's parts or header are not of the strict form")
    return dict(header)


def limit(typ: str) -> int:
    """The largest plaintext of an object of this type, in bytes."""
    return MAX_DOCUMENT if typ == "referral-document+jwe" else MAX_PACKAGE


def _check_header(header: Json, expect_typ: str) -> None:
    if type(header) is not dict or header.keys() != _HEADER:
        _refuse("header", "the encrypted object's header does not have exactly the six members")
    if any(type(header[name]) is not str for name in ("alg", "enc", "kid", "typ", "cty")):
        _refuse("header", "a member of the encrypted object's header is not text")
    if header["alg"] != ALG or header["enc"] != ENC:
        _refuse("alg", f"the encrypted object does not use {ALG} and {ENC}")
    if header["typ"] != expect_typ:
        _refuse("typ", f"the encrypted object is not of type {expect_typ}")
    if type(header["epk"]) is not dict or header["epk"].keys() != _EPK:
        _refuse("header", "the encrypted object's ephemeral key is not of the strict form")


def _refuse(rule: str, message: str) -> NoReturn:
    raise NotAuthentic(f"jwe-{rule}", message)
