"""Checkpoints and proofs of publication as C2SP text (docs/spec/proof.md).

A checkpoint is a signed note: three lines, an empty line, Ed25519 signature lines. A proof is a
leaf's way up to a checkpoint. Both have one text only: what was parsed is written again and must
be equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NoReturn

import pybase64
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from broker.core import merkle
from broker.core.canonical import b64u, encode_trusted
from broker.errors import NotAuthentic, Refused
from broker.spi import Json

ED25519 = b"\x01"
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
MAX_TEXT = 256 * 1024
MAX_SIZE = 2**53 - 1
MAX_PATH = 63
MAX_SIGNATURES = 16

_NAME = re.compile(r"[!-*,-~]{1,200}")
"""A key name: printable ASCII without space and plus."""
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
_SIGNATURE = re.compile(r"— ([!-*,-~]{1,200}) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Verifier:
    """A log's pinned public key under its name: what a `vkey` line says."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.public) != 32:
            raise Refused("vkey-form", "a verifier key has a name without spaces and 32 bytes")

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """From `<name>+<hex key id>+<base64(0x01 ‖ public key)>`, one line."""
        name, _, tail = text.removesuffix("\n").partition("+")
        encoded = tail.partition("+")[2]
        try:
            raw = pybase64.b64decode(encoded, validate=True)
        except ValueError:
            raw = b""
        if raw[:1] != ED25519 or len(raw) != 33:
            raise Refused("vkey-form", "the ledger's verifier key is not of the expected form")
        verifier = cls(name, raw[1:])
        if verifier.text() != text.removesuffix("\n"):
            raise Refused("vkey-form", "the ledger's verifier key does not match its key id")
        return verifier

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[:4]."""
        return sha256(self.name.encode("ascii") + b"\n" + ED25519 + self.public).digest()[:4]

    def text(self) -> str:
        """The `vkey` line, without newline."""
        return f"{self.name}+{self.key_id.hex()}+{_b64(ED25519 + self.public)}"


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """Signs checkpoints under `verifier.name`; `sign_bytes` is the seam to a key elsewhere."""

    verifier: Verifier
    sign_bytes: Callable[[bytes], bytes]

    @classmethod
    def load(cls, name: str, private: ed25519.Ed25519PrivateKey) -> NoteSigner:
        """A key held in this process."""
        return cls(Verifier(name, private.public_key().public_bytes_raw()), private.sign)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: its name, how many leaves, their root."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class Proof:
    """A parsed proof of publication; nothing of it is verified yet."""

    extra: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: str


def sign_checkpoint(origin: str, size: int, root: bytes, signer: NoteSigner) -> str:
    """The signed note for this head of the log; `origin` must be the signer's name."""
    if signer.verifier.name != origin:
        raise Refused("checkpoint-origin", "the key's name and the log's origin differ")
    if len(root) != merkle.HASH_SIZE or not 0 <= size <= MAX_SIZE:
        raise Refused("checkpoint-form", "a checkpoint has a size and a root of 32 bytes")
    body = Checkpoint(origin, size, root).body()
    signature = signer.verifier.key_id + signer.sign_bytes(body.encode("ascii"))
    return f"{body}\n— {origin} {_b64(signature)}\n"


def verify_checkpoint(text: str, verifiers: Sequence[Verifier]) -> Checkpoint:
    """The head of the log, once the note is of the exact form and a pinned key signed it.

    Lines by other keys (witnesses) are carried along and not judged.
    """
    body, _, tail = text.partition("\n\n")
    checkpoint = _checkpoint(body + "\n", len(text))
    lines = tail.splitlines(keepends=True)
    if not 1 <= len(lines) <= MAX_SIGNATURES:
        _refuse("checkpoint-form", "the checkpoint has no signature, or too many")
    signatures = [_signature(line) for line in lines]
    rebuilt = checkpoint.body() + "\n" + "".join(f"— {n} {_b64(s)}\n" for n, s in signatures)
    names = {verifier.name for verifier in verifiers}
    if rebuilt != text or names != {checkpoint.origin}:
        _refuse("checkpoint-form", "the checkpoint is not of the exact form, or of another log")
    pinned = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    ours = [(key, raw[4:]) for name, raw in signatures if (key := pinned.get((name, raw[:4])))]
    if not ours:
        _refuse("checkpoint-key", "the checkpoint is not signed by a pinned ledger key")
    try:
        for key, signature in ours:
            public = ed25519.Ed25519PublicKey.from_public_bytes(key.public)
            public.verify(signature, checkpoint.body().encode("ascii"))
    except InvalidSignature:
        _refuse("checkpoint-signature", "the ledger's signature on the checkpoint does not match")
    return checkpoint


