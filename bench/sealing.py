"""`seal-6`, `seal-peers`, `canon-oracle`, `verify`: the CPU of a referral, from case to sealed bytes and back."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import secrets
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jose import jws as jose_jws

from bench import material
from bench.measure import Result, at_least, at_most, exactly, race
from bench.options import Options
from broker.core import canonical, merkle
from broker.core.minimise import minimise
from broker.core.schema import CaseDocument
from broker.sealing import jose, notes
from broker.sealing.jose import KeySet, PinnedKey
from broker.sealing.package import verify_package
from broker.sealing.trust import Trust, time_text

_ECDSA = ec.ECDSA(hashes.SHA256())
SEED = bytes(range(32))
ORIGIN = "ledger.broker.example"


def seal_6(options: Options) -> Result:
    """One case for six partners, in three sizes: the whole of it, its floor, and the naive chain."""
    found = Result()
    sizes = {"12 KiB": material.middle_case()}
    if not options.quick:
        sizes |= {"5 KiB": material.small_case(), "23 KiB": material.large_case()}
    for size, document in sizes.items():
        encoded, like = material.stored(document)
        partners = material.partners()
        sealed = [material.seal_one(like, partner, SEED) for partner in partners]

        def ours(encoded: bytes = encoded, like: Any = like) -> None:
            case = material.opened(encoded, like)
            for partner in partners:
                material.seal_one(case, partner, os.urandom(32))

        work = _floor(encoded, like, sealed)
        times = race(
            {
                "ours": ours,
                "floor": lambda work=work: work(minimising=True),  # type: ignore[misc]
                "bare": lambda work=work: work(minimising=False),  # type: ignore[misc]
                "naive": lambda document=document: _naive(document),  # type: ignore[misc]
            },
            seconds=options.seconds(6),
        )
        found.record(f"seal-6 {size}", times)
        found.line("seal-6", f"{size}: ours / floor", times["ours"] / times["floor"], at_most(2))
        found.line("seal-6", f"{size}: naive chain / ours", times["naive"] / times["ours"], at_least(4))
        found.line("seal-6", f"{size}: ours / floor without minimising", times["ours"] / times["bare"])
    return found


def _floor(encoded: bytes, like: Any, sealed: list[material.Sealed]) -> Callable[..., None]:
    """What cannot be saved: parse, minimise, canonical bytes, every hash of the trees, two signatures and
    one key agreement for each partner; nothing is checked, wrapped or put together."""
    partners = material.partners()
    documents = [orjson.loads(each.payload) for each in sealed]
    counts = [
        (len(each.tree.disclosed) + len(each.tree.apart) + 1, len(each.tree.leaves), len(each.tree.withheld))
        for each in sealed
    ]
    private = ec.generate_private_key(ec.SECP256R1())
    theirs = [partner.private.public_key() for partner in partners]
    salt, leaf, node = b"\0" * 17, b"\0" * 80, b"\0" * 65

    def floor(*, minimising: bool) -> None:
        orjson.loads(encoded)
        for partner, document, (units, leaves, withheld), key in zip(
            partners, documents, counts, theirs, strict=True
        ):
            if minimising:
                minimise(like, material.pack(), partner.request)
            payload = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
            for _ in range(units + withheld):
                hashlib.sha256(salt + leaf).digest()
            for _ in range(leaves - 1 + max(0, withheld - 1)):
                hashlib.sha256(node).digest()
            private.sign(payload, _ECDSA)
            private.sign(salt, _ECDSA)
            ec.generate_private_key(ec.SECP256R1()).exchange(ec.ECDH(), key)

    return floor


@cache
def _pem() -> str:
    private = ec.generate_private_key(ec.SECP256R1())
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _naive(document: Mapping[str, Any]) -> None:
    """What one writes first: a model dump for each partner, rfc8785, an SD-JWT by hand, a PEM each time,
    and joserfc from a JWK. It masks nothing, writes no summary and builds no padded tree: less than ours.
    """
    import rfc8785
    from joserfc import jwe
    from joserfc.jwk import ECKey

    model = CaseDocument.model_validate_json(json.dumps(document))
    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}
    for partner in material.partners():
        dumped = model.model_dump(mode="json", by_alias=True, exclude_none=True)
        digests, disclosures = [], []
        for section in dumped.values():
            for name, value in section.items() if isinstance(section, dict) else ():
                fields = value.items() if isinstance(value, dict) else ((name, value),)
                for member, leaf in fields:
                    salt = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode()
                    text = base64.urlsafe_b64encode(json.dumps([salt, member, leaf]).encode()).decode()
                    disclosures.append(text)
                    digest = hashlib.sha256(text.encode()).digest()
                    digests.append(base64.urlsafe_b64encode(digest).decode())
        payload = rfc8785.dumps({"doc": dumped, "_sd": sorted(digests)})
        signed = jose_jws.sign(payload, _pem(), algorithm="ES256")
        key = ECKey.import_key({**partner.public})
        jwe.encrypt_compact(header, signed.encode(), key, algorithms=[*header.values()])


def seal_peers(options: Options) -> Result:
    """One case, one partner, beside three libraries that package such a thing. Two of them sign nothing."""
    found = Result()
    document = material.middle_case()
    encoded, like = material.stored(document)
    partner = material.partners()[0]
    plain = json.loads(encoded)

    def ours() -> None:
        material.seal_one(material.opened(encoded, like), partner, os.urandom(32))

    candidates: dict[str, Callable[[], object]] = {"ours": ours}
    for name, make in (("sd-jwt-python", _sd_jwt), ("PyMISP event", _misp), ("stix2 bundle", _stix)):
        try:
            candidates[name] = make(plain)
        except ImportError:
            found.skipped.append(f"seal-peers: {name} is not installed (extra `bench`)")
    times = race(candidates, seconds=options.seconds(8))
    found.record("seal-peers", times)
    budgets = {"sd-jwt-python": 2.5, "PyMISP event": 5, "stix2 bundle": 15}
    for name in (name for name in times if name != "ours"):
        found.line("seal-peers", f"{name} / ours", times[name] / times["ours"], at_least(budgets[name]))
    return found


def _sd_jwt(case: Mapping[str, Any]) -> Callable[[], object]:
    from jwcrypto.jwk import JWK
    from sd_jwt.common import SDObj
    from sd_jwt.issuer import SDJWTIssuer

    key = JWK.generate(kty="EC", crv="P-256")

    def separate(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {SDObj(n) if not isinstance(v, dict) else n: separate(v) for n, v in value.items()}

    return lambda: SDJWTIssuer({"iss": "https://broker.example", "doc": separate(case)}, key).sd_jwt_issuance


def _leaves(case: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(collection, field, text) of every value, for formats that know flat attributes only."""
    return [
        (collection, name, value if isinstance(value, str) else json.dumps(value))
        for collection in ("items", "locations", "persons", "events", "victims")
        for entity in case.get(collection, {}).values()
        for name, value in entity.items()
    ]


