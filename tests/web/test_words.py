"""Four languages, complete: every sentence of the pages, and the same names as in the documents."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages import pofile
from babel.messages.extract import extract
from jinja2.ext import babel_extract

from broker.core import case
from broker.core.fields import FIELD_IDS
from broker.desk.importing import CANONICAL
from broker.errors import Conflict, Issue
from broker.runtime import adapters
from broker.web.words import LANGUAGES, Words, catalogue

WEB = Path(str(resources.files("broker.web")))
OTHERS = ("nl", "fr", "de")
ERRORS = {"Refused", "Conflict", "Forbidden", "NotAuthentic", "Misconfigured"}
REASONS = {"refuse", "Reason"}
TRANSLATED_BEFORE = {"rule:import-size"}
"""Whose sentence is in the reader's language already when it is raised (`web.imports`)."""
SHOWN_REASONS = {"core/confirmation.py", "core/routing.py"}
"""Whose coded reasons become issues of an error (`desk.confirm`, `desk.draft`)."""


def sentences() -> set[str]:
    """Every English sentence that templates and page modules ask to have translated."""
    found: set[str] = set()
    for template in sorted(WEB.joinpath("templates").rglob("*.html")):
        with template.open("rb") as source:
            options = {"trimmed": "true", "extensions": "jinja2.ext.do"}
            for _, _, message, _ in babel_extract(source, ("_", "gettext", "ngettext"), [], options):
                found |= _texts(message)
    for module in sorted(WEB.rglob("*.py")):
        with module.open("rb") as source:
            for _, message, _, _ in extract("python", source, keywords={"N_": None}):
                found |= _texts(message)
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and _speaks(node.func):
                found |= {
                    a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)
                }
            if isinstance(node, ast.keyword) and node.arg == "menu" and isinstance(node.value, ast.Constant):
                found.add(node.value.value)
    return {sentence for sentence in found if sentence.strip()}


def _texts(message: object) -> set[str]:
    """The id: of a plural, its singular."""
    parts = message if isinstance(message, tuple) else (message,)
    return {part for part in parts[:1] if isinstance(part, str)}


def _speaks(func: ast.expr) -> bool:
    """`visit.words("…")`, `words("…")`, and their plural `many`."""
    if isinstance(func, ast.Attribute) and func.attr == "many":
        func = func.value
    return (isinstance(func, ast.Attribute) and func.attr == "words") or (
        isinstance(func, ast.Name) and func.id == "words"
    )


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_there(language: str) -> None:
    known = {key if isinstance(key, str) else key[0] for key in catalogue(language)._catalog}  # type: ignore
    assert sorted(sentences() - known) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogues_are_well_formed(language: str) -> None:
    for path in sorted(WEB.joinpath("locale", language).glob("*.po")):
        read = pofile.read_po(io.BytesIO(path.read_bytes()), locale=language)
        for message in read:
            if not message.id:
                continue
            texts = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(texts), f"{path.name}: {message.id} has no translation"
            assert not message.fuzzy, f"{path.name}: {message.id} is marked as doubtful"
            assert not list(message.check()), f"{path.name}: {message.id} has other placeholders"


@pytest.mark.parametrize("language", OTHERS)
def test_no_two_areas_disagree(language: str) -> None:
    said: dict[str, tuple[str, str]] = {}
    for path in sorted(WEB.joinpath("locale", language).glob("*.po")):
        for message in pofile.read_po(io.BytesIO(path.read_bytes()), locale=language):
            if not message.id or not isinstance(message.id, str):
                continue
            before = said.setdefault(message.id, (path.name, message.string))
            assert before[1] == message.string, f"{message.id}: {before[0]} and {path.name} differ"


