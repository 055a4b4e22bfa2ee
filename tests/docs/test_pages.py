"""The pages keep up with the code: generated parts, links, commands, and a line for everything there is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from broker.api.problems import PROBLEMS
from broker.cli import app
from broker.core.fields import FIELD_IDS
from broker.core.outcomes import OUTCOMES
from broker.runtime import adapters
from broker.settings import Settings
from docs import make

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "keys").glob("*.md"))
    if path.is_file()
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_generated_parts_are_fresh() -> None:
    stale = [name(path) for path, text in make.pages().items() if path.read_text() != text]
    assert not stale, "run `python -m docs.make`"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(_FENCED.sub("", page.read_text())):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), f"{name(page)}: {target}"
        if anchor:
            assert anchor in {slug(h) for h in _HEADING.findall(path.read_text())}, f"{name(page)}: {target}"


def slug(heading: str) -> str:
    """As GitHub makes anchors."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def examples() -> Iterator[tuple[str, str]]:
    """Every `broker …` command that a page shows, in code blocks and in running text."""
    for page in PAGES:
        if page == ROOT / "docs/cli.md":
            continue
        text = re.sub(r"\\\n\s*", "", page.read_text())
        for block in _FENCED.findall(text):
            for line in block.splitlines():
                match = re.match(r"(?:\s*\$ |\s*)(?:\S*/bin/)?(broker [a-z].*)", line)
                if match:
                    yield name(page), match[1].removesuffix(" &")
        for inline in re.findall(r"`(?:\S*/bin/)?(broker [a-z][^`]*)`", _FENCED.sub("", text)):
            yield name(page), inline.replace(" …", "")


@pytest.mark.parametrize(("page", "example"), sorted(set(examples())))
def test_every_command_that_a_page_shows_is_one(page: str, example: str) -> None:
    words = shlex.split(example.split(" > ", maxsplit=1)[0], comments=True)[1:]
    command = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not getattr(command, "commands", {}) or not words, f"{page}: {example}: no such command"
    options = {opt for param in command.params for opt in (*param.opts, *param.secondary_opts)}
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in {*options, "--help", "--version"}, f"{page}: {example}: {word}"


def test_every_setting_has_its_line() -> None:
    text = (ROOT / "docs/operators/configuration.md").read_text()
    for setting in Settings.model_fields:
        assert f"`BROKER_{setting.upper()}`" in text


def test_every_variable_that_a_page_names_is_a_setting() -> None:
    known = {f"BROKER_{setting.upper()}" for setting in Settings.model_fields}
    for page in PAGES:
        named = set(re.findall(r"BROKER_[A-Z_]+[A-Z]", page.read_text()))
        own = {"BROKER_URL", "BROKER_TRUST"} if page.name == "quickstart.md" else set()
        assert named <= known | own | {"BROKER_SESSION", "BROKER_SESSION_FILE", "BROKER_SLOW"}, name(page)


def commands(command: object, path: str = "broker") -> Iterator[tuple[str, object]]:
    children = getattr(command, "commands", {})
    if not children:
        yield path, command
    for child, each in children.items():
        yield from commands(each, f"{path} {child}")


def test_every_command_has_its_section_and_every_option_its_words() -> None:
    text = (ROOT / "docs/cli.md").read_text()
    for path, command in commands(typer.main.get_command(app)):
        assert f"# {path}\n" in text
        assert getattr(command, "help", ""), f"{path} does not say what it does"
        for param in command.params:  # type: ignore[attr-defined]
            if param.param_type_name == "option":
                assert param.help, f"{path} {param.name} has no words"


def test_every_problem_outcome_field_and_adapter_has_its_line() -> None:
    partners = (ROOT / "docs/partners/README.md").read_text()
    for code in PROBLEMS:
        assert f":{code}`" in partners
    for code in OUTCOMES:
        assert f"`{code}`" in partners
    case = (ROOT / "docs/spec/case.md").read_text()
    for field in FIELD_IDS:
        assert f"| {field} |" in case
    overview = (ROOT / "docs/adapters/README.md").read_text()
    for name, adapter in adapters().items():
        page = make.page_of(adapter)
        assert (ROOT / f"docs/adapters/{page}.md").exists(), name
        assert f"({page}.md)" in overview, name
        assert name in overview


def actions() -> set[str]:
    """Every action that the code gives to an event, by reading the calls; an f-string ends in `…`."""
    found: set[str] = set()
    for path in (ROOT / "broker").rglob("*.py"):
        text = path.read_text()
        for call in re.findall(r"(?:events\.(?:noted?|leaf)|_entry)\(.*?\)", text, re.DOTALL):
            found |= set(
                re.findall(
                    r'"((?:agreement|case|figures|keys|ledger|partner|recognition|referral|register|review|staff):[a-z-]+)"',
                    call,
                )
            )
            found |= {
                re.sub(r"\{.*", "…", dynamic)
                for dynamic in re.findall(
                    r'f"((?:agreement|case|figures|keys|ledger|partner|recognition|referral|register|review|staff):[a-z-]*\{[^"]*)"',
                    call,
                )
            }
    return found


def test_every_event_action_has_its_line() -> None:
    named = set(make.EVENTS)
    prefixes = {action.removesuffix("…") for action in actions() if action.endswith("…")}
    for action in actions():
        if not action.endswith("…"):
            assert action in named, f"{action} has no line in docs/make.py"
        else:
            assert any(line.startswith(action.removesuffix("…")) for line in named), action
    for line in named:
        assert line in actions() or any(line.startswith(prefix) for prefix in prefixes), f"{line} is gone"


def test_every_test_that_the_threat_list_names_exists() -> None:
    named = re.findall(r"`(tests/\S+?\.py)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 10
    assert [file for file in named if not (ROOT / file).exists()] == []


def test_the_first_screen_of_the_readme_is_the_two_commands() -> None:
    screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:20])
    assert "make demo" in screen
    assert "make test" in screen
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
