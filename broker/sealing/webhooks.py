"""Standard Webhooks, asymmetric (`v1a`): a thin message signed with Ed25519.

https://www.standardwebhooks.com: the signature is over `id.timestamp.body`; the receiver pins the public
key (`whpk_…`). No secret is shared with anybody, so the symmetric `v1` is not offered.
"""

from __future__ import annotations

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def content(message_id: str, timestamp: int, body: bytes) -> bytes:
    """What is signed."""
    return b"%s.%d.%s" % (message_id.encode(), timestamp, body)


def headers(seed: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message. `seed` is the Ed25519 private key (32 octets)."""
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(content(message_id, timestamp, body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1a," + b64encode(signature).decode(),
    }


def public_key(seed: bytes) -> str:
    """The key a receiver pins."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return "whpk_" + b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
