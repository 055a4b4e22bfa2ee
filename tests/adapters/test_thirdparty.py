"""A third party's adapter is installed, listed, checked and used; nothing in `broker/` knows of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent / "thirdparty"
USE = """
import json, sys
from broker.conformance import samples
from broker.runtime import adapters
adapter = adapters()["plain_sheet"]
referral = next(iter(samples().values()))
(document,) = adapter.render(referral)
assert not adapter.lint(referral, [document])
print(json.dumps({"name": document.name, "first": document.content.decode().splitlines()[0],
                  "reference": referral.reference}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that has the distribution beside the broker."""
    built, target = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "thirdparty"
    shutil.copytree(HERE, source)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(command, cwd=source, check=True, timeout=120, capture_output=True)
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:  # what an installer does with a pure wheel
        archive.extractall(target)
    return {**os.environ, "PYTHONPATH": str(target)}


def run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_listed_with_its_protocol_beside_our_own(installed: dict[str, str]) -> None:
    listed = json.loads(run(installed, sys.executable, "-m", "broker", "adapters", "list", "--json"))
    (row,) = [row for row in listed["items"] if row["name"] == "plain_sheet"]
    assert row["protocols"] == "render"
    assert row["tried_live"] is False
    own = {row["name"]: row for row in listed["items"] if row["name"] != "plain_sheet"}
    notices = {"xarf_notice", "xarf_notice_cdn", "xarf_notice_registrar"}
    delivering = {name for name, row in own.items() if "deliver" in row["protocols"].split()}
    assert delivering == {"secure_mail", "iccam", "ncmec", *notices}
    assert not any(row["tried_live"] for row in own.values())
    assert all(row["version"] and row["speaks"] for row in own.values())


def test_it_passes_the_conformance_suite(installed: dict[str, str]) -> None:
    checked = run(installed, sys.executable, "-m", "broker", "adapters", "check", "plain_sheet", "--json")
    assert [row["ok"] for row in json.loads(checked)["items"]] == [True]


def test_it_renders_a_referral(installed: dict[str, str]) -> None:
    said = json.loads(run(installed, sys.executable, "-c", USE))
    assert said["name"] == "sheet.txt"
    assert said["first"] == said["reference"]
