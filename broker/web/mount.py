"""Puts both doors and their static files on the application."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from broker.api.envelope import FOR_EVER
from broker.desk.context import Desk
from broker.web import (
    every_page,  # noqa: F401 - importing the pages declares them
    render,
)
from broker.web.page import HOUSES
from broker.web.site import Site


def install(app: FastAPI, desk: Desk) -> None:
    """Put both doors and their static files on the application. The process has to hold epoch keys."""
    for house in HOUSES:
        app.mount(f"/{house}", Site(desk, house, app).application())

    def static(digest: str, name: str) -> Response:
        try:
            content = render.static_bytes(name)
        except (FileNotFoundError, IsADirectoryError):
            raise HTTPException(404) from None
        if digest != render.static_digest(name):
            raise HTTPException(404)
        kind = MEDIA_TYPES.get(name.rpartition(".")[2], "application/octet-stream")
        return Response(content, media_type=kind, headers={"Cache-Control": FOR_EVER.decode()})

    def start() -> Response:
        return RedirectResponse("/desk/", 303)

    app.add_api_route("/static/{digest}/{name}", static, include_in_schema=False, response_class=Response)
    app.add_api_route("/", start, include_in_schema=False, response_class=Response)


MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