def leaf_body(leaf_type: str, nonce: bytes, record: Json) -> bytes:
    """The body of a ledger leaf: commits to the record under its nonce, tells nothing of it."""
    commit = sha256(nonce + encode_trusted(record)).hexdigest()
    return encode_trusted({"commit": commit, "type": leaf_type})


def proof_extra(leaf_type: str, nonce: bytes, record: Json) -> bytes:
    """What opens a leaf, as it stands in a proof's `extra`."""
    return encode_trusted({"nonce": b64u(nonce), "record": record, "type": leaf_type})


def proof_text(extra: bytes, index: int, path: Sequence[bytes], checkpoint: str) -> str:
    """The text of a proof; `extra` is canonical JSON, `checkpoint` a signed note."""
    lines = [PROOF_HEADER, f"extra {_b64(extra)}", f"index {index}", *map(_b64, path)]
    return "\n".join(lines) + "\n\n" + checkpoint


def parse_proof(text: str) -> Proof:
    """Take a proof apart; refused unless writing it again gives the same text."""
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        _refuse("proof-form", "the proof of publication is not a text of permitted size")
    head, _, checkpoint = text.partition("\n\n")
    first, extra, index, *path = [*head.split("\n"), "", "", ""][: max(3, head.count("\n") + 1)]
    number = index.removeprefix("index ")
    if first != PROOF_HEADER or not _NUMBER.fullmatch(number) or len(path) > MAX_PATH:
        _refuse("proof-form", "the proof of publication is not of the expected form")
    proof = Proof(
        _unb64(extra.removeprefix("extra ")),
        int(number),
        tuple(_unb64(line) for line in path),
        checkpoint,
    )
    if proof_text(proof.extra, proof.index, proof.path, proof.checkpoint) != text:
        _refuse("proof-form", "the proof of publication is not of the exact form")
    return proof


def verify_proof(proof: Proof, leaf: bytes, verifiers: Sequence[Verifier]) -> Checkpoint:
    """The verified checkpoint under which `leaf` (a leaf hash) stands at the proof's index."""
    checkpoint = verify_checkpoint(proof.checkpoint, verifiers)
    if not merkle.verify_inclusion(leaf, proof.index, checkpoint.size, proof.path, checkpoint.root):
        _refuse("proof-path", "the proof does not lead from this publication to the ledger's root")
    return checkpoint


def _checkpoint(body: str, length: int) -> Checkpoint:
    lines = body.split("\n")
    if length > MAX_TEXT or len(lines) != 4 or not _NAME.fullmatch(lines[0]):
        _refuse("checkpoint-form", "the checkpoint is not of the expected form")
    root = _unb64(lines[2])
    if not _NUMBER.fullmatch(lines[1]) or len(root) != merkle.HASH_SIZE:
        _refuse("checkpoint-form", "the checkpoint has no valid size or root")
    return Checkpoint(lines[0], int(lines[1]), root)


def _signature(line: str) -> tuple[str, bytes]:
    match = _SIGNATURE.fullmatch(line.removesuffix("\n"))
    raw = _unb64(match[2]) if match else b""
    if match is None or len(raw) < 5:
        _refuse("checkpoint-form", "a signature line of the checkpoint is not of the expected form")
    return match[1], raw


def _b64(data: bytes) -> str:
    return pybase64.b64encode(data).decode("ascii")


def _unb64(text: str) -> bytes:
    try:
        data = pybase64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    if not data or _b64(data) != text:
        _refuse("proof-form", "the proof holds text that is not strict base64")
    return data


def _refuse(code: str, message: str) -> NoReturn:
    raise NotAuthentic(code, message)
