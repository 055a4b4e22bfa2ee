"""A certified third-party OAuth client gets a token from our server and calls with it; and so does
our own client over real HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI

from broker.api import envelope, oauth, wellknown
from broker.api.directory import AuthKey, ClientRecord
from broker.api.oauth import PartnerAuth, PullCaller
from broker.client.auth import BrokerAuth
from broker.client.keys import PartnerKey
from broker.sealing.jose import KeySet, PinnedKey, SigningKey, jwk_from_public_key
from tests.api.oauth_world import MemoryDirectory, MemoryReplay, discovery, new_key
from tests.interop.jwk import private_jwk
from tests.needs import needs

HERE = Path(__file__).parent
CLIENT = "client-interop"
KID = "interop-1"


@contextmanager
def running(auth_key: ec.EllipticCurvePrivateKey, *, nonce: bool) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(build(url, auth_key, nonce=nonce), log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield url
        finally:
            server.should_exit = True
            thread.join()


def build(url: str, auth_key: ec.EllipticCurvePrivateKey, *, nonce: bool) -> FastAPI:
    replay = MemoryReplay(lambda: datetime.now(UTC))  # type: ignore[arg-type]
    directory = MemoryDirectory(replay)
    jwk = jwk_from_public_key(auth_key.public_key())
    scopes = frozenset({"referrals:pull"})
    record = ClientRecord(CLIENT, "pt_interop", "active", (AuthKey(KID, jwk),), scopes)
    directory.clients[CLIENT] = record
    key, typs = new_key(), frozenset({"at+jwt"})
    auth = PartnerAuth(
        url,
        directory,
        replay,
        SigningKey.load("token-1", typs, key),
        KeySet([PinnedKey("token-1", "ES256", typs, key.public_key())]),
        nonce_secret=os.urandom(32) if nonce else None,
    )
    app = FastAPI()
    oauth.install(app, auth)
    found = discovery(key)
    wellknown.install(app, type(found)(**{**fields(found), "public_url": url}))

    @app.get("/v1/whoami")
    async def whoami(caller: PullCaller) -> dict[str, str]:
        return {"partner": caller.partner_id}

    envelope.install(app)
    return app


def fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


@pytest.mark.node
@needs("node", "npm:oauth4webapi")
@pytest.mark.parametrize("nonce", [False, True])
def test_oauth4webapi(nonce: bool) -> None:
    auth_key, dpop_key = new_key(), new_key()
    with running(auth_key, nonce=nonce) as url:
        given = {
            "url": url,
            "clientId": CLIENT,
            "kid": KID,
            "auth": private_jwk(auth_key),
            "dpop": private_jwk(dpop_key),
        }
        done = subprocess.run(
            ["node", str(HERE / "oauth_client.mjs")],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["status"], said["body"]) == (200, {"partner": "pt_interop"})
    assert said["type"].lower() == "dpop"
    assert said["retries"] == int(nonce)


@pytest.mark.parametrize("nonce", [False, True])
def test_own_client_over_real_http(nonce: bool) -> None:
    auth_key = new_key()
    with running(auth_key, nonce=nonce) as url:
        auth = BrokerAuth(url, CLIENT, PartnerKey("auth", KID, auth_key), PartnerKey("dpop", "d", new_key()))
        with httpx.Client(auth=auth, trust_env=False) as http:
            for _ in range(3):
                answer = http.get(url + "/v1/whoami?a=b#c")
                assert (answer.status_code, answer.json()) == (200, {"partner": "pt_interop"})
