"""A FAKE broker for the client's tests: real authentication and real sealing, no database, no desk.

It can be told to misbehave: lose a feed row, hand out another object, damage one, answer 503.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI, Request
from starlette.responses import Response

from broker.api import envelope, oauth, wellknown
from broker.api.directory import AuthKey, ClientRecord
from broker.api.oauth import PartnerAuth, PullCaller
from broker.client.api import PartnerApi
from broker.client.auth import BrokerAuth
from broker.client.keys import PartnerKeys
from broker.client.pull import Puller
from broker.core import merkle, seal
from broker.core.canonical import b64u, decode, encode, sha256_hex
from broker.errors import Conflict, NotFound
from broker.sealing import notes
from broker.sealing.encrypt import encrypt
from broker.sealing.jose import (
    KeySet,
    PinnedKey,
    SigningKey,
    jwk_from_public_key,
    parse,
    public_key_from_jwk,
    sign,
    verify,
)
from broker.sealing.keyring import Keyring
from broker.sealing.trust import Trust, time_text
from broker.spi import Unit
from tests.api.oauth_world import MemoryDirectory, MemoryReplay

URL = "https://broker.example"
ORIGIN = "broker.example/ledger"
PARTNER = "pt_police"
CLIENT = "client-police"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NAME_CANARY = "Synthetic Person A"


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()


def release_id(number: int) -> str:
    return base64.b32encode(sha256(b"%d" % number).digest()).decode().lower()[:26]


class FakeBroker:
    def __init__(self, ring: Keyring, registration: dict[str, Any], *, nonce: bool = False) -> None:
        self.clock = Clock()
        self.ring = ring
        self.partner_jwks = {k["use"]: {**k["jwk"], "kid": k["kid"]} for k in registration["keys"]}
        self.rows: list[dict[str, Any]] = []
        self.objects: dict[tuple[str, str], bytes] = {}
        self.receipts: dict[str, list[bytes]] = {}
        self.withdrawn: set[str] = set()
        self.unavailable: set[str] = set()
        self.wrong_tag = False
        self.lost: set[int] = set()
        self.issuer = ring.signer("release")
        self.replay = MemoryReplay(self.clock)  # type: ignore[arg-type]
        self.directory = MemoryDirectory(self.replay)
        self.register_client(self.partner_jwks["auth"])
        self.auth = self.new_auth(nonce)
        self.app = self._app()

    def register_client(self, jwk: dict[str, Any]) -> None:
        self.directory.clients[CLIENT] = ClientRecord(
            CLIENT,
            PARTNER,
            "active",
            (AuthKey(jwk["kid"], jwk),),
            frozenset({"referrals:pull", "referrals:answer"}),
        )

    def new_auth(self, nonce: bool = False) -> PartnerAuth:
        key = ec.generate_private_key(ec.SECP256R1())
        typs = frozenset({"at+jwt"})
        return PartnerAuth(
            URL,
            self.directory,
            self.replay,
            SigningKey.load("token-1", typs, key),
            KeySet([PinnedKey("token-1", "ES256", typs, key.public_key())]),
            nonce_secret=b"n" * 32 if nonce else None,
            clock=self.clock,
        )

    # ---- what the desk would do -------------------------------------------------------------

    def publish(self, number: int, *, urgency: str = "U2", apart: bool = False) -> str:
        release = release_id(number)
        self.build(release, apart=apart)
        self._row(release, "published", urgency, apart)
        return release

    def withdraw(self, release: str) -> None:
        self.withdrawn.add(release)
        self._row(release, "withdrawn", "U2", False)

    def _row(self, release: str, event: str, urgency: str, apart: bool) -> None:
        number = len(self.rows) + 1
        self.rows.append(
            {
                "href": f"/v1/referrals/{release}",
                "release": release,
                "position": number * 10,
                "seq": number,
                "event": event,
                "reference": "CF-2026-000123-7",
                "version": 1,
                "kind": "new",
                "supersedes": None,
                "urgency": urgency,
                "caseKind": "content_report",
                "sizes": {
                    "referral": 1,
                    "apart": int(apart),
                    "documents": [{"name": "referral.csv", "size": 10}],
                },
                "deadline": time_text(START),
                "publishedAt": time_text(START),
            }
        )

    def build(
        self,
        release: str,
        *,
        apart: bool = False,
        carrier: str = PARTNER,
        signer: SigningKey | None = None,
        under: str | None = None,
    ) -> None:
        """Seal one referral with the real code; `under` stores it under another release's id."""
        key, place = signer or self.issuer, under or release
        units = [
            Unit("F29", "/facts/report/summary", "Synthetic summary"),
            Unit("F17", "/entities/items/abcdefghij/url", "https://content.example/1"),
        ]
        hidden = [Unit("F12", "/facts/reporter/identity", NAME_CANARY)]
        tree = seal.build(units, hidden, [], sha256(release.encode()).digest())
        doc = seal.assemble({unit.pointer: unit.value for unit in units})
        document = b"reference;value\n1;2\n"
        common = {
            "release": release,
            "issuer": URL,
            "addressee": {"partner": carrier, "class": "BEP", "country": "BE", "name": "Police"},
            "carrier": {"partner": carrier},
            "reference": "CF-2026-000123-7",
            "version": 1,
            "kind": "new",
            "supersedes": None,
            "drafted_at": time_text(START),
            "unconfirmed": False,
        }
        payload = encode(
            {
                **common,
                "schema": "broker-referral/1",
                "language": "nl",
                "purposes": ["investigation"],
                "doc": doc,
                "withheld": {"fields": {"F29": {"state": "passed"}}},
                "seal": {"alg": "rfc6962-sha256", "root": b64u(tree.root), "depth": tree.depth},
            }
        )
        listed = {
            "name": "referral.csv",
            "media_type": "text/csv",
            "sha256": sha256_hex(document),
            "size": len(document),
        }
        sealed = {
            **common,
            "schema": "broker-seal/1",
            "case_version": "00" * 32,
            "root": b64u(tree.root),
            "depth": tree.depth,
            "payload_sha256": sha256_hex(payload),
            "documents": [listed],
            "handling": {},
            "conditions": [],
        }
        seal_jws = sign(encode(sealed), key, "referral-seal+jws")
        package = {
            "opening": tree.opening(release),
            "referral": sign(payload, key, "referral+jws"),
            "seal": seal_jws,
        }
        enc = self.partner_jwks["enc"]
        jwe = encrypt(encode(package), enc, "referral-package+jwe", "application/json")
        self.objects[place, "referral"] = jwe.encode()
        self.objects[place, "documents/referral.csv"] = encrypt(
            document, enc, "referral-document+jwe", "text/csv"
        ).encode()
        self.objects[place, "proof"] = self._proof(release, carrier, seal_jws).encode()
        if apart:
            body = {"schema": "broker-apart/1", "release": release, "units": tree.apart_units()}
            jws = sign(encode(body), key, "referral-apart+jws")
            self.objects[place, "apart"] = encrypt(
                jws.encode(), self.partner_jwks["apart"], "referral-apart+jwe", "referral-apart+jws"
            ).encode()

    def _proof(self, release: str, carrier: str, seal_jws: str) -> str:
        record = {
            "at": time_text(START + timedelta(minutes=3)),
            "carrier": carrier,
            "kind": "new",
            "release": release,
            "seal_sha256": sha256_hex(seal_jws.encode()),
        }
        nonce = sha256(release.encode()).digest()[:16]
        leaves = [merkle.leaf_hash(notes.leaf_body("published", nonce, record)), b"\1" * 32]
        root = merkle.root(leaves)
        checkpoint = notes.sign_checkpoint(ORIGIN, 2, root, self.ring.note_signer(ORIGIN))
        extra = encode({"nonce": b64u(nonce), "record": record, "type": "published"})
        return notes.proof_text(extra, 0, merkle.inclusion_path(leaves, 0), checkpoint)

    # ---- the HTTP side ----------------------------------------------------------------------

    def _app(self) -> FastAPI:
        app = FastAPI()
        oauth.install(app, self.auth)
        wellknown.install(app, self._discovery())

        @app.middleware("http")
        async def date(request: Request, call_next: Any) -> Response:
            if request.url.path in self.unavailable:
                answer = Response(status_code=503, headers={"Retry-After": "7"})
            else:
                answer = await call_next(request)
            answer.headers["Date"] = format_datetime(self.clock(), usegmt=True)
            return answer

        @app.get("/v1/referrals")
        async def feed(_: PullCaller, after: str = "-1", urgency: str | None = None) -> Any:
            items = [
                row
                for row in self.rows
                if row["position"] > int(after.partition(".")[0])
                and row["seq"] not in self.lost
                and urgency in (None, row["urgency"])
            ]
            return {"items": items[:2], "environment": "synthetic", "pageSize": 2}

        @app.get("/v1/referrals/{release}")
        async def collect(_: PullCaller, release: str) -> Response:
            return self._object(release, "referral")

        @app.get("/v1/referrals/{release}/proof")
        async def proof(_: PullCaller, release: str) -> Response:
            return self._object(release, "proof")

        @app.get("/v1/referrals/{release}/apart")
        async def apart(_: PullCaller, release: str) -> Response:
            return self._object(release, "apart")

        @app.get("/v1/referrals/{release}/documents/{name}")
        async def document(_: PullCaller, release: str, name: str) -> Response:
            return self._object(release, f"documents/{name}")

        @app.put("/v1/referrals/{release}/receipt")
        async def receipt(caller: PullCaller, release: str, request: Request) -> Response:
            self._take_receipt(caller.partner_id, release, await request.body())
            return Response(status_code=204)

        envelope.install(app)
        return app

    def _discovery(self) -> wellknown.Discovery:
        return wellknown.Discovery(
            public_url=URL,
            jwks=self.ring.public("release"),
            ledger_vkey=self.ring.vkey(ORIGIN),
            environment="synthetic",
            security_contacts=("mailto:security@broker.example",),
            security_expires=START + timedelta(days=90),
            limits={},
            formats=("referral+jws",),
        )

    def _object(self, release: str, part: str) -> Response:
        if release in self.withdrawn:
            raise Conflict("gone", "the release was withdrawn")
        body = self.objects.get((release, part))
        if body is None:
            raise NotFound("release")
        tag = "00" * 32 if self.wrong_tag else sha256_hex(body)
        return Response(body, headers={"ETag": f'"{tag}"'}, media_type="application/jose")

    def _take_receipt(self, partner: str, release: str, body: bytes) -> None:
        jwk = self.partner_jwks["receipt"]
        typs = frozenset({"receipt+jws"})
        key = PinnedKey(jwk["kid"], "ES256", typs, public_key_from_jwk(jwk))
        said = decode(verify(body.decode(), KeySet([key]), "receipt+jws"), max_bytes=1 << 20)
        assert said["partner"] == partner
        assert said["object_sha256"] == sha256_hex(self.objects[release, "referral"])
        for part in said["parts"]:
            assert part["sha256"] == sha256_hex(self.objects[release, part["name"]])
        held = self.receipts.setdefault(release, [])
        if body in held:
            return
        if held and (self.receipt_says(release)["verified"] or not said["verified"]):
            raise Conflict("receipt-present", "another receipt was taken already")
        held.append(body)

    def receipt_says(self, release: str) -> Any:
        return decode(parse(self.receipts[release][-1].decode()).payload, max_bytes=1 << 20)


