"""One form for an address however it is written, and no address that breaks it."""

from __future__ import annotations

import pytest

from broker.core.locator import folded

SAME = {
    "https://host.example/a/b?x=1&y=2": (
        "http://host.example/a/b?x=1&y=2",
        "HTTPS://Host.EXAMPLE:443/a/b/?y=2&x=1#part",
        "https://host.example.:80/a//b?x=1&&y=2&",
        "https://user:word@host.example:0443/a/./c/../b?x=1&y=2",
        "https://host.example/%61/b?x=%31&y=2",
        " https://host.example/a/b?x=1&y=2\n",
    ),
    "https://xn--bcher-kva.example/%C3%A4?q=a+b": (
        "https://bücher.example/ä?q=a%20b",
        "https://B%C3%9CCHER.example/%c3%a4?q=a b",
    ),
    "http://[2001:db8::1]/": ("http://[2001:DB8:0::0001]:80", "https://[2001:db8::1]:443/#x"),
    "ftp://host.example/a": ("ftp://HOST.example:21/a/",),
    "http://host.example:99999/": ("https://host.example:99999",),
}
OTHER = (
    "https://host.example/a/b", "https://host.example/a/b?x=1", "https://host.example/A/b?x=1&y=2",
    "https://host.example:8443/a/b?x=1&y=2", "https://www.host.example/a/b?x=1&y=2",
    "ftp://host.example/a/b?x=1&y=2", "https://host.example/%ff", "https://host.example/%fe",
    "magnet:?xt=urn:btih:abc", "magnet:?xt=urn:btih:abd", "http://[bad/", "http://[worse/",
    "http://a..b.example/", "http://" + "a" * 70 + ".example/", "http://host.example:port/",
)  # fmt: skip


@pytest.mark.parametrize("url", SAME)
def test_every_spelling_is_one(url: str) -> None:
    assert {folded(other) for other in SAME[url]} == {folded(url)}


def test_another_address_is_another() -> None:
    everything = (*SAME, *OTHER)
    assert len({folded(url) for url in everything}) == len(everything)
