"""The operator's folder of host data, read when it is first asked for and again when a file changed."""

from __future__ import annotations

import threading
from pathlib import Path

from broker.errors import Misconfigured
from broker.hosting.lookup import HostLookup
from broker.hosting.rdap import Bootstrap, Rdap
from broker.hosting.tables import CdnList, NetworkTable

NETWORKS, CDNS, BOOTSTRAP = "networks.csv", "cdns.csv", ("ipv4.json", "ipv6.json")


class HostFolder:
    """One process's view of the folder; the tables are large, so they are read once for each state of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._state: tuple[tuple[str, int, int], ...] = ()
        self._lookup: HostLookup | None = None

    def __call__(self) -> HostLookup:
        """The look-up over the files as they are now. Raises `Misconfigured`."""
        with self._lock:
            state = tuple(self._files())
            if self._lookup is None or state != self._state:
                self._lookup, self._state = self._open({name for name, _, _ in state}), state
            return self._lookup

    def _files(self) -> list[tuple[str, int, int]]:
        found = []
        for name in (NETWORKS, CDNS, *BOOTSTRAP):
            path = self._folder / name
            if path.exists():
                about = path.stat()
                found.append((name, about.st_mtime_ns, about.st_size))
        return found

    def _open(self, names: set[str]) -> HostLookup:
        if NETWORKS not in names:
            raise Misconfigured(
                "hosting-data", f"the folder for host data has no {NETWORKS}", "see docs/operators/hosting.md"
            )
        registries = [(self._folder / name).read_bytes() for name in BOOTSTRAP if name in names]
        return HostLookup(
            NetworkTable.read((self._folder / NETWORKS).read_bytes()),
            CdnList.read((self._folder / CDNS).read_bytes()) if CDNS in names else None,
            Rdap(Bootstrap.read(*registries)) if registries else None,
        )
