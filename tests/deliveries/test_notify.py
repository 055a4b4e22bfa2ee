"""Notices that something waits: signed, thin, to the public internet only, once."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import standardwebhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import select

from broker.demo.house import House
from broker.desk import endpoints, notify, outward
from broker.desk.endpoints import Endpoint
from broker.errors import Refused
from broker.sealing import webhooks
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import canaries, full_case
from tests.deliveries import office, post
from tests.fakes import iccam_server

PUBLIC = "93.184.215.14"


def test_framing_is_that_of_standard_webhooks() -> None:
    """The library is symmetric only: it checks what is signed; the signature itself is checked by its key."""
    secret = base64.b64encode(b"synthetic secret of 32 octets...").decode()
    body, name, at = b'{"type":"x"}', "msg_1", 1_900_000_000
    theirs = standardwebhooks.Webhook(secret)
    expected = theirs.sign(name, dt.datetime.fromtimestamp(at, dt.UTC), body.decode())
    ours = hmac.new(base64.b64decode(secret), webhooks.content(name, at, body), hashlib.sha256).digest()
    assert expected == "v1," + base64.b64encode(ours).decode()
    seed = bytes(range(32))
    headers = webhooks.headers(seed, name, at, body)
    key = Ed25519PublicKey.from_public_bytes(
        base64.b64decode(webhooks.public_key(seed).removeprefix("whpk_"))
    )
    version, _, signature = headers["webhook-signature"].partition(",")
    assert version == "v1a"
    key.verify(base64.b64decode(signature), f"{name}.{at}.".encode() + body)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "::1", "fe80::1",
     "fd00::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "::ffff:127.0.0.1", "2002:7f00:1::", "224.0.0.1",
     "ff02::1", "192.0.2.1", "2001:db8::1", "0.1.2.3", "no address", "::7f00:1", "::10.0.0.1",
     "2001:0:4136:e378::1", "fec0::1", "fe80::1%eth0", "192.88.99.1", "0.0.0.1", "2130706433", "0177.0.0.1"],
)  # fmt: skip
def test_an_address_that_is_not_of_the_public_internet_is_refused(address: str) -> None:
    for answer in ([address], [PUBLIC, address], [address, PUBLIC]):
        with pytest.raises(Refused):
            outward.pin("hook.example", 443, lambda *_, a=answer: a)
    assert outward.pin("hook.example", 443, lambda *_: [PUBLIC]) == PUBLIC


@pytest.mark.parametrize(
    "url",
    ["http://hook.example/", "https://a:b@hook.example/", "https://hook.example/#x", "ftp://hook.example/",
     "", None, "https://", "https://hook.example/" + "x" * 600, "file:///etc/passwd",
     "https://hook.example:99999/", "https://hook.example:port/", "https://[hook/", "https://hook.example:0/"],
)  # fmt: skip
def test_a_url_that_is_not_plain_https_is_no_endpoint(url: Any) -> None:
    assert outward.url_issues(url)
    assert notify.endpoint_issues("webhook", {"url": url})


@contextmanager
def receiver(
    folder: Path, status: int = 204
) -> Iterator[tuple[int, list[tuple[dict[str, str], bytes]], Any]]:
    """An https server with a certificate for hook.example: (port, what it got, trust)."""
    iccam_server.make_pki(folder)
    got: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(status)
            if status == 302:
                self.send_header("location", "https://127.0.0.1/")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], got, ssl.create_default_context(cafile=str(folder / "ca.pem"))
    finally:
        server.shutdown()
        server.server_close()


def test_tls_is_checked_against_the_name_and_redirects_are_not_followed(tmp_path: Path) -> None:
    with receiver(tmp_path, status=302) as (port, got, trust):
        to_us = partial(
            outward.post, body=b"x", headers={}, resolver=lambda *_: ["127.0.0.1"], trust=trust, loopback=True
        )
        assert to_us(f"https://hook.example:{port}/a?b") == 302
        assert got[0][0]["host"] == f"hook.example:{port}"
        with pytest.raises(Exception, match="certificate"):
            to_us(f"https://other.example:{port}/a?b")
    with pytest.raises(Refused):
        outward.post("https://localhost/", b"x", {})
    assert len(got) == 1


def with_notice(house: House, channel: str, config: dict[str, Any]) -> None:
    with unit_of_work(house.desk.db) as session:
        endpoints.set_endpoint(
            house.desk, session, house.people["administrator"], house.partners["police"],
            Endpoint("notice", channel, "", config),
        )  # fmt: skip


def codes(house: House) -> list[str]:
    with unit_of_work(house.desk.db) as session:
        return list(session.exec(select(tables.NoticeAttempt.code).order_by(tables.NoticeAttempt.id)))  # type: ignore[arg-type]


def test_a_webhook_says_that_something_waits_and_nothing_more(mailed: House, tmp_path: Path) -> None:
    folder = tmp_path / "hook"
    folder.mkdir()
    desk = mailed.desk
    with receiver(folder) as (port, got, trust):
        with_notice(mailed, "webhook", {"url": f"https://hook.example:{port}/in"})
        document = full_case("person_lead")
        release = build.released(mailed, "police", document).release

        def send(_: Any, config: Any, name: str, now: Any) -> str:
            body = notify.body(desk, now)
            signed = webhooks.headers(desk.vault().lasting("webhook"), name, int(now.timestamp()), body)
            status = outward.post(
                config["url"], body, signed, resolver=lambda *_: ["127.0.0.1"], trust=trust, loopback=True
            )
            return notify.ACCEPTED if status == 204 else f"status-{status}"

        assert notify.tell(desk) == 0  # the product itself never calls a loopback address
        clock: Any = desk.clock
        clock.ahead = timedelta(minutes=2)
        assert notify.tell(desk, {"webhook": send}) == 1
        assert notify.tell(desk, {"webhook": send}) == 0
    assert codes(mailed)[-1] == "accepted"
    assert codes(mailed)[0] in ("not-sent", "address-not-global")
    headers, body = got[0]
    assert set(json.loads(body)) == {"type", "timestamp", "data"}
    everything = str(headers) + body.decode()
    assert release not in everything
    assert [p for p, value in canaries(document).items() if value in everything] == []


def test_a_mail_says_no_more(mailed: House, sink: post.Sink) -> None:
    office.channel(mailed, "notice", office.relay(sink.port))
    with_notice(mailed, "mail", {"address": "desk@police.example"})
    document = full_case("person_lead")
    build.released(mailed, "police", document)
    assert notify.tell(mailed.desk) == 1
    assert notify.tell(mailed.desk) == 0
    (raw,) = sink.taken
    message = message_from_bytes(raw, policy=default)
    assert message["To"] == "desk@police.example"
    assert [p for p, value in canaries(document).items() if value.encode() in raw] == []


def test_a_notice_that_cannot_be_sent_is_tried_five_times(mailed: House) -> None:
    office.channel(mailed, "notice", office.relay(post.free_port()))
    with_notice(mailed, "mail", {"address": "desk@police.example"})
    build.released(mailed, "police")
    clock: Any = mailed.desk.clock
    for hours in range(1, 10):
        notify.tell(mailed.desk)
        clock.ahead = timedelta(hours=4 * hours)
    assert codes(mailed) == ["not-sent"] * 5


def test_who_cannot_be_reached_is_asked_once_in_a_round(mailed: House, sink: post.Sink) -> None:
    office.channel(mailed, "notice", office.relay(post.free_port()))
    with_notice(mailed, "mail", {"address": "desk@police.example"})
    releases = {build.released(mailed, "police").release for _ in range(3)}
    assert notify.tell(mailed.desk) == 0
    assert codes(mailed) == ["not-sent"]
    office.channel(mailed, "notice", office.relay(sink.port))
    clock: Any = mailed.desk.clock
    clock.ahead = timedelta(minutes=2)
    assert notify.tell(mailed.desk) == len(releases)
    assert len(sink.taken) == len(releases)


def test_one_process_tells_at_a_time(mailed: House, sink: post.Sink) -> None:
    office.channel(mailed, "notice", office.relay(sink.port))
    with_notice(mailed, "mail", {"address": "desk@police.example"})
    build.released(mailed, "police")
    told: list[int] = []

    def send(*_: Any) -> str:
        told.append(notify.tell(mailed.desk))  # another process comes by while this one is at it
        return notify.ACCEPTED

    assert notify.tell(mailed.desk, {"mail": send}) == 1
    assert told == [0]
    assert sink.taken == []


@pytest.mark.parametrize(
    "address", ["a b@c.example", "x", "a@b.example\nBcc: c@d.example", None, "a@b.example, c@d.example"]
)
def test_one_plain_address_only(address: Any) -> None:
    assert notify.endpoint_issues("mail", {"address": address})
