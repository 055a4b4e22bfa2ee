"""The partner API of docs/spec/feed.md as typed calls: thin and bounded, without state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self
from uuid import UUID

import httpx

from broker.client.auth import BrokerAuth
from broker.core.canonical import decode, encode, sha256_hex
from broker.errors import BrokerError, Conflict, Forbidden, Issue, NotAuthentic, NotFound, Refused
from broker.spi import Json

MAX_PAGE = 4 * 1024 * 1024
MAX_REFERRAL = 12 * 1024 * 1024
MAX_DOCUMENT = 45 * 1024 * 1024
MAX_PROOF = 256 * 1024
JOSE = "application/jose"
OF_ONE_RELEASE = "agreement-not-in-force"
"""The one 403 that says nothing about this client, only about the release that it asked for."""
ENDED = frozenset({"window-closed", "erased"})
"""Reasons of a 410 that take nothing back: what was collected before stands."""
Ground = Literal["triage", "own_case", "supplement", "audit"]

_RELEASE = re.compile(r"[a-z2-7]{26}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TAG = re.compile(r'"([0-9a-f]{64})"')


class UnavailableError(BrokerError):
    """No answer, or one that says later: nothing is wrong with the request. Try again."""

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__("unavailable", message, "Try again later; nothing was lost.")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One line of the feed."""

    release: str
    position: int
    seq: int
    event: Literal["published", "withdrawn"]
    documents: tuple[str, ...]
    has_apart: bool
    raw: Mapping[str, Json]
    """The whole row as it came: reference, urgency, deadline …"""


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A page of the feed; an empty one is the end for now."""

    items: tuple[FeedRow, ...]
    environment: str


class PartnerApi:
    """One connection to one broker. `http` may bring own TLS settings or a transport."""

    def __init__(self, url: str, auth: BrokerAuth, http: httpx.Client | None = None) -> None:
        self._url = url
        self._auth = auth
        # Proxies of the environment see only TLS; redirects would carry a token elsewhere.
        self._http = http or httpx.Client(timeout=30, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def feed(self, after: int = -1, *, limit: int | None = None, urgency: str | None = None) -> FeedPage:
        """The rows behind ledger position `after`."""
        cursor = f"{after}.{urgency}" if urgency and after >= 0 else str(after)
        asked = {"after": cursor, "limit": limit, "urgency": urgency}
        params = {k: str(v) for k, v in asked.items() if v is not None}
        body = _json(self._get("/v1/referrals", MAX_PAGE, params=params))
        items = body.get("items") if type(body) is dict else None
        if type(items) is not list or type(body.get("environment")) is not str:
            raise NotAuthentic("feed-form", "the feed page is not of the documented form")
        return FeedPage(tuple(read_row(item) for item in items), body["environment"])

    def collect(self, release: str) -> bytes:
        """The referral's JWE, as stored by the broker."""
        return self._get(f"/v1/referrals/{_release(release)}", MAX_REFERRAL, accept=JOSE)

    def apart(self, release: str) -> bytes:
        """The JWE of what is sealed apart."""
        return self._get(f"/v1/referrals/{_release(release)}/apart", MAX_REFERRAL, accept=JOSE)

    def document(self, release: str, name: str) -> bytes:
        """The JWE of one document."""
        path = f"/v1/referrals/{_release(release)}/documents/{document_name(name)}"
        return self._get(path, MAX_DOCUMENT, accept=JOSE)

    def proof(self, release: str) -> bytes:
        """The proof of publication, text."""
        path = f"/v1/referrals/{_release(release)}/proof"
        return self._get(path, MAX_PROOF, accept="text/plain")

    def checkpoint(self) -> bytes:
        """The ledger's latest checkpoint (needs no token, gets one anyway)."""
        return self._get("/v1/ledger/checkpoint", MAX_PROOF, accept="text/plain")

    def send_receipt(self, release: str, receipt: str) -> None:
        """Send the signed receipt; sending the same bytes again is harmless."""
        path = f"/v1/referrals/{_release(release)}/receipt"
        self._send("PUT", path, receipt.encode("ascii"), JOSE)

    def read(
        self,
        release: str,
        ground: Ground,
        *,
        user_reference: str | None = None,
        own_case_number: str | None = None,
    ) -> None:
        """Record that a person reads it, and on what ground."""
        body = {
            "ground": ground,
            "userReference": user_reference,
            "ownCaseNumber": own_case_number,
        }
        self._send_json("POST", f"/v1/referrals/{_release(release)}/reads", body)

    def answer(
        self,
        release: str,
        answer_id: UUID,
        outcome: str,
        *,
        case_reference: str | None = None,
        gaps: tuple[str, ...] = (),
        suggest: str | None = None,
    ) -> None:
        """Report the outcome. The id is the partner's own: repeating the same call is harmless."""
        body = {
            "outcome": outcome,
            "caseReference": case_reference,
            "gaps": list(gaps) or None,
            "suggest": suggest,
        }
        self._send_json("PUT", f"/v1/referrals/{_release(release)}/answers/{answer_id}", body)

    def submit(self, case: bytes) -> Json:
        """Hand in a canonical case (hotlines only); the broker's answer."""
        return _json(self._send("POST", "/v1/cases", case, "application/json"))

    def _send_json(self, method: str, path: str, body: Mapping[str, Json]) -> None:
        said = {name: value for name, value in body.items() if value is not None}
        self._send(method, path, encode(said), "application/json")

    def _send(self, method: str, path: str, content: bytes, media_type: str) -> bytes:
        headers = {"Content-Type": media_type}
        return self._call(method, path, MAX_PAGE, content=content, headers=headers)

    def _get(
        self,
        path: str,
        limit: int,
        *,
        params: Mapping[str, str] | None = None,
        accept: str = "application/json",
    ) -> bytes:
        return self._call("GET", path, limit, params=params, headers={"Accept": accept})

    def _call(
        self,
        method: str,
        path: str,
        limit: int,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str],
    ) -> bytes:
        try:
            with self._http.stream(
                method,
                self._url + path,
                params=params,
                content=content,
                headers=headers,
                auth=self._auth,
            ) as response:
                body = _bounded(response, limit)
        except httpx.HTTPError as error:
            raise UnavailableError(f"the broker was not reached ({type(error).__name__})") from None
        if response.status_code >= 300:
            raise of_problem(response, body)
        tag = _TAG.fullmatch(response.headers.get("etag", ""))
        if tag is not None and tag[1] != sha256_hex(body):
            raise NotAuthentic("etag", "what arrived is not what the broker sent", "Collect it again.")
        return body


