"""The negative list: what the OIDF suite checks for FAPI 2.0 client credentials with private key
JWT and DPoP, and the cases of RFC 7523, RFC 9449 and RFC 9068, replicated check by check."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from fastapi import FastAPI
from fastapi.testclient import TestClient

from broker.api import wellknown
from broker.api.oauth import checked_public_url
from broker.errors import Misconfigured
from tests.api.oauth_world import (
    RESOURCE,
    TOKEN_URL,
    URL,
    Client,
    World,
    b64,
    discovery,
    make_jws,
    new_key,
)

HOUR = 3600


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def http(world: World) -> Iterator[TestClient]:
    with TestClient(world.app, base_url="http://internal.example:8000") as client:
        yield client


def ask(http: TestClient, form: dict[str, str], *proofs: str) -> Any:
    return http.post("/oauth/token", data=form, headers=[("DPoP", p) for p in proofs])


def token_of(http: TestClient, client: Client) -> str:
    answer = ask(http, client.form(), client.proof())
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def call(http: TestClient, token: str, *proofs: str, scheme: str = "DPoP", path: str = RESOURCE) -> Any:
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", p) for p in proofs)]
    return http.get(path, headers=headers)


def rs256(header: dict[str, Any], claims: dict[str, Any]) -> str:
    key = rsa.generate_private_key(65537, 2048)
    head = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{head}.{b64(key.sign(head.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def es384(c: Client) -> str:
    key = ec.generate_private_key(ec.SECP384R1())
    header = {"alg": "ES384", "kid": c.kid}
    head = f"{b64(json.dumps(header).encode())}.{c.assertion().split('.')[1]}"
    r, s = decode_dss_signature(key.sign(head.encode(), ec.ECDSA(hashes.SHA384())))
    return f"{head}.{b64(r.to_bytes(48, 'big') + s.to_bytes(48, 'big'))}"


def cut(token: str) -> str:
    """`alg: none` with the signature taken off."""
    return f"{b64(json.dumps({'alg': 'none'}).encode())}.{token.split('.')[1]}."


Make = Callable[[Client], str]


def claims(**changes: Any) -> Make:
    """Numbers in `iat exp nbf` are seconds from now."""

    def make(c: Client) -> str:
        timed = {
            k: c.moment + v if k in {"iat", "exp", "nbf"} and type(v) is int else v
            for k, v in changes.items()
        }
        return c.assertion(timed)

    return make


ASSERTIONS_TAKEN: dict[str, Make] = {
    "without typ": lambda c: c.assertion(),
    "typ JWT": lambda c: c.assertion(header={"typ": "JWT"}),
    "typ client-authentication+jwt": lambda c: c.assertion(header={"typ": "client-authentication+jwt"}),
    "iat 10 s ahead": claims(iat=10),
    "nbf 10 s ahead": claims(nbf=10),
    "iat 10 s ago": claims(iat=-10),
    "without iat": claims(iat=None),
    "exp in an hour": claims(exp=HOUR),
    "claim it does not know": claims(extra="x"),
}

ASSERTIONS_REFUSED: dict[str, Make] = {
    "no iss": claims(iss=None),
    "no sub": claims(sub=None),
    "iss is another client": claims(iss="client-beta"),
    "sub is another client": claims(sub="client-beta", iss="client-beta"),
    "unknown client": claims(sub="client-gamma", iss="client-gamma"),
    "sub not text": claims(sub=["client-alpha"]),
    "no aud": claims(aud=None),
    "aud another server": claims(aud="https://other.example"),
    "aud token endpoint": claims(aud=TOKEN_URL),
    "aud list": claims(aud=[URL]),
    "aud with slash": claims(aud=URL + "/"),
    "no exp": claims(exp=None),
    "exp 5 min ago": claims(exp=-300),
    "exp now": claims(exp=0),
    "exp beyond an hour": claims(exp=HOUR + 1),
    "exp text": claims(exp="1900000000"),
    "exp boolean": claims(exp=True),
    "exp list": claims(exp=[]),
    "iat 2 min ahead": claims(iat=120),
    "nbf 2 min ahead": claims(nbf=120),
    "iat text": claims(iat="now"),
    "no jti": claims(jti=None),
    "jti empty": claims(jti=""),
    "jti number": claims(jti=7),
    "jti too long": claims(jti="j" * 257),
    "no kid": lambda c: c.assertion(header={"kid": None}),
    "unknown kid": lambda c: c.assertion(header={"kid": "other"}),
    "kid list": lambda c: c.assertion(header={"kid": ["client-alpha-1"]}),
    "other key": lambda c: c.assertion(key=new_key()),
    "typ at+jwt": lambda c: c.assertion(header={"typ": "at+jwt"}),
    "typ dpop+jwt": lambda c: c.assertion(header={"typ": "dpop+jwt"}),
    "crit": lambda c: c.assertion(header={"crit": ["x"], "x": 1}),
    "jwk in header": lambda c: c.assertion(header={"jwk": c.jwk}),
    "jku in header": lambda c: c.assertion(header={"jku": "https://evil.example/k"}),
    "alg none": lambda c: cut(c.assertion()),
    "alg RS256": lambda c: rs256({"alg": "RS256", "kid": c.kid}, {"sub": c.client_id}),
    "alg ES384": es384,
    "alg HS256": lambda c: c.assertion(header={"alg": "HS256"}),
    "signature cut": lambda c: c.assertion()[:-4],
    "signature of another payload": lambda c: ".".join(
        [*c.assertion().split(".")[:2], c.assertion().split(".")[2]]
    ),
    "trailing newline": lambda c: c.assertion() + "\n",
    "padding": lambda c: c.assertion() + "==",
    "not a JWT": lambda c: "abc",
    "claims a list": lambda c: make_jws(c.auth, {"alg": "ES256", "kid": c.kid}, [1]),
    "deep header": lambda c: b64(b'{"alg":' + b"[" * 5000) + "." + c.assertion().split(".", 1)[1],
    "duplicate member": lambda c: (
        b64(b'{"alg":"ES256","alg":"ES256","kid":"client-alpha-1"}') + "." + c.assertion().split(".", 1)[1]
    ),
}


@pytest.mark.parametrize("name", ASSERTIONS_TAKEN)
def test_assertion_taken(world: World, http: TestClient, name: str) -> None:
    form = world.alpha.form(client_assertion=ASSERTIONS_TAKEN[name](world.alpha))
    answer = ask(http, form, world.alpha.proof())
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "DPoP"
    assert answer.json()["expires_in"] == 300
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ASSERTIONS_REFUSED)
def test_assertion_refused(world: World, http: TestClient, name: str) -> None:
    form = world.alpha.form(client_assertion=ASSERTIONS_REFUSED[name](world.alpha))
    answer = ask(http, form, world.alpha.proof())
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "access_token" not in answer.text


FORMS_REFUSED: dict[str, tuple[Callable[[Client], dict[str, Any]], str]] = {
    "no grant_type": (lambda c: c.form(grant_type=None), "invalid_request"),
    "grant_type empty": (lambda c: c.form(grant_type=""), "invalid_request"),
    "other grant_type": (lambda c: c.form(grant_type="password"), "unsupported_grant_type"),
    "no assertion": (lambda c: c.form(client_assertion=None), "invalid_client"),
    "no assertion type": (lambda c: c.form(client_assertion_type=None), "invalid_client"),
    "saml assertion type": (
        lambda c: c.form(client_assertion_type="urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
        "invalid_client",
    ),
    "other client_id": (lambda c: c.form(client_id="client-beta"), "invalid_client"),
    "client_secret": (lambda c: c.form(client_secret="s"), "invalid_request"),
    "scope not registered": (lambda c: c.form(scope="cases:submit"), "invalid_scope"),
    "one scope too many": (
        lambda c: c.form(scope="referrals:pull referrals:answer"),
        "invalid_scope",
    ),
    "scope malformed": (lambda c: c.form(scope="referrals:pull  "), "invalid_scope"),
}


@pytest.mark.parametrize("name", FORMS_REFUSED)
def test_form_refused(world: World, http: TestClient, name: str) -> None:
    make, error = FORMS_REFUSED[name]
    answer = ask(http, make(world.alpha), world.alpha.proof())
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] == error


def test_body_rules(world: World, http: TestClient) -> None:
    c = world.alpha
    form = "application/x-www-form-urlencoded"
    twice = "&".join(f"{k}={v}" for k, v in c.form().items()) + "&grant_type=client_credentials"
    for body, media_type, status in (
        (twice, form, 400),
        ("grant_type=client_credentials&pad=" + "a" * 20_000, form, 413),
        (json.dumps(c.form()), "application/json", 400),
        (b"grant_type=\xff", form, 400),
        ("&".join(f"p{i}=1" for i in range(40)), form, 400),
    ):
        headers = {"Content-Type": media_type, "DPoP": c.proof()}
        answer = http.post("/oauth/token", content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (status, "invalid_request")
    basic = http.post(
        "/oauth/token", data=c.form(), headers={"Authorization": "Basic eDp5", "DPoP": c.proof()}
    )
    assert basic.json()["error"] == "invalid_request"


def with_d(c: Client) -> dict[str, Any]:
    return {**c.jwk, "d": b64(c.dpop.private_numbers().private_value.to_bytes(32, "big"))}


Proof = Callable[[Client, str, str, str | None], str]


def proof(claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None) -> Proof:
    """Numbers in `iat exp nbf` are seconds from now; HTU in a value is replaced by the address."""

    def make(c: Client, method: str, url: str, token: str | None) -> str:
        timed = {
            k: c.moment + v if k in {"iat", "exp", "nbf"} and type(v) is int else v
            for k, v in (claims or {}).items()
        }
        if type(timed.get("htu")) is str:
            timed["htu"] = timed["htu"].replace("HTU", url)
        return c.proof(method, url, token, timed, header)

    return make


PROOFS_TAKEN: dict[str, Proof] = {
    "plain": proof(),
    "iat 10 s ago": proof({"iat": -10}),
    "iat 10 s ahead": proof({"iat": 10}),
    "nbf and exp": proof({"nbf": 0, "exp": 60}),
    "htu with query": proof({"htu": "HTU?a=b"}),
    "htu with fragment": proof({"htu": "HTU#part"}),
    "htu upper case host": lambda c, m, u, t: c.proof(
        m, u.replace("https://broker.example", "HTTPS://BROKER.EXAMPLE"), t
    ),
    "htu default port": lambda c, m, u, t: c.proof(m, u.replace(".example", ".example:443"), t),
    "htu escaped letter": lambda c, m, u, t: c.proof(m, u[:-1] + f"%{ord(u[-1]):02x}", t),
    "extra header": proof(header={"extra": "x", "kid": "mine"}),
    "extra claim": proof({"extra": {"a": [1]}}),
    "extra jwk members": lambda c, m, u, t: c.proof(
        m, u, t, header={"jwk": {**c.jwk, "use": "sig", "alg": "ES256", "kid": "k"}}
    ),
}

PROOFS_REFUSED: dict[str, Proof] = {
    "malformed": lambda c, m, u, t: "malformed",
    "no typ": proof(header={"typ": None}),
    "typ JWT": proof(header={"typ": "JWT"}),
    "no alg": proof(header={"alg": None}),
    "no jwk": proof(header={"jwk": None}),
    "jwk text": proof(header={"jwk": "key"}),
    "jwk x is a number": lambda c, m, u, t: c.proof(m, u, t, header={"jwk": {**c.jwk, "x": 300_000_000}}),
    "jwk x too short": lambda c, m, u, t: c.proof(m, u, t, header={"jwk": {**c.jwk, "x": "AQ"}}),
    "jwk x list": lambda c, m, u, t: c.proof(m, u, t, header={"jwk": {**c.jwk, "x": [1]}}),
    "jwk not on the curve": lambda c, m, u, t: c.proof(
        m, u, t, header={"jwk": {**c.jwk, "x": c.jwk["y"], "y": c.jwk["x"]}}
    ),
    "jwk P-384": lambda c, m, u, t: c.proof(m, u, t, header={"jwk": {**c.jwk, "crv": "P-384"}}),
    "jwk oct": lambda c, m, u, t: c.proof(m, u, t, header={"jwk": {"kty": "oct", "k": "AAAA"}}),
    "private jwk": lambda c, m, u, t: c.proof(m, u, t, header={"jwk": with_d(c)}),
    "no jti": proof({"jti": None}),
    "jti number": proof({"jti": 5}),
    "jti too long": proof({"jti": "j" * 257}),
    "no htm": proof({"htm": None}),
    "wrong htm": proof({"htm": "PUT"}),
    "htm lower case": lambda c, m, u, t: c.proof(m.lower(), u, t),
    "no htu": proof({"htu": None}),
    "htu list": proof({"htu": ["HTU"]}),
    "htu other path": proof({"htu": "HTU/x"}),
    "htu other host": lambda c, m, u, t: c.proof(m, u.replace("broker", "other"), t),
    "htu other port": lambda c, m, u, t: c.proof(m, u.replace(".example", ".example:8443"), t),
    "htu http": lambda c, m, u, t: c.proof(m, u.replace("https", "http"), t),
    "htu internal address": lambda c, m, u, t: c.proof(m, u.replace(URL, "http://internal.example:8000"), t),
    "htu with user": lambda c, m, u, t: c.proof(m, u.replace("//", "//u@"), t),
    "htu bad port": lambda c, m, u, t: c.proof(m, u.replace(".example", ".example:x"), t),
    "no iat": proof({"iat": None}),
    "iat text": proof({"iat": "now"}),
    "iat boolean": proof({"iat": True}),
    "iat an hour ago": proof({"iat": -HOUR}),
    "iat an hour ahead": proof({"iat": HOUR}),
    "iat 61 s ago": proof({"iat": -61}),
    "exp past": proof({"exp": -HOUR}),
    "nbf ahead": proof({"nbf": HOUR}),
    "crit": proof(header={"crit": ["exp"]}),
    "alg none": lambda c, m, u, t: cut(c.proof(m, u, t)),
    "alg RS256": lambda c, m, u, t: rs256(
        {"typ": "dpop+jwt", "alg": "RS256", "jwk": c.jwk}, {"htm": m, "htu": u, "iat": c.moment}
    ),
    "bad signature": lambda c, m, u, t: c.proof(m, u, t, key=new_key()),
    "too large": proof({"extra": "x" * 5000}),
}


@pytest.mark.parametrize("name", PROOFS_TAKEN)
def test_proof_taken_by_both(world: World, http: TestClient, name: str) -> None:
    c, make = world.alpha, PROOFS_TAKEN[name]
    answer = ask(http, c.form(), make(c, "POST", TOKEN_URL, None))
    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]
    got = call(http, token, make(c, "GET", URL + RESOURCE, token))
    assert (got.status_code, got.json()["partner"]) == (200, "pt_alpha")


@pytest.mark.parametrize("name", PROOFS_REFUSED)
def test_proof_refused_by_both(world: World, http: TestClient, name: str) -> None:
    c, make = world.alpha, PROOFS_REFUSED[name]
    answer = ask(http, c.form(), make(c, "POST", TOKEN_URL, None))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
    token = token_of(http, c)
    got = call(http, token, make(c, "GET", URL + RESOURCE, token))
    assert got.status_code == 401
    assert 'DPoP error="invalid_dpop_proof"' in got.headers["www-authenticate"]
    assert got.headers["content-type"] == "application/problem+json"


def test_token_endpoint_needs_exactly_one_proof(world: World, http: TestClient) -> None:
    c = world.alpha
    for proofs in ((), (c.proof(), c.proof())):
        answer = ask(http, c.form(), *proofs)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


def test_everything_is_single_use(world: World, http: TestClient) -> None:
    c = world.alpha
    form, first = c.form(), c.proof()
    assert ask(http, form, first).status_code == 200
    assert ask(http, form, c.proof()).json()["error"] == "invalid_client"
    assert ask(http, c.form(), first).json()["error"] == "invalid_dpop_proof"
    token = token_of(http, c)
    again = c.proof("GET", URL + RESOURCE, token)
    assert call(http, token, again).status_code == 200
    assert call(http, token, again).status_code == 401


def test_single_use_survives_another_spelling_of_the_address(world: World, http: TestClient) -> None:
    """The server reads `%77` as `w`, and so does the comparison with `htu`: it is the same address."""
    c = world.alpha
    token = token_of(http, c)
    proof = c.proof("GET", URL + RESOURCE, token)
    assert call(http, token, proof).status_code == 200
    for spelling in ("/v1/%77hoami", "/%761/whoami", "/v1/w%68oami"):
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        again = http.get(spelling, headers=headers)
        assert (again.status_code, "used before" in again.json()["detail"]) == (401, True)
        fresh = {**headers, "DPoP": c.proof("GET", URL + RESOURCE, token)}
        assert http.get(spelling, headers=fresh).status_code == 200


def test_single_use_survives_another_spelling_of_the_signature(world: World, http: TestClient) -> None:
    """ES256 is malleable: (r, n-s) is valid too, so the token's text must not be the key."""
    c = world.alpha
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    first = c.assertion()
    head, _, signature = first.rpartition(".")
    raw = __import__("base64").urlsafe_b64decode(signature + "==")
    other = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert ask(http, c.form(client_assertion=first), c.proof()).status_code == 200
    answer = ask(http, c.form(client_assertion=f"{head}.{b64(other)}"), c.proof())
    assert "used before" in answer.json()["error_description"]


