"""Passkeys: what a real authenticator signs is taken, and nothing that differs in one thing."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from broker import auth
from broker.errors import Forbidden, NotFound
from broker.store import tables
from tests.auth.authenticator import Authenticator, b64
from tests.auth.conftest import SITE, Office


def enrol(desk: Office, account_id: str, **about: Any) -> Authenticator:
    """A passkey registered to the account."""
    device = Authenticator(**about)
    made = desk.do(auth.passkeys.registration_options, SITE, account_id, desk.now)
    answer = device.create(made.options)
    stored = desk.do(auth.passkeys.register, SITE, account_id, made.handle, answer, "my key", desk.now)
    assert stored == device.credential_id
    return device


def sign_in(desk: Office, device: Authenticator, **lies: Any) -> str:
    asked = desk.do(auth.passkeys.authentication_options, SITE, desk.now)
    answer = device.get(asked.options, **lies)
    return desk.do(auth.passkeys.authenticate, SITE, asked.handle, answer, desk.now)


def refused(code: str, verb: Any, *args: Any, **options: Any) -> None:
    with pytest.raises(Forbidden) as error:
        verb(*args, **options)
    assert error.value.code == code


def test_a_passkey_signs_in_without_a_login(desk: Office) -> None:
    ann, reader = enrol(desk, desk.ann), enrol(desk, desk.reader)
    asked = desk.do(auth.passkeys.authentication_options, SITE, desk.now)
    assert json.loads(asked.options)["allowCredentials"] == []
    assert sign_in(desk, ann) == desk.ann
    assert sign_in(desk, reader) == desk.reader
    assert sign_in(desk, ann) == desk.ann
    row = desk.do(auth.passkeys.listed, desk.ann)[0]
    assert (row.sign_count, row.label, row.transports) == (3, "my key", ["internal"])
    assert row.last_used_at == desk.now


def test_a_synchronised_passkey_has_no_count(desk: Office) -> None:
    device = enrol(desk, desk.ann, counting=False)
    assert [sign_in(desk, device) for _ in range(2)] == [desk.ann, desk.ann]


LIES: tuple[dict[str, Any], ...] = (
    {"origin": "https://broker.example.evil.example"},
    {"origin": "http://broker.example"},
    {"rp_id": "evil.example"},
    {"verified": False},
    {"count": 1},
    {"count": 0},
    {"challenge": b64(bytes(32))},
    {"kind": "webauthn.create"},
    {"user": b"st_else"},
)


def test_what_differs_in_one_thing_is_refused(desk: Office) -> None:
    device = enrol(desk, desk.ann)
    for lies in LIES:
        assert sign_in(desk, device) == desk.ann
        refused("passkey", partial(sign_in, **lies), desk, device)


def test_a_registration_that_differs_is_refused(desk: Office) -> None:
    register = auth.passkeys.register
    for lies in (*LIES[:4], *LIES[6:7], {"kind": "webauthn.get"}):
        made = desk.do(auth.passkeys.registration_options, SITE, desk.ann, desk.now)
        answer = Authenticator().create(made.options, **lies)
        refused("passkey", desk.do, register, SITE, desk.ann, made.handle, answer, "", desk.now)
    assert desk.do(auth.passkeys.listed, desk.ann) == []


def test_a_signature_of_another_key_is_refused(desk: Office) -> None:
    device, other = enrol(desk, desk.ann), Authenticator()
    device.key = other.key
    refused("passkey", lambda: sign_in(desk, device))


def test_nonsense_is_refused(desk: Office) -> None:
    deep = "[" * 16_000
    for answer in ("", "[]", "{}", '{"response":{}}', '{"id":1,"response":{"x":[]}}', "x" * 20_000, deep):
        asked = desk.do(auth.passkeys.authentication_options, SITE, desk.now)
        refused("passkey", desk.do, auth.passkeys.authenticate, SITE, asked.handle, answer, desk.now)


def test_a_challenge_is_good_once(desk: Office) -> None:
    device = enrol(desk, desk.ann, counting=False)
    asked = desk.do(auth.passkeys.authentication_options, SITE, desk.now)
    answer = device.get(asked.options)
    assert desk.do(auth.passkeys.authenticate, SITE, asked.handle, answer, desk.now) == desk.ann
    refused("flow", desk.do, auth.passkeys.authenticate, SITE, asked.handle, answer, desk.now)


def test_a_refused_answer_uses_the_challenge_up(desk: Office) -> None:
    """The refusal undoes the request's work; the challenge must be gone all the same."""
    device = enrol(desk, desk.ann)
    asked = desk.do(auth.passkeys.authentication_options, SITE, desk.now)
    verb = auth.passkeys.authenticate
    refused("passkey", desk.do, verb, SITE, asked.handle, device.get(asked.options, verified=False), desk.now)
    refused("flow", desk.do, verb, SITE, asked.handle, device.get(asked.options), desk.now)


