"""The log for everybody: signed checkpoint and tiles (C2SP tlog-tiles). No token needed."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from broker.api.context import Api
from broker.errors import NotFound
from broker.store import ledger_tiles, tree

router = APIRouter(prefix="/v1/ledger", tags=["ledger"])

_TILE = re.compile(r"(?P<level>\d{1,2}|entries)/(?P<index>(?:x\d{3}/){0,4}\d{3})(?:\.p/(?P<width>\d{1,3}))?")


@router.get("/checkpoint", summary="Latest signed checkpoint", response_class=Response)
async def checkpoint(request: Request) -> Response:
    """C2SP tlog-checkpoint. 404 while the log is empty."""
    api: Api = request.app.state.api

    def read() -> str | None:
        with api.desk.db.connect("app") as conn:
            head = ledger_tiles.latest(conn)
            return None if head is None else head.note

    note = await run_in_threadpool(read)
    if note is None:
        raise NotFound("checkpoint")
    return Response(note, media_type="text/plain; charset=utf-8")


@router.get("/tile/{path:path}", summary="A tile", response_class=Response)
async def tile(request: Request, path: Annotated[str, Path(max_length=64)]) -> Response:
    """`<level>/<index>[.p/<width>]` or `entries/<index>…`, as C2SP tlog-tiles has them."""
    api: Api = request.app.state.api
    match = _TILE.fullmatch(path)
    if match is None:
        raise NotFound("tile")
    index = int(match["index"].replace("x", "").replace("/", ""))
    width = int(match["width"] or tree.WIDTH)
    if not 1 <= width <= tree.WIDTH:
        raise NotFound("tile")

    def read() -> bytes:
        with api.desk.db.connect("app") as conn:
            if match["level"] == "entries":
                return ledger_tiles.entries(conn, index, width)
            return ledger_tiles.tile(conn, int(match["level"]), index, width)

    return Response(await run_in_threadpool(read), media_type="application/octet-stream")
