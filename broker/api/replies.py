"""The reply link of a delivery by mail: did it arrive, and what becomes of it. Opening it says nothing.

Mail scanners follow links, so only a POST counts. The pages name no case and no reference: whoever
holds the link holds the mail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Annotated, Literal, cast
from urllib.parse import parse_qs

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from broker.core import quality, summary
from broker.core.answers import BY_CODE, PLAIN, Answer, PlainAnswer, label
from broker.desk import answers, proof
from broker.desk.context import Desk
from broker.errors import Refused
from broker.spi import Language
from broker.store import tables
from broker.store.engine import unit_of_work

# Pages for people, not part of the API that partners' software reads.
router = APIRouter(prefix="/v1/reply", tags=["replies"], include_in_schema=False)
Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{43}$", description="From the link in the mail.")]
HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
}
MAX_FORM = 4096
_PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title></head>
<body><main><h1>{title}</h1>{body}</main></body></html>"""
_BUTTON = '<form method="post" action="{action}"><button>{text}</button></form>'


@router.get("/{token}", response_class=HTMLResponse, summary="Asks whether the delivery was received")
def ask(token: Token, request: Request) -> HTMLResponse:
    """Shows the question; changes nothing."""
    desk = _desk(request)
    with unit_of_work(desk.db) as session:
        addressee = session.get_one(tables.Partner, proof.replying(desk, session, token).partner_id)
    words = _words(addressee)
    buttons = (_BUTTON.format(action=f"{token}/{said}", text=words[said]) for said in proof.SAID)
    return _page(addressee, words["title"], "".join(buttons))


@router.post("/{token}/answer", response_class=HTMLResponse, summary="Says what becomes of it")
async def answer(token: Token, request: Request) -> HTMLResponse:
    """One of the six plain answers, as a form of the page after `received`."""
    form = await _form(request)
    return await run_in_threadpool(_take, _desk(request), token, form)


@router.post("/{token}/{said}", response_class=HTMLResponse, summary="Says whether it was received")
def say(token: Token, said: Literal["received", "unreadable"], request: Request) -> HTMLResponse:
    """The addressee's word: evidence of delivery, or of a failure. Who can read it may answer at once."""
    desk = _desk(request)
    with unit_of_work(desk.db) as session:
        addressee = session.get_one(tables.Partner, proof.replying(desk, session, token).partner_id)
        arrived = proof.reply(desk, session, token, said) == "delivered"
    words = _words(addressee)
    return _page(addressee, words["thanks"], _questions(desk, addressee) if arrived else "")


def _take(desk: Desk, token: str, form: Mapping[str, list[str]]) -> HTMLResponse:
    with unit_of_work(desk.db) as session:
        addressee = session.get_one(tables.Partner, proof.replying(desk, session, token).partner_id)
    words = _words(addressee)
    try:
        with unit_of_work(desk.db) as session:
            answers.by_link(desk, session, token, _answer(form))
    except Refused:  # to a person the form again says more than a problem document
        again = f"<p>{escape(words['again'])}</p>{_questions(desk, addressee)}"
        return _page(addressee, words["title"], again, status=400)
    return _page(addressee, words["thanks"], "")


def _answer(form: Mapping[str, list[str]]) -> Answer:
    def one(name: str) -> str | None:
        return (form.get(name, [""])[0]).strip() or None

    plain = BY_CODE.get(one("said") or "")
    outcome = one("outcome") or (plain.outcomes[0] if plain else "")
    if plain is None or outcome not in plain.outcomes:
        raise Refused("answer-refused", "this is none of the six answers")
    asked = {plain.asks}
    return Answer(
        outcome,
        case_reference=one("reference") if "reference" in asked else None,
        gaps=tuple(sorted(set(form.get("gap", ())))) if "gaps" in asked else (),
        suggest=(one("suggest") or "").upper() or None if "country" in asked else None,
    )


def _questions(desk: Desk, addressee: tables.Partner) -> str:
    """The six answers, each a form of its own."""
    words = _words(addressee)
    forms = (
        f'<form method="post" action="answer"><fieldset><legend>{escape(label(p.code, _lang(addressee)))}'
        f'</legend><input type="hidden" name="said" value="{p.code}">'
        f"{''.join(_parts(desk, addressee, p))}<button>{escape(words['send'])}</button></fieldset></form>"
        for p in PLAIN
    )
    return f"<p>{escape(words['next'])}</p>{''.join(forms)}"


def _parts(desk: Desk, addressee: tables.Partner, plain: PlainAnswer) -> Iterator[str]:
    words, language = _words(addressee), _lang(addressee)
    if len(plain.outcomes) > 1:
        options = "".join(
            f'<option value="{code}">{escape(label(code, language))}</option>' for code in plain.outcomes
        )
        yield f'<p><label>{escape(words["which"])} <select name="outcome">{options}</select></label></p>'
    if plain.asks == "reference":
        yield f'<p><label>{escape(words["number"])} <input name="reference" maxlength="64"></label></p>'
    elif plain.asks == "country":
        yield f'<p><label>{escape(words["whose"])} <input name="suggest" maxlength="3"></label></p>'
    elif plain.asks == "gaps":
        yield f"<p>{escape(words['missing'])}</p>"
        for check in desk.pack.checks.values():
            if check.scope == "document" and addressee.recipient_class in check.classes and check.gaps:
                text = quality.texts(desk.pack, check.gaps[:1], language)[0]
                yield (
                    f'<p><label><input type="checkbox" name="gap" value="{check.id}"> {escape(text)}'
                    "</label></p>"
                )


async def _form(request: Request) -> dict[str, list[str]]:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_FORM:
            raise Refused("too-large", "the form is larger than allowed")
    try:
        return parse_qs(raw.decode("ascii"), max_num_fields=60)
    except ValueError:
        raise Refused("bad-request", "this is no form") from None


def _page(addressee: tables.Partner, title: str, body: str, *, status: int = 200) -> HTMLResponse:
    page = _PAGE.format(language=_lang(addressee), title=escape(title), body=body)
    return HTMLResponse(page, status_code=status, headers=HEADERS)


def _words(addressee: tables.Partner) -> Mapping[str, str]:
    return cast(Mapping[str, str], summary.texts(_lang(addressee))["answers"]["page"])


def _lang(addressee: tables.Partner) -> Language:
    return cast(Language, addressee.language)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.api.desk
    return desk
