"""One key folder of the broker for the session (stretching a pass-phrase is slow on purpose)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.client.keys import PartnerKeys, new_partner_keys
from broker.sealing.keyring import Keyring
from tests.client.fake_broker import PARTNER, START, FakeBroker, Side


@pytest.fixture(scope="session")
def broker_ring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    folder = tmp_path_factory.mktemp("broker-keys")
    folder.chmod(0o700)
    return Keyring.init(folder, b"test-only passphrase", START, {"release", "checkpoint"})


@pytest.fixture
def key_folder(tmp_path: Path) -> Path:
    return tmp_path / "partner-keys"


@pytest.fixture
def registration(key_folder: Path) -> dict[str, Any]:
    return new_partner_keys(key_folder, PARTNER, START, unencrypted=True)


@pytest.fixture
def broker(broker_ring: Keyring, registration: dict[str, Any]) -> FakeBroker:
    return FakeBroker(broker_ring, registration)


@pytest.fixture
def side(broker: FakeBroker, key_folder: Path, tmp_path: Path) -> Iterator[Side]:
    made = Side(broker, PartnerKeys.load(key_folder), tmp_path)
    with made.http:
        yield made
