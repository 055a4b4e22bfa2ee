"""The strict JWS module: every probe that python-jose let through is refused here."""

from __future__ import annotations

import base64
import json
import random
import string
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jose.backends
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws as independent
from joserfc.jwk import ECKey

from broker.core.canonical import b64u, unb64u
from broker.errors import BrokerError, Misconfigured, NotAuthentic, Refused
from broker.sealing import jose as strict

TYP = "referral+jws"
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PRIVATE = ec.derive_private_key(0x1234567, ec.SECP256R1())
OTHER = ec.derive_private_key(0x7654321, ec.SECP256R1())
KEY = strict.SigningKey.load("release-1", {TYP}, PRIVATE)
PINNED = strict.PinnedKey("release-1", "ES256", frozenset({TYP}), PRIVATE.public_key())
KEYS = strict.KeySet([PINNED])
PAYLOAD = b'{"a":1}'
TOKEN = strict.sign(PAYLOAD, KEY, TYP)


def forge(
    header: Any = None,
    payload: bytes = PAYLOAD,
    raw_header: bytes | None = None,
    key: ec.EllipticCurvePrivateKey = PRIVATE,
) -> str:
    """A token that is really signed, whatever its header says."""
    members = {"alg": "ES256", "kid": "release-1", "typ": TYP}
    if isinstance(header, Mapping):
        header = {name: value for name, value in {**members, **header}.items() if value != "-"}
    encoded = raw_header if raw_header is not None else json.dumps(header or members).encode()
    signing_input = f"{b64u(encoded)}.{b64u(payload)}".encode()
    signature = strict.SigningKey.load("x", (), key).key.sign(signing_input)
    return f"{signing_input.decode()}.{b64u(signature)}"


def test_round_trip_and_an_independent_verifier() -> None:
    assert strict.verify(TOKEN, KEYS, TYP, AT) == PAYLOAD
    assert strict.verify(forge(), KEYS, TYP) == PAYLOAD
    pem = ECKey.import_key(strict.jwk_from_public_key(PRIVATE.public_key()))
    assert independent.deserialize_compact(TOKEN, pem, algorithms=["ES256"]).payload == PAYLOAD
    theirs = independent.serialize_compact(
        {"alg": "ES256", "kid": "release-1", "typ": TYP}, PAYLOAD, ECKey(PRIVATE, PRIVATE)
    )
    assert strict.verify(theirs, KEYS, TYP) == PAYLOAD


def test_backend_is_cryptography_and_dormant_packages_are_not_used() -> None:
    assert jose.backends.ECKey.__name__ == "CryptographyECKey"
    assert type(KEY.key).__module__ == "jose.backends.cryptography_backend"


HEADER, BODY, SIGNATURE = TOKEN.split(".")
S_FLIPPED = bytearray(unb64u(SIGNATURE))
S_FLIPPED[-1] ^= 1
LAST = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
NON_CANONICAL = LAST[LAST.index(SIGNATURE[-1]) ^ 1]

