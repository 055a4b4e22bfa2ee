"""One form for an address on the internet, however it was written: what is compared for a police hold.

Rather too coarse than too fine: a hold that also meets the neighbour of its address costs days, one that
is passed by in another spelling warns a suspect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import unquote_to_bytes, urlsplit

_WEB = frozenset({"http", "https"})
_USUAL = {"http": frozenset({"80", "443"}), "https": frozenset({"80", "443"}), "ftp": frozenset({"21"})}
_FORMERLY = {"http": 80, "https": 443, "ftp": 21}
_PORT = re.compile(r":0*([^:@\]]+)$")


def folded(url: str) -> str:
    """The same text for every spelling of an address; what cannot be taken apart stands as it is.

    The same are http and https, a usual port and none, a name in any case, with a dot at its end or in
    punycode, an encoded character and the plain one, an empty path and a slash, slashes and dots too many,
    members of a query in any order, and whatever stands behind a `#` or before an `@`.
    """
    try:
        parts = urlsplit(url.strip())
        scheme, name = parts.scheme, parts.hostname or ""
    except ValueError:
        return url.strip()
    port = _PORT.search(parts.netloc.rpartition("@")[2])  # not `parts.port`, which raises for 99999
    where = "" if port is None or port[1] in _USUAL.get(scheme, frozenset()) else f":{port[1]}"
    query = sorted(_plain(member.replace("+", " ")) for member in parts.query.split("&") if member)
    kind = "web" if scheme in _WEB else scheme
    return f"{kind}//{_name(name)}{where}{_path(parts.path)}?{'&'.join(query)}"


def _name(name: str) -> str:
    name = _plain(name).rstrip(".")
    try:
        return str(ip_address(name))
    except ValueError:
        pass
    try:
        return name.encode("idna").decode("ascii").casefold()
    except UnicodeError:  # too long a label, an empty one: no name anybody resolves
        return name.casefold()


def _path(path: str) -> str:
    kept: list[str] = []
    for part in re.split("/+", _plain(path)):
        if part == "..":
            kept[-1:] = []
        elif part not in ("", "."):
            kept.append(part)
    return "/" + "/".join(kept)


def _plain(text: str) -> str:
    """With every encoded octet as it is; what is no UTF-8 keeps its octets apart."""
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def formerly(url: str) -> Iterator[str]:
    """The form before there was `folded`: holds were kept under it, and are found by it while they run."""
    try:
        parts = urlsplit(url)
        port = "" if parts.port in (None, _FORMERLY.get(parts.scheme)) else f":{parts.port}"
    except ValueError:  # no hold was ever kept of what has no port that can be
        return
    yield f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path or '/'}?{parts.query}"