def test_jti_of_one_client_does_not_block_another(world: World, http: TestClient) -> None:
    for c in (world.alpha, world.beta):
        form = c.form(client_assertion=c.assertion({"jti": "same"}))
        assert ask(http, form, c.proof()).status_code == 200


TOKENS_REFUSED: dict[str, Callable[[World, str], str]] = {
    "not a token": lambda w, t: "abc",
    "signature cut": lambda w, t: t[:-4],
    "signed by a stranger": lambda w, t: make_jws(
        new_key(), {"alg": "ES256", "kid": "token-1", "typ": "at+jwt"}, {"iss": URL}
    ),
    "signed by the client": lambda w, t: make_jws(
        w.alpha.auth, {"alg": "ES256", "kid": w.alpha.kid, "typ": "at+jwt"}, {"iss": URL}
    ),
    "typ JWT": lambda w, t: make_jws(
        w.server_key, {"alg": "ES256", "kid": "token-1", "typ": "JWT"}, {"iss": URL, "aud": URL}
    ),
    "another audience": lambda w, t: make_jws(
        w.server_key,
        {"alg": "ES256", "kid": "token-1", "typ": "at+jwt"},
        {"iss": URL, "aud": "https://other.example"},
    ),
    "an assertion": lambda w, t: w.alpha.assertion(),
    "too large": lambda w, t: t + "A" * 5000,
}


