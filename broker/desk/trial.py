"""A trial seal: sign with throw-away keys, encrypt, open again with the verifier's own code.

What a partner could not open or verify is found before anybody approves it and before the real key
is touched (Boulder's order: lint a throw-away version, then sign).
"""

from __future__ import annotations

from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from broker.core import canonical, package
from broker.desk.context import Desk
from broker.desk.record import Record
from broker.desk.sign import PACKAGE_TYP
from broker.errors import BrokerError, Refused
from broker.sealing import encrypt, jose
from broker.sealing.package import verify_package
from broker.sealing.trust import REFERRAL_TYPS, Trust


def trial(desk: Desk, record: Record) -> None:
    """Raise `Refused("trial-seal", …)` when the result would not verify at the partner's."""
    try:
        _trial(desk, record)
    except BrokerError as error:
        raise Refused(
            "trial-seal",
            f"a trial seal of this draft did not verify ({error.code}); nothing was stored",
            hint="this is a defect of the broker or an adapter: report it with the code",
        ) from error


def _trial(desk: Desk, record: Record) -> None:
    now = desk.now()
    private = ec.generate_private_key(ec.SECP256R1())
    signing = jose.SigningKey.load("trial", REFERRAL_TYPS, private)
    recipient = ec.generate_private_key(ec.SECP256R1())
    tree = record.tree()
    seal_bytes = package.seal_payload(
        record.payload,
        root=tree.root,
        depth=tree.depth,
        case_version=record.case_version,
        documents=record.digests(),
        handling=record.handling,
        conditions=record.conditions,
    )
    plain = {
        "referral": jose.sign(record.payload, signing, "referral+jws"),
        "seal": jose.sign(seal_bytes, signing, "referral-seal+jws"),
        "opening": tree.opening(record.release),
    }
    token = encrypt.encrypt(
        canonical.encode(plain),
        {**jose.jwk_from_public_key(recipient.public_key()), "kid": "trial"},
        PACKAGE_TYP,
        "application/json",
    )
    opened = canonical.decode(encrypt.decrypt(token, recipient, PACKAGE_TYP), max_bytes=encrypt.MAX_PACKAGE)
    apart = None
    if record.apart:
        body = {"schema": "broker-apart/1", "release": record.release, "units": tree.apart_units()}
        apart = jose.sign(canonical.encode(body), signing, "referral-apart+jws")
    pinned = jose.PinnedKey(
        kid="trial",
        alg="ES256",
        typs=REFERRAL_TYPS,
        public=private.public_key(),
        not_before=now - timedelta(minutes=1),
        not_after=now + timedelta(minutes=1),
    )
    verify_package(
        opened["referral"],
        opened["seal"],
        canonical.encode(opened["opening"]),
        Trust(keys=jose.KeySet([pinned]), ledger=()),
        documents={d.name: d.content for d in record.documents},
        apart_jws=apart,
        proof_text=None,
    )
