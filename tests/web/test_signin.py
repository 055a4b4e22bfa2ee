"""Signing in by hand: password and code, links of the demo, what was typed before."""

from __future__ import annotations

import hashlib
import html
import json
import re
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from broker import auth
from broker.app import create_app
from broker.auth import Method, argon
from broker.auth.passkeys import Site
from broker.demo.house import PASSWORD, House
from broker.errors import Forbidden
from broker.store.engine import Database, unit_of_work
from broker.web.site import Site as DoorSite
from tests.auth.authenticator import Authenticator
from tests.web.conftest import SignedIn


def code_of(page: str) -> str:
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", page)
    assert secret is not None
    return pyotp.TOTP(secret[1]).now()


def first_time(client: TestClient, login: str = "analyst-1", **more: str) -> str:
    """Password, then the new secret; gives the page with it."""
    answer = client.post("/desk/sign-in", data={"login": login, "password": PASSWORD, **more})
    assert answer.status_code == 200
    return answer.text


def test_a_password_alone_opens_nothing(signed_in: SignedIn) -> None:
    client = signed_in("")
    page = first_time(client)
    assert "one-time codes" in page
    assert client.get("/desk/account", follow_redirects=False).status_code == 303
    answer = client.post(
        "/desk/sign-in/code", data={"code": code_of(page), "enrol": "yes"}, follow_redirects=False
    )
    assert answer.status_code == 303
    assert client.get("/desk/account").status_code == 200


def test_the_second_time_a_code_is_asked_for_and_counts_once(signed_in: SignedIn, house: House) -> None:
    first, second = signed_in(""), signed_in("")
    page = first_time(first)
    code = code_of(page)
    first.post("/desk/sign-in/code", data={"code": code, "enrol": "yes"})
    answer = second.post("/desk/sign-in", data={"login": "analyst-1", "password": PASSWORD})
    assert "Six digits" in answer.text
    assert re.search(r"<code>[A-Z2-7]{32}</code>", answer.text) is None
    again = second.post("/desk/sign-in/code", data={"code": code}, follow_redirects=False)
    assert again.status_code == 403  # it set the codes up; it does not sign in too
    assert second.get("/desk/account", follow_redirects=False).status_code == 303


@pytest.mark.parametrize(("login", "password"), [("analyst-1", "not the one"), ("nobody", PASSWORD)])
def test_wrong_and_unknown_look_the_same(signed_in: SignedIn, login: str, password: str) -> None:
    answer = signed_in("").post("/desk/sign-in", data={"login": login, "password": password})
    assert answer.status_code == 403
    assert "Login or password is wrong" in answer.text
    assert password not in answer.text


def test_staff_do_not_pass_the_inbox_door(signed_in: SignedIn) -> None:
    answer = signed_in("").post("/inbox/sign-in", data={"login": "analyst-1", "password": PASSWORD})
    assert answer.status_code == 403


def test_a_demo_link_signs_in_once_and_only_when_pressed(signed_in: SignedIn, house: House) -> None:
    with unit_of_work(house.desk.db) as session:
        account = house.people["officer"].id
        token = auth.links.make(session, account, house.desk.now(), synthetic=True)
    path = auth.links.path(account, token)
    client = signed_in("")
    assert client.get(path).status_code == 200
    assert client.get("/desk/account", follow_redirects=False).status_code == 303
    assert client.post(path, follow_redirects=False).status_code == 303
    assert client.get("/desk/account").status_code == 200
    assert signed_in("").post(path, follow_redirects=False).status_code == 403


def test_what_was_typed_survives_the_whole_sign_in(signed_in: SignedIn) -> None:
    """Sent after the session was over: through password and code to a page that sends it on."""
    client = signed_in("")
    page = client.post("/desk/account/passkey", data={"label": "typed <b>by hand</b>"})
    assert page.status_code == 403
    found = re.search(r'name="kept" value="([^"]+)"', page.text)
    assert found is not None
    kept = html.unescape(found[1])
    assert json.loads(kept) == [["label", "typed <b>by hand</b>"]]
    enrol = first_time(client, kept=kept, next="/desk/account/passkey")
    sent = {"code": code_of(enrol), "enrol": "yes", "kept": kept, "next": "/desk/account/passkey"}
    last = client.post("/desk/sign-in/code", data=sent)
    assert 'action="/desk/account/passkey"' in last.text
    assert html.escape("typed <b>by hand</b>") in last.text


def test_signing_out_ends_the_session_not_only_the_cookie(signed_in: SignedIn, house: House) -> None:
    client = signed_in("analyst-1")
    token = next(iter(client.cookies.jar)).value
    client.post("/desk/sign-out")
    again = signed_in("")
    again.cookies.set("session", str(token), path="/desk")
    assert again.get("/desk/account", follow_redirects=False).status_code == 303


