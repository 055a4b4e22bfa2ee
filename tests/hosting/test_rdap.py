"""RDAP: asked only where the operator's bootstrap says, bounded, and what it said is kept."""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import httpx
import pytest

from broker.errors import Misconfigured
from broker.hosting import Bootstrap, GuardedTransport, Rdap

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADDRESS = ip_address("192.0.2.14")
IANA = {
    "version": "1.0",
    "services": [
        [["192.0.0.0/8"], ["http://plain.example/", "https://wide.example/rdap/"]],
        [["192.0.2.0/24"], ["https://rdap.example/"]],
        [["198.51.100.0/24"], ["http://plain.example/"]],
    ],
}
ANSWER = {
    "objectClassName": "ip network",
    "handle": "SYN-192-0-2-0",
    "startAddress": "192.0.2.0",
    "endAddress": "192.0.2.255",
    "name": "SYNTHETIC-NET",
    "country": "be",
    "links": [{"media": "screen", "href": "https://rdap.example/"}],
    "entities": [
        {
            "roles": ["registrant"],
            "vcardArray": ["vcard", [["fn", {}, "text", "Host One"]]],
            "entities": [
                {
                    "roles": ["abuse"],
                    "vcardArray": ["vcard", [["email", {}, "text", "abuse@host-one.example"]]],
                }
            ],
        }
    ],
}
BOOTSTRAP = Bootstrap.read(json.dumps(IANA).encode())


class Chunks(httpx.SyncByteStream):
    """A body that comes over the wire, as httpx.ByteStream does not."""

    def __init__(self, content):
        self._content = content

    def __iter__(self):
        yield self._content


def ask(handler, address=ADDRESS, **more):
    transport = GuardedTransport(
        httpx.MockTransport(handler),
        resolve=lambda _: ["192.0.2.250"],
        injected=(ip_network("192.0.2.0/24"),),
    )
    rdap = Rdap(BOOTSTRAP, transport, **more)
    try:
        return rdap.look_up(address, AT)
    finally:
        rdap.close()


def answering(document=ANSWER, status=200, **headers):
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return lambda _: httpx.Response(status, stream=Chunks(content), headers=headers)


def test_the_narrowest_server_with_https_is_asked():
    assert BOOTSTRAP.server(ADDRESS) == "https://rdap.example"
    assert BOOTSTRAP.server(ip_address("192.0.3.1")) == "https://wide.example/rdap"
    assert BOOTSTRAP.server(ip_address("198.51.100.1")) is None
    assert BOOTSTRAP.server(ip_address("2001:db8::1")) is None


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"services":[1]}', b'{"services":[[["x"],["https://a"]]]}']
)
def test_a_wrong_bootstrap_is_refused(content):
    with pytest.raises(Misconfigured):
        Bootstrap.read(content)


def test_what_the_registry_says_is_kept_with_where_and_when():
    asked = []

    def handler(request):
        asked.append(request)
        return answering()(request)

    found, evidence = ask(handler)
    assert (found.handle, found.country, found.organisation) == ("SYN-192-0-2-0", "BE", "Host One")
    assert found.abuse == ("abuse@host-one.example",)
    assert asked[0].url.path == "/ip/192.0.2.14"
    assert asked[0].headers["accept-encoding"] == "identity"
    assert (evidence.method, evidence.at, evidence.source) == ("rdap", AT, "https://rdap.example")
    assert (evidence.outcome, evidence.handle) == ("found", "SYN-192-0-2-0")
    assert evidence.digest == hashlib.sha256(json.dumps(ANSWER).encode()).hexdigest()
    assert evidence.record()["at"] == "2026-03-01T12:00:00+00:00"


def test_no_server_is_an_answer_too():
    found, evidence = ask(answering(), ip_address("203.0.113.1"))
    assert found is None
    assert evidence.outcome == "no-server"


@pytest.mark.parametrize(
    ("handler", "outcome"),
    [
        (answering(status=404), "not-registered"),
        (answering(status=429), "status-429"),
        (answering(status=500), "status-500"),
        (answering(b"canary"), "answer-json"),
        (answering([ANSWER]), "answer-type"),
        (answering({**ANSWER, "objectClassName": "domain"}), "answer-type"),
        (answering({**ANSWER, "endAddress": "192.0.2.1"}), "answer-range"),
        (answering({**ANSWER, "startAddress": "::"}), "answer-range"),
        (answering({**ANSWER, "startAddress": 5}), "answer-range"),
        (answering({**ANSWER, "remarks": "data:image/png;base64,x"}), "answer-media"),
        (answering(b"[" * 100_000), "answer-depth"),
        (answering(b" " * (512 * 1024 + 1)), "look-up-oversize"),
    ],
)
def test_what_a_server_does_wrong_stands_in_the_evidence(handler, outcome):
    found, evidence = ask(handler)
    assert found is None
    assert evidence.outcome == outcome
    assert "canary" not in str(evidence)


def test_a_packed_answer_is_not_unpacked():
    class Packed(httpx.SyncByteStream):
        def __iter__(self):
            raise AssertionError("the body was read")

    found, evidence = ask(
        lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Packed())
    )
    assert found is None
    assert evidence.outcome == "look-up-packed"


def test_an_answer_without_end_is_left_at_the_bound():
    sent = []

    class Endless(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                sent.append(1)
                yield b" " * 65536

    found, evidence = ask(lambda _: httpx.Response(200, stream=Endless()))
    assert found is None
    assert evidence.outcome == "look-up-oversize"
    assert len(sent) < 20


@pytest.mark.parametrize(
    ("target", "outcome"),
    [
        ("http://rdap.example/ip/192.0.2.14", "look-up-target"),
        ("https://127.0.0.1/", "look-up-target"),
        ("https://[64:ff9b::7f00:1]/", "look-up-target"),
        ("file:///etc/passwd", "look-up-target"),
        ("/again", "look-up-redirects"),
    ],
)
def test_redirects_go_through_the_same_guard(target, outcome):
    found, evidence = ask(lambda _: httpx.Response(302, headers={"location": target}))
    assert found is None
    assert evidence.outcome == outcome


def test_a_redirect_to_the_registry_that_knows_is_followed():
    def handler(request):
        if request.headers["host"] == "rdap.example":
            return httpx.Response(301, headers={"location": "https://other.example/ip/192.0.2.14"})
        return answering()(request)

    found, _ = ask(handler)
    assert found.handle == "SYN-192-0-2-0"


def test_a_server_that_hangs_or_breaks_is_given_up():
    def broken(_):
        raise httpx.ReadError("canary")

    assert ask(broken)[1].outcome == "no-answer"
    gate = threading.Event()

    def hanging(request):
        gate.wait(30)
        return answering()(request)

    assert ask(hanging, seconds=0.05)[1].outcome == "look-up-timeout"
    gate.set()


def test_odd_cards_are_passed_over():
    odd = [None, 1, [], ["vcard"], ["vcard", [1, ["email"], ["email", {}, "text", 5]]]]
    entities = [{"roles": ["abuse"], "vcardArray": card} for card in odd] + ["x", {"roles": 5}]
    found, _ = ask(answering({**ANSWER, "entities": entities, "country": "Belgium", "handle": 9}))
    assert (found.abuse, found.country, found.handle) == ((), "", "")
