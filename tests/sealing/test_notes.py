"""Checkpoints and proofs: one text each, only the pinned key, only the proven place."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from broker.core import merkle
from broker.errors import NotAuthentic, Refused
from broker.sealing import notes

ORIGIN = "ledger.broker.example"
PRIVATE = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = notes.NoteSigner.load(ORIGIN, PRIVATE)
OTHER = notes.NoteSigner.load(ORIGIN, ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))
WITNESS = notes.NoteSigner.load("witness.example", ed25519.Ed25519PrivateKey.from_private_bytes(b"w" * 32))
LEAVES = [merkle.leaf_hash(str(number).encode()) for number in range(300)]
NOTE = notes.sign_checkpoint(ORIGIN, 300, merkle.root(LEAVES), SIGNER)
PINNED = (SIGNER.verifier,)
PROOF = notes.proof_text(b'{"a":1}', 129, merkle.inclusion_path(LEAVES, 129), NOTE)


def test_the_note_is_c2sp_byte_for_byte() -> None:
    public = PRIVATE.public_key().public_bytes_raw()
    key_id = sha256(ORIGIN.encode() + b"\n\x01" + public).digest()[:4]
    body = f"{ORIGIN}\n300\n{base64.b64encode(merkle.root(LEAVES)).decode()}\n"
    line = base64.b64encode(key_id + PRIVATE.sign(body.encode())).decode()
    assert f"{body}\n— {ORIGIN} {line}\n" == NOTE
    key = base64.b64encode(b"\x01" + public).decode()
    assert SIGNER.verifier.text() == f"{ORIGIN}+{key_id.hex()}+{key}"


def test_round_trip() -> None:
    checkpoint = notes.verify_checkpoint(NOTE, PINNED)
    assert checkpoint == notes.Checkpoint(ORIGIN, 300, merkle.root(LEAVES))
    assert notes.Verifier.parse(SIGNER.verifier.text() + "\n") == SIGNER.verifier
    proof = notes.parse_proof(PROOF)
    assert (proof.extra, proof.index) == (b'{"a":1}', 129)
    assert notes.verify_proof(proof, LEAVES[129], PINNED) == checkpoint
    single = notes.sign_checkpoint(ORIGIN, 1, LEAVES[0], SIGNER)
    alone = notes.parse_proof(notes.proof_text(b"x", 0, [], single))
    assert notes.verify_proof(alone, LEAVES[0], PINNED).size == 1


def test_rotated_keys_and_witness_lines() -> None:
    assert notes.verify_checkpoint(NOTE, (OTHER.verifier, SIGNER.verifier)).size == 300
    body = NOTE.partition("\n\n")[0] + "\n"
    signature = WITNESS.verifier.key_id + WITNESS.sign_bytes(body.encode())
    cosigned = NOTE + f"— witness.example {base64.b64encode(signature).decode()}\n"
    assert notes.verify_checkpoint(cosigned, PINNED).size == 300
    with pytest.raises(NotAuthentic):
        notes.verify_checkpoint(NOTE, (SIGNER.verifier, WITNESS.verifier))
    with pytest.raises(NotAuthentic):
        notes.verify_checkpoint(NOTE + NOTE.splitlines(keepends=True)[-1] * 16, PINNED)


def test_another_key_is_refused() -> None:
    with pytest.raises(NotAuthentic) as caught:
        notes.verify_checkpoint(NOTE, (OTHER.verifier,))
    assert caught.value.code == "checkpoint-key"
    with pytest.raises(NotAuthentic):
        notes.verify_checkpoint(NOTE, ())
    forged = OTHER.verifier.key_id + PRIVATE.sign(b"x")
    changed = NOTE.replace("\n300\n", "\n301\n")
    with pytest.raises(NotAuthentic) as caught:
        notes.verify_checkpoint(changed, PINNED)
    assert caught.value.code == "checkpoint-signature"
    assert forged


def test_other_leaf_and_other_place_are_refused() -> None:
    proof = notes.parse_proof(PROOF)
    with pytest.raises(NotAuthentic):
        notes.verify_proof(proof, LEAVES[130], PINNED)
    moved = notes.parse_proof(PROOF.replace("index 129", "index 130"))
    with pytest.raises(NotAuthentic):
        notes.verify_proof(moved, LEAVES[129], PINNED)


def test_every_changed_character_is_refused() -> None:
    data = PROOF.encode()
    for place in range(len(data)):
        for bit in (0, 5):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            text = changed.decode("utf-8", "replace")
            try:
                proof = notes.parse_proof(text)
                extra = proof.extra
                notes.verify_proof(proof, LEAVES[129], PINNED)
            except NotAuthentic:
                continue
            # `extra` is bound by rebuilding the leaf from it, which is the caller's step.
            assert extra != b'{"a":1}', f"byte {place}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        PROOF + "\n",
        PROOF.replace("index 129", "index 0129"),
        PROOF.replace("index 129", "index +129"),
        PROOF.replace("index 129", "index -1"),
        PROOF.replace("index 129", "129"),
        PROOF.replace("extra ", ""),
        PROOF.replace("\n", "\r\n"),
        PROOF.replace("@v1", "@v2"),
        PROOF.replace("\n\n", "\n", 1),
        "c2sp.org/tlog-proof@v1\n" * 70,
        "x" * (notes.MAX_TEXT + 1),
    ],
)
def test_other_forms_of_a_proof(text: str) -> None:
    with pytest.raises(NotAuthentic):
        notes.verify_proof(notes.parse_proof(text), LEAVES[129], PINNED)


def test_other_forms_of_keys_and_checkpoints() -> None:
    good = SIGNER.verifier.text()
    for text in (
        "",
        "x",
        good.replace("+", " "),
        good[:-4],
        good + "+",
        "other" + good,
        good + " ",
    ):
        with pytest.raises(Refused):
            notes.Verifier.parse(text)
    with pytest.raises(Refused):
        notes.sign_checkpoint("other.example", 1, LEAVES[0], SIGNER)
    with pytest.raises(Refused):
        notes.sign_checkpoint(ORIGIN, -1, LEAVES[0], SIGNER)
    with pytest.raises(Refused):
        notes.sign_checkpoint(ORIGIN, 1, b"short", SIGNER)
