"""What holds for every page: who is let in, where a change may come from, what a browser may do."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from broker.app import create_app
from broker.demo.house import House
from broker.web.guard import CONTENT_POLICY
from broker.web.locators import broken
from tests.web.conftest import SignedIn


def test_nobody_is_sent_to_sign_in_and_back(signed_in: SignedIn) -> None:
    answer = signed_in("").get("/desk/", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/desk/sign-in?next=/desk/"


def test_filters_survive_a_sign_in_and_another_language(signed_in: SignedIn) -> None:
    """A view is an address that people share: who has to sign in first gets to it, not to the bare list."""
    at = "/desk/cases?kind=danger&urgency=U1"
    answer = signed_in("").get(at, follow_redirects=False)
    assert answer.headers["location"] == "/desk/sign-in?next=/desk/cases%3Fkind%3Ddanger%26urgency%3DU1"
    asked = signed_in("").get(answer.headers["location"])
    assert f'name="next" value="{at.replace("&", "&amp;")}"' in asked.text
    page = signed_in("analyst-1").get(at).text
    (back,) = re.findall(r'name="back" value="([^"]+)"', page)
    chosen = signed_in("analyst-1").post(
        "/desk/settings/language", data={"language": "fr", "back": back.replace("&amp;", "&")},
        follow_redirects=False,
    )  # fmt: skip
    assert chosen.headers["location"] == at


def test_another_language_on_the_answer_to_a_form_leads_to_a_page(signed_in: SignedIn) -> None:
    client = signed_in("administrator")
    page = client.post("/desk/admin/people/add", data={"login": ""})
    (back,) = re.findall(r'name="back" value="([^"]+)"', page.text)
    assert client.get(back).status_code == 200


def test_a_page_cannot_be_framed_scripted_or_kept(signed_in: SignedIn) -> None:
    answer = signed_in("").get("/desk/sign-in")
    assert answer.headers["content-security-policy"] == CONTENT_POLICY
    assert answer.headers["cache-control"] == "no-store"
    assert "unsafe" not in CONTENT_POLICY
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=", answer.text)


def test_static_files_are_kept_by_their_digest(signed_in: SignedIn) -> None:
    client = signed_in("")
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/desk/sign-in").text):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert client.get(re.sub(r"/static/[0-9a-f]+/", "/static/000000000000/", address)).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"sec-fetch-site": "", "origin": "http://elsewhere.example"}, 403),
    ],
)
def test_a_change_asked_for_by_another_site_is_refused(
    signed_in: SignedIn, headers: dict[str, str], status: int
) -> None:
    answer = signed_in("analyst-1").post("/desk/sign-out", headers=headers, follow_redirects=False)
    assert answer.status_code == status


def test_no_redirect_leads_out_of_the_house(signed_in: SignedIn) -> None:
    client = signed_in("")
    for elsewhere in ("//evil.example/", "https://evil.example/desk/", "/desk\\evil", "/deskevil", "/inbox/"):
        sent = {"language": "nl", "back": elsewhere}
        answer = client.post("/desk/settings/language", data=sent, follow_redirects=False)
        assert answer.headers["location"] == "/desk/"


def test_a_form_sent_after_the_session_was_over_is_still_there(signed_in: SignedIn) -> None:
    client = signed_in("")
    answer = client.post("/desk/settings", data={"theme": "dark", "note": "typed <b>by hand</b>"})
    assert answer.status_code == 200  # open to everybody: nothing to keep
    answer = client.post("/desk/sign-in", data={"kept": json.dumps([["note", "typed <b>by hand</b>"]])})
    assert answer.status_code == 403
    kept = re.search(r'name="kept" value="([^"]*)"', answer.text)
    assert kept is not None
    text = kept[1].replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert json.loads(text) == [["note", "typed <b>by hand</b>"]]


def test_unknown_pages_answer_in_words(signed_in: SignedIn) -> None:
    answer = signed_in("analyst-1").get("/desk/nowhere")
    assert answer.status_code == 404
    assert "What happened" in answer.text


def test_no_locator_is_ever_live() -> None:
    assert broken("see https://a.example/b.html now") == "see hxxps://a[.]example/b[.]html now"
    assert broken("ftp://a.example") == "fxp://a[.]example"


@pytest.mark.parametrize(("issuer", "said"), [("https://broker.example", "max-age="), ("", "")])
def test_where_there_is_tls_browsers_are_told_never_to_come_without(
    house: House, issuer: str, said: str
) -> None:
    settings = house.desk.settings.model_copy(update={"issuer": issuer or house.desk.settings.issuer})
    client = TestClient(create_app(replace(house.desk, settings=settings)))
    answer = client.get("/desk/sign-in", headers={"sec-fetch-site": "same-origin"})
    assert answer.headers.get("strict-transport-security", "").startswith(said)
    assert ("strict-transport-security" in answer.headers) is bool(said)
