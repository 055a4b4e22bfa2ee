"""The token endpoint and the caller: OAuth 2.0 client credentials, FAPI 2.0 shaped, DPoP-bound.

`POST /oauth/token` gives a token to a client that proves itself by `private_key_jwt` and holds a
DPoP key; `PartnerCaller`-style dependencies turn token and proof of a request into a `Caller`.
No shared secret, no bearer token, no redirect.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated, Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

import orjson
from fastapi import APIRouter, FastAPI, Request, Security
from fastapi.openapi.models import OAuth2, OAuthFlowClientCredentials, OAuthFlows
from fastapi.security.base import SecurityBase
from starlette.responses import Response

from broker.api.assertion import ASSERTION_TYPE, AssertionRefused, AssertionVerifier
from broker.api.directory import ClientRecord, Directory, Proof, ReplayStore
from broker.api.dpop import Nonces, ProofRefused, ProofVerifier, replayed
from broker.api.problems import ScopeMissing, Unauthenticated
from broker.api.tokens import LIFETIME, Claims, TokenIssuer, TokenVerifier
from broker.errors import BrokerError, Misconfigured, NotAuthentic
from broker.sealing.jose import KeySet, SigningKey
from broker.store.access import Standing

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
RESOURCE_METADATA_PATH = "/.well-known/oauth-protected-resource"
SCOPES = {
    "referrals:pull": "feed, collect, proof, receipt, read",
    "referrals:answer": "say what became of a referral",
    "cases:submit": "hand in a case (the hotline's own tool)",
}
MAX_BODY = 16 * 1024
_SCOPE = re.compile(r"[a-z:]{1,32}(?: [a-z:]{1,32}){0,15}")
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, proven for this one request. The partner is never read from anywhere else."""

    partner_id: str
    client_id: str
    scopes: frozenset[str]
    jkt: str
    token_hash: str
    standing: Standing | None = None
    """To the release it wants to collect, on the routes that ask for it."""


class GrantError(BrokerError):
    """An error answer of the token endpoint (RFC 6749 §5.2, RFC 9449 §5)."""

    def __init__(self, error: str, message: str, status: int = 400) -> None:
        super().__init__("grant-refused", message)
        self.error = error
        self.status = status