@pytest.mark.parametrize("language", LANGUAGES)
def test_codes_exist_in_each_language_that_has_any(language: str) -> None:
    """An id with a colon has no English in itself: each language, English too, has to say it."""

    def codes(tongue: str) -> set[str]:
        return {k for k in catalogue(tongue)._catalog if isinstance(k, str) and ":" in k.split(" ")[0][1:]}  # type: ignore

    wanted = {c for tongue in LANGUAGES for c in codes(tongue) if " " not in c}
    if language == "en":  # an error says itself what happened, in English
        wanted = {c for c in wanted if not c.startswith(("problem:", "rule:"))}
    assert sorted(wanted - codes(language)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_field_is_called_the_same_on_a_page_and_in_a_dossier(language: str) -> None:
    dossier = json.loads(
        resources.files("adapters.police_dossier").joinpath(f"texts/{language}.json").read_text()
    )
    for field_id in FIELD_IDS:
        assert catalogue(language).gettext(f"field:{field_id}") == dossier[f"field.{field_id}"]


@cache
def code_of_pages() -> tuple[tuple[str, ast.Module], ...]:
    """What a page runs on, parsed once."""
    return tuple(
        (f"{area}/{module.name}", ast.parse(module.read_text()))
        for area in ("core", "desk", "auth", "web")
        for module in sorted(WEB.parent.joinpath(area).rglob("*.py"))
    )


def calls() -> Iterator[tuple[str, ast.Call, ast.Module, str]]:
    """Every call by its name, with the module around it."""
    for place, tree in code_of_pages():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield getattr(node.func, "id", getattr(node.func, "attr", "")), node, tree, place


def literals(node: ast.Call, position: int, tree: ast.Module) -> list[str]:
    """The texts an argument can be: written there, or one of two given to a name before."""
    if len(node.args) <= position:
        return []
    given = [node.args[position]]
    if isinstance(given[0], ast.Name):
        name = given[0].id
        given = [
            a.value for a in ast.walk(tree)
            if isinstance(a, ast.Assign) and isinstance(a.targets[0], ast.Name) and a.targets[0].id == name
        ]  # fmt: skip
    given += [side for one in given if isinstance(one, ast.IfExp) for side in (one.body, one.orelse)]
    return [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def kinds(name: str, place: str) -> tuple[tuple[str, int], ...]:
    """What a call of this name makes of its arguments: prefixes of message ids, with positions."""
    if name in ERRORS:
        return (("problem:", 0),)
    if name == "_refused":
        return (("problem:" if place == "desk/confirm.py" else "rule:", 1),)
    if name == "_refuse" and place == "core/canonical.py":
        return (("problem:canonical-", 0), ("rule:canonical-", 0))
    if name == "Issue":
        return (("rule:", 1),)
    if name in ("_refuse", "Finding") or (name in REASONS and place in SHOWN_REASONS):
        return (("rule:", 0),)
    return ()


def raised() -> dict[str, set[str]]:
    """Every message id that an error on a page is looked up by, with the places it comes from."""
    found: dict[str, set[str]] = {"problem:not-found": {"errors.py"}}
    for name, node, tree, place in calls():
        for prefix, position in kinds(name, place):
            for text in literals(node, position, tree):
                if prefix + text not in TRANSLATED_BEFORE:
                    found.setdefault(prefix + text, set()).add(place)
    for rule, _ in case._RULES.values():
        found.setdefault(f"rule:{rule}", set()).add("core/case.py")
    return found


def hints() -> dict[str, str]:
    """Every hint written beside an error, by code."""
    found: dict[str, str] = {}
    for name, node, tree, place in calls():
        for prefix, position in kinds(name, place):
            if prefix != "problem:":
                continue
            texts = literals(node, position, tree)
            later = node.args[3 if name in ("Refused", "_refused") else 2 :]
            for hint in [k.value for k in node.keywords if k.arg == "hint"] + later:
                if isinstance(hint, ast.Constant):
                    found |= dict.fromkeys(texts, str(hint.value))
    return found


def test_the_search_for_errors_finds_each_kind() -> None:
    """A search that finds nothing would make the next tests pass for ever."""
    found = set(raised())
    assert {"problem:own-draft", "problem:not-confirmed", "problem:canonical-depth"} <= found
    assert {"rule:no-claims", "rule:too-few-people", "rule:no-partner", "rule:naive-timestamp"} <= found
    assert {"rule:required", "rule:media", "rule:text-leak", "rule:range"} <= found
    assert {"not-confirmed", "draft-blocked", "already-referred"} <= set(hints())


@pytest.mark.parametrize("language", OTHERS)
def test_every_error_that_a_page_can_show_is_translated(language: str) -> None:
    known = catalogue(language)._catalog  # type: ignore[attr-defined]
    assert {key: places for key, places in raised().items() if key not in known} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_hint_on_a_page_is_a_command_line(language: str) -> None:
    words = Words(language, ZoneInfo("Europe/Brussels"))
    for code, hint in hints().items():
        said = words.hint(Conflict(code, "synthetic", hint))
        assert "`" not in said, code
        assert "BROKER_" not in said, code
        assert language == "en" or said != hint, f"{code} has no hint in {language}"


def test_a_blocking_check_is_called_as_its_gap() -> None:
    nl = Words("nl", ZoneInfo("Europe/Brussels"))
    assert nl.rule(Issue("/items", "no-hash", "no hash")) == nl.code("value:F63", "no-hash") != "no-hash"
    assert nl.rule(Issue("/items", "never-said", "is a sentence of its own")) == "is a sentence of its own"


def test_a_moment_in_a_case_is_said_in_local_time_and_utc() -> None:
    words = Words("en", ZoneInfo("Europe/Brussels"))
    assert words.stated("2026-11-24T10:10:57+00:00") == "24 Nov 2026, 11:10:57 (10:10:57 UTC)"
    for other in ("2026-11-24", "not a time at all, really", "2026-11-24T10:10:57", ""):
        assert words.stated(other) == other


@pytest.mark.parametrize("language", OTHERS)
def test_every_adapter_of_ours_has_its_title(language: str) -> None:
    known = catalogue(language)._catalog  # type: ignore[attr-defined]
    titles = {each.info.title for each in adapters().values()} | {CANONICAL.title}
    assert len(titles) > 10
    assert sorted(titles - set(known)) == []
