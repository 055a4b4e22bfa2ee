"""Every block of docs/partners/quickstart.md runs against the real application, as a partner would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import col, select

from broker.demo.house import AGENCIES, add_agency
from broker.sealing.verify import verify_folder
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case
from tests.interop.conftest import Served
from tests.needs import INTEROP, needs

PAGE = Path(__file__).parents[2] / "docs" / "partners" / "quickstart.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LANGUAGES = ("sh", "python", "bash", "js")


def blocks(language: str) -> str:
    """All blocks of a language, in order: on the page they belong together."""
    return "\n".join(text for tag, text in _BLOCK.findall(PAGE.read_text()) if tag == language)


def test_no_block_is_left_out() -> None:
    assert {tag for tag, _ in _BLOCK.findall(PAGE.read_text())} == set(LANGUAGES)


@pytest.fixture
def fresh(served: Served, tmp_path: Path) -> tuple[str, dict[str, str]]:
    """A new police partner with one referral in its feed: the release, and the page's environment."""
    house = served.house
    agency = replace(AGENCIES["police"], name="Synthetic Local Police (example)")
    with unit_of_work(house.desk.db) as session:
        partner = add_agency(house.desk, session, house.people, house.keys, agency)
    house = replace(house, partners={**house.partners, "local": partner})
    made = build.drafted(house, build.confirmed(house, full_case("person_lead")), "local")
    build.approve(house, made)
    with build.partner_api(house, served.url, "local") as api:
        deadline = time.monotonic() + 60
        while not api.feed().items and time.monotonic() < deadline:
            time.sleep(0.1)
    work = tmp_path / "work"
    work.mkdir(mode=0o700)
    given = {
        "BROKER_URL": served.url,
        "PARTNER_ID": partner,
        "PARTNER_KEYS": str(house.keys / partner),
        "BROKER_TRUST": str(served.trust),
        "AFTER": "-1",
        "WORK": str(work),
    }
    bin_folder = str(Path(sys.executable).parent)
    return made.release, {
        **os.environ,
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "NO_PROXY": "*",
        **given,
    }


def run(command: list[str], env: dict[str, str], work: Path) -> str:
    done = subprocess.run(
        command, env=env, cwd=work, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def arrived(served: Served, release: str, *, answered: bool = True) -> None:
    """The broker holds a verified receipt, and the read and the answer where they were sent."""
    with unit_of_work(served.house.desk.db) as session:
        receipt = session.exec(select(tables.Receipt).where(col(tables.Receipt.release_id) == release)).one()
        assert receipt.verified
        answers = session.exec(select(tables.Answer).where(col(tables.Answer.release_id) == release)).all()
        assert [answer.outcome for answer in answers] == (["O10"] if answered else [])
        reads = session.exec(select(tables.ReadAct).where(col(tables.ReadAct.release_id) == release)).all()
        assert [read.ground for read in reads] == (["triage"] if answered else [])


@needs("bash")
def test_command_line(served: Served, fresh: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    release, env = fresh
    script = tmp_path / "page.sh"
    script.write_text("set -e\n" + blocks("sh"))
    said = run(["bash", str(script)], env, tmp_path)
    assert "registration.json" in said
    assert verify_folder(Path(env["WORK"]) / "pulled" / release, served.trust).ok
    arrived(served, release, answered=False)


def test_python(served: Served, fresh: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    release, env = fresh
    script = tmp_path / "page.py"
    script.write_text(blocks("python"))
    run([sys.executable, "-W", "error", str(script)], env, tmp_path)
    assert verify_folder(Path(env["WORK"]) / "python" / release, served.trust).ok
    arrived(served, release)


@needs("bash", "curl", "openssl", "jose")
def test_shell(served: Served, fresh: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    release, env = fresh
    script = tmp_path / "page.sh"
    script.write_text(blocks("bash"))
    run(["bash", str(script)], env, tmp_path)
    folder = Path(env["WORK"]) / "shell"
    assert verified(folder, served), "what the shell stored is a whole referral"
    arrived(served, release)


@pytest.mark.node
@needs("node", "npm:jose", "npm:oauth4webapi")
def test_node(served: Served, fresh: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    """oauth4webapi, certified for FAPI 2.0, gets a token and pulls from the real application."""
    release, env = fresh
    (tmp_path / "node_modules").symlink_to(INTEROP / "node_modules")
    script = tmp_path / "page.mjs"
    script.write_text(blocks("js"))
    said = run(["node", str(script)], env, tmp_path)
    assert said == f"{release}: collected, verified, receipted, answered\n"
    assert verified(Path(env["WORK"]) / "node", served)
    arrived(served, release)


def verified(folder: Path, served: Served) -> bool:
    """What other software stored passes our own offline verifier, seal and proof included."""
    report = verify_folder(folder, served.trust)
    assert report.ok, report.lines()
    return report.ok
