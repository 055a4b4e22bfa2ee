"""RFC 9457 problem documents: the one place where an error becomes an answer.

Nothing the caller sent is repeated in an answer or a log line. A field is named only when the API
itself declares that name, because the names in a body are input too.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

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

TYPE_PREFIX = "urn:problem-type:referral-broker:"
MEDIA_TYPE = "application/problem+json"
TRACE_HEADER = "BelGov-Trace-Id"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One line of the catalogue. `what_to_do` is written for the developer at the other end."""

    title: str
    status: int
    what_to_do: str


PROBLEMS: dict[str, ProblemType] = {
    "bad-request": ProblemType(
        "The request breaks a rule",
        400,
        "Read `issues`: each names the field and the rule. Correct the request, then repeat.",
    ),
    "not-authentic": ProblemType(
        "Something signed or hashed does not hold",
        400,
        "Sign again with the key registered for this use; send exactly the bytes that were signed.",
    ),
    "unauthenticated": ProblemType(
        "The access token or the DPoP proof was not accepted",
        401,
        "Read `WWW-Authenticate`. Ask for a new token, make a new proof for this method and URL, "
        "or add the nonce given in `DPoP-Nonce`; `broker doctor` names the usual causes.",
    ),
    "forbidden": ProblemType(
        "Known caller, not allowed",
        403,
        "Ask for a token with the scope that the route needs; if your registration does not "
        "have that scope, ask the broker's operator.",
    ),
    "not-found": ProblemType(
        "Absent, or not yours to see",
        404,
        "Use only addresses from your own feed. Absent and foreign look the same on purpose.",
    ),
    "method-not-allowed": ProblemType(
        "The route has no such method", 405, "Use one of the methods in the `Allow` header."
    ),
    "not-acceptable": ProblemType(
        "None of the media types asked for is offered",
        406,
        "Ask for a media type that the route's documentation lists.",
    ),
    "conflict": ProblemType(
        "The present state does not allow it",
        409,
        "Fetch the resource again and decide on what it says now.",
    ),
    "gone": ProblemType(
        "It cannot be collected any more",
        410,
        "Do not ask again. Read `reason`: `withdrawn` takes back what was collected too, follow the "
        "withdrawal in your feed; after `window-closed` and `erased` a copy collected earlier stands.",
    ),
    "too-large": ProblemType(
        "The request is too large", 413, "Keep to the limits in /.well-known/broker-configuration."
    ),
    "unsupported-media-type": ProblemType(
        "The body's media type is not accepted",
        415,
        "Set `Content-Type` to the one that the route's documentation names.",
    ),
    "too-many-requests": ProblemType(
        "Too many requests", 429, "Wait as long as `Retry-After` says, then go on."
    ),
    "internal": ProblemType(
        "The broker failed",
        500,
        "Repeat later. If it stays, give the operator the trace id from `instance`.",
    ),
    "unavailable": ProblemType("The broker is not ready", 503, "Repeat after the time in `Retry-After`."),
}


class Gone(Conflict):
    """410: it could be collected once. `code` says why not any more; only `withdrawn` takes it back."""


_BY_STATUS = {kind.status: code for code, kind in PROBLEMS.items() if code != "not-authentic"}
_BY_CLASS: tuple[tuple[type[BrokerError], str], ...] = (
    (Refused, "bad-request"),
    (NotFound, "not-found"),
    (Forbidden, "forbidden"),
    (Gone, "gone"),
    (Conflict, "conflict"),
    (NotAuthentic, "not-authentic"),
    (Misconfigured, "internal"),
)

_RULES = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "json_invalid": "is not valid JSON",
    "enum": "is not one of the allowed values",
    "literal_error": "is not one of the allowed values",
    "int_parsing": "is not an integer",
    "int_type": "is not an integer",
    "string_type": "is not a string",
    "string_too_long": "is too long",
    "string_too_short": "is too short",
    "string_pattern_mismatch": "does not have the required form",
    "bool_type": "is not a boolean",
    "bool_parsing": "is not a boolean",
    "uuid_parsing": "is not a UUID",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
    "greater_than": "is too small",
    "less_than": "is too large",
    "list_type": "is not a list",
    "dict_type": "is not an object",
    "model_attributes_type": "is not an object",
    "timezone_aware": "has no time zone",
}