def read_row(item: Json) -> FeedRow:
    """A feed row with the members that matter checked; anything else about it is refused."""
    try:
        row = FeedRow(
            release=_release(item["release"]),
            position=item["position"],
            seq=item["seq"],
            event=item["event"],
            documents=tuple(document_name(d["name"]) for d in item["sizes"]["documents"]),
            has_apart=item["sizes"]["apart"] > 0,
            raw=item,
        )
    except (KeyError, TypeError, Refused):
        row = None
    if (
        row is None
        or row.event not in ("published", "withdrawn")
        or type(row.position) is not int
        or type(row.seq) is not int
    ):
        raise NotAuthentic("feed-form", "a row of the feed is not of the documented form")
    return row


def document_name(name: Json) -> str:
    """The name, if it is safe as a file name and in an address."""
    if type(name) is not str or not _NAME.fullmatch(name):
        raise Refused("document-name", "a document's name is not of the permitted form")
    return name


def of_problem(response: httpx.Response, body: bytes) -> BrokerError:
    """The error that a problem document stands for."""
    status = response.status_code
    try:
        problem = _json(body)
    except NotAuthentic:
        problem = {}
    words = _words(problem, "detail") or f"the answer was {status}"
    hint, reason = _words(problem, "hint"), _words(problem, "reason")
    if status in (429, 502, 503, 504):
        after = response.headers.get("retry-after", "")
        return UnavailableError("the broker asks to wait", int(after) if after.isdecimal() else None)
    if status == 404:
        return NotFound("release at the broker")
    if status in (401, 403):
        return Forbidden(reason if reason == OF_ONE_RELEASE else "not-admitted", words, hint)
    if status == 410:
        return Conflict(reason if reason in ENDED else "gone", words, hint)
    if status == 409:
        return Conflict("conflict", words, hint)
    if status < 500:
        return Refused("refused-by-broker", words, _issues(problem), hint)
    return UnavailableError(f"the broker failed with {status}")


def _words(problem: Json, member: str) -> str:
    """Text of a problem document, fit for a terminal; empty where there is none."""
    said = problem.get(member) if type(problem) is dict else None
    return said[:300] if type(said) is str and said.isprintable() else ""


def _issues(problem: Json) -> tuple[Issue, ...]:
    listed = problem.get("issues", []) if type(problem) is dict else []
    return tuple(
        Issue(str(i.get("field"))[:200], str(i.get("rule"))[:80], str(i.get("detail"))[:200])
        for i in (listed if type(listed) is list else [])
        if type(i) is dict
    )


def _bounded(response: httpx.Response, limit: int) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > limit:
            raise Refused("answer-size", "the broker's answer is larger than such an object can be")
    return bytes(body)


def _release(release: Json) -> str:
    if type(release) is not str or not _RELEASE.fullmatch(release):
        raise Refused("release-id", "a release id is not 26 characters a-z2-7")
    return release


def _json(body: bytes) -> Json:
    try:
        return decode(body, max_bytes=MAX_PAGE)
    except Refused:
        raise NotAuthentic("answer-form", "the broker's answer is not JSON as documented") from None
