"""Signing in by the hotline's own OpenID provider: authorization code, PKCE, nonce, pinned algorithms.

    asked = oidc.begin(session, provider, now)      # asked.handle into a cookie, then go to asked.url
    account_id = oidc.finish(session, provider, handle, query, now)     # query: the callback's parameters
    token = open_session(session, account_id, "oidc", now, replaces=old_token)

`provider` comes from `runtime.oidc_provider(settings)`; None means that it is not configured. An
account exists first: an administrator links (issuer, subject) to it, nothing is made here, and no
role comes from a token. The provider must say that it checked two factors (`amr` has `mfa`, or `acr`
is one of the configured), or the operator that it always does. The callback is `CALLBACK` under the
issuer's URL.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from sqlmodel import Session, col, delete

from broker.auth import flows
from broker.auth.people import Actor, standing
from broker.errors import Conflict, Forbidden, Misconfigured, NotFound
from broker.store import tables

ALGORITHMS = ("ES256", "PS256", "RS256")
CALLBACK = "/desk/sign-in/oidc"
GOOD_FOR = timedelta(minutes=10)
LEEWAY = 60
MAX_BODY = 262_144


@dataclass(frozen=True, slots=True)
class Provider:
    """The outside provider, and this broker as its client. Without a secret it is a public client."""

    issuer: str
    client_id: str
    redirect_uri: str
    client_secret: str = ""
    acr_values: tuple[str, ...] = ()
    enforces_mfa: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where to send the browser, and the handle for its cookie."""

    handle: str
    url: str


