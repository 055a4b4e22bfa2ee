"""Private keys of synthetic partners as JWK, for software that takes its keys so."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from broker.core.canonical import b64u
from broker.sealing.jose import jwk_from_public_key


def private_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """RFC 7518 §6.2, with `d`."""
    number = key.private_numbers().private_value
    return {**jwk_from_public_key(key.public_key()), "d": b64u(number.to_bytes(32, "big"))}
