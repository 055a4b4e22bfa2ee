"""Discovery: what a partner's software can learn by itself; public, without a token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from fastapi import APIRouter, FastAPI
from starlette.responses import Response

from broker.api.oauth import RESOURCE_METADATA_PATH, SCOPES, TOKEN_PATH, checked_public_url
from broker.errors import Misconfigured
from broker.sealing.jose import public_key_from_jwk
from broker.spi import Json

_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the deployment says about itself.

    `jwks`: a JWKS with the public keys for `referral+jws` … and `at+jwt`. Partners verify referrals
    with the keys pinned at onboarding; this list only shows them that a new one is coming.
    """

    public_url: str
    jwks: Mapping[str, Json]
    ledger_vkey: str
    environment: str
    security_contacts: Sequence[str]
    security_expires: datetime
    limits: Mapping[str, int]
    formats: Sequence[str]


def install(app: FastAPI, discovery: Discovery) -> None:
    """Adds the routes. The documents are made once, here; a private key in them stops start-up."""
    url = checked_public_url(discovery.public_url)
    documents = {
        "oauth-authorization-server": _authorization_server(url),
        "oauth-protected-resource": _protected_resource(url),
        "jwks.json": _public_only(discovery.jwks),
        "broker-configuration": _configuration(url, discovery),
    }
    router = APIRouter()
    for name, document in documents.items():
        media_type = "application/jwk-set+json" if name == "jwks.json" else "application/json"
        _serve(router, name, orjson.dumps(document), media_type)
    _serve(router, "security.txt", _security_txt(url, discovery), "text/plain; charset=utf-8")
    app.include_router(router)


def _serve(router: APIRouter, name: str, body: bytes, media_type: str) -> None:
    async def get() -> Response:
        return Response(body, media_type=media_type)

    router.add_api_route(f"/.well-known/{name}", get, methods=["GET"], include_in_schema=False)


def _authorization_server(url: str) -> dict[str, Json]:
    """RFC 8414, with the members of FAPI 2.0 and RFC 9449."""
    return {
        "issuer": url,
        "token_endpoint": url + TOKEN_PATH,
        "jwks_uri": f"{url}/.well-known/jwks.json",
        "scopes_supported": list(SCOPES),
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "dpop_signing_alg_values_supported": ["ES256"],
        "protected_resources": [url],
    }


def _protected_resource(url: str) -> dict[str, Json]:
    """RFC 9728."""
    return {
        "resource": url,
        "authorization_servers": [url],
        "jwks_uri": f"{url}/.well-known/jwks.json",
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": [],
        "dpop_signing_alg_values_supported": ["ES256"],
        "dpop_bound_access_tokens_required": True,
    }


def _configuration(url: str, discovery: Discovery) -> dict[str, Json]:
    return {
        "issuer": url,
        "environment": discovery.environment,
        "feed": f"{url}/v1/referrals",
        "ledger": {
            "checkpoint": f"{url}/v1/ledger/checkpoint",
            "tiles": f"{url}/v1/ledger/tile/",
            "vkey": discovery.ledger_vkey,
        },
        "formats": list(discovery.formats),
        "limits": dict(discovery.limits),
        "resource_metadata": url + RESOURCE_METADATA_PATH,
    }


def _security_txt(url: str, discovery: Discovery) -> bytes:
    """RFC 9116: at least one contact, exactly one expiry."""
    if not discovery.security_contacts:
        raise Misconfigured("security-contact", "security.txt needs at least one contact address")
    expires = discovery.security_expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines: Iterable[str] = (
        *(f"Contact: {contact}" for contact in discovery.security_contacts),
        f"Expires: {expires}",
        f"Canonical: {url}/.well-known/security.txt",
    )
    return ("\n".join(lines) + "\n").encode()


def _public_only(jwks: Mapping[str, Json]) -> dict[str, Json]:
    keys = [dict(key) for key in jwks["keys"]]
    for key in keys:
        if _PRIVATE & key.keys():
            raise Misconfigured("jwks-private", "the key list to be published holds a private key")
        public_key_from_jwk(key)
    return {"keys": keys}
