"""Pages from templates: one environment a language, everything escaped, nothing undefined."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from broker.web.locators import broken
from broker.web.words import LANGUAGES, NAMES, Language, Words, catalogue

STATIC = "/static"


@cache
def static_digest(name: str) -> str:
    """First octets of the SHA-256 of a static file: part of its address, so that it can be kept for ever."""
    return hashlib.sha256(static_bytes(name)).hexdigest()[:12]


@cache
def static_bytes(name: str) -> bytes:
    """A file of `static/`. Raises `FileNotFoundError`."""
    return resources.files("broker.web").joinpath("static", name).read_bytes()


def static(name: str) -> str:
    """Where a static file is."""
    return f"{STATIC}/{static_digest(name)}/{name}"


@cache
def environment(language: Language) -> Environment:
    """Templates with the sentences of one language."""
    env = Environment(
        loader=PackageLoader("broker.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    found = catalogue(language)
    env.install_gettext_callables(found.gettext, found.ngettext, newstyle=True)  # type: ignore[attr-defined]
    env.filters["broken"] = broken
    env.filters["json"] = _compact
    env.globals.update(static=static, languages=LANGUAGES, language_names=NAMES)
    return env


def page(template: str, words: Words, values: Mapping[str, Any]) -> bytes:
    """The page in the words of its reader."""
    found = environment(words.language).get_template(template)
    return found.render(words=words, **values).encode()


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)
