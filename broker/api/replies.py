"""The reply link of a delivery by mail: a page with two buttons. Opening it says nothing.

Mail scanners follow links, so only the POST counts. The page names no case and no reference: whoever
holds the link holds the mail.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from starlette.responses import HTMLResponse

from broker.desk import proof
from broker.desk.context import Desk
from broker.store.engine import unit_of_work

# A page for people, not part of the API that partners' software reads.
router = APIRouter(prefix="/v1/reply", tags=["replies"], include_in_schema=False)
Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{43}$", description="From the link in the mail.")]
HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
}
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><main><h1>{title}</h1>{body}</main></body></html>"""
_FORM = """<p>Nederlands: hebt u het bericht ontvangen en kunt u het lezen? · Français : avez-vous reçu le
message et pouvez-vous le lire ? · Deutsch: Haben Sie die Nachricht erhalten und können Sie sie lesen?</p>
<form method="post" action="{token}/received"><button>Received and readable</button></form>
<form method="post" action="{token}/unreadable"><button>Cannot be read</button></form>"""


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.api.desk
    return desk


@router.get("/{token}", response_class=HTMLResponse, summary="Asks whether the delivery was received")
def ask(token: Token, request: Request) -> HTMLResponse:
    """Shows the question; changes nothing."""
    desk = _desk(request)
    with unit_of_work(desk.db) as session:
        proof.replying(desk, session, token)
    page = _PAGE.format(title="Did it reach you?", body=_FORM.format(token=token))
    return HTMLResponse(page, headers=HEADERS)


@router.post("/{token}/{said}", response_class=HTMLResponse, summary="Says whether it was received")
def say(token: Token, said: Literal["received", "unreadable"], request: Request) -> HTMLResponse:
    """The addressee's word: evidence of delivery, or of a failure."""
    desk = _desk(request)
    with unit_of_work(desk.db) as session:
        proof.reply(desk, session, token, said)
    page = _PAGE.format(title="Thank you", body="<p>Merci. Dank u. Danke.</p>")
    return HTMLResponse(page, headers=HEADERS)
