"""The typed calls: what goes over the wire, and which error stands for which answer."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from broker.client.api import PartnerApi, UnavailableError
from broker.errors import BrokerError, Conflict, Forbidden, NotAuthentic, NotFound, Refused
from tests.client.fake_broker import URL, Side

RELEASE = "a" * 26
ANSWER = UUID(int=7)


class Wire:
    """Records the request behind the authentication and answers as told."""

    def __init__(self, side: Side, status: int = 200, **answer: Any) -> None:
        self.seen: list[httpx.Request] = []
        self.token = side.transport

        def handle(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/oauth/token":
                return self.token.handle_request(request)
            self.seen.append(request)
            return httpx.Response(status, **answer)

        self.api = PartnerApi(URL, side.auth, httpx.Client(transport=httpx.MockTransport(handle)))

    @property
    def sent(self) -> tuple[str, str, Any]:
        request = self.seen[-1]
        return request.method, request.url.path, json.loads(request.content)


def test_read_answer_and_submit(side: Side) -> None:
    wire = Wire(side, json={"case": "c1"})
    wire.api.read(RELEASE, "own_case", own_case_number="SYN-1")
    body: Any = {"ground": "own_case", "ownCaseNumber": "SYN-1"}
    assert wire.sent == ("POST", f"/v1/referrals/{RELEASE}/reads", body)
    wire.api.answer(RELEASE, ANSWER, "case_opened", gaps=("F29",))
    body = {"outcome": "case_opened", "gaps": ["F29"]}
    assert wire.sent == ("PUT", f"/v1/referrals/{RELEASE}/answers/{ANSWER}", body)
    assert wire.api.submit(b'{"a":1}') == {"case": "c1"}
    assert wire.sent == ("POST", "/v1/cases", {"a": 1})
    assert all(request.headers["authorization"].startswith("DPoP ") for request in wire.seen)


@pytest.mark.parametrize(
    ("status", "expected", "code"),
    [
        (301, Refused, "refused-by-broker"),
        (400, Refused, "refused-by-broker"),
        (401, Forbidden, "not-admitted"),
        (403, Forbidden, "not-admitted"),
        (404, NotFound, "not-found"),
        (409, Conflict, "conflict"),
        (410, Conflict, "gone"),
        (429, UnavailableError, "unavailable"),
        (500, UnavailableError, "unavailable"),
        (503, UnavailableError, "unavailable"),
    ],
)
def test_status_becomes_an_error(side: Side, status: int, expected: type[BrokerError], code: str) -> None:
    wire = Wire(side, status, json={"detail": "words", "issues": [{"field": "/a", "rule": "r"}, 5]})
    with pytest.raises(expected) as caught:
        wire.api.collect(RELEASE)
    assert caught.value.code == code
    if isinstance(caught.value, Refused):
        assert caught.value.issues[0].field == "/a"


def test_retry_after_is_kept(side: Side) -> None:
    wire = Wire(side, 429, headers={"Retry-After": "12"})
    with pytest.raises(UnavailableError) as caught:
        wire.api.proof(RELEASE)
    assert caught.value.retry_after == 12


def test_answer_has_a_limit(side: Side) -> None:
    wire = Wire(side, content=b"x" * (256 * 1024 + 1))
    with pytest.raises(Refused, match="larger"):
        wire.api.proof(RELEASE)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"items":[],"items":[]}', b"\xff"])
def test_feed_of_another_form(side: Side, body: bytes) -> None:
    with pytest.raises(NotAuthentic):
        Wire(side, content=body).api.feed()


def test_ids_are_checked_before_they_reach_an_address(side: Side) -> None:
    wire = Wire(side)
    for release in ("../x", "A" * 26, "a" * 25, ""):
        with pytest.raises(Refused):
            wire.api.collect(release)
    with pytest.raises(Refused):
        wire.api.document(RELEASE, "../x")
    assert wire.seen == []
