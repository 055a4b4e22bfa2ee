"""Sessions: who is behind a token, until when, and what ends one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from broker import auth
from broker.errors import Forbidden
from broker.store import sweeping, tables
from tests.auth.conftest import PASSWORD, Office
from tests.auth.test_passkeys import refused


def test_a_visitor_says_who_and_how(desk: Office) -> None:
    ann = desk.do(auth.open_session, desk.ann, "passkey", desk.now)
    reader = desk.do(auth.open_session, desk.reader, "totp", desk.now)
    signed_in = desk.now
    seen = desk.do(auth.resume, ann, desk.later(minutes=1))
    assert (seen.kind, seen.id, seen.partner_id, seen.method) == ("staff", desk.ann, None, "passkey")
    assert seen.actor == auth.Actor(desk.ann, frozenset({"releaser"}))
    assert seen.signed_in_at == signed_in
    inbox = desk.do(auth.resume, reader, desk.now)
    assert (inbox.kind, inbox.id, inbox.partner_id, inbox.actor) == ("inbox", desk.reader, "pt_one", None)
    assert inbox.session_id != seen.session_id
    assert desk.do(auth.whoami, ann, desk.now) == seen.actor
    refused("sign-in", desk.do, auth.whoami, reader, desk.now)


def test_only_a_hash_of_the_token_is_stored(desk: Office) -> None:
    token = desk.do(auth.open_session, desk.ann, "passkey", desk.now)
    with desk.db.connect("app") as conn:
        rows = str(conn.execute("select * from account_session").fetchall())
    assert token not in rows
    refused("sign-in", desk.do, auth.resume, "", desk.now)
    refused("sign-in", desk.do, auth.resume, token + "x", desk.now)


def test_a_session_ends_when_it_is_not_used(desk: Office) -> None:
    token = desk.do(auth.open_session, desk.ann, "passkey", desk.now)
    for _ in range(3):
        desk.do(auth.resume, token, desk.later(minutes=29))
    refused("sign-in", desk.do, auth.resume, token, desk.later(minutes=30))


def test_a_session_ends_after_ten_hours_of_use(desk: Office) -> None:
    token = desk.do(auth.open_session, desk.ann, "passkey", desk.now)
    for _ in range(29):
        desk.do(auth.resume, token, desk.later(minutes=20))
    refused("sign-in", desk.do, auth.resume, token, desk.later(minutes=20))


def test_the_operator_may_set_other_spans(desk: Office) -> None:
    life = auth.Life(idle=timedelta(minutes=5), whole=timedelta(minutes=8))
    token = desk.do(auth.open_session, desk.ann, "passkey", desk.now, life=life)
    desk.do(auth.resume, token, desk.later(minutes=4), life=life)
    refused("sign-in", desk.do, auth.resume, token, desk.later(minutes=4), life=life)


def test_last_seen_is_written_once_a_minute(desk: Office) -> None:
    token = desk.do(auth.open_session, desk.ann, "passkey", desk.now)

    def seen() -> Any:
        return desk.do(lambda session: session.exec(select(tables.AccountSession.last_seen_at)).one())

    begun = desk.now
    desk.do(auth.resume, token, desk.later(seconds=59))
    assert seen() == begun
    desk.do(auth.resume, token, desk.later(seconds=1))
    assert seen() == desk.now == begun + timedelta(minutes=1)


def test_signing_in_again_ends_the_session_before(desk: Office) -> None:
    planted = desk.do(auth.open_session, desk.bob, "passkey", desk.now)
    token = desk.do(auth.open_session, desk.ann, "passkey", desk.now, replaces=planted)
    assert token != planted
    refused("sign-in", desk.do, auth.resume, planted, desk.now)
    assert desk.do(auth.resume, token, desk.now).id == desk.ann


def test_signing_out_here_and_everywhere(desk: Office) -> None:
    one, two, three = (desk.do(auth.open_session, desk.ann, "passkey", desk.now) for _ in range(3))
    other = desk.do(auth.open_session, desk.bob, "passkey", desk.now)
    desk.do(auth.sign_out, one)
    desk.do(auth.sign_out, one)
    refused("sign-in", desk.do, auth.resume, one, desk.now)
    assert desk.do(auth.resume, two, desk.now).id == desk.ann
    desk.do(auth.sign_out_everywhere, desk.ann)
    for token in (two, three):
        refused("sign-in", desk.do, auth.resume, token, desk.now)
    assert desk.do(auth.resume, other, desk.now).id == desk.bob


def test_disabling_ends_running_sessions_of_both_kinds(desk: Office) -> None:
    ann = desk.do(auth.open_session, desk.ann, "passkey", desk.now)
    reader = desk.do(auth.open_session, desk.reader, "totp", desk.now)
    for account, token in ((desk.ann, ann), (desk.reader, reader)):
        desk.do(auth.disable, account, desk.now)
        refused("sign-in", desk.do, auth.resume, token, desk.now)
        refused("account", desk.do, auth.open_session, account, "passkey", desk.now)


def test_vetting_ends_a_session_in_the_middle(desk: Office) -> None:
    desk.later(days=30, hours=-1)
    token = desk.do(auth.open_session, desk.ann, "passkey", desk.now)
    reader = desk.do(auth.open_session, desk.reader, "totp", desk.now)
    desk.do(auth.resume, token, desk.later(minutes=29))
    desk.do(auth.resume, token, desk.later(minutes=29))
    refused("account", desk.do, auth.resume, token, desk.later(minutes=2))
    refused("account", desk.do, auth.whoami, token, desk.now)
    refused("account", desk.do, auth.passwords.begin, "ann", PASSWORD, desk.now)
    refused("sign-in", desk.do, auth.resume, reader, desk.now)  # an inbox person is not vetted here: idle


def test_a_suspended_partner_ends_its_sessions(desk: Office) -> None:
    token = desk.do(auth.open_session, desk.reader, "totp", desk.now)

    def suspend(session: Any) -> None:
        session.get_one(tables.Partner, "pt_one").status = "suspended"

    desk.do(suspend)
    refused("account", desk.do, auth.resume, token, desk.now)


def test_the_command_line_is_no_browser(desk: Office) -> None:
    """It may have been opened by a password alone."""
    token = desk.do(auth.sign_in, "ann", PASSWORD, desk.now)
    assert desk.do(auth.whoami, token, desk.now).id == desk.ann
    refused("sign-in", desk.do, auth.resume, token, desk.now)
    refused("account", desk.do, auth.sign_in, "inspector", PASSWORD, desk.now)


def test_what_is_over_is_swept(desk: Office) -> None:
    desk.do(auth.open_session, desk.ann, "passkey", desk.now)
    desk.do(auth.passkeys.authentication_options, auth.passkeys.Site.of("https://broker.example"), desk.now)
    desk.do(auth.links.make, desk.ann, desk.now, synthetic=True)
    with pytest.raises(Forbidden):
        desk.do(auth.passwords.begin, "nobody", PASSWORD, desk.now)
    with desk.db.connect("sweeper") as conn:
        assert sweeping.sweep(conn, desk.now) == 0
        assert sweeping.sweep(conn, desk.later(days=2)) == 4
