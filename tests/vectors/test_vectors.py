"""The code still produces the frozen vectors, and still accepts what was signed with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from broker.core import merkle, seal
from broker.core.canonical import decode, encode, unb64u
from broker.errors import NotAuthentic
from broker.sealing import verify
from broker.sealing.notes import Verifier
from broker.sealing.trust import Trust, parse_jwks
from tests.vectors import make

HERE = Path(__file__).parent


def load(name: str) -> Any:
    return json.loads((HERE / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "produce"),
    [
        ("inputs.json", make.inputs),
        ("trust.json", make.trust),
        ("seal.json", make.deterministic),
        ("merkle.json", make.merkle_vectors),
    ],
)
def test_deterministic_vectors_are_reproduced(name: str, produce: Any) -> None:
    assert load(name) == json.loads(encode(produce()))


@pytest.fixture
def trust() -> Trust:
    frozen = load("trust.json")
    return Trust(parse_jwks(frozen["jwks"]), (Verifier.parse(frozen["ledger_vkey"]),))


def test_frozen_signatures_verify(trust: Trust) -> None:
    texts, frozen = load("signed.json"), load("seal.json")
    verified = verify.verify_package(
        texts["referral.jws"],
        texts["seal.jws"],
        encode(frozen["opening"]),
        trust,
        apart_jws=texts["apart.jws"],
        proof_text=texts["proof.tlog"],
    )
    assert verified.payload_bytes.decode() == frozen["referral_payload"]
    assert encode(verified.seal).decode() == frozen["seal_payload"]
    assert verified.apart == make.APART
    form = verify.verify_redacted(texts["redacted.json"].encode(), trust, texts["proof.tlog"])
    assert seal.units_of(form.doc).keys() == make.UNITS.keys() - {"/facts/summary/text"}


def test_frozen_withheld_values_open() -> None:
    frozen = load("seal.json")
    for pointer, proof in frozen["withheld_proofs"].items():
        opened = seal.verify_withheld(proof, unb64u(frozen["root"]), frozen["depth"])
        assert opened == (pointer, make.WITHHELD[pointer])
        with pytest.raises(NotAuthentic):
            seal.verify_withheld(proof, unb64u(frozen["without_withheld_root"]), frozen["depth"])


def test_frozen_paths_verify() -> None:
    frozen = load("merkle.json")
    roots = [unb64u(root) for root in frozen["roots"]]
    inclusion, consistency = frozen["inclusion"], frozen["consistency"]
    path = [unb64u(step) for step in inclusion["path"]]
    assert merkle.verify_inclusion(merkle.leaf_hash(b"6"), 6, 13, path, roots[13])
    path = [unb64u(step) for step in consistency["path"]]
    assert merkle.verify_consistency(7, 13, roots[7], roots[13], path)
    assert decode(encode(frozen), max_bytes=10**6) == frozen