@pytest.mark.parametrize("name", TOKENS_REFUSED)
def test_token_refused(world: World, http: TestClient, name: str) -> None:
    token = TOKENS_REFUSED[name](world, token_of(http, world.alpha))
    got = call(http, token, world.alpha.proof("GET", URL + RESOURCE, token))
    assert got.status_code == 401
    assert 'error="invalid_token"' in got.headers["www-authenticate"]


def test_token_is_bound_to_its_key_and_hash(world: World, http: TestClient) -> None:
    a, b = world.alpha, world.beta
    token, other = token_of(http, a), token_of(http, b)
    bad = {
        "no proof": call(http, token),
        "two proofs": call(
            http,
            token,
            a.proof("GET", URL + RESOURCE, token),
            a.proof("GET", URL + RESOURCE, token),
        ),
        "another's key": call(http, token, b.proof("GET", URL + RESOURCE, token)),
        "ath of another token": call(http, token, a.proof("GET", URL + RESOURCE, other)),
        "no ath": call(http, token, a.proof("GET", URL + RESOURCE)),
        "bearer": call(http, token, scheme="Bearer"),
        "bearer with proof": call(http, token, a.proof("GET", URL + RESOURCE, token), scheme="Bearer"),
        "proof of the token endpoint": call(http, token, a.proof(token=token)),
    }
    assert {name: got.status_code for name, got in bad.items()} == dict.fromkeys(bad, 401)
    for scheme in ("dpop", "DPOP", "DPoP"):
        fine = call(http, token, a.proof("GET", URL + RESOURCE, token), scheme=scheme)
        assert fine.status_code == 200


