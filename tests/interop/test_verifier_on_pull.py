"""The verifier written from docs/spec alone accepts what a real pull left, and no flipped byte of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interop.conftest import Pulled
from tests.needs import INTEROP, needs

pytestmark = [pytest.mark.node, needs("node")]

SIGNED = ("referral.jws", "seal.jws", "opening.json", "proof.tlog")


def run(folder: Path, trust: Path) -> subprocess.CompletedProcess[str]:
    command = ["node", str(INTEROP / "verify.mjs"), str(folder), str(trust)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_it_accepts_every_folder(pulled: Pulled) -> None:
    for _, folder in pulled.folders:
        done = run(folder, pulled.served.trust)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("ok: ")


@pytest.mark.parametrize("place", [0.02, 0.37, 0.81, 0.999])
@pytest.mark.parametrize("name", [*SIGNED, "documents/*"])
def test_it_refuses_a_flipped_byte(pulled: Pulled, tmp_path: Path, name: str, place: float) -> None:
    copy = shutil.copytree(pulled.of("police")[0], tmp_path / "x")
    for victim in sorted(copy.glob(name)):
        whole = victim.read_bytes()
        changed = bytearray(whole)
        changed[int(place * len(whole))] ^= 1
        victim.write_bytes(changed)
        done = run(copy, pulled.served.trust)
        assert done.returncode == 1, victim.name
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1, "one sentence, not a stack trace"
        victim.write_bytes(whole)
    assert run(copy, pulled.served.trust).returncode == 0
