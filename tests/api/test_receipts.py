"""What a partner signs may still be nonsense: it is refused by field, and never breaks the route."""

from __future__ import annotations

from typing import Any

import pytest

from broker.core import canonical
from broker.desk.receive import check_receipt
from broker.errors import Refused
from broker.sealing.jose import SigningKey, jwk_from_public_key, sign
from broker.store.follow_up import HandedOut
from tests.api.oauth_world import new_key

DIGEST = "0" * 64
GOOD: dict[str, Any] = {
    "schema": "broker-receipt/1",
    "release": "r",
    "partner": "p",
    "object_sha256": DIGEST,
    "seal_sha256": DIGEST,
    "parts": [{"name": "apart", "sha256": DIGEST}],
    "verified": True,
    "received_at": "2026-03-01T10:00:00Z",
}
HANDED = HandedOut(dict.fromkeys(("referral", "apart", "documents/x"), frozenset({DIGEST})), DIGEST)


def check(body: Any) -> bool:
    key = new_key()
    token = sign(canonical.encode(body), SigningKey.load("k", frozenset({"receipt+jws"}), key), "receipt+jws")
    jwk = jwk_from_public_key(key.public_key())
    return check_receipt(token, [("k", jwk)], HANDED, "p", "r").verified


def test_a_receipt_over_what_was_handed_out_is_taken() -> None:
    assert check(GOOD) is True
    assert check({**GOOD, "verified": False, "seal_sha256": None}) is False


@pytest.mark.parametrize("value", [None, 1, [], {}, [DIGEST], "1" * 64, {"name": "apart"}])
@pytest.mark.parametrize("member", ["release", "partner", "object_sha256", "seal_sha256", "verified"])
def test_a_member_of_another_kind_is_refused(member: str, value: Any) -> None:
    with pytest.raises(Refused):
        check({**GOOD, member: value})


@pytest.mark.parametrize(
    "parts",
    [
        None,
        {},
        "apart",
        ["apart"],
        [{"name": ["apart"], "sha256": DIGEST}],
        [{"name": "apart", "sha256": {}}],
        [{"name": "apart"}],
        [{"name": "documents/y", "sha256": DIGEST}],
    ],
)
def test_parts_of_another_kind_are_refused(parts: Any) -> None:
    with pytest.raises(Refused):
        check({**GOOD, "parts": parts})


@pytest.mark.parametrize(
    "changes",
    [
        {"received_at": "yesterday"},
        {"received_at": 5},
        {"received_at": "2026-03-01T10:00:00+01:00"},
        {"parts": [{"name": "apart", "sha256": DIGEST}] * 2},
        {"parts": [{"name": n, "sha256": DIGEST} for n in ("documents/x", "apart")]},
    ],
)
def test_what_the_verifier_would_not_read_is_not_taken(changes: dict[str, Any]) -> None:
    """A verified receipt is final: one that fails beside its referral could never be given again."""
    with pytest.raises(Refused):
        check({**GOOD, **changes})


@pytest.mark.parametrize("body", [None, [], "text", 1, {}])
def test_another_body_is_refused(body: Any) -> None:
    with pytest.raises(Refused):
        check(body)