def _misp(case: Mapping[str, Any]) -> Callable[[], object]:
    from pymisp import MISPEvent

    leaves = _leaves(case)

    def make() -> str:
        event = MISPEvent()
        event.info = "Synthetic case"
        for collection, name, text in leaves:
            event.add_attribute("text", text, comment=f"{collection}.{name}")
        return str(event.to_json())

    return make


def _stix(case: Mapping[str, Any]) -> Callable[[], object]:
    import stix2

    leaves = _leaves(case)

    def make() -> str:
        identity = stix2.Identity(name="Synthetic Hotline", identity_class="organization")
        made = [
            stix2.ObservedData(
                created_by_ref=identity,
                first_observed="2026-03-01T10:00:00Z",
                last_observed="2026-03-01T10:00:00Z",
                number_observed=1,
                object_refs=[stix2.Artifact(payload_bin=base64.b64encode(text.encode()).decode())],
            )
            for _, _, text in leaves
        ]
        return str(stix2.Bundle(identity, *made).serialize())

    return make


def canon_oracle(options: Options) -> Result:
    """The serialiser on the path against rfc8785, on made-up documents of the profile."""
    import rfc8785

    found = Result()
    chance = random.Random(8785)  # noqa: S311 - documents, not secrets
    count = 2_000 if options.quick else 20_000
    documents = [_fuzzed(chance, 4) for _ in range(count)]
    different = sum(canonical.encode(d) != rfc8785.dumps(d) for d in documents)
    case = json.loads(material.stored(material.middle_case())[0])
    times = race(
        {
            "encode_trusted": lambda: canonical.encode_trusted(case),
            "encode": lambda: canonical.encode(case),
            "rfc8785": lambda: rfc8785.dumps(case),
        },
        seconds=options.seconds(3),
    )
    found.record("canon-oracle", times)
    found.line("canon-oracle", f"differences in {count} documents", different, exactly(0), "")
    found.line(
        "canon-oracle",
        "rfc8785 / ours (serialising)",
        times["rfc8785"] / times["encode_trusted"],
        at_least(50),
    )
    found.line("canon-oracle", "rfc8785 / ours with the profile checked", times["rfc8785"] / times["encode"])
    return found


