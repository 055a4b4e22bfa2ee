"""Sealed pull on one machine, opening on another without network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from broker.client import folder as folder_module
from broker.client import open as open_module
from broker.client.folder import Folder
from broker.client.keys import PartnerKeys
from broker.client.open import is_open, open_release
from broker.errors import Misconfigured, NotAuthentic, Refused
from broker.sealing.verify import verify_folder
from tests.client.fake_broker import NAME_CANARY, PARTNER, FakeBroker, Side


@pytest.fixture
def stored(broker: FakeBroker, side: Side) -> str:
    release = broker.publish(1, apart=True)
    assert side.puller(sealed=True, trust=None).run().ok
    return release


def open_it(side: Side, release: str, **more: Any) -> None:
    open_release(Folder(side.root, PARTNER), release, side.keys, side.trust, partner=PARTNER, **more)


def test_sealed_stores_only_what_is_encrypted(broker: FakeBroker, side: Side, stored: str) -> None:
    names = {str(p.relative_to(side.root / stored)) for p in (side.root / stored).rglob("*")}
    assert names == {
        "apart.jwe",
        "documents.jwe",
        "documents.jwe/referral.csv",
        "proof.tlog",
        "receipt.jws",
        "referral.jwe",
    }
    said = broker.receipt_says(stored)
    assert (said["verified"], said["seal_sha256"]) == (False, None)


def test_sealed_pull_needs_no_opening_key(broker: FakeBroker, side: Side, key_folder: Path) -> None:
    for use in ("enc", "apart"):
        (key_folder / f"{use}.pem").unlink()
    side.keys = PartnerKeys.load(key_folder)
    broker.publish(1)
    assert side.puller(sealed=True, trust=None).run().ok


def test_open_verifies_and_the_next_pull_sends_the_better_receipt(
    broker: FakeBroker, side: Side, stored: str
) -> None:
    received = broker.receipt_says(stored)["received_at"]
    calls = len(side.transport.log)
    broker.clock.now = broker.clock.now.replace(hour=15)
    open_it(side, stored)
    assert len(side.transport.log) == calls  # no network
    assert verify_folder(side.root / stored, side.trust_folder).ok
    assert not (side.root / stored / "documents.jwe").exists()
    assert not (side.root / stored / "apart.jws").exists()
    assert broker.receipt_says(stored)["verified"] is False
    assert side.puller(sealed=True, trust=None).run().ok
    said = broker.receipt_says(stored)
    assert (said["verified"], said["received_at"]) == (True, received)
    assert Folder(side.root, PARTNER).unsent() == []
    with pytest.raises(Refused, match="open already"):
        open_it(side, stored)


def test_apart_is_opened_only_when_asked(side: Side, stored: str) -> None:
    open_it(side, stored, with_apart=True)
    report = verify_folder(side.root / stored, side.trust_folder)
    assert report.ok
    assert report.referral is not None
    assert report.referral.apart == {"/facts/reporter/identity": NAME_CANARY}


def test_crash_while_opening_leaves_it_to_be_opened_again(
    broker: FakeBroker, side: Side, stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    original = side.root.with_name("original")
    shutil.copytree(side.root, original)
    step = crashes = 0
    while True:
        step += 1
        shutil.rmtree(side.root)
        shutil.copytree(original, side.root)
        count = 0

        def counting(real: Any, step: int = step) -> Any:
            def call(*args: Any, **more: Any) -> Any:
                nonlocal count
                count += 1
                if count == step:
                    raise Crash
                return real(*args, **more)

            return call

        with monkeypatch.context() as patch:
            for module in (folder_module, open_module):
                patch.setattr(module, "sync_directory", counting(folder_module.sync_directory))
            patch.setattr(folder_module, "replace_file", counting(folder_module.replace_file))
            try:
                open_it(side, stored)
            except Crash:
                crashes += 1
            else:
                break
        if not is_open(side.root / stored):
            open_it(side, stored)
        assert verify_folder(side.root / stored, side.trust_folder).ok
        assert Folder(side.root, PARTNER).unsent() == [stored]
    assert crashes > 10


@pytest.mark.parametrize("name", ["referral.jwe", "proof.tlog", "documents.jwe/referral.csv", "receipt.jws"])
def test_damaged_store_is_not_opened(side: Side, stored: str, name: str) -> None:
    path = side.root / stored / name
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(bytes(body))
    with pytest.raises((NotAuthentic, Refused)):
        open_it(side, stored)
    assert not is_open(side.root / stored)


def test_missing_object_is_named(side: Side, stored: str) -> None:
    (side.root / stored / "proof.tlog").unlink()
    with pytest.raises(NotAuthentic, match=r"proof\.tlog"):
        open_it(side, stored)


def test_other_key_is_said(side: Side, stored: str, key_folder: Path, tmp_path: Path) -> None:
    from broker.client.keys import new_partner_keys
    from tests.client.fake_broker import START

    new_partner_keys(tmp_path / "other", PARTNER, START, unencrypted=True)
    shutil.copy(tmp_path / "other" / "enc.pem", key_folder / "enc.pem")
    side.keys = PartnerKeys.load(key_folder)
    with pytest.raises(NotAuthentic, match="does not lie in the key folder"):
        open_it(side, stored)


def test_old_key_still_opens_beside_the_next(side: Side, stored: str, key_folder: Path) -> None:
    (key_folder / "enc.pem").rename(key_folder / "enc-next.pem")
    side.keys = PartnerKeys.load(key_folder)
    open_it(side, stored)
    assert json.loads((side.root / stored / "referral.json").read_bytes())["release"] == stored


def test_no_key_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        PartnerKeys.load(tmp_path / "none")