def begin(session: Session, provider: Provider, now: datetime) -> Redirect:
    """The provider's page to go to. Raises `Forbidden("provider")` when the provider does not answer."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    with _http() as http:
        endpoint = _discover(http, provider)["authorization_endpoint"]
        extra = {"acr_values": " ".join(provider.acr_values)} if provider.acr_values else {}
        url, _ = _client(http, provider).create_authorization_url(
            endpoint, state=state, code_verifier=verifier, nonce=nonce, **extra
        )
    data = {"state": state, "nonce": nonce, "verifier": verifier, "issuer": provider.issuer}
    return Redirect(flows.begin(session, "oidc", now, data=data, good_for=GOOD_FOR), url)


def finish(session: Session, provider: Provider, handle: str, query: Mapping[str, str], now: datetime) -> str:
    """The account that the provider's answer stands for; it is in good standing.

    Raises `Forbidden`: `flow` (over or used), `oidc` (the answer does not hold, or the provider
    refused), `mfa` (it does not say that two factors were checked), `not-linked` (nobody here),
    `provider` (it does not answer), `account`.
    """
    waiting = flows.take(session, "oidc", handle, now).data
    if not hmac.compare_digest(waiting["state"].encode(), query.get("state", "").encode()):
        raise _refused()
    # RFC 9207: an answer that names another issuer was meant for another client.
    if waiting["issuer"] != provider.issuer or query.get("iss", provider.issuer) != provider.issuer:
        raise _refused()
    if "error" in query or not query.get("code"):
        raise _refused()
    claims = _claims(provider, query["code"], waiting, now)
    if not _two_factors(provider, claims):
        raise Forbidden("mfa", "the provider did not say that it checked two factors")
    row = session.get(tables.OidcIdentity, (provider.issuer, str(claims["sub"])))
    if row is None:
        raise Forbidden("not-linked", "no account here is linked to this sign-in", "ask an administrator")
    standing(session, row.staff_id, now)
    return row.staff_id


def link(session: Session, by: Actor, staff_id: str, issuer: str, subject: str, now: datetime) -> None:
    """An administrator says whose (issuer, subject) it is.

    Raises `NotFound` for an unknown account, `Conflict` when it is somebody's already.
    """
    by.needs("administrator")
    if session.get(tables.Staff, staff_id) is None:
        raise NotFound("account")
    if session.get(tables.OidcIdentity, (issuer, subject)) is not None:
        raise Conflict("linked", "this subject is linked to an account already")
    session.add(
        tables.OidcIdentity(issuer=issuer, subject=subject, staff_id=staff_id, linked_by=by.id, at=now)
    )
    session.flush()


def unlink(session: Session, by: Actor, staff_id: str) -> None:
    """Take every link of an account away."""
    by.needs("administrator")
    session.exec(delete(tables.OidcIdentity).where(col(tables.OidcIdentity.staff_id) == staff_id))


def _claims(provider: Provider, code: str, waiting: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
    """Change the code for an id_token and check all of it."""
    from authlib.oauth2 import OAuth2Error
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    with _http() as http:
        found = _discover(http, provider)
        try:
            answer = _client(http, provider).fetch_token(
                found["token_endpoint"],
                code=code,
                grant_type="authorization_code",
                code_verifier=waiting["verifier"],
                auth=_authenticate(provider),
                **({} if provider.client_secret else {"client_id": provider.client_id}),
            )
            keys = KeySet.import_key_set({"keys": _get(http, found["jwks_uri"])["keys"]})
            token = jwt.decode(str(answer["id_token"]), keys, algorithms=list(ALGORITHMS))
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": provider.issuer},
                    "aud": {"essential": True, "value": provider.client_id},
                    "sub": {"essential": True},
                    "nonce": {"essential": True, "value": waiting["nonce"]},
                },
                {
                    "client_id": provider.client_id,
                    "nonce": waiting["nonce"],
                    "access_token": answer.get("access_token"),
                },
            )
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY)
        except httpx.HTTPError:
            raise _unreachable() from None
        except (OAuth2Error, JoseError, ValueError, KeyError, TypeError):
            raise _refused() from None
    return claims  # type: ignore[no-any-return]


def _two_factors(provider: Provider, claims: Mapping[str, Any]) -> bool:
    amr = claims.get("amr")
    return (
        provider.enforces_mfa
        or (isinstance(amr, list) and "mfa" in amr)
        or claims.get("acr") in provider.acr_values
    )


def _discover(http: httpx.Client, provider: Provider) -> Mapping[str, str]:
    """The provider's metadata; every address in it as safe as the issuer's."""
    found = _get(http, provider.issuer.rstrip("/") + "/.well-known/openid-configuration")
    wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if found.get("issuer") != provider.issuer or not all(_safe(found.get(name)) for name in wanted):
        raise Misconfigured("oidc-discovery", "the provider's metadata are not those of the issuer set here")
    return {name: str(found[name]) for name in wanted}


def _get(http: httpx.Client, url: str) -> dict[str, Any]:
    if not _safe(url):
        raise Misconfigured("oidc-issuer", "the provider must be reached by https")
    try:
        answer = http.get(url).raise_for_status()
        if len(answer.content) > MAX_BODY:
            raise _unreachable()
        document = answer.json()
    except (httpx.HTTPError, ValueError):
        raise _unreachable() from None
    if not isinstance(document, dict):
        raise _unreachable()
    return document


def _safe(url: object) -> bool:
    """Whether a secret may be sent there: https, or a program on this machine."""
    if not isinstance(url, str):
        return False
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.scheme == "http" and parts.hostname == "localhost"


def _http() -> httpx.Client:
    return httpx.Client(timeout=10, follow_redirects=False, trust_env=False)


def _client(http: httpx.Client, provider: Provider) -> Any:
    from authlib.oauth2.client import OAuth2Client

    return OAuth2Client(
        http,
        client_id=provider.client_id,
        scope="openid",
        redirect_uri=provider.redirect_uri,
        code_challenge_method="S256",
    )


def _authenticate(provider: Provider) -> httpx.Auth:
    """RFC 6749 §2.3.1: both halves are form-encoded first; a public client sends its id in the body."""
    if not provider.client_secret:
        return httpx.Auth()
    return httpx.BasicAuth(quote(provider.client_id, safe=""), quote(provider.client_secret, safe=""))


def _refused() -> Forbidden:
    return Forbidden("oidc", "the provider's answer was not accepted; begin again")


def _unreachable() -> Forbidden:
    return Forbidden("provider", "the provider does not answer; try again or use your passkey")
