"""The wheel has what runs and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.source import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    program = Path(sys.executable).with_name("hatchling")
    built = subprocess.run(
        [program, "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_everything_that_runs_is_in(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for folder in ("broker", "adapters"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(ROOT)) in names
    for path in (ROOT / "migrations").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert f"broker/_migrations/{path.relative_to(ROOT / 'migrations')}" in names
    for needed in (
        "broker/packs/be/fields.json",
        "broker/core/texts/nl.json",
        "broker/conformance_samples.json",
        "broker/_migrations/sql/0001_guards.sql",
        "adapters/police_dossier/dossier.typ",
        "adapters/police_dossier/texts/fr.json",
    ):
        assert needed in names
    assert any(each.endswith("licenses/LICENSE") for each in names)


def test_entry_points_are_in(wheel: zipfile.ZipFile) -> None:
    (name,) = [each for each in wheel.namelist() if each.endswith("entry_points.txt")]
    text = wheel.read(name).decode()
    assert "broker = broker.cli:main" in text
    assert "police_dossier = adapters.police_dossier:adapter" in text


def test_no_key_no_test_and_nothing_else_is_in(wheel: zipfile.ZipFile) -> None:
    for name in wheel.namelist():
        assert re.match(r"(broker|adapters|referral_broker-[^/]+\.dist-info)/", name), name
        assert not re.search(
            r"(^|/)(tests?|docs|bench|keys|demo-out|\.state)/|\.(pem|key|p12|jwk|db|log)$", name
        ), name
        content = wheel.read(name)
        assert not re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{20}", content), name
        assert not re.search(rb'"d"\s*:\s*"[A-Za-z0-9_-]{40,}"', content), name