def test_a_challenge_is_over_after_five_minutes(desk: Office) -> None:
    device = enrol(desk, desk.ann)
    asked = desk.do(auth.passkeys.authentication_options, SITE, desk.now)
    answer = device.get(asked.options)
    refused("flow", desk.do, auth.passkeys.authenticate, SITE, asked.handle, answer, desk.later(minutes=5))


def test_a_challenge_is_for_one_purpose_and_one_account(desk: Office) -> None:
    device = enrol(desk, desk.ann)
    made = desk.do(auth.passkeys.registration_options, SITE, desk.ann, desk.now)
    answer = Authenticator().create(made.options)
    register = auth.passkeys.register
    refused("passkey", desk.do, register, SITE, desk.bob, made.handle, answer, "", desk.now)
    made = desk.do(auth.passkeys.registration_options, SITE, desk.ann, desk.now)
    wanted = json.dumps({**json.loads(made.options), "userVerification": "required"})
    refused("flow", desk.do, auth.passkeys.authenticate, SITE, made.handle, device.get(wanted), desk.now)


def test_one_passkey_belongs_to_one_account(desk: Office) -> None:
    device = enrol(desk, desk.ann)
    made = desk.do(auth.passkeys.registration_options, SITE, desk.bob, desk.now)
    answer = device.create(made.options)
    register = auth.passkeys.register
    refused("passkey", desk.do, register, SITE, desk.bob, made.handle, answer, "", desk.now)


def test_of_a_copied_passkey_the_slower_is_refused(desk: Office) -> None:
    """Two answers with one count, checked at once: the second finds the row moved on."""
    device = enrol(desk, desk.ann)
    first, second = (desk.do(auth.passkeys.authentication_options, SITE, desk.now) for _ in range(2))
    count = device.count + 1
    answers = [device.get(asked.options, count=count) for asked in (first, second)]
    authenticate = auth.passkeys.authenticate
    assert desk.do(authenticate, SITE, first.handle, answers[0], desk.now) == desk.ann
    refused("passkey", desk.do, authenticate, SITE, second.handle, answers[1], desk.now)


def test_a_passkey_taken_away_opens_nothing(desk: Office) -> None:
    device = enrol(desk, desk.ann)
    with pytest.raises(NotFound):
        desk.do(auth.passkeys.remove, desk.bob, device.credential_id)
    desk.do(auth.passkeys.remove, desk.ann, device.credential_id)
    refused("passkey", lambda: sign_in(desk, device))


def test_expired_vetting_and_a_disabled_account_stop_a_passkey(desk: Office) -> None:
    ann, bob = enrol(desk, desk.ann), enrol(desk, desk.bob)
    desk.do(auth.disable, desk.bob, desk.now)
    refused("account", lambda: sign_in(desk, bob))
    desk.later(days=30)
    refused("account", lambda: sign_in(desk, ann))


def test_a_suspended_partner_stops_its_people(desk: Office) -> None:
    device = enrol(desk, desk.reader)

    def suspend(session: Any) -> None:
        session.get_one(tables.Partner, "pt_one").status = "suspended"

    desk.do(suspend)
    refused("account", lambda: sign_in(desk, device))


def test_browsers_want_a_name(desk: Office) -> None:
    assert SITE.usable
    assert auth.passkeys.Site.of("http://localhost:8350").usable
    assert not auth.passkeys.Site.of("http://127.0.0.1:8350").usable
