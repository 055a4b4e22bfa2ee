"""What every request and answer has in common: a bounded body, trace id, `no-store`, problem documents."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.api.problems import (
    TRACE_HEADER,
    of_error,
    of_http,
    of_validation,
    problem,
    trace_id,
)
from broker.errors import BrokerError
from broker.observe import log


def install(app: FastAPI, *, secure: bool = False) -> None:
    """Adds the handlers and, outermost so far, the middleware. Call it after other middleware.

    `secure`: browsers come by TLS, and are told never to come otherwise.
    """

    async def on_broker_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, BrokerError)  # noqa: S101 - registered for this class only
        return of_error(request.scope, error)

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return of_validation(request.scope, error, _declared_names(request.app))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        return of_http(request.scope, error)

    app.add_exception_handler(BrokerError, on_broker_error)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_middleware(Envelope, secure=secure)


def _declared_names(app: FastAPI) -> frozenset[str]:
    """Every parameter and property name in the OpenAPI document: what may be named in an answer."""
    cached: frozenset[str] | None = getattr(app.state, "declared_names", None)
    if cached is None:
        names: set[str] = set()
        _collect(app.openapi(), names)
        cached = app.state.declared_names = frozenset(names)
    return cached


def _collect(node: Any, names: set[str]) -> None:
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            names.update(node["properties"])
        if "in" in node and isinstance(node.get("name"), str):
            names.add(node["name"])
        for child in node.values():
            _collect(child, names)
    elif isinstance(node, list):
        for child in node:
            _collect(child, names)


FOR_EVER = b"public, max-age=31536000, immutable"
"""Said only by files whose digest stands in their address; everything else is `no-store`."""


LIMITS = (("/desk/", 32 * 1024 * 1024), ("/inbox/", 32 * 1024 * 1024), ("/v1/cases", 2 * 1024 * 1024))
"""Octets that a body may have, by where it is sent; anywhere else `LIMIT`."""
LIMIT = 64 * 1024


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """`receive`, which refuses to take in more than a body may have.

    A route's body is read before anybody asks who sent it, and a length that is announced need not be
    the true one: only counting holds.
    """
    most = next((octets for start, octets in LIMITS if scope["path"].startswith(start)), LIMIT)
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413)
        return message

    return bounded


class Envelope:
    """Puts trace id and `no-store` on every answer and turns what nobody expected into a bare 500.

    It catches before Starlette's ServerErrorMiddleware, which would hand the exception, with
    whatever values it holds, to the server's log.
    """

    def __init__(self, app: ASGIApp, secure: bool = False) -> None:
        self.app = app
        self._always = [(b"x-content-type-options", b"nosniff")]
        if secure:
            self._always.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        trace, started = trace_id(scope).encode(), False

        async def dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = list(message.get("headers", ()))
                if (b"cache-control", FOR_EVER) not in given:
                    given = [h for h in given if h[0].lower() != b"cache-control"]
                    given.append((b"cache-control", b"no-store"))
                message["headers"] = [
                    *given,
                    *self._always,
                    (TRACE_HEADER.lower().encode(), trace),
                ]
            await send(message)

        try:
            await self.app(scope, _bounded(scope, receive), dressed)
        except Exception as error:
            kind, at = type(error).__qualname__, _where(error)
            log.error("unhandled", trace=trace.decode(), error=kind, at=at)
            if started:  # break the connection, without the values the exception may hold
                raise RuntimeError("answer broke off; the log has the trace id") from None
            await problem(scope, "internal")(scope, receive, dressed)


def _where(error: BaseException) -> str:
    """Module and line of the innermost frame; no arguments, no message."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return "unknown"
    return f"{frame.tb_frame.f_globals.get('__name__', '?')}:{frame.tb_lineno}"
