"""What stands before every page: where a request comes from, and what a browser may do with an answer."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request

from broker.errors import Forbidden

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Referrer-Policy": "same-origin",  # `no-referrer` would make every Origin `null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), publickey-credentials-get=(self)",
    "Vary": "Cookie, Accept-Language",
}
"""On every page. No inline script or style, no frame, nothing from another host."""


def same_site(request: Request) -> None:
    """Raise `Forbidden` for a change that another site asked for.

    Browsers say where a request comes from (Fetch Metadata); older ones send Origin with a POST. Who
    says neither is refused.
    """
    if request.method in ("GET", "HEAD"):
        return
    site = request.headers.get("sec-fetch-site")
    if site == "same-origin":
        return
    origin = request.headers.get("origin", "")
    if site is None and origin and urlsplit(origin).netloc == request.headers.get("host"):
        return
    raise Forbidden("cross-site", "this request came from another site; nothing was done")


def inside(path: str, base: str) -> str:
    """`path` if it is one of this door, else the door's start: no redirect leads elsewhere."""
    if path.startswith(base + "/") and "\\" not in path and not path.startswith("//") and "\n" not in path:
        return path
    return base + "/"
