"""Read the console blocks of the pages and run them in their order.

A block opens with ```console and a step number; GitHub shows nothing of the number. Lines that begin
with `$ ` are commands, the lines under them what they print. `<name>` in what is printed catches a
word and stands for it in every later command; a line `…` stands for any number of lines.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from typer.testing import CliRunner

from broker.cli import app

_FENCE = re.compile(r"^```console (\d+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CATCH = re.compile(r"<([a-z][a-z0-9-]*)>")
ANYTHING = "…"
REFUSALS = ("Not done", "STOPPED")
"""How a line begins that a command prints when it ends with exit code 1."""


@dataclass(frozen=True)
class Step:
    """One command and what the page says it prints."""

    page: str
    number: int
    command: str
    prints: tuple[str, ...]


def steps(pages: Mapping[str, str]) -> list[Step]:
    """Every step of the pages (name → text), in the order of their numbers."""
    found = [
        Step(page, int(number), command, prints)
        for page, text in pages.items()
        for number, block in _FENCE.findall(text)
        for command, prints in _commands(block)
    ]
    return sorted(found, key=lambda step: step.number)


def _commands(block: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    lines = re.sub(r"\\\n\s*", "", block).splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield lines[start][2:], tuple(line for line in lines[start + 1 : end] if line.strip())


@dataclass
class Terminal:
    """A folder, its environment, and the words caught so far."""

    folder: Path
    environment: dict[str, str]
    replaced: Mapping[str, str] = field(default_factory=dict)
    """What a page says → what this machine has, such as the port."""
    caught: dict[str, str] = field(default_factory=dict)
    background: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, step: Step) -> str:
        """Run one step; gives what it printed. Raises `AssertionError` where the page is wrong."""
        command = self._filled(step.command)
        if command.startswith("export "):
            self.environment.update(word.split("=", 1) for word in shlex.split(command)[1:])
            return ""
        if command.endswith(" &"):
            self._start(command.removesuffix(" &"))
            return ""
        printed, code = self._broker(command) if command.startswith("broker ") else self._shell(command)
        expects_refusal = any(line.startswith(REFUSALS) for line in step.prints)
        assert (code != 0) == expects_refusal, f"{step.page} {step.number}: {command}\n{printed}"
        self._compare(step, printed)
        return printed

    def stop(self) -> None:
        for process in self.background:
            process.terminate()
            process.wait(timeout=30)

    def _filled(self, command: str) -> str:
        for said, here in self.replaced.items():
            command = command.replace(said, here)
        return _CATCH.sub(lambda m: self.caught[m[1]], command)

    def _broker(self, command: str) -> tuple[str, int]:
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            result = CliRunner().invoke(app, shlex.split(command)[1:], env=self.environment)
        finally:
            os.chdir(before)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output, result.exit_code

    def _shell(self, command: str) -> tuple[str, int]:
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout, done.returncode

    def _start(self, command: str) -> None:
        program = [sys.executable, "-c", "from broker.cli import main; main()"]
        words = shlex.split(command)
        assert words[0] == "broker"
        with (self.folder / "background.log").open("wb") as log:
            process = subprocess.Popen(
                [*program, *words[1:]], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        self.background.append(process)
        self._wait_until_ready(process)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """A reader sees the line "Serving …"; a program asks."""
        end = time.monotonic() + 90
        while time.monotonic() < end and process.poll() is None:
            with suppress(httpx.HTTPError):
                if httpx.get(self.environment["BROKER_ISSUER"] + "/health/ready").status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError("the server did not start:\n" + (self.folder / "background.log").read_text())

    def _compare(self, step: Step, printed: str) -> None:
        if not step.prints:
            return
        lines = [line.rstrip() + "\n" for line in printed.splitlines() if line.strip()]
        match = re.fullmatch("".join(map(self._pattern, step.prints)), "".join(lines))
        said = "\n".join(step.prints)
        assert match, (
            f"{step.page} {step.number}: {step.command}\nprinted:\n{printed}\nthe page says:\n{said}"
        )
        self.caught.update({name.replace("_", "-"): text for name, text in match.groupdict().items()})

    def _pattern(self, line: str) -> str:
        if line == ANYTHING:
            return r"(?:.*\n)*"
        for said, here in self.replaced.items():
            line = line.replace(said, here)
        out, seen = [], 0
        for catch in _CATCH.finditer(line):
            out.append(re.escape(line[seen : catch.start()]))
            name, seen = catch[1], catch.end()
            known = self.caught.get(name)
            out.append(re.escape(known) if known else rf"(?P<{name.replace('-', '_')}>\S+)")
        return ("".join(out) + re.escape(line[seen:])).rstrip().replace(re.escape(ANYTHING), ".*") + r"\n"
