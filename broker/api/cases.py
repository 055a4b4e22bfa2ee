"""Intake for the hotline's own tool: the same door as a form, by API (scope `cases:submit`)."""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from broker.api.context import Api
from broker.api.oauth import SubmitCaller
from broker.auth import Actor
from broker.core.case import MAX_BYTES
from broker.desk import intake
from broker.errors import Refused
from broker.store.engine import unit_of_work

router = APIRouter(prefix="/v1", tags=["cases"])


@router.post("/cases", summary="Take a case in", status_code=201, response_class=Response)
async def submit(request: Request, caller: SubmitCaller) -> Response:
    """A canonical case (docs/spec/case.md). Refused whole, by field and rule; nothing is echoed."""
    api: Api = request.app.state.api
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BYTES:
            raise Refused("too-large", "a case is at most 2 MiB")

    def work() -> str:
        with unit_of_work(api.desk.db) as session:
            actor = Actor(intake.tool_account(api.desk, session, caller.partner_id), frozenset())
            case_id, _ = intake.take_in(api.desk, session, actor, bytes(raw))
            return str(case_id)

    case_id = await run_in_threadpool(work)
    return Response(orjson.dumps({"case": case_id, "state": "draft"}), 201, media_type="application/json")
