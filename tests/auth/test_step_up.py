"""Step-up: the signature is over what is released, it is kept, and it counts once."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from sqlmodel import select

from broker import auth
from broker.auth import step_up
from broker.errors import NotAuthentic, Refused
from broker.store import tables
from tests.auth.authenticator import Authenticator, b64, unb64
from tests.auth.conftest import SITE, Office
from tests.auth.test_codes import code
from tests.auth.test_codes import enrol as enrol_code
from tests.auth.test_passkeys import enrol, refused

DIGEST = hashlib.sha256(b"a package").hexdigest()
OTHER = hashlib.sha256(b"another package").hexdigest()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def sign(desk: Office, device: Authenticator, digest: str = DIGEST, **lies: Any) -> str:
    """Step up by passkey; gives the answer that was taken."""
    asked = desk.do(step_up.begin, SITE, desk.ann, digest, desk.now)
    answer = device.get(asked.options, **lies)
    desk.do(step_up.finish_passkey, SITE, desk.ann, asked.handle, answer, desk.now)
    return answer


def evidence(desk: Office) -> list[tables.StepUpEvidence]:
    return desk.do(lambda session: list(session.exec(select(tables.StepUpEvidence))))


def required(desk: Office, staff_id: str, digest: str) -> None:
    desk.do(step_up.require, staff_id, digest, desk.now)


def test_the_challenge_is_what_is_released(desk: Office) -> None:
    device = enrol(desk, desk.ann)
    asked = json.loads(desk.do(step_up.begin, SITE, desk.ann, DIGEST, desk.now).options)
    assert unb64(asked["challenge"]).hex() == DIGEST
    assert [each["id"] for each in asked["allowCredentials"]] == [b64(device.credential_id)]
    refused("step-up", required, desk, desk.ann, DIGEST)
    sign(desk, device)
    required(desk, desk.ann, DIGEST)
    refused("step-up", required, desk, desk.ann, OTHER)
    refused("step-up", required, desk, desk.bob, DIGEST)


def test_evidence_verifies_again_from_the_row_alone(desk: Office) -> None:
    device = enrol(desk, desk.ann)
    sign(desk, device)
    desk.do(auth.passkeys.remove, desk.ann, device.credential_id)
    (row,) = evidence(desk)
    assert (row.staff_id, row.purpose, row.digest, row.method) == (desk.ann, "release", DIGEST, "passkey")
    step_up.reverify(row, SITE)
    row.digest = OTHER
    with pytest.raises(NotAuthentic):
        step_up.reverify(row, SITE)


def test_evidence_is_fresh_for_five_minutes(desk: Office) -> None:
    sign(desk, enrol(desk, desk.ann))
    desk.later(minutes=4, seconds=59)
    required(desk, desk.ann, DIGEST)
    desk.later(seconds=1)
    refused("step-up", required, desk, desk.ann, DIGEST)


def test_a_signature_over_something_else_is_refused(desk: Office) -> None:
    device = enrol(desk, desk.ann)
    for lies in (
        {"challenge": b64(bytes.fromhex(OTHER))},
        {"verified": False},
        {"origin": "https://x.example"},
    ):
        refused("passkey", lambda lies=lies: sign(desk, device, **lies))
    assert evidence(desk) == []


def test_another_persons_passkey_or_ceremony_is_refused(desk: Office) -> None:
    ann, bob = enrol(desk, desk.ann), enrol(desk, desk.bob)
    asked = desk.do(step_up.begin, SITE, desk.ann, DIGEST, desk.now)
    answer = bob.get(asked.options)
    refused("passkey", desk.do, step_up.finish_passkey, SITE, desk.ann, asked.handle, answer, desk.now)
    asked = desk.do(step_up.begin, SITE, desk.ann, DIGEST, desk.now)
    answer = ann.get(asked.options)
    refused("passkey", desk.do, step_up.finish_passkey, SITE, desk.bob, asked.handle, answer, desk.now)
    assert evidence(desk) == []


def test_an_assertion_counts_once(desk: Office) -> None:
    """The challenge is the digest each time, and a synchronised passkey has no count: the answer of
    before would fit again, also with the other of its two equal signatures."""
    device = enrol(desk, desk.ann, counting=False)
    answer = sign(desk, device)
    mirrored = json.loads(answer)
    r, s = decode_dss_signature(unb64(mirrored["response"]["signature"]))
    mirrored["response"]["signature"] = b64(encode_dss_signature(r, ORDER - s))
    desk.later(minutes=6)
    for replayed in (answer, json.dumps(mirrored)):
        asked = desk.do(step_up.begin, SITE, desk.ann, DIGEST, desk.now)
        verb = step_up.finish_passkey
        refused("passkey", desk.do, verb, SITE, desk.ann, asked.handle, replayed, desk.now)
    refused("step-up", required, desk, desk.ann, DIGEST)
    sign(desk, device)
    required(desk, desk.ann, DIGEST)


def test_signing_in_is_no_step_up(desk: Office) -> None:
    device = enrol(desk, desk.ann)
    asked = desk.do(auth.passkeys.authentication_options, SITE, desk.now)
    answer = device.get(asked.options)
    refused("flow", desk.do, step_up.finish_passkey, SITE, desk.ann, asked.handle, answer, desk.now)


def test_a_fresh_code_instead_of_a_passkey(desk: Office) -> None:
    refused("no-passkey", desk.do, step_up.begin, SITE, desk.ann, DIGEST, desk.now)
    secret = enrol_code(desk, desk.ann)
    proof = code(desk, secret)
    desk.do(auth.totp.verify, desk.key, desk.ann, proof, desk.now)
    verb = step_up.finish_totp
    refused("code", desk.do, verb, desk.key, desk.ann, DIGEST, proof, desk.now)
    desk.later(seconds=30)
    desk.do(verb, desk.key, desk.ann, DIGEST, code(desk, secret), desk.now)
    required(desk, desk.ann, DIGEST)
    refused("step-up", required, desk, desk.ann, OTHER)
    refused("code", desk.do, verb, desk.key, desk.ann, OTHER, code(desk, secret), desk.now)
    (row,) = evidence(desk)
    assert (row.method, row.digest, row.assertion) == ("totp", DIGEST, None)
    with pytest.raises(NotAuthentic, match="one-time code"):
        step_up.reverify(row, SITE)


def test_only_staff_in_good_standing_steps_up(desk: Office) -> None:
    device = enrol(desk, desk.ann)
    enrol(desk, desk.reader)
    refused("account", desk.do, step_up.begin, SITE, desk.reader, DIGEST, desk.now)
    asked = desk.do(step_up.begin, SITE, desk.ann, DIGEST, desk.now)
    desk.do(auth.disable, desk.ann, desk.now)
    answer = device.get(asked.options)
    refused("account", desk.do, step_up.finish_passkey, SITE, desk.ann, asked.handle, answer, desk.now)


def test_a_digest_is_a_digest(desk: Office) -> None:
    for digest in ("", "ab", "A" * 64, DIGEST + "0"):
        with pytest.raises(Refused):
            desk.do(step_up.begin, SITE, desk.ann, digest, desk.now)