class Unauthenticated(NotAuthentic):
    """401 with a challenge: no valid token, or no valid proof of its key (RFC 9449 §7.1)."""

    def __init__(self, message: str, headers: Mapping[str, str]) -> None:
        super().__init__("unauthenticated", message)
        self.headers = dict(headers)


class ScopeMissing(Forbidden):
    """403: the token is good but not for this; the challenge names the scope (RFC 6750 §3.1)."""

    def __init__(self, scope: str, challenge: str) -> None:
        super().__init__("forbidden", f"this route needs a token with the scope {scope}")
        self.headers = {"WWW-Authenticate": challenge}


class TooMany(BrokerError):
    """429: slow down; `Retry-After` in whole seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__("too-many-requests", message)
        self.headers = {"Retry-After": str(retry_after)}


def trace_id(scope: Scope) -> str:
    """The id of this request: a random UUID made by the broker, never taken from the caller."""
    state = scope.setdefault("state", {})
    if "trace_id" not in state:
        state["trace_id"] = str(uuid.uuid4())
    found: str = state["trace_id"]
    return found


def problem(
    scope: Scope,
    code: str,
    *,
    detail: str = "",
    hint: str = "",
    issues: Iterable[Issue] = (),
    reason: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document of the catalogued type `code`; `reason` is a finer, uncatalogued code."""
    kind = PROBLEMS[code]
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + code,
        "title": kind.title,
        "status": kind.status,
        "instance": "urn:uuid:" + trace_id(scope),
    }
    if detail:
        body["detail"] = detail
    body["hint"] = hint or kind.what_to_do
    if reason is not None and reason != code:
        body["reason"] = reason
    listed = [{"field": i.field, "rule": i.rule, "detail": i.detail} for i in issues]
    if listed:
        body["issues"] = listed
    return Response(orjson.dumps(body), kind.status, dict(headers or {}), MEDIA_TYPE)


def of_error(scope: Scope, error: BrokerError) -> Response:
    """The answer to an error raised on purpose; its message holds no value by contract."""
    if isinstance(error, Misconfigured):  # the caller cannot mend the deployment
        return problem(scope, "internal")
    code = error.code
    if code not in PROBLEMS:
        code = next((c for cls, c in _BY_CLASS if isinstance(error, cls)), "internal")
    return problem(
        scope,
        code,
        detail=error.message,
        hint=error.hint,
        issues=error.issues if isinstance(error, Refused) else (),
        reason=error.code,
        headers=error.headers if isinstance(error, Unauthenticated | ScopeMissing | TooMany) else None,
    )


def of_validation(scope: Scope, error: RequestValidationError, declared: frozenset[str]) -> Response:
    """400 that names place, field and rule; pydantic's message and input stay inside."""
    issues = [
        Issue(_pointer(e["loc"], declared), e["type"], _RULES.get(e["type"], "breaks this rule"))
        for e in error.errors()
    ]
    detail = "the request does not fit the schema"
    return problem(scope, "bad-request", detail=detail, issues=issues)


def _pointer(loc: tuple[int | str, ...], declared: frozenset[str]) -> str:
    """`/body/items/0/*`: the first part is the place, undeclared names become `*`."""
    place, *rest = loc or ("request",)
    parts = [str(p) if isinstance(p, int) or p in declared else "*" for p in rest]
    return "/".join(["", str(place), *parts])


def of_http(scope: Scope, error: HTTPException) -> Response:
    """Starlette's own errors (no route, wrong method …); their `detail` is not repeated."""
    code = _BY_STATUS.get(error.status_code)
    if code is None:
        code = "bad-request" if error.status_code < 500 else "internal"
    if code == "not-found":  # the same bytes as a NotFound raised behind the route
        return of_error(scope, NotFound())
    return problem(scope, code, headers=error.headers)
