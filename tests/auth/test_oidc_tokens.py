"""A provider that lies: every claim and signature of an id_token that does not hold is refused."""

from __future__ import annotations

import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from broker import auth
from broker.auth.oidc import Provider
from broker.errors import Misconfigured
from broker.settings import Settings
from tests.auth.conftest import Office
from tests.auth.test_passkeys import refused

CALLBACK = "https://broker.example/desk/sign-in/oidc"
OURS = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"})
FOREIGN = ECKey.generate_key("P-256", {"kid": "one"})
WEAK = OctKey.generate_key(256, {"kid": "two", "alg": "HS256"})
RSA = RSAKey.generate_key(2048, {"kid": "three"})


@dataclass
class Liar:
    """Answers as a provider does, with whatever it is told to say."""

    server: ThreadingHTTPServer
    metadata: dict[str, Any] = field(default_factory=dict)
    id_token: str = ""
    asked: dict[str, list[str]] = field(default_factory=dict)
    status: int = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str, body: bytes) -> dict[str, Any]:
        if path == "/token":
            self.asked = parse_qs(body.decode())
            return {"access_token": "at", "token_type": "Bearer", "id_token": self.id_token}
        if path == "/jwks":
            public = [key.as_dict(private=False) for key in (OURS, RSA)]
            return {"keys": [*public, WEAK.as_dict(private=True)]}
        ends = {name: f"{self.url}/{name}" for name in ("authorization_endpoint", "token", "jwks")}
        return {
            "issuer": self.url,
            "authorization_endpoint": ends["authorization_endpoint"],
            "token_endpoint": ends["token"],
            "jwks_uri": ends["jwks"],
        } | self.metadata


@pytest.fixture
def liar() -> Iterator[Liar]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            found = json.dumps(made.answer(self.path, self.rfile.read(length))).encode()
            self.send_response(made.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    made = Liar(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def begun(desk: Office, liar: Liar) -> tuple[Provider, str, dict[str, str]]:
    """A sign-in under way: the provider, the handle, what the browser was sent with."""
    provider = Provider(liar.url, "broker", CALLBACK, "secret")
    asked = desk.do(auth.oidc.begin, provider, desk.now)
    return provider, asked.handle, dict(parse_qsl(urlsplit(asked.url).query))


def finish(desk: Office, liar: Liar, key: Any = OURS, alg: str = "ES256", **change: Any) -> str:
    provider, handle, sent = begun(desk, liar)
    now = int(desk.now.timestamp())
    claims: dict[str, Any] = {
        "iss": liar.url,
        "aud": "broker",
        "sub": "sub-ann",
        "nonce": sent["nonce"],
        "iat": now,
        "exp": now + 300,
        "amr": ["mfa"],
    }
    claims = {name: value for name, value in (claims | change).items() if value is not None}
    if key is None:
        head = urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        body = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        liar.id_token = f"{head}.{body}."
    else:
        header = {"alg": alg, "kid": key.kid}
        liar.id_token = jws.serialize_compact(header, json.dumps(claims).encode(), key, algorithms=[alg])
    query = {"code": "code", "state": sent["state"]}
    return desk.do(auth.oidc.finish, provider, handle, query, desk.now)


@pytest.fixture
def linked(desk: Office, liar: Liar) -> Office:
    desk.do(auth.oidc.link, desk.admin, desk.ann, liar.url, "sub-ann", desk.now)
    return desk


def test_what_holds_is_taken(linked: Office, liar: Liar) -> None:
    assert finish(linked, liar) == linked.ann
    assert finish(linked, liar, RSA, "PS256") == linked.ann
    assert finish(linked, liar, aud=["broker"]) == linked.ann


def test_the_code_is_bound_to_its_challenge(linked: Office, liar: Liar) -> None:
    provider, handle, sent = begun(linked, liar)
    assert sent["code_challenge_method"] == "S256"
    assert (sent["response_type"], sent["scope"], sent["redirect_uri"]) == ("code", "openid", CALLBACK)
    query = {"code": "code", "state": sent["state"]}
    refused("oidc", linked.do, auth.oidc.finish, provider, handle, query, linked.now)
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    assert create_s256_code_challenge(liar.asked["code_verifier"][0]) == sent["code_challenge"]


def test_claims_that_do_not_hold_are_refused(linked: Office, liar: Liar) -> None:
    past = int(linked.now.timestamp()) - 3600
    for change in (
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": "another-client", "azp": "broker"},
        {"aud": ["broker", "another-client"]},
        {"aud": ["broker", "another-client"], "azp": "another-client"},
        {"aud": None},
        {"sub": None},
        {"sub": 7},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": past},
        {"exp": None},
        {"exp": "never"},
        {"iat": past + 7200},
        {"nbf": past + 7200},
        {"amr": "mfa"},
        {"at_hash": "AAAA"},
    ):
        refused("oidc", finish, linked, liar, **change)
    assert finish(linked, liar) == linked.ann


def test_signatures_that_do_not_hold_are_refused(linked: Office, liar: Liar) -> None:
    for key, alg in ((FOREIGN, "ES256"), (WEAK, "HS256"), (RSA, "RS512"), (None, "none")):
        refused("oidc", finish, linked, liar, key, alg)


def test_a_provider_that_fails_is_no_way_in(linked: Office, liar: Liar) -> None:
    liar.status = 503
    refused("provider", begun, linked, liar)
    liar.status = 200
    provider, handle, sent = begun(linked, liar)
    liar.status = 500
    query = {"code": "code", "state": sent["state"]}
    refused("provider", linked.do, auth.oidc.finish, provider, handle, query, linked.now)
    liar.status = 200
    provider, handle, sent = begun(linked, liar)
    other = replace(provider, issuer="https://idp.example")  # set anew while somebody was signing in
    refused("oidc", linked.do, auth.oidc.finish, other, handle, query | {"state": sent["state"]}, linked.now)


def test_metadata_of_somebody_else_are_refused(linked: Office, liar: Liar) -> None:
    for lie in (
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://idp.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
    ):
        liar.metadata = lie
        with pytest.raises(Misconfigured):
            begun(linked, liar)


def test_a_secret_goes_to_https_only(desk: Office) -> None:
    for issuer in ("http://idp.example", "ftp://127.0.0.1", "http://127.0.0.1.idp.example", "idp.example"):
        with pytest.raises(Misconfigured, match="https"):
            desk.do(auth.oidc.begin, Provider(issuer, "broker", CALLBACK), desk.now)


def test_the_settings_make_the_provider(tmp_path: Any) -> None:
    from broker.runtime import oidc_provider, session_life

    assert oidc_provider(Settings()) is None
    with pytest.raises(Misconfigured, match="both"):
        oidc_provider(Settings(oidc_issuer="https://idp.example"))
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    secret.chmod(0o644)
    about: dict[str, Any] = {
        "issuer": "https://broker.example/",
        "oidc_issuer": "https://idp.example",
        "oidc_client_id": "broker",
        "oidc_client_secret_file": secret,
        "oidc_acr_values": "phr phrh",
    }
    with pytest.raises(Misconfigured, match="open-oidc-secret"):
        oidc_provider(Settings(**about))
    secret.chmod(0o600)
    assert oidc_provider(Settings(**about)) == Provider(
        "https://idp.example", "broker", CALLBACK, "s3cret", ("phr", "phrh")
    )
    assert session_life(Settings()) == auth.LIFE
