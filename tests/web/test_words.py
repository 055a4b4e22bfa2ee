"""Four languages, complete: every sentence of the pages, and the same names as in the documents."""

from __future__ import annotations

import ast
import io
import json
from importlib import resources
from pathlib import Path

import pytest
from babel.messages import pofile
from babel.messages.extract import extract
from jinja2.ext import babel_extract

from broker.core.fields import FIELD_IDS
from broker.web.words import LANGUAGES, catalogue

WEB = Path(str(resources.files("broker.web")))
OTHERS = ("nl", "fr", "de")


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
    assert sorted(wanted - codes(language)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_field_is_called_the_same_on_a_page_and_in_a_dossier(language: str) -> None:
    dossier = json.loads(
        resources.files("adapters.police_dossier").joinpath(f"texts/{language}.json").read_text()
    )
    for field_id in FIELD_IDS:
        assert catalogue(language).gettext(f"field:{field_id}") == dossier[f"field.{field_id}"]