def aged(house: House, client: TestClient, minutes: int) -> None:
    """As if the session of this browser had begun so long ago, and had been used since."""
    digest = hashlib.sha256(str(next(iter(client.cookies.jar)).value).encode()).hexdigest()
    begun = house.desk.now() - timedelta(minutes=minutes)
    with house.desk.db.connect("owner") as conn:
        conn.execute("alter table account_session no force row level security")
        changed = conn.execute(
            "update account_session set created_at = %s where token_hash = decode(%s, 'hex')", [begun, digest]
        )
        assert changed.rowcount == 1
        conn.execute("alter table account_session force row level security")


CHANGES = ("/account/passkey", "/account/passkey/remove", "/account/codes", "/account/codes/finish")


def test_on_a_screen_left_open_nobody_adds_a_key_of_their_own(signed_in: SignedIn, house: House) -> None:
    """With it they would approve releases: what proves who one is changes right after a sign-in only."""
    site, me = Site.of("https://broker.example"), house.people["releaser"].id
    desk = replace(
        house.desk, settings=house.desk.settings.model_copy(update={"issuer": "https://broker.example"})
    )
    app = create_app(desk)
    client = TestClient(app, base_url="https://broker.example", headers={"sec-fetch-site": "same-origin"})
    with unit_of_work(desk.db) as session:
        token = auth.open_session(session, me, "passkey", desk.now())
    client.cookies.set(DoorSite(desk, "desk").cookie_name, token, path="/desk")

    def added() -> int:
        options = re.search(r'data-options="([^"]+)"', client.get("/desk/account").text)
        assert options is not None
        answer = Authenticator(origin=site.origin).create(html.unescape(options[1]))
        sent = {"passkey": answer, "label": "mine"}
        return client.post("/desk/account/passkey", data=sent, follow_redirects=False).status_code

    def held() -> int:
        with unit_of_work(desk.db) as session:
            return len(auth.passkeys.listed(session, me))

    assert (added(), held()) == (303, 1)
    aged(house, client, 6)
    assert "sign in again" in client.get("/desk/account").text
    assert (added(), held()) == (403, 1)
    for path in CHANGES:
        page = client.post(f"/desk{path}", data={"code": "000000"}, follow_redirects=False)
        assert (page.status_code, "sign in again" in page.text) == (403, True), path
    with unit_of_work(desk.db) as session:
        assert not auth.totp.enrolled(session, me)


def test_who_has_a_key_changes_it_by_a_key_not_by_the_session_of_a_provider(
    signed_in: SignedIn, house: House
) -> None:
    desk, me = house.desk, house.people["releaser"].id

    def asked(method: Method) -> int:
        client = signed_in("")
        with unit_of_work(desk.db) as session:
            token = auth.open_session(session, me, method, desk.now())
        client.cookies.set(DoorSite(desk, "desk").cookie_name, token, path="/desk")
        return client.post("/desk/account/codes").status_code

    assert [asked(method) for method in ("oidc", "link")] == [200, 200]  # the first one of all
    with unit_of_work(desk.db) as session:
        auth.totp.assign(session, desk.vault().lasting("totp"), me, "releaser", desk.now())
    assert [asked(method) for method in ("oidc", "link", "totp", "passkey")] == [403, 403, 200, 200]


def test_many_sign_ins_at_once_do_not_shut_out_who_is_signed_in(house: House) -> None:
    """A stranger with any cookie: the request looks for its session, then wants to write a try down."""
    desk = replace(house.desk, db=Database(house.desk.db.urls, pool_size=2))
    try:
        with ExitStack() as open_units:
            sessions = [open_units.enter_context(unit_of_work(desk.db)) for _ in range(4)]
            for session in sessions:
                session.exec(select(1)).one()  # every connection of the pool is taken
            for n, session in enumerate(sessions):
                with pytest.raises(Forbidden, match="wrong"):
                    auth.passwords.begin(session, f"nobody-{n}", "not the one", desk.now())
    finally:
        desk.db.dispose()


def test_only_so_many_passwords_are_checked_at_once(signed_in: SignedIn) -> None:
    """Each takes 64 MiB, and anybody may ask."""
    client, stranger = signed_in("analyst-1"), signed_in("")
    sent = {"login": "analyst-1", "password": PASSWORD}
    with ExitStack() as turns:
        for _ in range(argon.AT_ONCE):
            turns.enter_context(argon.turn())
        refused = stranger.post("/desk/sign-in", data=sent)
        assert (refused.status_code, "Too many people" in refused.text) == (403, True)
        assert client.get("/desk/account").status_code == 200
    assert stranger.post("/desk/sign-in", data=sent).status_code == 200
