"""A body is bounded before anybody asks who sent it, whatever length it announces."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from broker.api import envelope
from broker.app import create_app
from broker.core.case import MAX_BYTES
from broker.demo.house import House
from broker.web.forms import MAX_BODY
from tests.dbfixtures import cluster
from tests.e2e.conftest import founded, house

__all__ = ["cluster", "founded", "house"]

CHUNK = 64 * 1024
RELEASE = "/v1/referrals/" + "a" * 26


def taken(app: Any, method: str, path: str, media: str, announced: int | None) -> tuple[int, int]:
    """(octets that the application took of an endless body, status of its answer)."""
    octets, status = 0, 0

    async def receive() -> dict[str, Any]:
        nonlocal octets
        octets += CHUNK
        if octets > 2 * MAX_BODY:
            raise AssertionError("it takes whatever comes")
        return {"type": "http.request", "body": b" " * CHUNK, "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    headers = [(b"content-type", media.encode()), (b"sec-fetch-site", b"same-origin"), (b"host", b"x")]
    if announced is not None:
        headers.append((b"content-length", str(announced).encode()))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
        "method": method, "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"",
        "headers": headers, "client": ("192.0.2.1", 1), "server": ("broker.example", 80),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return octets, status


@pytest.mark.parametrize("announced", [None, 5])
@pytest.mark.parametrize(
    ("method", "path", "media", "most", "status"),
    [
        ("POST", f"{RELEASE}/reads", "application/json", envelope.LIMIT, 413),
        ("PUT", f"{RELEASE}/answers/{UUID(int=1)}", "application/json", envelope.LIMIT, 413),
        ("POST", "/desk/sign-in", "multipart/form-data; boundary=x", MAX_BODY, 400),
        ("POST", "/inbox/sign-in", "application/x-www-form-urlencoded", MAX_BODY, 400),
    ],
)
def test_nobody_makes_the_broker_hold_a_body_without_end(
    house: House, method: str, path: str, media: str, most: int, status: int, announced: int | None
) -> None:
    octets, answered = taken(create_app(house.desk), method, path, media, announced)
    assert octets <= most + CHUNK
    assert answered == status


def test_the_bounds_are_those_that_routes_and_pages_speak_of() -> None:
    assert dict(envelope.LIMITS) == {"/desk/": MAX_BODY, "/inbox/": MAX_BODY, "/v1/cases": MAX_BYTES}
