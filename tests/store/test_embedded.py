"""The embedded server: closed folders, one start for many, nothing left running."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import Misconfigured
from broker.store.embedded import EmbeddedServer, check_passable, embedded
from broker.store.roles import check_roles


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder that the server's account can reach, also as root."""
    folder = Path(tempfile.mkdtemp(prefix="rb-"))
    folder.chmod(0o711)
    yield folder
    server = EmbeddedServer(folder)
    server.stop()
    assert server.pid() is None
    shutil.rmtree(folder)


def modes(folder: Path) -> dict[Path, int]:
    return {above: stat.S_IMODE(above.stat().st_mode) for above in folder.parents}


def test_first_start_makes_a_safe_migrated_database(state: Path) -> None:
    before = modes(state)
    db, server = embedded(state / "s")
    try:
        assert db.embedded
        check_roles(db)
        with db.connect("app") as conn:
            assert conn.execute("select count(*) from staff").fetchone() == (0,)
            row = conn.execute("show listen_addresses").fetchone()
        assert row == ("",)
        assert modes(state) == before
        assert stat.S_IMODE((state / "s" / "pg").stat().st_mode) == 0o700
        again, same = embedded(state / "s")  # adopts what runs
        assert same.pid() == server.pid()
        again.dispose()
    finally:
        db.dispose()
        server.stop()
    assert server.pid() is None
    server.stop()  # twice does no harm


def test_a_killed_owner_leaves_a_server_that_is_adopted_and_stopped(state: Path) -> None:
    code = (
        "import os, pathlib, sys; from broker.store.embedded import EmbeddedServer;"
        "s = EmbeddedServer(pathlib.Path(sys.argv[1]), durable=False); s.start();"
        "print(s.pid(), flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(state)], capture_output=True, check=False)
    assert done.returncode == -9
    left = int(done.stdout)
    server = EmbeddedServer(state, durable=False)
    server.start()
    assert server.pid() == left
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(left, 0)


def test_a_process_that_ends_stops_its_server(state: Path) -> None:
    code = (
        "import pathlib, sys; from broker.store.embedded import EmbeddedServer;"
        "s = EmbeddedServer(pathlib.Path(sys.argv[1]), durable=False); s.start(); print(s.pid())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(state)], capture_output=True, check=True)
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


@pytest.mark.parametrize("name", ["with blank", "x" * 90, "quo'te"])
def test_a_path_that_would_not_work_is_refused(state: Path, name: str) -> None:
    with pytest.raises(Misconfigured, match="embedded-path"):
        EmbeddedServer(state / name)


def test_a_closed_folder_above_is_refused_and_stays_closed(state: Path) -> None:
    """As root, the library's own start-up would open it to everybody."""
    closed = state / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Misconfigured, match="embedded-path"):
        check_passable(closed / "s")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    check_passable(state / "s")


def test_an_opened_data_folder_is_refused(state: Path) -> None:
    server = EmbeddedServer(state, durable=False)
    server.start()
    (state / "pg").chmod(0o755)
    try:
        with pytest.raises(Misconfigured, match="embedded-open"):
            server.start()
    finally:
        (state / "pg").chmod(0o700)
        server.stop()


def test_another_process_with_a_recycled_pid_is_left_alone(state: Path) -> None:
    server = EmbeddedServer(state)
    (state / "pg").mkdir()
    (state / "pg" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    assert server.pid() is None
    server.stop()  # would have killed the test run
