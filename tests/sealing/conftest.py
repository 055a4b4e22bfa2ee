"""One key folder for the session: stretching a passphrase costs a tenth of a second a key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.sealing.keyring import Keyring

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PASSPHRASE = b"test-only passphrase"


@pytest.fixture(scope="session")
def keys_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    folder.chmod(0o700)
    return folder


@pytest.fixture(scope="session")
def keyring(keys_folder: Path) -> Keyring:
    return Keyring.init(keys_folder, PASSPHRASE, NOW)
