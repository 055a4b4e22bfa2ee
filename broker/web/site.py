"""The two doors as ASGI applications: /desk for staff, /inbox for partner agencies without software.

A request is read, then served in one unit of work on a worker thread; the answer leaves after the
commit. Whatever goes wrong becomes a page that says what happened, what was not done, what to do.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote
from zoneinfo import ZoneInfo

import psycopg
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError, IntegrityError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from broker import auth
from broker.auth import Visitor
from broker.desk.context import Desk
from broker.errors import BrokerError, Conflict, Forbidden, NotFound, Refused
from broker.observe import log
from broker.runtime import session_life
from broker.store.engine import UnitSession, unit_of_work
from broker.web import forms, guard, render
from broker.web.asked import Asked, asked_for
from broker.web.forms import Form
from broker.web.page import Answer, Backstage, File, House, Page, Show, Visit, menu, pages
from broker.web.words import Words, preferred

SESSION = "session"
CHOICES = {"language": "en", "theme": "auto", "keys": "on", "pause": "45"}
"""What people choose for themselves, kept in their browser; none of it says who they are."""
STATUS: tuple[tuple[type[BrokerError], int], ...] = (
    (Refused, 400),
    (NotFound, 404),
    (Forbidden, 403),
    (Conflict, 409),
)
_BY_A_GUARD = Conflict("database-rule", "the database does not allow it; nothing was stored")
AT_ONCE = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
"""What the database says to one of two that do the same at the same moment; nothing of it is stored."""


@dataclass(frozen=True, slots=True)
class Site:
    """One door."""

    desk: Desk
    house: House
    app: FastAPI | None = None
    """The application around it, whose pools the inbox asks."""

    @property
    def base(self) -> str:
        """Where the door stands."""
        return f"/{self.house}"

    def application(self) -> Starlette:
        """Routes for every page of this door, by path."""
        by_path: dict[str, dict[str, Page]] = {}
        for page in pages(self.house):
            for method in page.methods:
                by_path.setdefault(page.path, {})[method] = page
        routes = [
            Route(path, self._endpoint(methods), methods=[*methods], name=path)
            for path, methods in sorted(by_path.items(), key=lambda item: "{" in item[0])
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: self._no_page})

    def _endpoint(self, methods: Mapping[str, Page]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            page = methods["GET" if request.method == "HEAD" else request.method]
            asked = self._asked(request, page, Form())
            try:
                guard.same_site(request)
                if request.method == "POST":
                    asked = replace(asked, form=await forms.read(request))
                return await run_in_threadpool(self._served, asked)
            except BrokerError as error:
                return await run_in_threadpool(self._failed, asked, error)
            except IntegrityError:  # of two at once the second: no check before it could see the first
                return await run_in_threadpool(self._failed, asked, _BY_A_GUARD)

        return endpoint

    async def _no_page(self, request: Request, error: Exception) -> Response:
        nobody = Page("", (), self.house, frozenset(), True, _nothing, "")
        code = getattr(error, "status_code", 404)
        found = NotFound("page") if code == 404 else Refused("method", "this page takes no such request")
        if code == 413:
            found = forms.too_large()
        return await run_in_threadpool(self._failed, self._asked(request, nobody, Form()), found)

    def _asked(self, request: Request, page: Page, form: Form) -> Asked:
        return asked_for(request, page, form, self.base + request.url.path.removeprefix(self.base))

    def _served(self, asked: Asked) -> Response:
        """Who came second is served once more, and then sees what the first did and is told in its words."""
        try:
            return self._serve(asked)
        except DBAPIError as error:
            if not isinstance(error.orig, AT_ONCE):
                raise
        return self._serve(asked)

    def _serve(self, asked: Asked) -> Response:
        with unit_of_work(self.desk.db) as session:
            visitor = self._visitor(asked, session)
            visit = self._visit(asked, session, visitor)
            if visitor is None and not asked.page.open:
                return self._to_sign_in(asked, visit)
            if not asked.page.admits(visitor):
                raise Forbidden("page-role", "this page is not part of your work")
            answer = asked.page.handler(visit)
            body = self._shown(asked, visit, answer) if isinstance(answer, Show) else b""
        return self._response(asked, answer, body)

    def _visitor(self, asked: Asked, session: UnitSession) -> Visitor | None:
        token = asked.cookies.get(self.cookie_name, "")
        try:
            life = session_life(self.desk.settings)
            return auth.resume(session, token, self.desk.now(), life=life) if token else None
        except Forbidden:
            return None

    def _visit(self, asked: Asked, session: UnitSession, visitor: Visitor | None) -> Visit:
        return Visit(
            desk=self.desk,
            session=session,
            house=self.house,
            visitor=visitor,
            path=asked.path,
            params=asked.params,
            query=asked.query,
            form=asked.form,
            cookies={**asked.cookies, SESSION: asked.cookies.get(self.cookie_name, "")},
            words=self._words(asked),
            now=self.desk.now(),
            partial=asked.partial,
            backstage=self._backstage(),
        )

    def _backstage(self) -> Backstage | None:
        api = None if self.app is None else getattr(self.app.state, "api", None)
        return None if api is None else Backstage(api)

    def _words(self, asked: Asked) -> Words:
        language = preferred(asked.accept_language, asked.cookies.get("language"))
        return Words(language, ZoneInfo(self.desk.pack.timezone))

    def _to_sign_in(self, asked: Asked, visit: Visit) -> Response:
        """A form that was sent too late is not lost: it is sent on with the sign-in (same browser only)."""
        if asked.partial:
            body = self._shown(asked, visit, Show("signed_out.html", status=403))
            return self._html(body, 403)
        if not asked.form.pairs:
            going = quote(asked.address, safe="/")
            return RedirectResponse(f"{self.base}/sign-in?next={going}", 303, headers=guard.HEADERS)
        from broker.web.signin import page_of

        shown = page_of(visit, next_path=asked.path, kept=asked.form.pairs)
        return self._with_cookies(self._html(self._shown(asked, visit, shown), 403), shown.cookies)

    def _failed(self, asked: Asked, error: BrokerError) -> Response:
        status = next((code for kind, code in STATUS if isinstance(error, kind)), 500)
        if status == 500:
            log.error("page-failed", exc_info=error, trace=asked.trace, route=asked.page.path)
        with unit_of_work(self.desk.db) as session:
            visit = self._visit(asked, session, self._visitor(asked, session))
            values = {"error": error, "issues": getattr(error, "issues", ()), "status": status}
            template = "failed_part.html" if asked.partial else "error.html"
            body = self._shown(asked, visit, Show(template, values))
        return self._html(body, status)

    def _shown(self, asked: Asked, visit: Visit, answer: Show) -> bytes:
        entries = menu(self.house, visit.visitor)
        frame = {
            "visit": visit,
            "base": self.base,
            "menu": entries,
            "here_now": _here(entries, asked.path.removeprefix(self.base)),
            "back": asked.address if _can_be_read(self.house, asked.page) else f"{self.base}/",
            "idle": 0 if visit.visitor is None else self.desk.settings.session_idle_minutes,
            "synthetic": self.desk.settings.synthetic,
            "organisation": self.desk.pack.desk.organisation,
            "choices": {name: asked.cookies.get(name, default) for name, default in CHOICES.items()},
            "said": _said(asked.cookies.get("said", "")),
            "trace": asked.trace,
        }
        return render.page(answer.template, visit.words, {**frame, **answer.values})

    def _response(self, asked: Asked, answer: Answer, body: bytes) -> Response:
        if isinstance(answer, Show):
            shown = self._html(body, answer.status, clear_said="said" in asked.cookies)
            return self._with_cookies(shown, answer.cookies)
        if isinstance(answer, File):
            kind = "inline" if answer.inline else "attachment"
            headers = {**guard.HEADERS, "Content-Disposition": f'{kind}; filename="{answer.name}"'}
            return Response(answer.content, media_type=answer.media_type, headers=headers)
        response: Response = RedirectResponse(answer.path, 303, headers=guard.HEADERS)
        if asked.partial:
            response = Response(status_code=204, headers={**guard.HEADERS, "HX-Redirect": answer.path})
        if answer.said:
            self.set_cookie(response, "said", urlsafe_b64encode(answer.said.encode()).decode(), 60)
        return self._with_cookies(response, answer.cookies)

    def _with_cookies(self, response: Response, cookies: Mapping[str, str]) -> Response:
        for name, value in cookies.items():
            keep = 365 * 86400 if name in CHOICES else None
            self.set_cookie(response, self.cookie_name if name == SESSION else name, value, keep)
        return response

    def _html(self, body: bytes, status: int, *, clear_said: bool = False) -> Response:
        response = Response(body, status, media_type="text/html; charset=utf-8", headers=guard.HEADERS)
        if clear_said:
            response.delete_cookie("said", path=self.base)
        return response

    @property
    def cookie_name(self) -> str:
        """`__Secure-` where the house has TLS; a loopback demo has none."""
        return f"__Secure-{SESSION}" if self._secure else SESSION

    @property
    def _secure(self) -> bool:
        return self.desk.settings.issuer.startswith("https://")

    def set_cookie(self, response: Response, name: str, value: str, max_age: int | None) -> None:
        """A cookie of this door alone; an empty value takes it away."""
        if not value:
            response.delete_cookie(name, path=self.base)
            return
        response.set_cookie(
            name, value, max_age=max_age, path=self.base, secure=self._secure, httponly=True, samesite="lax"
        )


def _here(entries: Sequence[Page], path: str) -> Page | None:
    """The menu entry that leads nearest to where the reader is."""
    near = [entry for entry in entries if path == entry.path or path.startswith(entry.path + "/")]
    return max(near, key=lambda entry: len(entry.path), default=None)


def _can_be_read(house: House, page: Page) -> bool:
    """Whether its address can be asked for again: some only take what a form sends."""
    return any("GET" in one.methods for one in pages(house) if one.path == page.path)


def _said(cookie: str) -> str:
    try:
        return urlsafe_b64decode(cookie.encode()).decode()[:500]
    except ValueError:
        return ""


def _nothing(visit: Visit) -> Answer:
    raise NotFound("page")
