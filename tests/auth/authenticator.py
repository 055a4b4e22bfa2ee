"""A software authenticator: makes and uses passkeys as WebAuthn level 2 says, with real COSE and CBOR.

Written from the specification for these tests; every deviation a test wants is an argument.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

UP, UV, AT = 0x01, 0x04, 0x40


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cbor(value: Any) -> bytes:
    """Definite-length CBOR (RFC 8949) of ints, bytes, texts and maps."""
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    assert isinstance(value, dict)
    return _head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


def _head(major: int, number: int) -> bytes:
    for extra, size in ((24, 1), (25, 2), (26, 4)):
        if number < 24:
            return bytes([major << 5 | number])
        if number < 1 << 8 * size:
            return bytes([major << 5 | extra]) + number.to_bytes(size)
    raise ValueError(number)


@dataclass
class Authenticator:
    """One device with one passkey; `counting=False` is a synchronised passkey, whose count stays zero."""

    origin: str = "https://broker.example"
    counting: bool = True
    count: int = 0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: os.urandom(16))
    user: bytes = b""
    rp_id: str = ""

    def create(self, options: str, **lies: Any) -> str:
        """Answer to `navigator.credentials.create`."""
        asked = json.loads(options)
        assert asked["authenticatorSelection"]["residentKey"] == "required"
        assert asked["authenticatorSelection"]["userVerification"] == "required"
        self.user, self.rp_id = unb64(asked["user"]["id"]), asked["rp"]["id"]
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + len(self.credential_id).to_bytes(2) + self.credential_id + cbor(cose)
        data = self._data(AT, attested, **lies)
        client = self._client("webauthn.create", asked["challenge"], **lies)
        attestation = cbor({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            {
                "clientDataJSON": b64(client),
                "attestationObject": b64(attestation),
                "transports": ["internal"],
            }
        )

    def get(self, options: str, **lies: Any) -> str:
        """Answer to `navigator.credentials.get`."""
        asked = json.loads(options)
        assert asked["userVerification"] == "required"
        data = self._data(0, b"", **lies)
        client = self._client("webauthn.get", asked["challenge"], **lies)
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": b64(client),
                "authenticatorData": b64(data),
                "signature": b64(signed),
                "userHandle": b64(lies.get("user", self.user)),
            }
        )

    def _data(self, flags: int, attested: bytes, **lies: Any) -> bytes:
        if self.counting:
            self.count += 1
        flags |= UP | (UV if lies.get("verified", True) else 0)
        rp_id: str = lies.get("rp_id", self.rp_id)
        count: int = lies.get("count", self.count)
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4) + attested

    def _client(self, kind: str, challenge: str, /, **lies: Any) -> bytes:
        return json.dumps(
            {
                "type": lies.get("kind", kind),
                "challenge": lies.get("challenge", challenge),
                "origin": lies.get("origin", self.origin),
                "crossOrigin": False,
            }
        ).encode()

    def _answer(self, response: dict[str, Any]) -> str:
        name = b64(self.credential_id)
        return json.dumps(
            {
                "id": name,
                "rawId": name,
                "type": "public-key",
                "response": response,
                "clientExtensionResults": {},
                "authenticatorAttachment": "platform",
            }
        )
