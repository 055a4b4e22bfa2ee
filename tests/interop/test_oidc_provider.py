"""Sign-in by a certified OpenID provider: what it really sends, and who gets in by it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from broker import auth
from broker.auth.oidc import Provider
from broker.errors import Conflict, Forbidden
from tests.auth.conftest import Office, desk
from tests.auth.test_passkeys import refused
from tests.dbfixtures import database
from tests.needs import needs

__all__ = ["database", "desk"]

pytestmark = needs("node", "npm:oidc-provider")
HERE = Path(__file__).parent
CALLBACK = "https://broker.example/sign-in/oidc"
SECRET = "synthetic client secret: with / and +"
TWO_FACTORS = {"accountId": "sub-ann", "amr": ["pwd", "mfa"]}


@dataclass(frozen=True)
class Outside:
    """The provider, and a browser that follows where it sends."""

    provider: Provider

    def visit(self, url: str, **visitor: Any) -> dict[str, str]:
        """The parameters that the callback gets."""
        with httpx.Client(base_url=self.provider.issuer, trust_env=False) as browser:
            browser.post("/next", json=visitor).raise_for_status()
            while not url.startswith(CALLBACK):
                answer = browser.get(url)
                assert answer.is_redirect, answer.text
                url = str(answer.url.join(answer.headers["location"]))
        return dict(parse_qsl(urlsplit(url).query))


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with subprocess.Popen(
        ["node", "oidc_provider.mjs"],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"redirectUri": CALLBACK, "secret": SECRET}) + "\n")
        process.stdin.flush()
        url = json.loads(process.stdout.readline())["url"]
        try:
            yield Outside(Provider(url, "broker", CALLBACK, SECRET))
        finally:
            process.stdin.close()
            process.wait(timeout=10)


def link(desk: Office, provider: Provider, subject: str = "sub-ann", account: str = "") -> None:
    desk.do(auth.oidc.link, desk.admin, account or desk.ann, provider.issuer, subject, desk.now)


def sign_in(desk: Office, outside: Outside, provider: Provider | None = None, **visitor: Any) -> str:
    provider = provider or outside.provider
    asked = desk.do(auth.oidc.begin, provider, desk.now)
    query = outside.visit(asked.url, **(visitor or TWO_FACTORS))
    return desk.do(auth.oidc.finish, provider, asked.handle, query, desk.now)


@pytest.fixture
def desk_now(desk: Office) -> Office:
    """The provider signs with the real time."""
    desk.now = datetime.now(UTC)
    return desk


def test_a_linked_person_signs_in(desk_now: Office, outside: Outside) -> None:
    link(desk_now, outside.provider)
    assert sign_in(desk_now, outside) == desk_now.ann
    public = replace(outside.provider, client_id="broker-public", client_secret="")
    assert sign_in(desk_now, outside, public) == desk_now.ann


def test_nobody_is_made_by_a_token(desk_now: Office, outside: Outside) -> None:
    refused("not-linked", sign_in, desk_now, outside)
    link(desk_now, outside.provider)
    refused("not-linked", lambda: sign_in(desk_now, outside, accountId="sub-else", amr=["mfa"]))


def test_two_factors_must_be_said(desk_now: Office, outside: Outside) -> None:
    link(desk_now, outside.provider)
    refused("mfa", lambda: sign_in(desk_now, outside, accountId="sub-ann", amr=["pwd"]))
    refused("mfa", lambda: sign_in(desk_now, outside, accountId="sub-ann"))
    named = replace(outside.provider, acr_values=("phr",))
    refused("mfa", lambda: sign_in(desk_now, outside, named, accountId="sub-ann", acr="loa1"))
    assert sign_in(desk_now, outside, named, accountId="sub-ann", acr="phr") == desk_now.ann
    always = replace(outside.provider, enforces_mfa=True)
    assert sign_in(desk_now, outside, always, accountId="sub-ann") == desk_now.ann


def test_a_callback_is_good_once_and_for_its_browser(desk_now: Office, outside: Outside) -> None:
    link(desk_now, outside.provider)
    begin, finish, provider = auth.oidc.begin, auth.oidc.finish, outside.provider
    asked, other = (desk_now.do(begin, provider, desk_now.now) for _ in range(2))
    query = outside.visit(asked.url, **TWO_FACTORS)
    refused("oidc", desk_now.do, finish, provider, other.handle, query, desk_now.now)
    assert desk_now.do(finish, provider, asked.handle, query, desk_now.now) == desk_now.ann
    refused("flow", desk_now.do, finish, provider, asked.handle, query, desk_now.now)
    # The provider, too, takes a code once.
    with_state = desk_now.do(begin, provider, desk_now.now)
    state = dict(parse_qsl(urlsplit(with_state.url).query))["state"]
    again = query | {"state": state}
    refused("oidc", desk_now.do, finish, provider, with_state.handle, again, desk_now.now)


def test_what_the_callback_may_not_say(desk_now: Office, outside: Outside) -> None:
    link(desk_now, outside.provider)
    provider = outside.provider
    for change in (
        {"state": ""},
        {"state": "é"},
        {"iss": "https://evil.example"},
        {"code": ""},
        {"code": "x"},
    ):
        asked = desk_now.do(auth.oidc.begin, provider, desk_now.now)
        query = outside.visit(asked.url, **TWO_FACTORS) | change
        refused("oidc", desk_now.do, auth.oidc.finish, provider, asked.handle, query, desk_now.now)
    refused("oidc", lambda: sign_in(desk_now, outside, error="access_denied"))


def test_a_wrong_secret_and_a_symmetric_signature_are_refused(desk_now: Office, outside: Outside) -> None:
    link(desk_now, outside.provider)
    wrong = replace(outside.provider, client_secret="wrong")
    refused("oidc", sign_in, desk_now, outside, wrong)
    symmetric = replace(outside.provider, client_id="broker-hs256")
    refused("oidc", sign_in, desk_now, outside, symmetric)


def test_an_administrator_links_a_subject_once(desk_now: Office, outside: Outside) -> None:
    link(desk_now, outside.provider)
    with pytest.raises(Conflict, match="linked"):
        link(desk_now, outside.provider, account=desk_now.bob)
    ann = auth.Actor(desk_now.ann, frozenset({"releaser"}))
    with pytest.raises(Forbidden, match="role"):
        desk_now.do(auth.oidc.link, ann, desk_now.ann, "https://idp.example", "x", desk_now.now)
    desk_now.do(auth.oidc.unlink, desk_now.admin, desk_now.ann)
    refused("not-linked", sign_in, desk_now, outside)


def test_a_disabled_account_stays_out(desk_now: Office, outside: Outside) -> None:
    link(desk_now, outside.provider)
    desk_now.do(auth.disable, desk_now.ann, desk_now.now)
    refused("account", sign_in, desk_now, outside)
