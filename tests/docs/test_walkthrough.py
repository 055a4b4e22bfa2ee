"""The pages for people, executed in one run: what a reader types works and prints what the page says."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.runtime import open_database
from broker.settings import Settings
from tests.docs.walkthrough import Step, Terminal, steps

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("operators/README.md", "operators/agreements.md", "partners/README.md", "analysts.md", "officers.md")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """An empty folder, its own port, and the embedded server held open so that commands are quick."""
    for name in [name for name in os.environ if name.startswith("BROKER_")]:
        monkeypatch.delenv(name)
    # Not under pytest's own folder: that is closed, and as root the server has its own account.
    folder = Path(tempfile.mkdtemp(prefix="rb-doc-"))
    folder.chmod(0o711)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = dict(os.environ, BROKER_ISSUER=f"http://127.0.0.1:{port}", EXAMPLES=str(DOCS / "examples"))
    made = Terminal(folder, environment, {"127.0.0.1:8350": f"127.0.0.1:{port}"})
    try:
        with open_database(Settings(state=folder / "state")):
            yield made
            made.stop()
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_what_the_pages_say_happens(terminal: Terminal) -> None:
    run = steps({page: (DOCS / page).read_text() for page in PAGES})
    assert {step.page for step in run} == set(PAGES)
    for step in run:
        terminal.run(step)
    assert {"police", "case", "release", "reference", "urgent-release"} <= set(terminal.caught)


def test_a_wrong_page_fails(tmp_path: Path) -> None:
    """The executor itself: other output, another exit code, a word that was never caught."""
    terminal = Terminal(tmp_path, dict(os.environ))
    first = "```console 1\n$ echo ann\n<who>\n$ printf 'a\\nb\\n'\n…\nb\n```\n"
    text = "```console 2\n$ echo <who>\nann\n```\n\n" + first
    run = steps({"page": text})
    assert [step.command for step in run] == ["echo ann", "printf 'a\\nb\\n'", "echo <who>"]
    for step in run:
        terminal.run(step)
    assert terminal.caught == {"who": "ann"}
    for command, prints in (("echo ann", ("bob",)), ("false", ("…",)), ("true", ("Not done",))):
        with pytest.raises(AssertionError):
            terminal.run(Step("page", 1, command, prints))
    with pytest.raises(KeyError):
        terminal.run(Step("page", 1, "echo <nobody>", ()))
