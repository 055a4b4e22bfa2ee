"""Passwords and one-time codes: enrolled, good once, guessed at most five times."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from sqlmodel import Session

from broker import auth
from broker.errors import Conflict, Forbidden, NotAuthentic
from broker.store.engine import unit_of_work
from tests.auth import test_passkeys
from tests.auth.conftest import PASSWORD, Office
from tests.auth.test_passkeys import refused


def code(desk: Office, secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(desk.now + timedelta(seconds=30 * steps))


def enrol(desk: Office, account_id: str) -> str:
    """A secret in force; the step it was tried with is used, so the clock moves on."""
    given = desk.do(auth.totp.begin_enrol, desk.key, account_id, "ann", desk.now)
    proof = code(desk, given.secret)
    assert desk.do(auth.totp.finish_enrol, desk.key, given.handle, proof, desk.now) == account_id
    desk.later(minutes=2)
    return given.secret


def verify(desk: Office, guess: str, account_id: str = "") -> int:
    return desk.do(auth.totp.verify, desk.key, account_id or desk.ann, guess, desk.now)


def test_password_then_code(desk: Office) -> None:
    secret = enrol(desk, desk.ann)
    account_id = desk.do(auth.passwords.begin, "ann", PASSWORD, desk.now)
    handle = desk.do(auth.passwords.hold, account_id, desk.now)
    refused("code", verify, desk, "000000")
    assert desk.do(auth.passwords.held, handle, desk.now) == desk.ann
    verify(desk, code(desk, secret))
    desk.do(auth.passwords.release, handle)
    refused("flow", desk.do, auth.passwords.held, handle, desk.now)
    assert desk.do(auth.passwords.begin, "inspector", PASSWORD, desk.now) == desk.reader


def test_a_right_password_is_remembered_for_five_minutes(desk: Office) -> None:
    handle = desk.do(auth.passwords.hold, desk.ann, desk.now)
    refused("flow", desk.do, auth.passwords.held, handle, desk.later(minutes=5))


def test_a_handle_of_one_step_is_none_of_another(desk: Office) -> None:
    """Enrolling is no proof of a password."""
    given = desk.do(auth.totp.begin_enrol, desk.key, desk.ann, "ann", desk.now)
    refused("flow", desk.do, auth.passwords.held, given.handle, desk.now)


def test_a_code_is_good_once(desk: Office) -> None:
    secret = enrol(desk, desk.ann)
    guess = code(desk, secret)
    verify(desk, guess)
    refused("code", verify, desk, guess)
    desk.later(seconds=30)
    refused("code", verify, desk, guess)
    verify(desk, code(desk, secret))


def test_a_step_before_a_used_one_is_used_too(desk: Office) -> None:
    secret = enrol(desk, desk.ann)
    verify(desk, code(desk, secret))
    refused("code", verify, desk, code(desk, secret, -1))
    verify(desk, code(desk, secret, 1))


def test_one_step_around_is_taken_and_no_more(desk: Office) -> None:
    secret = enrol(desk, desk.ann)
    refused("code", verify, desk, code(desk, secret, -2))
    refused("code", verify, desk, code(desk, secret, 2))
    verify(desk, code(desk, secret, -1))
    verify(desk, code(desk, secret, 1))


def test_of_two_at_once_one_gets_in(desk: Office) -> None:
    """The first has used the step but not committed; the second waits for it and is refused."""
    secret = enrol(desk, desk.ann)
    guess, codes = code(desk, secret), []

    def second() -> None:
        try:
            verify(desk, guess)
        except Forbidden as error:
            codes.append(error.code)

    with unit_of_work(desk.db) as session:
        auth.totp.verify(session, desk.key, desk.ann, guess, desk.now)
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(timeout=0.5)
        assert thread.is_alive(), "the second did not wait"
    thread.join(timeout=10)
    assert codes == ["code"]


def test_what_a_refused_request_used_is_free_again(desk: Office) -> None:
    """The step belongs to the request: undone together, so that nobody is locked out by a fault."""
    secret = enrol(desk, desk.ann)

    def fails(session: Session) -> None:
        auth.totp.verify(session, desk.key, desk.ann, code(desk, secret), desk.now)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        desk.do(fails)
    verify(desk, code(desk, secret))


def test_enrolling_counts_only_when_it_was_tried(desk: Office) -> None:
    old = enrol(desk, desk.ann)
    given = desk.do(auth.totp.begin_enrol, desk.key, desk.ann, "ann", desk.now)
    assert given.uri.startswith("otpauth://totp/Referral%20broker:ann?secret=" + given.secret)
    refused("code", desk.do, auth.totp.finish_enrol, desk.key, given.handle, "12345", desk.now)
    verify(desk, code(desk, old))
    desk.do(auth.totp.finish_enrol, desk.key, given.handle, code(desk, given.secret), desk.now)
    again = auth.totp.finish_enrol
    refused("flow", desk.do, again, desk.key, given.handle, code(desk, given.secret, 1), desk.now)
    desk.later(minutes=1)
    refused("code", verify, desk, code(desk, old))
    verify(desk, code(desk, given.secret))


def test_an_administrator_gives_a_new_secret(desk: Office) -> None:
    old = enrol(desk, desk.ann)
    given = desk.do(auth.totp.assign, desk.key, desk.ann, "ann", desk.now)
    refused("code", verify, desk, code(desk, old))
    verify(desk, code(desk, given.secret))
    assert desk.do(auth.totp.enrolled, desk.ann)
    assert not desk.do(auth.totp.enrolled, desk.bob)


def test_the_secret_rests_encrypted_in_its_place(desk: Office) -> None:
    secret = enrol(desk, desk.ann)
    enrol(desk, desk.bob)
    with desk.db.connect("app") as conn:
        rows = conn.execute("select staff_id, secret from totp").fetchall()
    boxes = dict(rows)
    assert secret.encode() not in boxes[desk.ann]
    with desk.db.connect("owner") as conn:  # whoever swaps rows gets nothing that opens
        conn.execute("alter table totp no force row level security")
        conn.execute("update totp set secret = %s where staff_id = %s", [boxes[desk.ann], desk.bob])
    with pytest.raises(NotAuthentic):
        verify(desk, code(desk, secret), desk.bob)


def test_an_account_without_codes_is_refused_in_the_same_words(desk: Office) -> None:
    enrol(desk, desk.ann)
    said = set()
    for account in (desk.ann, desk.bob):
        with pytest.raises(Forbidden) as error:
            verify(desk, "000000", account)
        said.add(str(error.value))
    assert len(said) == 1


def test_a_wrong_password_and_an_unknown_login_look_alike(desk: Office) -> None:
    said = set()
    for login in ("ann", "nobody"):
        for _ in range(5):
            with pytest.raises(Forbidden) as error:
                desk.do(auth.passwords.begin, login, "wrong", desk.now)
            said.add(str(error.value))
        refused("wait", desk.do, auth.passwords.begin, login, PASSWORD, desk.now)
    assert said == {"sign-in: login or password is wrong"}


def test_an_unknown_login_costs_a_hash(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    hasher = auth.passwords.argon._hasher

    class Counting:
        def verify(self, stored: str, password: str) -> bool:
            checked.append(stored)
            return hasher.verify(stored, password)

        hash = staticmethod(hasher.hash)

    monkeypatch.setattr(auth.passwords.argon, "_hasher", Counting())
    refused("sign-in", desk.do, auth.passwords.begin, "nobody", PASSWORD, desk.now)
    assert len(checked) == 1
    assert checked[0].startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_five_wrong_ones_then_it_waits(desk: Office) -> None:
    for _ in range(5):
        refused("sign-in", desk.do, auth.passwords.begin, "ann", "wrong", desk.now)
    refused("wait", desk.do, auth.passwords.begin, "ann", PASSWORD, desk.later(minutes=14))
    assert desk.do(auth.passwords.begin, "bob", PASSWORD, desk.now) == desk.bob
    assert desk.do(auth.passwords.begin, "ann", PASSWORD, desk.later(minutes=1)) == desk.ann


def test_a_right_one_starts_the_count_again(desk: Office) -> None:
    for _ in range(2):
        for _ in range(4):
            refused("sign-in", desk.do, auth.passwords.begin, "ann", "wrong", desk.now)
        desk.do(auth.passwords.begin, "ann", PASSWORD, desk.now)


def test_codes_cannot_be_guessed_with_the_password_in_hand(desk: Office) -> None:
    """A right password must not start the count of codes again."""
    secret = enrol(desk, desk.ann)
    for _ in range(5):
        desk.do(auth.passwords.begin, "ann", PASSWORD, desk.now)
        refused("code", verify, desk, "000000")
    refused("wait", verify, desk, code(desk, secret))


def test_parallel_guesses_count(desk: Office) -> None:
    """Eight at once get five tries, not eight."""
    found: list[str] = []

    def guess() -> None:
        try:
            verify(desk, "000000")
        except Forbidden as error:
            found.append(error.code)

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["code"] * 5 + ["wait"] * 3


def test_the_command_line_asks_for_the_code_too(desk: Office) -> None:
    secret = enrol(desk, desk.ann)
    refused("code-needed", desk.do, auth.sign_in, "ann", PASSWORD, desk.now)
    proof: dict[str, Any] = {"key": desk.key, "code": code(desk, secret)}
    token = desk.do(auth.sign_in, "ann", PASSWORD, desk.now, **proof)
    assert desk.do(auth.whoami, token, desk.now).id == desk.ann


def test_a_password_alone_opens_no_command_line_where_there_is_a_passkey(desk: Office) -> None:
    """The pages do not let it in either; with codes beside the passkey it is asked for one."""
    test_passkeys.enrol(desk, desk.ann)
    refused("use-passkey", desk.do, auth.sign_in, "ann", PASSWORD, desk.now)
    secret = enrol(desk, desk.ann)
    refused("code-needed", desk.do, auth.sign_in, "ann", PASSWORD, desk.now)
    proof: dict[str, Any] = {"key": desk.key, "code": code(desk, secret)}
    assert desk.do(auth.sign_in, "ann", PASSWORD, desk.now, **proof)


def test_logins_are_one_set(desk: Office) -> None:
    with pytest.raises(Conflict, match="login-taken"):
        desk.do(
            auth.add_person, desk.admin, partner_id="pt_one", login="ann", password=PASSWORD, now=desk.now
        )
    about: dict[str, Any] = {"roles": frozenset({"dpo"}), "vetted_until": desk.now, "now": desk.now}
    with pytest.raises(Conflict, match="login-taken"):
        desk.do(auth.add_staff, login="inspector", password=PASSWORD, **about)
    with pytest.raises(Conflict, match="weak-password"):
        desk.do(auth.add_staff, login="dan", password="short", **about)
    ann = auth.Actor(desk.ann, frozenset({"releaser"}))
    with pytest.raises(Forbidden, match="role"):
        desk.do(auth.add_person, ann, partner_id="pt_one", login="x", password=PASSWORD, now=desk.now)