def test_two_authorization_headers_are_refused(world: World, http: TestClient) -> None:
    token = token_of(http, world.alpha)
    proof_ = world.alpha.proof("GET", URL + RESOURCE, token)
    authorization = ("Authorization", f"DPoP {token}")
    got = http.get(RESOURCE, headers=[authorization, authorization, ("DPoP", proof_)])
    assert got.status_code == 401


def test_no_token_gives_a_challenge_without_error_code(http: TestClient) -> None:
    got = http.get(RESOURCE)
    assert got.status_code == 401
    challenge = got.headers["www-authenticate"]
    assert challenge.startswith('DPoP algs="ES256"')
    assert "error=" not in challenge
    assert f'resource_metadata="{URL}/.well-known/oauth-protected-resource"' in challenge


def test_token_expires_even_while_cached(world: World, http: TestClient) -> None:
    a = world.alpha
    token = token_of(http, a)
    world.clock.forward(seconds=250)
    assert call(http, token, a.proof("GET", URL + RESOURCE, token)).status_code == 200
    world.clock.forward(seconds=50)
    assert call(http, token, a.proof("GET", URL + RESOURCE, token)).status_code == 401


def test_suspension_acts_on_the_next_request(world: World, http: TestClient) -> None:
    a = world.alpha
    token = token_of(http, a)
    assert call(http, token, a.proof("GET", URL + RESOURCE, token)).status_code == 200
    world.directory.suspended.add("pt_alpha")
    got = call(http, token, a.proof("GET", URL + RESOURCE, token))
    assert got.status_code == 401
    assert "suspended" in got.json()["detail"]


