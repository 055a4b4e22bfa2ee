"""The OpenAPI document: what FastAPI finds in the routes, and what it cannot know.

Media types, examples, the one form of every error, scopes. A route that is not in `OPERATIONS` has
no examples, and a test fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from broker.api import examples as ex
from broker.api.oauth import TOKEN_PATH
from broker.api.problems import MEDIA_TYPE, PROBLEMS, TRACE_HEADER

JSON, JOSE, PLAIN, OCTETS = "application/json", "application/jose", "text/plain", "application/octet-stream"
_PARAMETERS: Mapping[str, Any] = {
    "release": ex.RELEASE,
    "name": "referral.pdf",
    "answer": ex.ANSWER,
    "path": "0/000.p/16",
    "after": "512.U1",
    "limit": 100,
    "urgency": "U1",
}
_COLLECTED = {
    "ETag": "strong: SHA-256 of the body in hexadecimal, in quotes",
    "Repr-Digest": "RFC 9530, the same digest",
}


@dataclass(frozen=True, slots=True)
class Media:
    """A body: its media type, schema and named examples."""

    type: str
    schema: Mapping[str, Any]
    examples: Mapping[str, Any]

    def content(self) -> dict[str, Any]:
        """As OpenAPI writes it."""
        named = {name: {"value": value} for name, value in self.examples.items()}
        return {self.type: {"schema": dict(self.schema), "examples": named}}


@dataclass(frozen=True, slots=True)
class Operation:
    """What one route answers. `problems` are those beside the ones that every route may give."""

    id: str
    answers: Mapping[int, tuple[str, Media | None]]
    request: Media | None = None
    problems: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    conditional: bool = False


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(name: str, **examples: Any) -> Media:
    return Media(JSON, _ref(name), examples)


def _collects(id_: str, what: str) -> Operation:
    jwe = Media(JOSE, ex.COMPACT_JWE, {"sealed": ex.JWE})
    return Operation(
        id_,
        {200: (what, jwe), 304: ("Not modified: nothing was collected", None)},
        problems=("not-found", "gone"),
        headers=_COLLECTED,
        conditional=True,
    )


_RECEIPT = Media(JOSE, ex.COMPACT_JWS, {"receipt": ex.RECEIPT_JWS})
_RECEIVED = _json("ReceiptRecorded", verified={"release": ex.RELEASE, "sha256": "0" * 64, "verified": True})
_ANSWERED = _json("AnswerRecorded", opened={"release": ex.RELEASE, "answer": ex.ANSWER, "outcome": "O10"})
_ALIVE = Operation("", {200: ("Alive", _json("Alive", up={"status": "UP"}))})
OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("get", "/v1/referrals"): Operation(
        "listReferrals",
        {200: ("A page", _json("FeedPage", rows=ex.FEED_PAGE, nothing_new=ex.EMPTY_PAGE))},
        headers={"Link": 'RFC 8288, rel="next"'},
    ),
    ("get", "/v1/referrals/{release}"): _collects("collect", "The referral, sealed"),
    ("get", "/v1/referrals/{release}/apart"): _collects("collectApart", "What is sealed apart"),
    ("get", "/v1/referrals/{release}/documents/{name}"): _collects("collectDocument", "The document, sealed"),
    ("get", "/v1/referrals/{release}/proof"): Operation(
        "proof", {200: ("The proof", Media(PLAIN, ex.TEXT, {"proof": ex.PROOF}))}, problems=("not-found",)
    ),
    ("put", "/v1/referrals/{release}/receipt"): Operation(
        "sendReceipt",
        {200: ("The same was there already", _RECEIVED), 201: ("Stored", _RECEIVED)},
        _RECEIPT,
        ("not-found", "conflict", "not-authentic", "too-large"),
    ),
    ("post", "/v1/referrals/{release}/reads"): Operation(
        "recordRead",
        {201: ("Recorded", _json("ReadRecorded", own={"release": ex.RELEASE, "ground": "own_case"}))},
        _json("Read", own_case=ex.READ, triage={"ground": "triage"}),
        ("not-found",),
    ),
    ("put", "/v1/referrals/{release}/answers/{answer}"): Operation(
        "answer",
        {200: ("The same was there already", _ANSWERED), 201: ("Stored", _ANSWERED)},
        _json("Answer", opened=ex.OPENED, missing=ex.MISSING, not_ours=ex.NOT_OURS),
        ("not-found", "conflict"),
    ),
    ("post", "/v1/cases"): Operation(
        "submitCase",
        {201: ("Taken in as a draft", _json("CaseTaken", draft={"case": ex.ANSWER, "state": "draft"}))},
        _json("Case", content_report=ex.CASE),
        ("too-large",),
    ),
    ("get", "/v1/ledger/checkpoint"): Operation(
        "checkpoint",
        {200: ("C2SP tlog-checkpoint", Media(PLAIN, ex.TEXT, {"note": ex.CHECKPOINT}))},
        problems=("not-found",),
    ),
    ("get", "/v1/ledger/tile/{path}"): Operation(
        "tile",
        {200: ("Hashes of 32 octets, or entries", Media(OCTETS, ex.BYTES, {"shown_in_hex": "96ddcd51" * 8}))},
        problems=("not-found",),
    ),
    ("get", "/health"): Operation("health", _ALIVE.answers),
    ("get", "/health/live"): Operation("healthLive", _ALIVE.answers),
    ("get", "/health/ready"): Operation(
        "healthReady",
        {
            200: ("Ready", _json("Ready", up={"status": "UP", "integrator": True})),
            503: ("Nothing would be published", _json("Ready", down={"status": "DOWN", "integrator": False})),
        },
    ),
}


def describe(app: FastAPI, url: str) -> None:
    """Make `app.openapi()` the whole document, made once. `url`: the public base URL."""
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(_document(app, url))
        return made

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI, url: str) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    document["servers"] = [{"url": url}]
    components = document.setdefault("components", {})
    found = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # errors are problem documents, and 400
        found.pop(name, None)
    found.update(ex.schemas())
    for scheme in components.get("securitySchemes", {}).values():
        scheme["flows"]["clientCredentials"]["tokenUrl"] = url + TOKEN_PATH
    for method, path, operation in _operations(document):
        _complete(operation, OPERATIONS.get((method, path)))
    return document


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def _complete(operation: dict[str, Any], known: Operation | None) -> None:
    codes = list(known.problems) if known else []
    if "security" in operation:
        codes += ["unauthenticated", "forbidden", "too-many-requests"]
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in _PARAMETERS:
            parameter["example"] = _PARAMETERS[parameter["name"]]
    if known is not None:
        if known.request or "parameters" in operation:
            codes.insert(0, "bad-request")
        _answers(operation, known)
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = _problems([*codes, "internal"])


def _answers(operation: dict[str, Any], known: Operation) -> None:
    operation["operationId"] = known.id
    if known.request is not None:
        operation["requestBody"] = {"required": True, "content": known.request.content()}
    if known.conditional:
        operation["parameters"].append(
            {
                "name": "If-None-Match",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": "An ETag that is held already: 304 collects nothing.",
                "example": f'"{"0" * 64}"',
            }
        )
    operation["responses"] = {
        str(status): _response(words, media, known.headers)
        for status, (words, media) in known.answers.items()
    }


def _response(words: str, media: Media | None, headers: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"description": words, "headers": _headers(headers if media else {})}
    if media is not None:
        made["content"] = media.content()
    return made


def _headers(named: Mapping[str, str]) -> dict[str, Any]:
    all_named = {**named, TRACE_HEADER: "id of this request, for questions to the operator"}
    return {name: {"description": words, "schema": {"type": "string"}} for name, words in all_named.items()}


def _problems(codes: list[str]) -> dict[str, Any]:
    media = Media(MEDIA_TYPE, _ref("Problem"), {code: ex.problem(code) for code in dict.fromkeys(codes)})
    words = ", ".join(f"{PROBLEMS[code].status} {code}" for code in media.examples)
    return {
        "description": f"A problem document (RFC 9457): {words}",
        "headers": _headers({}),
        "content": media.content(),
    }
