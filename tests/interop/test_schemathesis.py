"""Schemathesis over the OpenAPI document, against the served application, as an authenticated partner.

Whatever fits the document or breaks it: no 500, no undocumented status or media type, every error a
problem document, nothing of the request repeated in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from broker.api import cases, ledger, openapi, referrals
from broker.api.problems import MEDIA_TYPE
from broker.client.auth import BrokerAuth
from broker.client.keys import PartnerKeys
from broker.demo.house import Agency, add_agency
from broker.store.engine import unit_of_work
from tests.interop.conftest import Pulled, Served

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EACH = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
OPERATIONS = [key for key in openapi.OPERATIONS if key != ("get", "/health/ready")]
GOOD, BAD = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
RUNS = [
    pytest.param(key, mode, id=f"{' '.join(key)} {mode.value}")
    for key in OPERATIONS
    for mode in (GOOD, BAD)
    if mode is GOOD or openapi.OPERATIONS[key].request or "{" in key[1] or key[1] == "/v1/referrals"
]


@schemathesis.serializer("application/jose")
def jose(_: Any, value: Any) -> bytes:
    """Bodies of this type are text as they are."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="session")
def own_tool(served: Served) -> str:
    """The hotline's own tool: the one client that may submit cases."""
    house = served.house
    agency = Agency("Synthetic own tool (example)", "OWN", "BE", "en")
    with unit_of_work(house.desk.db) as session:
        return add_agency(house.desk, session, house.people, house.keys, agency)


@pytest.fixture(scope="session")
def callers(served: Served, own_tool: str) -> Iterator[dict[str, httpx.Client]]:
    """An authenticated client for each kind of caller, by scope; and one without a token."""
    found = {"": httpx.Client(trust_env=False)}
    police = served.house.partners["police"]
    for scope, partner in (
        ("referrals:pull", police),
        ("referrals:answer", police),
        ("cases:submit", own_tool),
    ):
        held = PartnerKeys.load(served.house.keys / partner)
        auth = BrokerAuth(served.url, partner, held.get("auth"), held.get("dpop"))
        found[scope] = httpx.Client(auth=auth, trust_env=False)
    yield found
    for client in found.values():
        client.close()


@pytest.fixture(scope="session")
def schema(served: Served) -> Any:
    document = httpx.get(f"{served.url}/v1/openapi.json", trust_env=False).json()
    assert document["servers"] == [{"url": served.url}]
    return schemathesis.openapi.from_dict(document)


def send(client: httpx.Client, case: Case, base: str) -> httpx.Response:
    """The request that schemathesis made, sent by a client that signs for it."""
    made = requests.Request(**case.as_transport_kwargs(base_url=base)).prepare()
    body = made.body.encode() if isinstance(made.body, str) else made.body
    request = httpx.Request(made.method or "", made.url or "", headers=dict(made.headers), content=body)
    return client.send(request)


def judged(case: Case, answer: httpx.Response, problems: Any) -> None:
    case.validate_response(answer, checks=CHECKS)
    assert answer.headers["cache-control"] == "no-store"
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == MEDIA_TYPE
        problems.validate(answer.json())
        assert answer.status_code != 422
        assert answer.json()["status"] == answer.status_code


@pytest.mark.slow
@pytest.mark.parametrize(("key", "mode"), RUNS)
def test_no_request_breaks_it(
    pulled: Pulled,
    callers: dict[str, httpx.Client],
    schema: Any,
    key: tuple[str, str],
    mode: GenerationMode,
) -> None:
    method, path = key
    operation = schema[path][method.upper()]
    raw = schema.raw_schema
    scope = raw["paths"][path][method].get("security", [{"partner": [""]}])[0]["partner"][0]
    base, real = pulled.served.url, pulled.with_apart().name
    problems = jsonschema_rs.validator_for(
        {"$ref": "#/components/schemas/Problem", "components": raw["components"]}
    )
    seen: Counter[int] = Counter()

    @EACH
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def run(case: Case, known: bool) -> None:
        if known and "release" in (case.path_parameters or {}):
            case.path_parameters["release"] = real
            if mode is GOOD and "name" in case.path_parameters:
                case.path_parameters["name"] = "referral.pdf"
        try:
            answer = send(callers[scope], case, base)
        except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError, requests.RequestException):
            return  # no HTTP client can send this one
        judged(case, answer, problems)
        seen[answer.status_code] += 1
        if scope:
            bare = send(callers[""], case, base)
            assert bare.status_code in (400, 401, 404, 405), "nobody without a token gets further"
            judged(case, bare, problems)

    run()
    assert seen, "something was sent"
    if mode is GOOD and "receipt" not in path:  # a receipt has to be signed: its tests are elsewhere
        assert {200, 201} & seen.keys(), "the good case was reached"


def test_the_document_is_the_one_the_routes_are_tested_by(schema: Any) -> None:
    app = FastAPI()
    for module in (referrals, cases, ledger):
        app.include_router(module.router)
    served = {(m, path) for path, methods in schema.raw_schema["paths"].items() for m in methods}
    assert served == set(openapi.OPERATIONS)


def test_ready_is_as_documented(served: Served, schema: Any) -> None:
    case = schema["/health/ready"]["GET"].Case()
    case.validate_response(httpx.get(f"{served.url}/health/ready", trust_env=False), checks=CHECKS)
