"""Envelope encryption and epoch keys: bound to their place, gone when destroyed."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.errors import Misconfigured, NotAuthentic, NotFound, Refused
from broker.sealing import keyfiles, vault

MARCH, APRIL = datetime(2026, 3, 31, 23, 59, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
PASSPHRASE = b"test-only passphrase"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def test_a_value_opens_only_in_its_place_with_its_key() -> None:
    key, other = vault.new_data_key(), vault.new_data_key()
    box = vault.encrypt(key, b"synthetic", b"case-1|person|0|1")
    assert vault.decrypt(key, box, b"case-1|person|0|1") == b"synthetic"
    assert vault.encrypt(key, b"synthetic", b"") != vault.encrypt(key, b"synthetic", b"")
    for attempt in (
        lambda: vault.decrypt(other, box, b"case-1|person|0|1"),
        lambda: vault.decrypt(key, box, b"case-2|person|0|1"),
        lambda: vault.decrypt(key, box[:-1], b"case-1|person|0|1"),
        lambda: vault.decrypt(key, b"short", b""),
    ):
        with pytest.raises(NotAuthentic):
            attempt()
    for place in range(len(box)):
        changed = bytearray(box)
        changed[place] ^= 1
        with pytest.raises(NotAuthentic):
            vault.decrypt(key, bytes(changed), b"case-1|person|0|1")
    with pytest.raises(Misconfigured):
        vault.encrypt(b"short", b"", b"")


def test_wrapping_is_bound_too() -> None:
    epoch, data = vault.new_data_key(), vault.new_data_key()
    wrapped = vault.wrap(epoch, data, b"case-1")
    assert len(wrapped) == 60
    assert vault.unwrap(epoch, wrapped, b"case-1") == data
    with pytest.raises(NotAuthentic):
        vault.unwrap(epoch, wrapped, b"case-2")
    with pytest.raises(NotAuthentic):
        vault.decrypt(epoch, wrapped, b"case-1")


def test_epochs_rotate_and_destruction_is_final(folder: Path) -> None:
    keys = vault.EpochKeys(folder, PASSPHRASE)
    march, march_key = keys.current(MARCH)
    april, april_key = keys.current(APRIL)
    assert (march, april) == ("epoch-2026-03", "epoch-2026-04")
    assert march_key != april_key
    again = vault.EpochKeys(folder, PASSPHRASE)
    assert again.current(MARCH) == (march, march_key)
    assert again.names() == [march, april]
    data_key = vault.new_data_key()
    wrapped = vault.wrap(march_key, data_key, b"case-1")
    moved = vault.wrap(april_key, vault.unwrap(keys.get(march), wrapped, b"case-1"), b"case-1")
    with pytest.raises(Refused):
        keys.destroy(april, APRIL)
    keys.destroy(march, APRIL)
    for holder in (keys, again):  # `again` had it in memory: the file decides
        with pytest.raises(NotFound):
            holder.get(march)
    with pytest.raises(NotFound):
        keys.destroy(march, APRIL)
    assert keys.names() == [april]
    assert vault.unwrap(keys.get(april), moved, b"case-1") == data_key
    for candidate in [keys.get(name) for name in keys.names()]:
        with pytest.raises(NotAuthentic):
            vault.unwrap(candidate, wrapped, b"case-1")


def test_the_file_is_overwritten_before_it_is_removed(folder: Path) -> None:
    keys = vault.EpochKeys(folder, PASSPHRASE)
    name, key = keys.current(MARCH)
    path = folder / f"{name}.key"
    assert key not in path.read_bytes()
    spare = folder / "spare"
    os.link(path, spare)
    before = spare.read_bytes()
    keys.destroy(name, APRIL)
    assert not path.exists()
    assert spare.read_bytes() == b"\x00" * len(before)


def test_epoch_files_are_guarded(folder: Path) -> None:
    keys = vault.EpochKeys(folder, PASSPHRASE)
    name, _ = keys.current(MARCH)
    with pytest.raises(Misconfigured):
        vault.EpochKeys(folder, b"other").get(name)
    (folder / "epoch-2026-05.key").write_bytes((folder / f"{name}.key").read_bytes())
    (folder / "epoch-2026-05.key").chmod(0o600)
    with pytest.raises(Misconfigured):
        keys.get("epoch-2026-05")
    for bad in ("epoch-2026-13", "../x", ""):
        with pytest.raises(Misconfigured):
            keys.get(bad)
    (folder / f"{name}.key").chmod(0o644)
    with pytest.raises(Misconfigured):
        vault.EpochKeys(folder, PASSPHRASE).get(name)
    with pytest.raises(Misconfigured):
        keyfiles.open_secret(b"x", PASSPHRASE, "x")
    folder.chmod(0o755)
    with pytest.raises(Misconfigured):
        vault.EpochKeys(folder, PASSPHRASE)


def test_two_processes_make_one_epoch_key(folder: Path) -> None:
    one, two = vault.EpochKeys(folder, PASSPHRASE), vault.EpochKeys(folder, PASSPHRASE)
    first = one.current(MARCH)
    two._make(first[0])
    assert two.current(MARCH) == one.current(MARCH) == first
    assert [path.name for path in folder.iterdir()] == ["epoch-2026-03.key"]
