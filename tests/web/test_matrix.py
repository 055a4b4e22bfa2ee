"""Who may see which page: generated from the registry, asked over HTTP as every kind of person."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from broker import auth
from broker.demo.house import House
from broker.store.engine import unit_of_work
from broker.web import every_page
from broker.web.page import Page, page, pages
from broker.web.site import Site
from tests.web.browsing import ROLES
from tests.web.conftest import SignedIn

ABSENT = {"case": str(UUID(int=0)), "referral": str(UUID(int=0)), "delivery": str(UUID(int=0))}

ENDS = ("/sign-out", "/account/everywhere")
"""These end the session that the others need; test_signin has them."""


def address(page: Page) -> str:
    """The page with ids of nothing: whoever may see it is told that it is not there."""
    return f"/{page.house}" + re.sub(r"{(\w+)(?::\w+)?}", lambda m: ABSENT.get(m[1], "a" * 26), page.path)


INBOX = "a person of a partner"


@pytest.mark.parametrize("login", ["", *ROLES, INBOX])
def test_every_page_refuses_everybody_who_has_no_business_there(
    signed_in: SignedIn, house: House, login: str
) -> None:
    client = signed_in("" if login == INBOX else login)
    if login == INBOX:
        _as_partner(client, house)
    role = ROLES.get(login)
    wrong = []
    for each in pages():
        if each.path in ENDS:
            continue
        for method in each.methods:
            answer = client.request(method, address(each), follow_redirects=False)
            refused = answer.status_code == 403 and "part of your work" in answer.text
            to_sign_in = "/sign-in" in answer.headers.get("location", "") or (
                answer.status_code == 403 and 'name="kept"' in answer.text
            )
            welcome = each.open or (role in each.roles if each.house == "desk" else login == INBOX)
            turned_away = refused or (to_sign_in and not each.open)
            if welcome == turned_away or answer.status_code >= 500:
                wrong.append((method, each.house, each.path, answer.status_code))
    assert wrong == []


def _as_partner(client: TestClient, house: House) -> None:
    """The same session at both doors: the desk must not take it for one of its own."""
    now = house.desk.now()
    with unit_of_work(house.desk.db) as session:
        administrator = house.people["administrator"]
        partner, login = house.partners["police"], "reader"
        person = auth.add_person(
            session, administrator, partner_id=partner, login=login, password="synthetic-inbox-only", now=now
        )
        token = auth.open_session(session, person, "passkey", now)
    for door in ("desk", "inbox"):
        client.cookies.set(Site(house.desk, door).cookie_name, token, path=f"/{door}")


def test_every_module_that_declares_a_page_is_known() -> None:
    folder = Path(every_page.__file__).parent
    imported = re.compile(r"^from broker\.web\.page import (\([^)]*\)|.*)$", re.MULTILINE)
    declares = re.compile(r"\b(page|inbox_page|open_page)\b")
    declaring = {
        path.stem
        for path in folder.glob("*.py")
        if any(declares.search(names) for names in imported.findall(path.read_text()))
    }
    assert declaring == set(every_page.__all__)


def test_the_registry_names_a_role_for_every_page_of_the_desk() -> None:
    assert all(each.open or each.roles for each in pages("desk"))
    with pytest.raises(ValueError, match="names who may see it"):
        page("/for-nobody")
