"""The partner's routes: feed, collect, proof, receipt, read, answer (docs/spec/feed.md).

All of it runs on the async pool; sealed bytes are served as stored. Absent, foreign and not yet
published are the same 404.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from broker.api.backing import RELEASE_ID
from broker.api.bodies import Answer, Read
from broker.api.context import Api
from broker.api.oauth import AnswerCaller, Caller, CollectCaller, PullCaller
from broker.api.problems import Gone, TooMany
from broker.core import canonical
from broker.core.outcomes import NEEDS_GAPS, OUTCOMES
from broker.desk import recheck
from broker.desk.receive import ReceiptCheck, check_receipt
from broker.errors import Conflict, Forbidden, Issue, NotFound, Refused
from broker.sealing import notes
from broker.store import feed, follow_up, publication
from broker.store.ledger_append import Entry

router = APIRouter(prefix="/v1", tags=["referrals"])

ReleaseId = Annotated[str, Path(pattern=RELEASE_ID, description="Id of the release, from the feed.")]
JOSE = "application/jose"
GONE = {
    "withdrawn": "follow the withdrawal in your feed: it takes back what was collected too",
    "window-closed": "what was collected stands; for another copy ask the broker's desk to release it again",
    "erased": "what was collected stands; there is nothing to collect any more",
}
"""Why a referral of one's own feed cannot be collected any more → what to do."""
CURSOR = r"^(-1|[0-9]{1,15})(\.U[1-4])?$"
MAX_RECEIPT = 64 * 1024


@router.get("/referrals", summary="Feed page", response_class=Response)
async def list_referrals(
    request: Request,
    caller: PullCaller,
    after: Annotated[
        str,
        Query(
            pattern=CURSOR,
            description="Ledger position, exclusive; of a filtered page also its filter.",
            examples=["-1", "512", "512.U1"],
        ),
    ] = "-1",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    urgency: Annotated[Literal["U1", "U2", "U3", "U4"] | None, Query()] = None,
) -> Response:
    """Rows behind a ledger position, oldest first; `seq` is contiguous for each partner."""
    api: Api = request.app.state.api
    limit = min(limit, api.settings.page_limit)
    position = _position(after, urgency)
    page = await feed.page(api.feed, caller.partner_id, after=position, limit=limit, urgency=urgency)
    filters = f"&limit={limit}" + (f"&urgency={urgency}" if urgency else "")
    cursor = f"{page.last}.{urgency}" if urgency and page.last >= 0 else str(page.last)
    following = f'"/v1/referrals?after={cursor}{filters}"'
    body = (
        b'{"self":"/v1/referrals?after=%s%s","items":%s,"next":%s,"more":%s,"pageSize":%d,"after":%d,'
        b'"environment":"%s"}'
        % (
            after.encode(), filters.encode(), page.joined(), following.encode(),
            b"true" if page.more else b"false", limit, page.last, api.settings.environment.encode(),
        )
    )  # fmt: skip
    link = f'</v1/referrals?after={cursor}{filters}>; rel="next"'
    return Response(body, media_type="application/json", headers={"Link": link})


@router.get("/referrals/{release}", summary="Collect", response_class=Response)
async def collect(request: Request, caller: CollectCaller, release: ReleaseId) -> Response:
    """The sealed referral as stored (JWE). Recorded in the ledger before the bytes leave."""
    return await _collect(request, caller, release, "referral")


@router.get("/referrals/{release}/apart", summary="Collect what is sealed apart", response_class=Response)
async def collect_apart(request: Request, caller: CollectCaller, release: ReleaseId) -> Response:
    """The JWE to the key `apart`; 404 where there is none."""
    return await _collect(request, caller, release, "apart")


@router.get("/referrals/{release}/documents/{name}", summary="Collect a document", response_class=Response)
async def collect_document(
    request: Request,
    caller: CollectCaller,
    release: ReleaseId,
    name: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")],
) -> Response:
    """A document's JWE, by the name the feed row lists."""
    return await _collect(request, caller, release, f"documents/{name}")


@router.get("/referrals/{release}/proof", summary="Proof of publication", response_class=Response)
async def proof(request: Request, caller: PullCaller, release: ReleaseId) -> Response:
    """C2SP tlog-proof of the leaf `published` (docs/spec/proof.md)."""
    api: Api = request.app.state.api
    found = await publication.publication(api.feed, caller.partner_id, release)
    extra = canonical.encode(
        {
            "nonce": canonical.b64u(found.nonce),
            "record": orjson.loads(found.record),
            "type": "published",
        }
    )
    text = notes.proof_text(extra, found.position, found.path, found.checkpoint)
    return Response(text, media_type="text/plain; charset=utf-8")


@router.put("/referrals/{release}/receipt", summary="Receipt", response_class=Response)
async def receipt(request: Request, caller: PullCaller, release: ReleaseId) -> Response:
    """The partner's signature over the digest of what it got (docs/spec/receipt.md). Idempotent."""
    api: Api = request.app.state.api
    if request.headers.get("content-type", "").partition(";")[0].strip() != JOSE:
        raise Refused("bad-request", f"the body has to be {JOSE}")
    token = await _body(request, MAX_RECEIPT)
    now = api.now()
    handed = await follow_up.handed_out(api.feed, caller.partner_id, release)
    keys = await follow_up.receipt_keys(api.app, caller.partner_id)
    checked: ReceiptCheck = check_receipt(token, keys, handed, caller.partner_id, release)
    state = await follow_up.add_receipt(
        api.feed, caller.partner_id, release, checked,
        entry=_entry(
            api, "receipt", "referral:receipt", caller, release,
            {"release": release, "receipt_sha256": checked.sha256, "verified": checked.verified}, now,
        ),
        at=now,
    )  # fmt: skip
    return Response(
        orjson.dumps({"release": release, "sha256": checked.sha256, "verified": checked.verified}),
        status_code=201 if state == "new" else 200,
        media_type="application/json",
    )


