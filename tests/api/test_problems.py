"""Problem documents: one shape for every error, and never a value of the caller in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
import structlog
from fastapi import FastAPI, Query
from fastapi.testclient import TestClient
from pydantic import AfterValidator, BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from broker.api import envelope
from broker.api.problems import PROBLEMS, TYPE_PREFIX
from broker.errors import (
    BrokerError,
    Conflict,
    Forbidden,
    Issue,
    Misconfigured,
    NotAuthentic,
    NotFound,
    Refused,
)
from broker.observe import ALLOWED

CANARY = "canary-7731"


def refuse_with_value(text: str) -> str:
    raise ValueError(f"bad value {text}")


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    ground: Literal["triage", "audit"]
    note: Annotated[str, AfterValidator(refuse_with_value)] | None = None


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    items: list[Inner]
    named: dict[str, int] = {}


ERRORS: dict[str, tuple[Exception, int, str]] = {
    "refused": (Refused("case-shape", "m", (Issue("/a", "r", "d"),)), 400, "bad-request"),
    "not-found": (NotFound("referral"), 404, "not-found"),
    "forbidden": (Forbidden("role", "m"), 403, "forbidden"),
    "conflict": (Conflict("draft-expired", "m"), 409, "conflict"),
    "gone": (Conflict("gone", "withdrawn"), 410, "gone"),
    "not-authentic": (NotAuthentic("receipt-digest", "m"), 400, "not-authentic"),
    "misconfigured": (Misconfigured("secret-place", CANARY), 500, "internal"),
    "plain": (BrokerError("odd", "m"), 500, "internal"),
    "unknown": (ValueError(CANARY), 500, "internal"),
    "http": (HTTPException(429, CANARY, {"Retry-After": "3"}), 429, "too-many-requests"),
    "teapot": (HTTPException(418, CANARY), 400, "bad-request"),
}


@pytest.fixture
def http() -> Iterator[TestClient]:
    app = FastAPI()

    @app.get("/raise/{name}")
    async def fail(name: str) -> None:
        raise ERRORS[name][0]

    @app.post("/body")
    async def body(body: Body, limit: Annotated[int, Query(ge=1)] = 1) -> None:
        pass

    @app.get("/broken")
    async def broken() -> StreamingResponse:
        async def part() -> Any:
            yield b"part"
            raise ValueError(CANARY)

        return StreamingResponse(part())

    envelope.install(app)
    with TestClient(app) as client:  # raises what leaves the app, so nothing may leave it
        yield client


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_a_problem_document(http: TestClient, name: str) -> None:
    _, status, code = ERRORS[name]
    with structlog.testing.capture_logs() as logs:
        answer = http.get(f"/raise/{name}")
    body = answer.json()
    assert answer.status_code == body["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert body["type"] == TYPE_PREFIX + code
    assert body["title"] == PROBLEMS[code].title
    assert body["instance"] == f"urn:uuid:{uuid.UUID(answer.headers['belgov-trace-id'])}"
    assert CANARY not in answer.text
    assert CANARY not in str(logs)
    if name == "unknown":
        assert logs[0]["trace"] == answer.headers["belgov-trace-id"]
        assert logs[0]["error"] == "ValueError"
        assert logs[0].keys() - {"log_level"} <= ALLOWED  # what is not allowed would be dropped, and missed
    if name == "http":
        assert answer.headers["retry-after"] == "3"


def test_issues_and_reason_are_named(http: TestClient) -> None:
    body = http.get("/raise/refused").json()
    assert body["reason"] == "case-shape"
    assert body["issues"] == [{"field": "/a", "rule": "r", "detail": "d"}]


@pytest.mark.parametrize(
    ("sent", "field", "rule"),
    [
        ({"items": [{"ground": CANARY}]}, "/body/items/0/ground", "literal_error"),
        ({"items": [{"ground": "audit", CANARY: 1}]}, "/body/items/0/*", "extra_forbidden"),
        ({"items": [{"ground": "audit", "note": CANARY}]}, "/body/items/0/note", "value_error"),
        ({"items": [], "named": {CANARY: "x"}}, "/body/named/*", "int_parsing"),
        ({}, "/body/items", "missing"),
        ({"items": CANARY}, "/body/items", "list_type"),
    ],
)
def test_bad_input_is_400_with_field_and_rule_only(
    http: TestClient, sent: Any, field: str, rule: str
) -> None:
    answer = http.post("/body", json=sent)
    assert answer.status_code == 400
    (issue,) = answer.json()["issues"]
    assert (issue["field"], issue["rule"]) == (field, rule)
    assert CANARY not in answer.text


def test_bad_parameter_and_bad_json(http: TestClient) -> None:
    answer = http.post(f"/body?limit={CANARY}", json={"items": []})
    assert answer.json()["issues"][0]["field"] == "/query/limit"
    broken = http.post("/body", content="{" + CANARY, headers={"Content-Type": "application/json"})
    assert broken.status_code == 400
    assert CANARY not in answer.text + broken.text


def test_unrouted_and_wrong_method(http: TestClient) -> None:
    assert http.get(f"/{CANARY}").json()["type"] == TYPE_PREFIX + "not-found"
    wrong = http.delete("/body")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["type"] == TYPE_PREFIX + "method-not-allowed"


def test_trace_id_is_ours_and_new_each_time(http: TestClient) -> None:
    given = str(uuid.uuid4())
    seen = {
        http.get("/none", headers={"BelGov-Trace-Id": given}).headers["belgov-trace-id"] for _ in range(3)
    }
    assert len(seen) == 3
    assert given not in seen


def test_answer_that_breaks_off_leaves_no_value(http: TestClient) -> None:
    with pytest.raises(RuntimeError) as caught:
        http.get("/broken")
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__


def test_catalogue_is_complete_enough_for_the_docs() -> None:
    for code, kind in PROBLEMS.items():
        assert code == code.lower()
        assert 400 <= kind.status < 600
        assert kind.title
        assert kind.what_to_do.endswith(".")
