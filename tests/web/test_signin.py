"""Signing in by hand: password and code, links of the demo, what was typed before."""

from __future__ import annotations

import html
import json
import re

import pyotp
import pytest
from starlette.testclient import TestClient

from broker import auth
from broker.demo.house import PASSWORD, House
from broker.store.engine import unit_of_work
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