@router.post("/referrals/{release}/reads", summary="Read", status_code=201, response_class=Response)
async def read(request: Request, caller: PullCaller, release: ReleaseId, body: Read) -> Response:
    """Somebody at the partner reads it: a coded ground, optional opaque reference and case number."""
    api: Api = request.app.state.api
    now = api.now()
    record = {"release": release, "ground": body.ground}
    entry = _entry(api, "read", "referral:read", caller, release, record, now)
    await follow_up.add_read(
        api.feed, caller.partner_id, release, entry=entry, at=now, ground=body.ground,
        user_reference=body.user_reference, own_case_number=body.own_case_number,
    )  # fmt: skip
    return Response(
        orjson.dumps({"release": release, "ground": body.ground}), 201, media_type="application/json"
    )


@router.put("/referrals/{release}/answers/{answer}", summary="Answer", response_class=Response)
async def answer(
    request: Request, caller: AnswerCaller, release: ReleaseId, answer: UUID, body: Answer
) -> Response:
    """What became of it. The id is the partner's own: the same answer twice is one."""
    api: Api = request.app.state.api
    if body.outcome not in OUTCOMES:
        raise Refused(
            "bad-request", "this outcome is unknown", (Issue("/body/outcome", "code", "is not a code"),)
        )
    if body.outcome in NEEDS_GAPS and not body.gaps:
        raise Refused(
            "bad-request", "this outcome needs its gaps",
            (Issue("/body/gaps", "required", "say which checks were not met (Q01 … Q30)"),),
        )  # fmt: skip
    stored: dict[str, Any] = body.model_dump(by_alias=True, exclude_none=True)
    digest, now = canonical.sha256_hex(canonical.encode(stored)), api.now()
    entry = _entry(
        api, "outcome", "referral:answered", caller, release,
        {"release": release, "outcome": body.outcome, "answer_sha256": digest}, now,
    )  # fmt: skip
    state = await follow_up.add_answer(
        api.feed,
        caller.partner_id,
        release,
        answer,
        entry=entry,
        at=now,
        outcome=body.outcome,
        body=stored,
    )
    return Response(
        orjson.dumps({"release": release, "answer": str(answer), "outcome": body.outcome}),
        status_code=201 if state == "new" else 200,
        media_type="application/json",
    )


def _position(cursor: str, urgency: str | None) -> int:
    """The ledger position in a cursor. One made under a filter holds under that filter only: under
    another, rows would be skipped without anybody noticing."""
    position, _, bound = cursor.partition(".")
    if bound != (urgency or "") and position != "-1":
        raise Refused(
            "cursor-filter",
            "this cursor was made with another filter",
            (Issue("/query/after", "filter", "holds only under the filter it was made with"),),
        )
    return int(position)


async def _collect(request: Request, caller: Caller, release: str, part: str) -> Response:
    api: Api = request.app.state.api
    now, standing = api.now(), caller.standing
    if standing is None or not (standing.in_force or api.desk.pack.is_statutory(standing.addressee_class)):
        raise Forbidden(
            "agreement-not-in-force",
            "the agreement behind this referral is suspended or over; receipts and answers stay open",
        )
    provider = api.desk.pack.role(standing.addressee_class) == "provider"  # nobody else pays for a thread
    if provider and await run_in_threadpool(recheck.kept_from, api.desk, standing.addressee_class, release):
        raise NotFound("referral")  # any other word would tell the host of a police hold
    wanted = request.headers.get("if-none-match")
    if wanted is not None:
        known = await feed.sealed(api.feed, caller.partner_id, release, part)
        if f'"{known.sha256}"' in wanted:
            return Response(status_code=304, headers={"ETag": f'"{known.sha256}"'})
    if part == "referral" and standing.collected >= api.settings.bulk_per_hour:
        raise TooMany("the number of referrals for this hour is used up", 600)
    try:
        found = await feed.collect(
            api.feed, caller.partner_id, release, part, at=now,
            entry_of=lambda sealed: _entry(
                api, "collected", "referral:collected", caller, release,
                {"release": release, "part": part, "sha256": sealed.sha256, "generation": sealed.generation},
                now,
            ),
        )  # fmt: skip
    except Conflict as error:
        if error.code not in GONE:
            raise
        raise Gone(error.code, error.message, GONE[error.code]) from None
    return Response(
        found.body,
        media_type=found.media_type,
        headers={"ETag": f'"{found.sha256}"', "Repr-Digest": _repr_digest(found.sha256)},
    )


def _entry(
    api: Api,
    leaf_type: Any,
    action: str,
    caller: Caller,
    release: str,
    record: dict[str, Any],
    now: datetime,
) -> Entry:
    """The entry of an act. `now` is the moment that its row has too: a second look at the clock could
    fall into the next second, and then event and row would no longer find each other."""
    return Entry(
        leaf_type=leaf_type,
        event_id=api.uuid(),
        at=now,
        actor=caller.partner_id,
        record={**record, "partner": caller.partner_id, "at": now.strftime("%Y-%m-%dT%H:%M:%SZ")},
        nonce=api.random(16),
        keep_until=now + api.keep_records,
        due_at=now,
        action=action,
        release_id=release,
        partner_id=caller.partner_id,
    )


def _repr_digest(sha256: str) -> str:
    """RFC 9530, for the bytes of the answer."""
    from base64 import b64encode

    return f"sha-256=:{b64encode(bytes.fromhex(sha256)).decode()}:"


async def _body(request: Request, limit: int) -> str:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise Refused("too-large", "the body is larger than allowed")
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise Refused("bad-request", "the body is not a compact JWS") from None
