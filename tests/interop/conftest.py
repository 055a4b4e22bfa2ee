"""A served broker with published referrals, and the folders that a real pull leaves, once a session."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.demo.house import House
from broker.desk.draft import Drafted
from tests import house as build
from tests.cases import full_case
from tests.dbfixtures import Cluster, cluster

__all__ = ["cluster", "pulled", "served"]

APART = {"F12": "protect-child", "F54": "identify-victim"}


@dataclass(frozen=True)
class Served:
    """The real application on a loopback port."""

    url: str
    house: House
    trust: Path
    base: Path
    made: Mapping[str, Drafted]
    """What was drafted and approved, by release."""

    def keys(self, name: str) -> Path:
        """The folder with a partner's own private keys."""
        return self.house.keys / self.house.partners[name]


@dataclass(frozen=True)
class Pulled:
    """What partners hold after a pull: partner's short name and the folder of one release."""

    served: Served
    folders: tuple[tuple[str, Path], ...]

    def of(self, name: str) -> list[Path]:
        return [folder for partner, folder in self.folders if partner == name]

    def with_apart(self) -> Path:
        return next(folder for _, folder in self.folders if (folder / "apart.jwe").exists())


@pytest.fixture(scope="session")
def served(cluster: Cluster) -> Iterator[Served]:
    """A house with referrals of two kinds for the police, one of them with values sealed apart, and
    one for the clearing house; served until the session ends."""
    base = Path(tempfile.mkdtemp(prefix="rb-interop-"))
    database = cluster.open(cluster.create())
    house = build.found(build.open_desk(database, base, pulls_per_minute=100_000, bulk_per_hour=10_000), base)
    made = [
        build.released(house, "police", full_case("content_report")),
        build.released(house, "police", full_case("danger"), purposes=("P1", "P2"), grounds=APART),
        build.released(house, "ncmec", full_case("content_report")),
    ]
    try:
        with build.serving(house) as (url, under):
            yield Served(url, under, build.trust(under, base / "trust"), base, {d.release: d for d in made})
    finally:
        database.dispose()
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def pulled(served: Served) -> Pulled:
    """Everything the police and the clearing house pulled with our own client."""
    found = []
    for name in ("police", "ncmec"):
        to = served.base / "pulled" / name
        report = build.pull(served.house, served.url, name, to, served.trust)
        assert report.ok, report.lines()
        found += [(name, to / release) for release in report.collected]
    assert len(found) == 3
    return Pulled(served, tuple(found))
