"""`auth`, and partner authentication without a database: everything but the store."""

from __future__ import annotations

import copy
import hashlib
import secrets
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jws as jose_jws
from jose import jwt as jose_jwt

from bench.measure import Result, at_least, at_most, race
from bench.options import Options
from broker.api.directory import ClientRecord, Proof
from broker.api.dpop import ProofVerifier
from broker.api.oauth import PartnerAuth
from broker.api.tokens import TYP, TokenIssuer, TokenVerifier
from broker.core.canonical import b64u, encode
from broker.sealing.jose import ALG, KeySet, PinnedKey, SigningKey, jwk_from_public_key, thumbprint
from broker.store.access import Admission

URL = "https://broker.example"
PATH = "/v1/referrals"


class Replay:
    """Remembers in this process only."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    async def remember(self, space: str, key_hash: bytes, expires_at: datetime) -> bool:
        """See `ReplayStore.remember`; nothing expires within a run."""
        del space, expires_at
        if key_hash in self._seen:
            return False
        self._seen.add(key_hash)
        return True


class Directory:
    """Everybody is active; proofs are remembered in this process only."""

    def __init__(self) -> None:
        self._replay = Replay()

    async def client(self, client_id: str) -> ClientRecord | None:
        """Nobody is registered."""
        del client_id
        return None

    async def admit(self, partner_id: str, kid: str, proof: Proof, release: str | None) -> Admission:
        """See `Directory.admit`."""
        del partner_id, kid, release
        return Admission(await self._replay.remember("dpop", proof.once, proof.expires), True, 1, None)


def in_memory(auth: PartnerAuth) -> PartnerAuth:
    """The same authentication with stores that cost nothing."""
    made = copy.copy(auth)
    made._directory = Directory()
    return made


def finished(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing, without an event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("it waited")


def auth(options: Options) -> Result:
    """A request's token and proof: ours with a cached token, python-jose for both, one bare verification."""
    found = Result()
    server, client = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    typs = frozenset({TYP})
    key = SigningKey.load("token-1", typs, server)
    jwk = jwk_from_public_key(client.public_key())
    record = ClientRecord("client", "pt_a", "active", (), frozenset({"referrals:pull"}))
    now = datetime.now(UTC)
    token = TokenIssuer(URL, key).issue(record, "auth", record.scopes, thumbprint(jwk), now, "t1")
    tokens = TokenVerifier(URL, KeySet([PinnedKey("token-1", ALG, typs, server.public_key())]))
    replay = Replay()
    proofs = ProofVerifier(URL, replay)
    prover = SigningKey.load("dpop", frozenset({"dpop+jwt"}), client)
    claims = {
        "htm": "GET",
        "htu": URL + PATH,
        "iat": int(time.time()),
        "ath": b64u(hashlib.sha256(token.encode()).digest()),
    }

    def proof() -> str:
        head = b64u(encode({"alg": ALG, "jwk": jwk, "typ": "dpop+jwt"}))
        text = f"{head}.{b64u(encode({**claims, 'jti': secrets.token_hex(16)}))}"
        return f"{text}.{b64u(prover.key.sign(text.encode()))}"

    waiting: list[str] = [proof() for _ in range(6000 if options.quick else 24_000)]
    spent = iter(waiting)

    def ours() -> None:
        seen = tokens.verify(token, now)
        proof = proofs.check(next(spent), "GET", PATH, now, token=token, jkt=seen.jkt)
        assert finished(replay.remember("dpop", proof.once, proof.expires))

    public, signature = _signed(server)
    served = {**jwk_from_public_key(server.public_key()), "alg": ALG}
    times = race(
        {
            "ours": ours,
            "python-jose": _with_python_jose(token, waiting[0], served, {**jwk, "alg": ALG}),
            "bare verify": lambda: public.verify(signature, b"x" * 400, ec.ECDSA(hashes.SHA256())),
        },
        seconds=options.seconds(4),
        rounds=20,
    )
    found.record("auth", times)
    found.line("auth", "python-jose for both / ours", times["python-jose"] / times["ours"], at_least(3))
    found.line("auth", "ours / one bare P-256 verify", times["ours"] / times["bare verify"], at_most(1.3))
    return found


def _signed(key: ec.EllipticCurvePrivateKey) -> tuple[ec.EllipticCurvePublicKey, bytes]:
    return key.public_key(), key.sign(b"x" * 400, ec.ECDSA(hashes.SHA256()))


def _with_python_jose(
    token: str, proof: str, served: dict[str, str], held: dict[str, str]
) -> Callable[[], object]:
    """What its documentation suggests: a JWK dictionary for each call."""

    def verify() -> None:
        jose_jwt.decode(token, served, algorithms=[ALG], audience=URL, issuer=URL)
        jose_jws.get_unverified_header(proof)
        jose_jws.verify(proof, held, algorithms=[ALG])

    return verify