_TEXT = 'abc XYZ 019 "\\/\n\t\x01\x7fé€ß漢😀\u2028'


def _fuzzed(chance: random.Random, depth: int) -> Any:
    kind = chance.randrange(8 if depth else 5)
    if kind < 2:
        return "".join(chance.choice(_TEXT) for _ in range(chance.randrange(24)))
    if kind == 2:
        return chance.choice([0, -1, 2**53 - 1, -(2**53) + 1, chance.randrange(2**40)])
    if kind < 5:
        return chance.choice([None, True, False, ""])
    if kind == 5:
        return [_fuzzed(chance, depth - 1) for _ in range(chance.randrange(6))]
    names = ("".join(map(chr, chance.choices(range(128), k=chance.randrange(8)))) for _ in range(5))
    return {name: _fuzzed(chance, depth - 1) for name in names}


def verify(options: Options) -> Result:
    """Offline verification of document, seal, values and proof, beside the arithmetic alone."""
    found = Result()
    _, like = material.stored(material.middle_case())
    sealed = material.seal_one(like, material.partners()[0], SEED)
    trust, proof = _published(sealed)
    token, seal_token, opening = sealed.referral, sealed.seal, sealed.opening
    verify_package(token, seal_token, opening, trust, proof_text=proof)
    times = race(
        {
            "ours": lambda: verify_package(token, seal_token, opening, trust, proof_text=proof),
            "floor": _verify_floor(sealed),
        },
        seconds=options.seconds(4),
    )
    found.record("verify", times)
    found.line("verify", "ours / bare verifies and hashes", times["ours"] / times["floor"], at_most(2.5))
    return found


def _published(sealed: material.Sealed) -> tuple[Trust, str]:
    """Trust in our own keys, and a proof in a log of 1,000 leaves."""
    private = ed25519.Ed25519PrivateKey.generate()
    signer = notes.NoteSigner.load(ORIGIN, private)
    payload = orjson.loads(sealed.payload)
    record = {
        "at": time_text(material.DRAFTED),
        "carrier": payload["carrier"]["partner"],
        "kind": "new",
        "release": payload["release"],
        "seal_sha256": hashlib.sha256(sealed.seal.encode()).hexdigest(),
    }
    leaves = [merkle.leaf_hash(b"%d" % number) for number in range(1000)]
    leaves[500] = merkle.leaf_hash(notes.leaf_body("published", b"n" * 16, record))
    note = notes.sign_checkpoint(ORIGIN, 1000, merkle.root(leaves), signer)
    extra = notes.proof_extra("published", b"n" * 16, record)
    text = notes.proof_text(extra, 500, merkle.inclusion_path(leaves, 500), note)
    public = material.signing_key_public()
    keys = KeySet([PinnedKey(material.signing_key().kid, jose.ALG, material.KINDS, public)])
    return Trust(keys, (signer.verifier,)), text


def _verify_floor(sealed: material.Sealed) -> Callable[[], object]:
    """Two P-256 verifications, one Ed25519, every hash, each parse once."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    note = ed25519.Ed25519PrivateKey.generate()
    note_public = note.public_key()
    texts = [part.rpartition(".")[0].encode() for part in (sealed.referral, sealed.seal)]
    signatures = [private.sign(text, _ECDSA) for text in texts]
    note_signature = note.sign(texts[1][:100])
    units, leaves = len(sealed.tree.disclosed), len(sealed.tree.leaves)
    seal_payload = orjson.dumps({"x": "y" * 900})

    def floor() -> None:
        for text, signature in zip(texts, signatures, strict=True):
            public.verify(signature, text, _ECDSA)
        note_public.verify(note_signature, texts[1][:100])
        for data in (sealed.payload, sealed.opening, seal_payload):
            orjson.dumps(orjson.loads(data), option=orjson.OPT_SORT_KEYS)
        hashlib.sha256(sealed.payload).digest()
        for _ in range(units):
            hashlib.sha256(b"\0" * 97).digest()
        for _ in range(leaves - 1 + 10):
            hashlib.sha256(b"\0" * 65).digest()

    return floor
