"""JWE: opens with joserfc alone, and nothing of another form is accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwe
from joserfc.jwk import ECKey

from broker.core.canonical import b64u, unb64u
from broker.errors import NotAuthentic, Refused
from broker.sealing import encrypt as box
from broker.sealing.jose import jwk_from_public_key

PRIVATE = ec.derive_private_key(0xABCDEF, ec.SECP256R1())
OTHER = ec.derive_private_key(0xFEDCBA, ec.SECP256R1())
PUBLIC = {**jwk_from_public_key(PRIVATE.public_key()), "kid": "enc-1"}
TYP = "referral-package+jwe"
PLAIN = b'{"synthetic":true}'
TOKEN = box.encrypt(PLAIN, PUBLIC, TYP, "application/json")


def test_round_trip_and_header() -> None:
    assert box.decrypt(TOKEN, PRIVATE, TYP, expect_cty="application/json") == PLAIN
    header = box.read_header(TOKEN, TYP)
    assert header.keys() == {"alg", "enc", "kid", "typ", "cty", "epk"}
    assert header["kid"] == "enc-1"
    assert (
        jwe.decrypt_compact(TOKEN, ECKey(PRIVATE, PRIVATE), algorithms=[box.ALG, box.ENC]).plaintext == PLAIN
    )


def test_large_objects() -> None:
    large = bytes(box.MAX_PACKAGE)
    assert box.decrypt(box.encrypt(large, PUBLIC, TYP, "x"), PRIVATE, TYP) == large
    with pytest.raises(Refused):
        box.encrypt(large + b"1", PUBLIC, TYP, "x")
    document = bytes(box.MAX_PACKAGE + 1)
    typ = "referral-document+jwe"
    assert box.decrypt(box.encrypt(document, PUBLIC, typ, "x"), PRIVATE, typ) == document
    with pytest.raises(NotAuthentic):
        box.decrypt(box.encrypt(document, PUBLIC, typ, "x"), PRIVATE, TYP)


def with_header(**change: Any) -> str:
    parts = TOKEN.split(".")
    header = {**json.loads(unb64u(parts[0])), **change}
    parts[0] = b64u(json.dumps({k: v for k, v in header.items() if v != "-"}).encode())
    return ".".join(parts)


def made_by_joserfc(alg: str, enc: str, **more: Any) -> str:
    header = {"alg": alg, "enc": enc, "kid": "enc-1", "typ": TYP, "cty": "x", **more}
    registry = box._Registry(algorithms=[alg, enc, "DEF"])
    return jwe.encrypt_compact(header, PLAIN, ECKey(PRIVATE, PRIVATE), registry=registry)


EPK = json.loads(unb64u(TOKEN.split(".", maxsplit=1)[0]))["epk"]
CASES: dict[str, Any] = {
    "zip": made_by_joserfc("ECDH-ES+A256KW", "A256GCM", zip="DEF"),
    "CBC": made_by_joserfc("ECDH-ES+A256KW", "A256CBC-HS512"),
    "direct": made_by_joserfc("ECDH-ES", "A256GCM"),
    "apu": made_by_joserfc("ECDH-ES+A256KW", "A256GCM", apu="QQ"),
    "typ": with_header(typ="referral-apart+jwe"),
    "typ missing": with_header(typ="-"),
    "cty": with_header(cty="text/plain"),
    "crit": with_header(crit=["x"]),
    "alg": with_header(alg="dir"),
    "alg list": with_header(alg=["ECDH-ES+A256KW"]),
    "kid": with_header(kid="enc-2"),
    "epk int": with_header(epk={**EPK, "x": 300_000_000}),
    "epk private": with_header(epk={**EPK, "d": EPK["x"]}),
    "epk off curve": with_header(epk={**EPK, "y": EPK["x"]}),
    "epk text": with_header(epk="x"),
    "epk other": with_header(epk=jwk_from_public_key(OTHER.public_key())),
    "header list": ".".join([b64u(b"[]"), *TOKEN.split(".")[1:]]),
    "newline": TOKEN + "\n",
    "padding": TOKEN + "==",
    "parts": TOKEN.rpartition(".")[0],
    "bytes": TOKEN.encode(),
    "nothing": None,
    "huge": "A" * 12_000_000,
}


@pytest.mark.parametrize("name", CASES)
def test_other_forms_are_refused(name: str) -> None:
    with pytest.raises(NotAuthentic):
        box.decrypt(CASES[name], PRIVATE, TYP, expect_cty="application/json")


def test_every_changed_character_is_refused() -> None:
    for place, character in enumerate(TOKEN):
        changed = TOKEN[:place] + ("A" if character != "A" else "B") + TOKEN[place + 1 :]
        with pytest.raises(NotAuthentic):
            box.decrypt(changed, PRIVATE, TYP)


def test_another_key_and_a_recipient_without_kid() -> None:
    with pytest.raises(NotAuthentic) as caught:
        box.decrypt(TOKEN, OTHER, TYP)
    assert caught.value.code == "jwe-not-opened"
    assert caught.value.hint
    with pytest.raises(Refused):
        box.encrypt(PLAIN, jwk_from_public_key(PRIVATE.public_key()), TYP, "x")
