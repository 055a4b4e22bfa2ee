"""The doctor finds each usual fault, names it, and changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.client.doctor import diagnose, hint_for
from broker.client.keys import new_partner_keys
from broker.sealing.keyring import Keyring
from tests.client.fake_broker import CLIENT, ORIGIN, START, URL, FakeBroker, Side


def look(side: Side, key_folder: Path, **changes: Any) -> dict[str, tuple[bool, str, str]]:
    settings: dict[str, Any] = {"http": side.http, "clock": side.broker.clock.seconds, **changes}
    url = settings.pop("url", URL)
    checks = diagnose(url, CLIENT, key_folder, side.trust_folder, **settings)
    return {check.name: (check.ok, check.what, check.hint) for check in checks}


def test_healthy(broker: FakeBroker, side: Side, key_folder: Path) -> None:
    broker.publish(1)
    found = look(side, key_folder)
    assert list(found) == [
        "keys",
        "registration",
        "trust",
        "reach",
        "audience",
        "clock",
        "broker-keys",
        "token",
        "call",
    ]
    assert all(ok for ok, _, _ in found.values()), found
    assert broker.receipts == {}
    assert not side.root.exists()


@pytest.mark.parametrize(("off", "ok"), [(3, True), (20, True), (600, False), (-600, False)])
def test_clock(side: Side, key_folder: Path, off: int, ok: bool) -> None:
    found = look(side, key_folder, clock=lambda: side.broker.clock.seconds() + off)
    assert found["clock"][0] is ok
    assert (str(abs(off)) in found["clock"][1]) is (abs(off) > 5)
    assert found["token"][0]  # the client compensates


def unknown(broker: FakeBroker, side: Side, keys: Path) -> None:
    broker.directory.clients.clear()


def suspended(broker: FakeBroker, side: Side, keys: Path) -> None:
    broker.directory.suspended.add("pt_police")


def other_key(broker: FakeBroker, side: Side, keys: Path) -> None:
    new_partner_keys(keys.parent / "new", "pt_police", START, unencrypted=True)
    shutil.copy(keys.parent / "new" / "auth.pem", keys / "auth.pem")


def no_trust(broker: FakeBroker, side: Side, keys: Path) -> None:
    shutil.rmtree(side.trust_folder)


def no_receipt_key(broker: FakeBroker, side: Side, keys: Path) -> None:
    (keys / "receipt.pem").unlink()


def open_folder(broker: FakeBroker, side: Side, keys: Path) -> None:
    keys.chmod(0o755)


def no_scope(broker: FakeBroker, side: Side, keys: Path) -> None:
    record = broker.directory.clients[CLIENT]
    broker.directory.clients[CLIENT] = replace(record, scopes=frozenset({"referrals:answer"}))


def behind_proxy(broker: FakeBroker, side: Side, keys: Path) -> None:
    broker.app.state.partner_auth.public_url = "https://inner.example"
    broker.app.state.partner_auth._proofs._base = "https://inner.example"


FAULTS: dict[str, tuple[Callable[[FakeBroker, Side, Path], None], str, str]] = {
    "unknown kid": (unknown, "token", "registration.json"),
    "suspended": (suspended, "call", "suspended"),
    "key changed": (other_key, "registration", "register"),
    "trust missing": (no_trust, "trust", "onboarding"),
    "key missing": (no_receipt_key, "keys", ""),
    "folder open": (open_folder, "keys", "chmod 700"),
    "scope": (no_scope, "call", "scope"),
    "htu": (behind_proxy, "token", "public URL"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_named(broker: FakeBroker, side: Side, key_folder: Path, name: str) -> None:
    fault, check, hint = FAULTS[name]
    fault(broker, side, key_folder)
    ok, what, said = look(side, key_folder)[check]
    assert not ok
    assert what
    assert hint in said


def test_key_list_with_a_stranger(
    side: Side, key_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("other")
    folder.chmod(0o700)
    other = Keyring.init(folder, b"test-only passphrase", START, {"release", "checkpoint"})
    shutil.rmtree(side.trust_folder)
    other.export_trust(side.trust_folder, ORIGIN)
    ok, what, hint = look(side, key_folder)["broker-keys"]
    assert not ok
    assert "not pinned" in what
    assert "thumbprints" in hint


def test_another_address_than_the_issuer(side: Side, key_folder: Path) -> None:
    found = look(side, key_folder, url="https://alias.example")
    assert not found["audience"][0]
    assert not found["token"][0]


@pytest.mark.parametrize(
    ("error", "name", "words"),
    [
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), "tls", "certificate"),
        (httpx.ConnectError("refused"), "reach", "nothing listens"),
        (httpx.ReadTimeout("slow"), "reach", "does not answer"),
    ],
)
def test_no_connection(side: Side, key_folder: Path, error: httpx.HTTPError, name: str, words: str) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    with httpx.Client(transport=httpx.MockTransport(fail)) as http:
        ok, what, _ = look(side, key_folder, http=http)[name]
    assert not ok
    assert words in what


def test_login_page(side: Side, key_folder: Path) -> None:
    page = httpx.MockTransport(lambda request: httpx.Response(200, text="<html>"))
    with httpx.Client(transport=page) as http:
        ok, what, hint = look(side, key_folder, http=http)["reach"]
    assert not ok
    assert "not the broker" in what
    assert "proxy" in hint


def test_hint_for_repeated_requests() -> None:
    assert "twice" in hint_for("the assertion was used before: make one for each request")
    assert hint_for("something else entirely") == ""