class LoopTransport(httpx.BaseTransport):
    """A synchronous transport to an ASGI app."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.ASGITransport(app)
        self.log: list[tuple[str, str]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.log.append((request.method, request.url.path))

        async def go() -> tuple[int, httpx.Headers, bytes]:
            answer = await self._inner.handle_async_request(request)
            return answer.status_code, answer.headers, await answer.aread()

        status, headers, body = asyncio.run(go())
        return httpx.Response(status, headers=headers, content=body)


class Side:
    """The partner's side against the fake broker."""

    def __init__(self, broker: FakeBroker, keys: PartnerKeys, base: Path) -> None:
        self.broker, self.keys = broker, keys
        self.root = base / "store"
        broker.ring.export_trust(base / "trust", ORIGIN)
        self.trust_folder = base / "trust"
        self.trust = Trust.load(self.trust_folder)
        self.transport = LoopTransport(broker.app)
        self.http = httpx.Client(transport=self.transport)
        self.auth = self.new_auth()

    def new_auth(self, **changes: Any) -> BrokerAuth:
        settings: dict[str, Any] = {"clock": self.broker.clock.seconds, **changes}
        return BrokerAuth(URL, CLIENT, self.keys.get("auth"), self.keys.get("dpop"), **settings)

    def api(self) -> PartnerApi:
        return PartnerApi(URL, self.auth, self.http)

    def puller(self, **changes: Any) -> Puller:
        settings = {"trust": self.trust, "now": self.broker.clock, **changes}
        partner = settings.pop("partner", PARTNER)
        return Puller(self.api(), self.keys, self.root, partner, **settings)


def published_jwk(key: ec.EllipticCurvePrivateKey, kid: str) -> dict[str, Any]:
    return {**jwk_from_public_key(key.public_key()), "kid": kid, "alg": "ES256"}
