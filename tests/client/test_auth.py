"""The httpx authentication class: token caching, nonce, clock, and no signature for strangers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from broker.client.auth import TOKEN_PATH, TokenRefusedError
from broker.client.keys import (
    PartnerKey,
    PartnerKeys,
    new_partner_keys,
    read_passphrase,
)
from broker.errors import Misconfigured, Refused
from broker.sealing.jose import thumbprint
from broker.sealing.keyring import Keyring
from tests.client.fake_broker import PARTNER, START, URL, FakeBroker, Side

FEED = URL + "/v1/referrals"


def tokens_asked(side: Side) -> int:
    return side.transport.log.count(("POST", TOKEN_PATH))


def test_token_is_kept_and_renewed_in_time(broker: FakeBroker, side: Side) -> None:
    for _ in range(3):
        assert side.http.get(FEED, auth=side.auth).status_code == 200
    assert tokens_asked(side) == 1
    broker.clock.now += timedelta(seconds=290)
    assert side.http.get(FEED, auth=side.auth).status_code == 200
    assert tokens_asked(side) == 2


def test_token_that_the_server_forgot_is_replaced(broker: FakeBroker, side: Side) -> None:
    assert side.http.get(FEED, auth=side.auth).status_code == 200
    broker.app.state.partner_auth = broker.new_auth()  # new token key: the old token is void
    assert side.http.get(FEED, auth=side.auth).status_code == 200
    assert tokens_asked(side) == 2


@pytest.mark.parametrize("seconds", [-3000, -90, 90, 3000])
def test_wrong_clock_is_compensated(broker: FakeBroker, side: Side, seconds: int) -> None:
    auth = side.new_auth(clock=lambda: broker.clock.seconds() + seconds)
    assert side.http.get(FEED, auth=auth).status_code == 200
    assert auth.skew == -seconds


def test_nonce_is_learned_and_renewed(
    broker_ring: Keyring, registration: dict[str, Any], key_folder: Path, tmp_path: Path
) -> None:
    broker = FakeBroker(broker_ring, registration, nonce=True)
    side = Side(broker, PartnerKeys.load(key_folder), tmp_path)
    assert side.http.get(FEED, auth=side.auth).status_code == 200
    assert tokens_asked(side) == 2  # the first only brought the nonce
    broker.clock.now += timedelta(seconds=250)
    assert side.http.get(FEED, auth=side.auth).status_code == 200
    assert side.puller().run().ok


def test_no_token_leaves_for_another_address(side: Side) -> None:
    for url in ("https://evil.example/v1", "http://broker.example/v1", URL + ":8443/v1"):
        with pytest.raises(Refused, match="only sent to the broker"):
            side.http.get(url, auth=side.auth)
    assert side.transport.log == []


def test_refusal_carries_the_servers_code_and_words(broker: FakeBroker, side: Side) -> None:
    broker.directory.clients.clear()
    with pytest.raises(TokenRefusedError) as caught:
        side.http.get(FEED, auth=side.auth)
    assert caught.value.error == "invalid_client"
    assert "not accepted" in caught.value.message
    assert tokens_asked(side) == 1  # a refusal is not repeated


def test_wrong_scope_is_refused(side: Side) -> None:
    with pytest.raises(TokenRefusedError) as caught:
        side.http.get(FEED, auth=side.new_auth(scope="cases:submit"))
    assert caught.value.error == "invalid_scope"


def test_login_page_instead_of_oauth_is_said(side: Side) -> None:
    page = httpx.MockTransport(lambda request: httpx.Response(200, text="<html>log in</html>"))
    with httpx.Client(transport=page) as http, pytest.raises(TokenRefusedError):
        http.get(FEED, auth=side.auth)


def test_async_client(broker: FakeBroker, side: Side) -> None:
    async def go() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(broker.app)) as http:
            return (await http.get(FEED, auth=side.auth)).status_code

    assert asyncio.run(go()) == 200


def test_new_keys_are_private_encrypted_and_registered(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    said = new_partner_keys(folder, PARTNER, START, passphrase=b"synthetic")
    assert [key["use"] for key in said["keys"]] == ["auth", "dpop", "enc", "apart", "receipt"]
    text = (folder / "registration.json").read_text()
    assert json.loads(text) == said
    for entry in said["keys"]:
        assert entry["jwk"].keys() == {"crv", "kty", "x", "y"}
        assert entry["thumbprint"] == thumbprint(entry["jwk"])
    assert folder.stat().st_mode & 0o077 == 0
    for path in folder.glob("*.pem"):
        assert path.stat().st_mode & 0o077 == 0
        assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY")
    keys = PartnerKeys.load(folder, b"synthetic")
    assert {e["use"]: e["kid"] for e in said["keys"]} == {
        e["use"]: keys.get(e["use"]).kid for e in said["keys"]
    }
    with pytest.raises(Misconfigured):
        PartnerKeys.load(folder, b"wrong")
    with pytest.raises(Misconfigured, match="pass-phrase"):
        PartnerKeys.load(folder)
    with pytest.raises(Misconfigured, match="never overwritten"):
        new_partner_keys(folder, PARTNER, START, passphrase=b"synthetic")


def test_keys_in_clear_only_when_said(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        new_partner_keys(tmp_path / "a", PARTNER, START)
    with pytest.raises(Misconfigured):
        new_partner_keys(tmp_path / "b", PARTNER, START, passphrase=b"x", unencrypted=True)


def test_open_files_are_refused(key_folder: Path, registration: dict[str, Any]) -> None:
    (key_folder / "auth.pem").chmod(0o640)
    with pytest.raises(Misconfigured, match="open to group"):
        PartnerKeys.load(key_folder)
    words = key_folder / "pass"
    words.write_text("one\n")
    with pytest.raises(Misconfigured, match="open to group"):
        read_passphrase(words)
    words.chmod(0o600)
    assert read_passphrase(words) == b"one"


def test_signer_of_one_use_signs_nothing_else(side: Side) -> None:
    key = PartnerKey("receipt", "k", ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(Misconfigured):
        key.signer("receipt+jws").header("referral+jws")


def test_client_runs_without_the_servers_code() -> None:
    program = (
        "import sys, broker.client.pull, broker.client.open, broker.client.doctor;"
        "bad = [m for m in sys.modules if m.split('.')[0] in"
        " {'fastapi','starlette','sqlalchemy','sqlmodel','psycopg','alembic'}"
        " or m.startswith(('broker.api','broker.store','broker.desk','broker.settings'))];"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