def test_missing_scope_is_403_and_named(world: World, http: TestClient) -> None:
    token = token_of(http, world.alpha)
    got = call(http, token, world.alpha.proof("GET", URL + "/v1/answers", token), path="/v1/answers")
    assert got.status_code == 403
    assert 'error="insufficient_scope", scope="referrals:answer"' in got.headers["www-authenticate"]


@pytest.mark.parametrize("state", ["revoked", "not_before", "not_after"])
def test_key_out_of_use(world: World, http: TestClient, state: str) -> None:
    value: Any = True if state == "revoked" else world.clock()
    if state == "not_before":
        value = world.clock().replace(year=2027)
    c = world.client("client-delta", "pt_delta", **{state: value})
    assert ask(http, c.form(), c.proof()).json()["error"] == "invalid_client"


def test_suspended_client_gets_the_same_words_as_an_unknown_one(world: World, http: TestClient) -> None:
    record = world.directory.clients["client-alpha"]
    world.directory.clients["client-alpha"] = type(record)(
        record.client_id, record.partner_id, "suspended", record.keys, record.scopes
    )
    suspended = ask(http, world.alpha.form(), world.alpha.proof())
    unknown = ask(
        http,
        world.alpha.form(client_assertion=world.alpha.assertion({"sub": "nobody"})),
        world.alpha.proof(),
    )
    assert suspended.content == unknown.content


