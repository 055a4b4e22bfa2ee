"""The partner API as an application: what `broker serve` runs, with the worker beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import orjson
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from broker.api import cases, envelope, ledger, oauth, openapi, referrals, replies, wellknown
from broker.api.backing import PgDirectory, PgReplay
from broker.api.context import Api
from broker.api.oauth import PartnerAuth
from broker.api.wellknown import Discovery
from broker.desk.context import Desk
from broker.jobs import Worker
from broker.store import ledger as store_ledger
from broker.web import mount

DESCRIPTION = """\
Sealed referrals for the authorities. Get a token (`private_key_jwt`, DPoP), read the feed, collect,
verify offline, send a receipt, say what became of it. Formats: docs/spec.
"""


def create_app(desk: Desk, worker: Worker | None = None, *, pages: bool = True) -> FastAPI:
    """The application over an opened desk. With `worker` it signs and integrates in this process.

    `pages` puts desk and inbox beside the API; in the zone that faces partners' software leave them out.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        feed_pool = await desk.db.feed_pool()
        app_pool = await desk.db.async_pool("app")
        app.state.api = _api(desk, feed_pool, app_pool)
        oauth.install_auth(app, _auth(desk, app_pool))
        if worker is not None:
            await run_in_threadpool(worker.start)  # its courier refuses to start on an event loop
        try:
            yield
        finally:
            if worker is not None:
                await run_in_threadpool(worker.stop)
            await feed_pool.close()
            await app_pool.close()

    app = FastAPI(
        title="Referral broker",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    wellknown.install(app, _discovery(desk))
    app.include_router(oauth.router)
    app.include_router(referrals.router)
    app.include_router(cases.router)
    app.include_router(ledger.router)
    app.include_router(replies.router)
    _health(app, desk)
    if pages:
        mount.install(app, desk)
    openapi.describe(app, desk.settings.issuer)
    envelope.install(app, secure=desk.settings.issuer.startswith("https://"))
    return app


def _api(desk: Desk, feed_pool: object, app_pool: object) -> Api:
    return Api(
        settings=desk.settings,
        desk=desk,
        feed=feed_pool,
        app=app_pool,
        clock=desk.clock,
        random=desk.random,
        keep_records=desk.pack.retention["disclosure_log"].span,
    )


def _auth(desk: Desk, app_pool: object) -> PartnerAuth:
    keyring = desk.keys()
    return PartnerAuth(
        desk.settings.issuer,
        PgDirectory(
            app_pool,  # type: ignore[arg-type]
            desk.settings.pulls_per_minute,
            desk.settings.bulk_per_hour,
            desk.clock,
        ),
        PgReplay(app_pool),  # type: ignore[arg-type]
        keyring.signer("token"),
        keyring.keys("token"),
        clock=desk.clock,
    )


def _discovery(desk: Desk) -> Discovery:
    keyring, settings = desk.keys(), desk.settings
    keys = [*keyring.public("release")["keys"], *keyring.public("token")["keys"]]
    return Discovery(
        public_url=settings.issuer,
        jwks={"keys": keys},
        ledger_vkey=keyring.vkey(settings.origin),
        environment=settings.environment,
        security_contacts=[f"mailto:{desk.pack.desk.mail}"],
        security_expires=desk.now() + timedelta(days=365),
        limits={
            "pageLimit": settings.page_limit,
            "requestsPerMinute": settings.pulls_per_minute,
            "referralsPerHour": settings.bulk_per_hour,
        },
        formats=["application/jose"],
    )


def _health(app: FastAPI, desk: Desk) -> None:
    def up() -> Response:
        return Response(b'{"status":"UP"}', media_type="application/json")

    def ready(request: Request) -> Response:
        """Ready only while some process integrates: without it nothing is published."""
        del request
        with desk.db.connect("app") as conn:
            leader = store_ledger.has_leader(conn)
        body = {"status": "UP" if leader else "DOWN", "integrator": leader}
        return Response(orjson.dumps(body), 200 if leader else 503, media_type="application/json")

    for path in ("/health", "/health/live"):
        app.add_api_route(
            path, up, methods=["GET"], tags=["health"], summary="Alive", response_class=Response
        )
    app.add_api_route(
        "/health/ready", ready, methods=["GET"], tags=["health"], summary="Ready", response_class=Response
    )
