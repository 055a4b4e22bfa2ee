"""Writes the frozen vectors of docs/spec; run `python -m tests.vectors.make` on a format change.

Everything but the ECDSA signatures is a function of the inputs in `inputs.json`; `test_vectors.py`
reproduces that part and verifies the signatures. The private keys here are published on purpose:
TEST ONLY, never pin them anywhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from broker.core import merkle, seal
from broker.core.canonical import b64u, encode, sha256_hex
from broker.sealing.jose import PinnedKey, SigningKey, jwk_from_public_key
from broker.sealing.notes import NoteSigner
from broker.sealing.trust import REFERRAL_TYPS, jwks_of
from tests.sealing.building import (
    APART,
    ORIGIN,
    RELEASE,
    UNITS,
    WITHHELD,
    Release,
    as_units,
    make,
)

HERE = Path(__file__).parent
SEED = bytes(range(32))
SECRET = 0x5EA1
"""The scalar of the test-only signing key."""
LOG_SEED = bytes(range(32, 64))


def signing_key() -> SigningKey:
    private = ec.derive_private_key(SECRET, ec.SECP256R1())
    return SigningKey.load("release-test-only", REFERRAL_TYPS, private)


def note_signer() -> NoteSigner:
    return NoteSigner.load(ORIGIN, ed25519.Ed25519PrivateKey.from_private_bytes(LOG_SEED))


def built() -> Release:
    return make(signing_key(), note_signer(), seed=SEED)


def inputs() -> dict[str, Any]:
    """All that the rest follows from."""
    public = ec.derive_private_key(SECRET, ec.SECP256R1()).public_key()
    return {
        "warning": "TEST ONLY: these private keys are public; never pin them",
        "signing_key": {
            **jwk_from_public_key(public),
            "d": b64u(SECRET.to_bytes(32, "big")),
            "kid": "release-test-only",
        },
        "ledger_key_seed": b64u(LOG_SEED),
        "ledger_origin": ORIGIN,
        "seed": b64u(SEED),
        "release": RELEASE,
        "units": UNITS,
        "apart": APART,
        "withheld": WITHHELD,
    }


def trust() -> dict[str, Any]:
    private = ec.derive_private_key(SECRET, ec.SECP256R1())
    key = PinnedKey("release-test-only", "ES256", REFERRAL_TYPS, private.public_key())
    return {"jwks": jwks_of([key]), "ledger_vkey": note_signer().verifier.text()}


def deterministic() -> dict[str, Any]:
    """Whatever does not depend on an ECDSA nonce."""
    release = built()
    tree = release.tree
    return {
        "depth": tree.depth,
        "root": b64u(tree.root),
        "leaves_sha256": sha256_hex(b"".join(tree.leaves)),
        "salts_and_positions": [[p, name, b64u(salt)] for p, name, salt in tree.disclosed],
        "withheld_position": tree.withheld_position,
        "opening": tree.opening(RELEASE),
        "apart_units": tree.apart_units(),
        "withheld_proofs": {name: tree.withheld_proof(name) for name in WITHHELD},
        "referral_payload": encode(release.referral).decode(),
        "seal_payload": encode(release.sealed).decode(),
        "empty_root": b64u(seal.build([], [], [], SEED).root),
        "without_withheld_root": b64u(seal.build(as_units(UNITS), as_units(APART), [], SEED).root),
    }


def merkle_vectors() -> dict[str, Any]:
    """RFC 6962 trees over the leaf bodies "0", "1", …: roots, an audit and a consistency path."""
    leaves = [merkle.leaf_hash(str(number).encode()) for number in range(13)]
    return {
        "roots": [b64u(merkle.root(leaves[:size])) for size in range(14)],
        "inclusion": {
            "index": 6,
            "size": 13,
            "path": [b64u(step) for step in merkle.inclusion_path(leaves, 6)],
        },
        "consistency": {
            "from": 7,
            "to": 13,
            "path": [b64u(step) for step in merkle.consistency_path(leaves, 7)],
        },
    }


def signed() -> dict[str, Any]:
    """One set of signatures, frozen: each run of the generator gives others that verify as well."""
    texts = built().texts
    names = ("referral.jws", "seal.jws", "apart.jws", "proof.tlog", "redacted.json")
    return {name: texts[name].decode() for name in names}


def write(name: str, value: dict[str, Any]) -> None:
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    (HERE / name).write_text(text + "\n", encoding="utf-8")


def main() -> None:
    write("inputs.json", inputs())
    write("trust.json", trust())
    write("seal.json", deterministic())
    write("merkle.json", merkle_vectors())
    write("signed.json", signed())


if __name__ == "__main__":
    main()
