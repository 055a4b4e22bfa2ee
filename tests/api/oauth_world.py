"""A small broker front over in-memory stores, and a client that can misbehave."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from fastapi import FastAPI

from broker.api import envelope, oauth, wellknown
from broker.api.directory import AuthKey, ClientRecord, Proof
from broker.api.oauth import AnswerCaller, PartnerAuth, PullCaller
from broker.sealing.jose import (
    KeySet,
    PinnedKey,
    SigningKey,
    jwk_from_public_key,
)
from broker.store.access import Admission

URL = "https://broker.example"
TOKEN_URL = f"{URL}/oauth/token"
RESOURCE = "/v1/whoami"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: int) -> None:
        self.now += timedelta(**by)


class MemoryReplay:
    """Test double of the database-backed replay store; expires like it."""

    def __init__(self, clock: Clock) -> None:
        self.seen: dict[tuple[str, bytes], datetime] = {}
        self.clock = clock

    async def remember(self, space: str, key_hash: bytes, expires_at: datetime) -> bool:
        self.seen = {k: v for k, v in self.seen.items() if v > self.clock()}
        if (space, key_hash) in self.seen:
            return False
        self.seen[space, key_hash] = expires_at
        return True


class MemoryDirectory:
    """Test double of the database-backed directory."""

    def __init__(self, replay: MemoryReplay) -> None:
        self.replay = replay
        self.clients: dict[str, ClientRecord] = {}
        self.suspended: set[str] = set()
        self.revoked: set[str] = set()

    async def client(self, client_id: str) -> ClientRecord | None:
        return self.clients.get(client_id)

    async def admit(self, partner_id: str, kid: str, proof: Proof, release: str | None) -> Admission:
        fresh = await self.replay.remember("dpop", proof.once, proof.expires)
        active = partner_id not in self.suspended and not self.revoked & {kid, proof.jkt}
        return Admission(fresh, active, 1, None)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def raw_sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def make_jws(key: ec.EllipticCurvePrivateKey, header: Any, claims: Any) -> str:
    """Independent of the product's signing code, and able to sign nonsense."""
    head = b64(json.dumps(header).encode()) + "." + b64(json.dumps(claims).encode())
    return f"{head}.{b64(raw_sign(key, head.encode()))}"


def without(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`values` changed by `changes`; None removes."""
    return {k: v for k, v in {**values, **changes}.items() if v is not None}


class World:
    """The server, its clock and two registered clients (partners are invented)."""

    def __init__(self, *, nonce: bool = False) -> None:
        self.clock = Clock()
        self.replay = MemoryReplay(self.clock)
        self.directory = MemoryDirectory(self.replay)
        self.server_key = new_key()
        typs = frozenset({"at+jwt"})
        self.auth = PartnerAuth(
            URL,
            self.directory,
            self.replay,
            SigningKey.load("token-1", typs, self.server_key),
            KeySet([PinnedKey("token-1", "ES256", typs, self.server_key.public_key())]),
            nonce_secret=b"n" * 32 if nonce else None,
            clock=self.clock,
        )
        self.app = FastAPI()
        oauth.install(self.app, self.auth)
        wellknown.install(self.app, discovery(self.server_key))
        envelope.install(self.app)

        @self.app.get(RESOURCE)
        @self.app.post(RESOURCE)
        async def whoami(caller: PullCaller) -> dict[str, str]:
            return {"partner": caller.partner_id, "client": caller.client_id}

        @self.app.get("/v1/answers")
        async def answers(caller: AnswerCaller) -> dict[str, str]:
            return {"partner": caller.partner_id}

        self.alpha = self.client("client-alpha", "pt_alpha")
        self.beta = self.client("client-beta", "pt_beta")

    def client(self, client_id: str, partner_id: str, **key: Any) -> Client:
        made = Client(self.clock, client_id)
        jwk = jwk_from_public_key(made.auth.public_key())
        self.directory.clients[client_id] = ClientRecord(
            client_id,
            partner_id,
            "active",
            (AuthKey(made.kid, jwk, **key),),
            frozenset({"referrals:pull"}),
        )
        return made


class Client:
    """What a partner's software sends; every part can be changed by the test."""

    def __init__(self, clock: Clock, client_id: str) -> None:
        self.clock = clock
        self.client_id = client_id
        self.kid = f"{client_id}-1"
        self.auth = new_key()
        self.dpop = new_key()
        self.nonce: str | None = None

    @property
    def moment(self) -> int:
        return int(self.clock().timestamp())

    @property
    def jwk(self) -> dict[str, str]:
        return jwk_from_public_key(self.dpop.public_key())

    def assertion(
        self,
        claims: dict[str, Any] | None = None,
        header: dict[str, Any] | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> str:
        base = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": URL,
            "jti": str(uuid.uuid4()),
            "iat": self.moment,
            "exp": self.moment + 60,
        }
        head = without({"alg": "ES256", "kid": self.kid}, header or {})
        return make_jws(key or self.auth, head, without(base, claims or {}))

    def proof(
        self,
        method: str = "POST",
        url: str = TOKEN_URL,
        token: str | None = None,
        claims: dict[str, Any] | None = None,
        header: dict[str, Any] | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> str:
        base = {
            "htm": method,
            "htu": url,
            "iat": self.moment,
            "jti": str(uuid.uuid4()),
            "nonce": self.nonce,
            "ath": b64(sha256(token.encode()).digest()) if token else None,
        }
        head = without({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk}, header or {})
        return make_jws(key or self.dpop, head, without(base, claims or {}))

    def form(self, **changes: Any) -> dict[str, str]:
        base = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": "",
        }
        if "client_assertion" not in changes:
            changes["client_assertion"] = self.assertion()
        return without(base, changes)


def discovery(key: ec.EllipticCurvePrivateKey) -> wellknown.Discovery:
    jwk = {**jwk_from_public_key(key.public_key()), "kid": "token-1", "alg": "ES256"}
    return wellknown.Discovery(
        public_url=URL,
        jwks={"keys": [jwk]},
        ledger_vkey="broker.example/ledger+00000000+AQ==",
        environment="synthetic",
        security_contacts=("mailto:security@broker.example",),
        security_expires=START + timedelta(days=180),
        limits={"pageSize": 500},
        formats=("referral+jws",),
    )
