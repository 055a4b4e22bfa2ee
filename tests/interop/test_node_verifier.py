"""A second verifier, written from docs/spec alone in another language, agrees with ours."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.sealing import verify
from broker.sealing.keyring import Keyring
from tests.needs import needs
from tests.sealing.building import ORIGIN, make
from tests.sealing.conftest import NOW, PASSPHRASE

SCRIPT = Path(__file__).with_name("verify.mjs")
pytestmark = [pytest.mark.node, needs("node")]


def run(folder: Path, trust: Path) -> subprocess.CompletedProcess[str]:
    command = ["node", str(SCRIPT), str(folder), str(trust)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("node")
    base.chmod(0o700)
    ring = Keyring.init(base / "keys", PASSPHRASE, NOW, {"release", "checkpoint"})
    ring.export_trust(base / "trust", ORIGIN)
    release = make(ring.signer("release"), ring.note_signer(ORIGIN))
    return release.folder(base / "release"), base / "trust"


def test_it_agrees_on_a_whole_folder(built: tuple[Path, Path]) -> None:
    folder, trust = built
    assert verify.verify_folder(folder, trust).ok
    done = run(folder, trust)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ok: 8 values, 1 documents, ledger position 6")


def flip(name: str, place: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[int(place * len(data))] ^= 1
        (folder / name).write_bytes(bytes(data))

    return change


TAMPERED: dict[str, Callable[[Path], object]] = {
    **{
        f"{name} at {place}": flip(name, place)
        for name in (
            "referral.jws",
            "seal.jws",
            "opening.json",
            "proof.tlog",
            "documents/referral.csv",
        )
        for place in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999)
    },
    **{
        f"no {name}": lambda folder, name=name: (folder / name).unlink()
        for name in (
            "referral.jws",
            "seal.jws",
            "opening.json",
            "proof.tlog",
            "documents/referral.csv",
        )
    },
    "extra document": lambda folder: (folder / "documents" / "extra").write_text("x"),
    "swapped": lambda folder: shutil.copy(folder / "seal.jws", folder / "referral.jws"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_it_agrees_on_tampered_folders(built: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(built[0], tmp_path / "x")
    TAMPERED[name](folder)
    done = run(folder, built[1])
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, "one sentence, not a stack trace"
    assert done.stderr.endswith(".\n")
    assert not verify.verify_folder(folder, built[1]).ok


def test_a_strangers_trust_folder_is_refused(built: tuple[Path, Path], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    ring = Keyring.init(keys, PASSPHRASE, NOW, {"release", "checkpoint"})
    ring.export_trust(tmp_path / "trust", ORIGIN)
    done = run(built[0], tmp_path / "trust")
    assert done.returncode == 1
    assert "not pinned" in done.stderr
