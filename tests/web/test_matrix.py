"""Who may see which page: generated from the registry, asked over HTTP as every kind of person."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from broker.web.page import Page, page, pages
from tests.web.browsing import ROLES
from tests.web.conftest import SignedIn

ABSENT = {"case": str(UUID(int=0)), "referral": str(UUID(int=0)), "delivery": str(UUID(int=0))}

ENDS = ("/sign-out", "/account/everywhere")
"""These end the session that the others need; test_signin has them."""


def address(page: Page) -> str:
    """The page with ids of nothing: whoever may see it is told that it is not there."""
    return f"/{page.house}" + re.sub(r"{(\w+)(?::\w+)?}", lambda m: ABSENT.get(m[1], "a" * 26), page.path)


@pytest.mark.parametrize("login", ["", *ROLES])
def test_every_page_refuses_everybody_who_has_no_business_there(signed_in: SignedIn, login: str) -> None:
    client = signed_in(login)
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
            welcome = each.open or (each.house == "desk" and role in each.roles)
            turned_away = refused or (to_sign_in and not each.open)
            if welcome == turned_away or answer.status_code >= 500:
                wrong.append((method, each.house, each.path, answer.status_code))
    assert wrong == []


def test_the_registry_names_a_role_for_every_page_of_the_desk() -> None:
    assert all(each.open or each.roles for each in pages("desk"))
    with pytest.raises(ValueError, match="names who may see it"):
        page("/for-nobody")
