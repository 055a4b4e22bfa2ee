"""The OpenAPI document is complete, and its examples are what the API really takes and gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from broker.api import bodies as partner_bodies
from broker.api import cases, examples, ledger, openapi, referrals
from broker.api.oauth import SCOPES
from broker.api.problems import MEDIA_TYPE
from broker.core import case as core_case
from broker.core import outcomes
from broker.sealing import encrypt, notes

URL = "https://broker.example"


def document() -> dict[str, Any]:
    app = FastAPI(title="test", version="1")
    for module in (referrals, cases, ledger):
        app.include_router(module.router)
    openapi.describe(app, URL)
    return app.openapi()


DOCUMENT = document()
OPERATIONS = {
    (method, path): operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def validator(schema: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]}, validate_formats=True
    )


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    """(where, media type, schema, named examples) of the request and of each response."""
    places = {"request": operation.get("requestBody", {}), **operation["responses"]}
    for where, place in places.items():
        for media_type, media in place.get("content", {}).items():
            yield where, media_type, media["schema"], media["examples"]


@pytest.mark.parametrize("key", OPERATIONS, ids=" ".join)
def test_an_operation_is_described_whole(key: tuple[str, str]) -> None:
    operation = OPERATIONS[key]
    assert operation["summary"]
    assert operation["operationId"] == openapi.OPERATIONS[key].id
    assert operation["tags"]
    assert "422" not in operation["responses"]
    problems = operation["responses"]["default"]["content"]
    assert list(problems) == [MEDIA_TYPE]
    assert problems[MEDIA_TYPE]["examples"]
    for parameter in operation.get("parameters", ()):
        assert validator(parameter["schema"]).is_valid(parameter["example"]), parameter["name"]
    found = list(bodies(operation))
    assert found
    for where, media_type, schema, named in found:
        assert named, (where, media_type)
        for name, example in named.items():
            errors = [str(error) for error in validator(schema).iter_errors(example["value"])]
            assert errors == [], (where, name)


def test_ids_are_unique_and_every_scope_is_asked_for_somewhere() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    asked = {tuple(op["security"][0]["partner"]) for op in OPERATIONS.values() if "security" in op}
    assert asked == {(scope,) for scope in SCOPES}
    flows = DOCUMENT["components"]["securitySchemes"]["partner"]["flows"]
    assert set(flows["clientCredentials"]["scopes"]) == set(SCOPES)
    open_to_all = {path for (_, path), op in OPERATIONS.items() if "security" not in op}
    assert open_to_all == {"/v1/ledger/checkpoint", "/v1/ledger/tile/{path}"}


def test_sealed_bodies_have_their_media_type() -> None:
    jose = "application/jose"
    for path in ("", "/apart", "/documents/{name}"):
        answers = OPERATIONS["get", "/v1/referrals/{release}" + path]["responses"]
        assert list(answers["200"]["content"]) == [jose]
        assert {"ETag", "Repr-Digest"} <= answers["200"]["headers"].keys()
        assert "content" not in answers["304"]
    receipt = OPERATIONS["put", "/v1/referrals/{release}/receipt"]
    assert list(receipt["requestBody"]["content"]) == [jose]


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(DOCUMENT)
    wanted = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert wanted <= DOCUMENT["components"]["schemas"].keys()
    assert "#/$defs/" not in text
    assert not {"HTTPValidationError", "ValidationError"} & DOCUMENT["components"]["schemas"].keys()


def test_request_examples_are_taken_by_the_code_behind_the_routes() -> None:
    assert core_case.from_json(examples.CASE).data["synthetic"] is True
    for body in (examples.OPENED, examples.MISSING, examples.NOT_OURS):
        answer = partner_bodies.Answer.model_validate(body)
        assert answer.outcome in outcomes.OUTCOMES
        assert bool(answer.gaps) == (answer.outcome in outcomes.NEEDS_GAPS)
    assert partner_bodies.Read.model_validate(examples.READ).ground == "own_case"


def test_text_examples_have_the_documented_form() -> None:
    proof = notes.parse_proof(examples.PROOF)
    assert json.loads(proof.extra)["record"]["release"] == examples.RELEASE
    assert proof.checkpoint == examples.CHECKPOINT
    assert examples.CHECKPOINT.split("\n")[1] == "16"
    assert examples.FEED_PAGE["items"][0]["sizes"]["referral"] < encrypt.MAX_PACKAGE


def test_only_checks_that_exist_can_be_named_as_not_met() -> None:
    for gap in ("Q01", "Q09", "Q29", "Q30"):
        partner_bodies.Answer.model_validate({"outcome": "O20", "gaps": [gap]})
    for gap in ("Q00", "Q31", "Q99", "Q1", "q01"):
        with pytest.raises(ValidationError):
            partner_bodies.Answer.model_validate({"outcome": "O20", "gaps": [gap]})