def test_forwarded_headers_do_not_change_the_expected_address(world: World, http: TestClient) -> None:
    c = world.alpha
    evil = c.proof(url="https://evil.example/oauth/token")
    headers = {"DPoP": evil, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    answer = http.post("/oauth/token", data=c.form(), headers={**headers, "Host": "evil.example"})
    assert answer.json()["error"] == "invalid_dpop_proof"


def test_nonce_mode(world: World) -> None:
    strict = World(nonce=True)
    c = strict.alpha
    with TestClient(strict.app) as http:
        first = ask(http, c.form(), c.proof())
        assert (first.status_code, first.json()["error"]) == (400, "use_dpop_nonce")
        c.nonce = first.headers["dpop-nonce"]
        token = token_of(http, c)
        c.nonce = None
        refused = call(http, token, c.proof("GET", URL + RESOURCE, token))
        assert refused.status_code == 401
        assert 'error="use_dpop_nonce"' in refused.headers["www-authenticate"]
        c.nonce = refused.headers["dpop-nonce"]
        assert call(http, token, c.proof("GET", URL + RESOURCE, token)).status_code == 200
        strict.clock.forward(seconds=120)
        assert call(http, token, c.proof("GET", URL + RESOURCE, token)).status_code == 200
        strict.clock.forward(seconds=120)
        old = call(http, token, c.proof("GET", URL + RESOURCE, token))
        assert 'error="use_dpop_nonce"' in old.headers["www-authenticate"]
        c.nonce = "guess"
        assert call(http, token, c.proof("GET", URL + RESOURCE, token)).status_code == 401


def test_discovery_for_fapi(http: TestClient) -> None:
    meta = http.get("/.well-known/oauth-authorization-server").json()
    assert meta["issuer"] == URL
    assert meta["token_endpoint"] == TOKEN_URL
    assert "client_credentials" in meta["grant_types_supported"]
    assert meta["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert meta["token_endpoint_auth_signing_alg_values_supported"] == ["ES256"]
    assert meta["dpop_signing_alg_values_supported"] == ["ES256"]
    keys = http.get("/.well-known/jwks.json").json()["keys"]
    assert keys
    assert not any("d" in key for key in keys)
    resource = http.get("/.well-known/oauth-protected-resource").json()
    assert resource["resource"] == URL
    assert resource["dpop_bound_access_tokens_required"] is True
    text = http.get("/.well-known/security.txt").text
    assert "Contact: mailto:security@broker.example\n" in text
    assert text.count("Expires: ") == 1


def test_private_key_is_never_published(world: World) -> None:
    private = {**with_d(world.alpha), "kid": "k", "alg": "ES256"}
    found = replace(discovery(world.server_key), jwks={"keys": [private]})
    with pytest.raises(Misconfigured, match="private key"):
        wellknown.install(FastAPI(), found)


@pytest.mark.parametrize(
    "url",
    [
        "https://broker.example/",
        "https://broker.example/path",
        "https://Broker.example",
        "https://user@broker.example",
        "https://broker.example?x",
        "http://broker.example",
        "broker.example",
        "",
    ],
)
def test_public_url_has_one_safe_form(url: str) -> None:
    with pytest.raises(Misconfigured):
        checked_public_url(url)
    for fine in ("https://broker.example:8443", "http://127.0.0.1:8000", "http://localhost:1"):
        assert checked_public_url(fine) == fine


@pytest.mark.parametrize("part", ["payload", "signature"])
def test_known_header_does_not_loosen_the_form(world: World, http: TestClient, part: str) -> None:
    """The second proof of a key takes a shorter way; it refuses the same spellings."""
    c = world.alpha
    token = token_of(http, c)
    for extra in ("", "x", "xx"):  # one of three lengths leaves unused bits in the last character
        head, body, signature = c.proof(
            "GET", URL + RESOURCE, token, {"extra": extra, "jti": f"{part}{extra}"}
        ).split(".")
        if part == "signature":
            signature = signature[:-1] + chr(ord(signature[-1]) + 1)
        elif len(body) % 4:
            body = body[:-1] + chr(ord(body[-1]) + 1)
        else:
            continue
        got = call(http, token, f"{head}.{body}.{signature}")
        assert got.status_code == 401
        assert "well-formed" in got.json()["detail"]
        assert "does not match" not in got.json()["detail"]