HAND_CASES: dict[str, Any] = {
    "none": forge({"alg": "none"}),
    "none without signature": forge({"alg": "none"}).rpartition(".")[0] + ".",
    "HS256": forge({"alg": "HS256"}),
    "ES384": forge({"alg": "ES384"}),
    "alg lower case": forge({"alg": "es256"}),
    "alg list": forge({"alg": ["ES256"]}),
    "alg missing": forge({"alg": "-"}),
    "kid missing": forge({"kid": "-"}),
    "kid unknown": forge({"kid": "release-2"}),
    "kid number": forge({"kid": 1}),
    "typ other": forge({"typ": "receipt+jws"}),
    "typ case": forge({"typ": TYP.upper()}),
    "typ missing": forge({"typ": "-"}),
    "typ null": forge({"typ": None}),
    "crit": forge({"crit": ["x"]}),
    "crit b64": forge({"crit": ["b64"], "b64": False}),
    "b64": forge({"b64": True}),
    "jwk": forge({"jwk": strict.jwk_from_public_key(PRIVATE.public_key())}),
    "jku": forge({"jku": "https://keys.example/"}),
    "cty": forge({"cty": "x"}),
    "extra member": forge({"x": "y"}),
    "duplicate member": forge(
        raw_header=b'{"alg":"ES256","kid":"release-1","kid":"release-1","typ":"referral+jws"}'
    ),
    "NaN": forge(raw_header=b'{"alg":"ES256","kid":"release-1","typ":"referral+jws","n":NaN}'),
    "header list": forge(raw_header=b"[]"),
    "header text": forge(raw_header=b"alg"),
    "header not UTF-8": forge(raw_header=b'{"alg":"\xff"}'),
    "header deep": forge(raw_header=b'{"alg":' + b"[" * 1500 + b"]" * 1500 + b"}"),
    "header very deep": forge(raw_header=b"[" * 200_000),
    "header large": forge({"kid": "k" * 3000}),
    "header BOM": forge(raw_header=b"\xef\xbb\xbf{}"),
    "other key": forge(key=OTHER),
    "newline": TOKEN + "\n",
    "leading space": " " + TOKEN,
    "padding": TOKEN + "==",
    "junk": HEADER + ".!" + BODY + "." + SIGNATURE,
    "four parts": TOKEN + ".x",
    "two parts": HEADER + "." + BODY,
    "empty": "",
    "empty payload": HEADER + ".." + SIGNATURE,
    "non-canonical last character": TOKEN[:-1] + NON_CANONICAL,
    "standard base64": TOKEN.replace("-", "+").replace("_", "/") + "+",
    "signature short": TOKEN[:-1],
    "signature long": TOKEN + "A",
    "signature changed": f"{HEADER}.{BODY}.{b64u(bytes(S_FLIPPED))}",
    "signature zero": f"{HEADER}.{BODY}.{b64u(bytes(64))}",
    "DER signature": f"{HEADER}.{BODY}.{b64u(bytes(70))}",
    "payload changed": f"{HEADER}.{b64u(b'{}')}.{SIGNATURE}",
    "unicode digit": TOKEN[:-1] + "\u0661",
    "bytes": TOKEN.encode(),
    "list": [TOKEN],
    "nothing": None,
    "huge": "A" * (strict.MAX_TOKEN + 1),
}


@pytest.mark.parametrize("name", HAND_CASES)
def test_hand_cases_are_refused(name: str) -> None:
    with pytest.raises(NotAuthentic) as caught:
        strict.verify(HAND_CASES[name], KEYS, TYP)
    assert caught.value.code.startswith("jws-")
    assert PAYLOAD.decode() not in caught.value.message


MUTATIONS: list[Callable[[random.Random, str], str]] = [
    lambda r, t: _at(r, t, lambda c: r.choice(LAST + ".=+/ \n\x00é")),
    lambda r, t: _at(r, t, lambda c: ""),
    lambda r, t: _at(r, t, lambda c: c + r.choice(LAST)),
    lambda r, t: t[: r.randrange(len(t))],
    lambda r, t: t[r.randrange(1, len(t)) :],
    lambda r, t: _part(r, t, lambda raw: _flip(r, raw)),
    lambda r, t: _part(r, t, lambda raw: raw[: r.randrange(len(raw))]),
    lambda r, t: _part(r, t, lambda raw: raw + bytes([r.randrange(256)])),
    lambda r, t: _part(r, t, lambda raw: r.randbytes(len(raw))),
    lambda r, t: ".".join(r.sample(t.split("."), 3)),
    lambda r, t: t.swapcase(),
]


def _at(rng: random.Random, token: str, change: Callable[[str], str]) -> str:
    place = rng.randrange(len(token))
    return token[:place] + change(token[place]) + token[place + 1 :]


def _part(rng: random.Random, token: str, change: Callable[[bytes], bytes]) -> str:
    parts = token.split(".")
    chosen = rng.randrange(3)
    raw = base64.urlsafe_b64decode(parts[chosen] + "==")
    parts[chosen] = b64u(change(raw))
    return ".".join(parts)