class PartnerAuth:
    """Everything about partner authentication of one deployment. One for each application."""

    def __init__(
        self,
        public_url: str,
        directory: Directory,
        replay: ReplayStore,
        token_key: SigningKey,
        token_keys: KeySet,
        *,
        nonce_secret: bytes | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.public_url = checked_public_url(public_url)
        self._directory = directory
        self._clock = clock
        self._nonces = Nonces(nonce_secret) if nonce_secret is not None else None
        self._assertions = AssertionVerifier(self.public_url, directory, replay)
        self._proofs = ProofVerifier(self.public_url, replay, self._nonces)
        self._issuer = TokenIssuer(self.public_url, token_key)
        self._tokens = TokenVerifier(self.public_url, token_keys)

    async def grant(self, request: Request) -> Response:
        """The token endpoint, in the order that lets the least unproven work through."""
        now = self._clock()
        try:
            body = await self._grant(request, now)
        except GrantError as refused:
            body = {"error": refused.error, "error_description": refused.message}
            return self._answer(body, refused.status, now)
        return self._answer(body, 200, now)

    async def _grant(self, request: Request, now: datetime) -> dict[str, object]:
        form = _parse_form(await _read_body(request))
        if form.get("grant_type") != "client_credentials":
            if "grant_type" not in form:
                _refuse("invalid_request", "the parameter grant_type is missing")
            _refuse("unsupported_grant_type", "the only grant_type is client_credentials")
        client, kid = await self._authenticate(request, form, now)
        scopes = _granted(form.get("scope"), client)
        jkt = await self._prove(request, now)
        token = self._issuer.issue(client, kid, scopes, jkt, now, str(uuid.uuid4()))
        return {
            "access_token": token,
            "token_type": "DPoP",
            "expires_in": LIFETIME,
            "scope": " ".join(sorted(scopes)),
        }

    async def _authenticate(
        self, request: Request, form: Mapping[str, str], now: datetime
    ) -> tuple[ClientRecord, str]:
        if "authorization" in request.headers or "client_secret" in form:
            _refuse("invalid_request", "private_key_jwt is the only client authentication")
        if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
            _refuse("invalid_client", "a client assertion of type jwt-bearer is required", 401)
        try:
            return await self._assertions.verify(form["client_assertion"], form.get("client_id"), now)
        except AssertionRefused as refused:
            _refuse("invalid_client", refused.message, 401)

    async def _prove(self, request: Request, now: datetime) -> str:
        proofs = request.headers.getlist("dpop")
        if len(proofs) != 1:
            _refuse("invalid_dpop_proof", "exactly one DPoP header is required")
        try:
            return await self._proofs.verify(proofs[0], "POST", _raw_path(request), now)
        except ProofRefused as refused:
            _refuse(refused.error, refused.message)

    def _answer(self, body: Mapping[str, object], status: int, now: datetime) -> Response:
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        if self._nonces is not None:
            headers["DPoP-Nonce"] = self._nonces.current(now)
        return Response(orjson.dumps(body), status, headers, "application/json")

    async def caller(self, request: Request, scope: str, *, collecting: bool = False) -> Caller:
        """The caller of a resource request; 401 with a challenge, or 403 without the scope."""
        now = self._clock()
        headers = request.headers
        given, proofs = headers.getlist("authorization"), headers.getlist("dpop")
        if not given:
            self._challenge(now, None, "an access token is required")
        scheme, _, token = given[0].partition(" ")
        if len(given) != 1 or scheme.lower() != "dpop" or not token:
            self._challenge(now, "invalid_token", "exactly one Authorization: DPoP is required")
        if len(proofs) != 1:
            self._challenge(now, "invalid_dpop_proof", "exactly one DPoP header is required")
        claims, proof = self._bound(request, token, proofs[0], now)
        release = request.path_params.get("release") if collecting else None
        admitted = await self._directory.admit(claims.partner_id, claims.kid, proof, release)
        if not admitted.fresh:
            refused = replayed()
            self._challenge(now, refused.error, refused.message)
        if not admitted.active:
            message = "this partner is suspended, or a key behind this token was revoked"
            self._challenge(now, "invalid_token", message)
        if scope not in claims.scopes:
            raise ScopeMissing(scope, self._challenge_text("insufficient_scope", scope=scope))
        return Caller(
            claims.partner_id, claims.client_id, claims.scopes, claims.jkt, claims.token_hash,
            admitted.standing,
        )  # fmt: skip

    def _bound(self, request: Request, token: str, proof: str, now: datetime) -> tuple[Claims, Proof]:
        try:
            claims = self._tokens.verify(token, now)
            return claims, self._proofs.check(
                proof, request.method, _raw_path(request), now, token=token, jkt=claims.jkt
            )
        except ProofRefused as refused:
            self._challenge(now, refused.error, refused.message)
        except NotAuthentic as refused:
            self._challenge(now, "invalid_token", refused.message)

    def _challenge(self, now: datetime, error: str | None, message: str) -> NoReturn:
        headers = {"WWW-Authenticate": self._challenge_text(error)}
        if self._nonces is not None:
            headers["DPoP-Nonce"] = self._nonces.current(now)
        raise Unauthenticated(message, headers)

    def _challenge_text(self, error: str | None, *, scope: str | None = None) -> str:
        parts = ['algs="ES256"', f'resource_metadata="{self.public_url}{RESOURCE_METADATA_PATH}"']
        if scope is not None:
            parts.insert(0, f'scope="{scope}"')
        if error is not None:
            parts.insert(0, f'error="{error}"')
        return "DPoP " + ", ".join(parts)


class Authenticated(SecurityBase):
    """The dependency of a route with this scope; as a security scheme the OpenAPI document shows it.

    `collecting`: the route hands out the release in its path, so ask at once how the caller stands to it.
    """

    def __init__(self, scope: str, *, collecting: bool = False) -> None:
        if scope not in SCOPES:
            raise Misconfigured("scope-unknown", "a route asks for a scope that is not in SCOPES")
        self.scope = scope
        self.collecting = collecting
        self.scheme_name = "partner"
        self.model = OAuth2(
            flows=OAuthFlows(
                clientCredentials=OAuthFlowClientCredentials(tokenUrl=TOKEN_PATH, scopes=SCOPES)
            ),
            description="Client credentials with private_key_jwt (RFC 7523); the token is bound to a key by "
            "DPoP (RFC 9449): `Authorization: DPoP …` and one fresh `DPoP` proof for each request.",
        )

    async def __call__(self, request: Request) -> Caller:
        """The caller, or 401 or 403."""
        auth: PartnerAuth = request.app.state.partner_auth
        return await auth.caller(request, self.scope, collecting=self.collecting)


def authenticated(scope: str, *, collecting: bool = False) -> Any:
    """What a route with this scope takes: `Annotated[Caller, authenticated(…)]`."""
    return Security(Authenticated(scope, collecting=collecting), scopes=[scope])


PullCaller = Annotated[Caller, authenticated("referrals:pull")]
CollectCaller = Annotated[Caller, authenticated("referrals:pull", collecting=True)]
AnswerCaller = Annotated[Caller, authenticated("referrals:answer")]
SubmitCaller = Annotated[Caller, authenticated("cases:submit")]

router = APIRouter()


@router.post(TOKEN_PATH, include_in_schema=False)
async def token(request: Request) -> Response:
    """Described by the OAuth metadata, not by OpenAPI."""
    auth: PartnerAuth = request.app.state.partner_auth
    return await auth.grant(request)


def install_auth(app: FastAPI, auth: PartnerAuth) -> None:
    """Makes the caller dependencies and the token endpoint work."""
    app.state.partner_auth = auth


def install(app: FastAPI, auth: PartnerAuth) -> None:
    """Adds the token endpoint and makes the caller dependencies work."""
    install_auth(app, auth)
    app.include_router(router)


def checked_public_url(url: str) -> str:
    """The configured base URL, or `Misconfigured`: https and without path, but http on loopback."""
    parts = urlsplit(url)
    bare = f"{parts.scheme}://{parts.netloc}" == url and parts.username is None
    if not bare or not parts.hostname or url != url.lower():
        raise Misconfigured(
            "public-url",
            "the public base URL is not scheme://host[:port] in lower case, without a path",
            "Set it to the address that partners use, for example https://broker.example",
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(parts.hostname)):
        raise Misconfigured("public-url", "the public base URL is not https")
    return url


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _raw_path(request: Request) -> str:
    raw = request.scope.get("raw_path")
    return raw.decode("latin-1") if raw else request.url.path


async def _read_body(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        _refuse("invalid_request", f"the body has to be {_FORM}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            _refuse("invalid_request", f"the body is larger than {MAX_BODY} bytes", 413)
    return bytes(body)


def _parse_form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=32,
        )
    except ValueError:
        _refuse("invalid_request", "the body is not a well-formed form")
    form = dict(pairs)
    if len(form) != len(pairs):
        _refuse("invalid_request", "a parameter occurs more than once")
    return {name: value for name, value in form.items() if value}  # empty is absent, RFC 6749 §3.1


def _granted(asked: str | None, client: ClientRecord) -> frozenset[str]:
    if asked is None:
        return client.scopes
    scopes = frozenset(asked.split(" "))
    if not _SCOPE.fullmatch(asked) or not scopes <= client.scopes:
        _refuse("invalid_scope", "a scope is asked for that this client is not registered for")
    return scopes


def _refuse(error: str, message: str, status: int = 400) -> NoReturn:
    raise GrantError(error, message, status)
