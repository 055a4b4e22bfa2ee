"""A request to a page, read before the thread that serves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

from broker.api.problems import trace_id
from broker.web import forms
from broker.web.forms import Form
from broker.web.page import Page


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page needs of an HTTP request."""

    page: Page
    params: Mapping[str, str]
    path: str
    query: Form
    form: Form
    cookies: Mapping[str, str]
    accept_language: str
    partial: bool
    trace: str

    @property
    def address(self) -> str:
        """The page with its filters, which are of no person (a view can be shared)."""
        return f"{self.path}?{urlencode(self.query.pairs)}" if self.query.pairs else self.path


def asked_for(request: Request, page: Page, form: Form, path: str) -> Asked:
    """Read it. `path` is the whole one, with the door."""
    return Asked(
        page=page,
        params={k: forms.text(str(v)) for k, v in request.path_params.items()},
        path=path,
        query=Form(tuple((k, forms.text(v)) for k, v in request.query_params.multi_items())),
        form=form,
        cookies=request.cookies,
        accept_language=request.headers.get("accept-language", ""),
        partial="hx-request" in request.headers,
        trace=trace_id(request.scope),
    )


def kept_fields(pairs: str) -> list[tuple[str, str]]:
    """Fields of a form that waited for a sign-in. Anything else than pairs of text is nothing."""
    try:
        found = json.loads(pairs)
    except (ValueError, RecursionError):
        return []
    if not isinstance(found, list):
        return []
    return [(str(p[0]), str(p[1])) for p in found if isinstance(p, list) and len(p) == 2]