def _flip(rng: random.Random, raw: bytes) -> bytes:
    changed = bytearray(raw)
    changed[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def test_twenty_thousand_mutations_none_accepted_no_stray_exception() -> None:
    rng = random.Random(20260302)  # noqa: S311 - repeatable mutations
    accepted, tried = 0, 0
    while tried < 20_000:
        mutated = rng.choice(MUTATIONS)(rng, TOKEN)
        if mutated == TOKEN:
            continue
        tried += 1
        try:
            strict.verify(mutated, KEYS, TYP, AT)
        except NotAuthentic:
            continue
        accepted += 1
    assert accepted == 0


def test_key_decides_type_and_time() -> None:
    with pytest.raises(NotAuthentic) as caught:
        strict.verify(forge({"typ": "at+jwt"}), KEYS, "at+jwt")
    assert caught.value.code == "jws-key-purpose"
    hour = timedelta(hours=1)
    keys = strict.KeySet([replace(PINNED, not_before=AT, not_after=AT + hour)])
    for at in (AT, AT + hour):
        assert strict.verify(TOKEN, keys, TYP, at) == PAYLOAD
    for at in (AT - timedelta(seconds=1), AT + hour + timedelta(seconds=1)):
        with pytest.raises(NotAuthentic) as caught:
            strict.verify(TOKEN, keys, TYP, at)
        assert caught.value.code == "jws-key-time"
    assert strict.verify(TOKEN, keys, TYP) == PAYLOAD


def test_keys_of_another_curve_cannot_be_made() -> None:
    p384 = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(Refused):
        strict.SigningKey.load("x", {TYP}, p384)
    with pytest.raises(Refused):
        strict.PinnedKey("x", "ES256", frozenset(), p384.public_key())
    with pytest.raises(Refused):
        strict.PinnedKey("x", "ES384", frozenset(), PRIVATE.public_key())
    with pytest.raises(Refused):
        strict.KeySet([PINNED, PINNED])


def test_a_key_signs_only_its_own_types() -> None:
    with pytest.raises(Misconfigured):
        strict.sign(PAYLOAD, KEY, "at+jwt")


def test_open_header_for_third_party_clients() -> None:
    jwk = strict.jwk_from_public_key(PRIVATE.public_key())
    token = forge({"typ": "dpop+jwt", "jwk": jwk, "kid": "-", "more": {"n": 1}})
    parsed = strict.parse(token, allow_header=None, require_typ="dpop+jwt")
    assert parsed.header["jwk"] == jwk
    key = replace(PINNED, public=strict.public_key_from_jwk(parsed.header["jwk"]))
    assert key.verifies(parsed)
    untyped = strict.parse(forge({"typ": "-"}), require_typ=None)
    assert "typ" not in untyped.header
    for header in ({"crit": ["exp"]}, {"b64": False}, {"alg": "HS256"}):
        with pytest.raises(NotAuthentic):
            strict.parse(forge(header), allow_header=None)


GOOD = strict.jwk_from_public_key(PRIVATE.public_key())


@pytest.mark.parametrize(
    "change",
    [
        {"x": 300_000_000},
        {"x": [1]},
        {"x": None},
        {"x": ""},
        {"x": GOOD["x"] + "A"},
        {"x": GOOD["x"][:-1]},
        {"x": GOOD["x"][:-1] + "="},
        {"y": GOOD["x"]},
        {"kty": "oct"},
        {"kty": "RSA"},
        {"crv": "P-384"},
        {"crv": ["P-256"]},
        {"d": GOOD["x"]},
        {"k": "AA"},
    ],
)
def test_jwk_of_another_form_is_refused_at_once(change: dict[str, Any]) -> None:
    """Before anything of the size that it names is made."""
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            strict.public_key_from_jwk({**GOOD, **change})
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_jwk_that_is_no_object() -> None:
    for value in (None, [], "x"):
        with pytest.raises(BrokerError):
            strict.public_key_from_jwk(value)  # type: ignore[arg-type]


def test_thumbprint_matches_an_independent_one() -> None:
    assert strict.thumbprint({**GOOD, "kid": "x"}) == ECKey.import_key(dict(GOOD)).thumbprint()
    assert strict.public_key_from_jwk(GOOD) == PRIVATE.public_key()
