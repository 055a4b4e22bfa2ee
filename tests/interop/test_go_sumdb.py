"""Go's golang.org/x/mod/sumdb accepts checkpoint, proofs and tiles of the real application."""

from __future__ import annotations

import json
import os
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.sealing import notes
from broker.store import ledger, tree
from tests import house as build
from tests.interop.conftest import Pulled
from tests.needs import GOPATH, INTEROP, needs

pytestmark = [pytest.mark.go, needs("go", "gosrc:golang.org/x/mod/sumdb")]

Check = Callable[[dict[str, Any]], "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def check(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """The Go program, built once from Debian's sources without any download."""
    place = tmp_path_factory.mktemp("go")
    offline = {"GO111MODULE": "off", "GOPATH": str(GOPATH), "GOFLAGS": "", "CGO_ENABLED": "0"}
    env = {"HOME": str(place), **os.environ, **offline}
    command = ["go", "build", "-o", str(place / "sumdb"), str(INTEROP / "sumdb" / "main.go")]
    subprocess.run(command, check=True, env=env, timeout=280)

    def run(given: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        text = json.dumps(given)
        return subprocess.run(
            [place / "sumdb"], input=text, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def checkpoint(url: str) -> str:
    return httpx.get(f"{url}/v1/ledger/checkpoint", trust_env=False).raise_for_status().text


def size_of(note: str) -> int:
    return int(note.split("\n")[1])


@pytest.fixture(scope="session")
def grown(pulled: Pulled) -> dict[str, Any]:
    """The ledger at two times; in between it grew over the edge of a tile."""
    served, folder = pulled.served, pulled.of("police")[0]
    old = checkpoint(served.url)
    over = (size_of(old) // tree.WIDTH + 1) * tree.WIDTH + 4
    with build.partner_api(served.house, served.url, "police") as api:
        for _ in range(over - size_of(old)):
            api.read(folder.name, "triage")
    deadline = time.monotonic() + 30
    while size_of(new := checkpoint(served.url)) < over and time.monotonic() < deadline:
        time.sleep(0.05)
    with served.house.desk.db.connect("app") as conn:
        path = ledger.consistency(conn, size_of(old), size_of(new))
    return {
        "vkey": (served.trust / "ledger.vkey").read_text(),
        "old": old,
        "new": new,
        "consistency": [b64encode(step).decode() for step in path],
        "proofs": [(each / "proof.tlog").read_text() for _, each in pulled.folders],
        "base": f"{served.url}/v1/ledger",
    }


def test_it_accepts_notes_proofs_and_tiles(check: Check, grown: dict[str, Any]) -> None:
    done = check(grown)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["new"] // tree.WIDTH > said["old"] // tree.WIDTH
    assert said["tiles"] >= 2
    assert said["positions"] == [notes.parse_proof(text).index for text in grown["proofs"]]


def other(text: str, place: int) -> str:
    """The text with another base64 character at that place."""
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "vkey": (lambda g: {"vkey": other(g["vkey"], len(g["vkey"].strip()) - 8)}, "vkey"),
    "checkpoint": (lambda g: {"new": g["new"].replace(f"\n{size_of(g['new'])}\n", "\n9999\n")}, "note"),
    "consistency": (lambda g: {"consistency": [other(g["consistency"][0], 5), *g["consistency"][1:]]},
                    "consistency"),
    "inclusion": (
        lambda g: {"proofs": [other(g["proofs"][0], g["proofs"][0].index("\n\n") - 20)]}, "inclusion"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_it_refuses_what_was_changed(check: Check, grown: dict[str, Any], name: str) -> None:
    change, what = CHANGES[name]
    done = check({**grown, **change(grown)})
    assert done.returncode == 1
    assert done.stderr.startswith(what)


def test_tiles_that_no_checkpoint_covers_are_absent(pulled: Pulled) -> None:
    base = f"{pulled.served.url}/v1/ledger/tile"
    for path in (
        "0/001",
        "1/000.p/200",
        "entries/999",
        "0/x001/x002/003",
        "7/000",
        "0/000.p/0",
        "0/000.p/257",
    ):
        assert httpx.get(f"{base}/{path}", trust_env=False).status_code == 404, path


def test_the_program_is_formatted() -> None:
    source = Path(INTEROP / "sumdb" / "main.go")
    done = subprocess.run(
        ["gofmt", "-l", str(source)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == ""
