"""The desk's four languages: catalogues, dates, numbers, names of codes and fields.

Catalogues are `locale/<language>/<area>.po`, read once and kept in memory. A message id is the English
sentence; ids with a colon (`field:F29`, `problem:own-draft`) are codes, and English has a catalogue for
those too.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers
from babel.messages import mofile, pofile
from babel.support import NullTranslations, Translations

from broker.errors import BrokerError, Issue

Language = Literal["nl", "fr", "de", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
NAMES: Mapping[Language, str] = {"nl": "Nederlands", "fr": "Français", "de": "Deutsch", "en": "English"}
_LOCALES: Mapping[Language, str] = {"nl": "nl_BE", "fr": "fr_BE", "de": "de_BE", "en": "en_GB"}


@cache
def catalogue(language: Language) -> NullTranslations:
    """Every area of one language as one catalogue."""
    merged: Translations | None = None
    folder = resources.files("broker.web").joinpath("locale", language)
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if not entry.name.endswith(".po"):
            continue
        compiled = io.BytesIO()
        mofile.write_mo(compiled, pofile.read_po(io.BytesIO(entry.read_bytes()), locale=language))
        compiled.seek(0)
        area = Translations(compiled)
        merged = area if merged is None else merged.add(area)
    return merged or NullTranslations()


@dataclass(frozen=True, slots=True)
class Words:
    """How the desk speaks to one person."""

    language: Language
    zone: ZoneInfo

    def __call__(self, message: str, **values: object) -> str:
        """A sentence; `%(name)s` in it is filled from `values`."""
        text: str = catalogue(self.language).gettext(message)
        return text % values if values else text

    def many(self, one: str, more: str, n: int) -> str:
        """A sentence about a number, by the language's own plural; `%(n)s` is the number."""
        text: str = catalogue(self.language).ngettext(one, more, n)
        return text % {"n": self.number(n)}

    def code(self, kind: str, value: object) -> str:
        """The name of a code (`urgency`, `U1`); a code without a name stays itself."""
        key = f"{kind}:{value}"
        found = self(key)
        return str(value) if found == key else found

    def field(self, field_id: str) -> str:
        """What a schema field is called, such as *Address (URL)* for F29."""
        return self.code("field", field_id)

    def problem(self, error: BrokerError) -> str:
        """What happened, in this language; the English of the error itself where nobody translated it."""
        found = self.code("problem", error.code)
        return _sentence(error.message if found == error.code else found)

    def rule(self, issue: Issue) -> str:
        """What is wrong with one field. A check that blocks (`Q01` …) is called as its gap is in F63."""
        found = self.code("rule", issue.rule)
        if found == issue.rule and issue.detail == issue.rule.replace("-", " "):
            found = self.code("value:F63", issue.rule)
        return issue.detail if found == issue.rule else found

    def hint(self, error: BrokerError) -> str:
        """What to do next; the English of the error itself where it serves the reader of a page too."""
        found = self.code("hint", error.code)
        return _sentence(error.hint if found == error.code or not error.hint else found)

    def number(self, value: int | float) -> str:
        """With the language's own separators."""
        text: str = numbers.format_decimal(value, locale=self.locale)
        return text

    def day(self, value: date | datetime) -> str:
        """A date, such as 25 Nov 2026."""
        local = value.astimezone(self.zone).date() if isinstance(value, datetime) else value
        text: str = dates.format_date(local, "medium", locale=self.locale)
        return text

    def when(self, value: datetime) -> str:
        """Local time with its zone, and UTC (ruling 12)."""
        local = value.astimezone(self.zone)
        text = dates.format_datetime(local, "medium", tzinfo=self.zone, locale=self.locale)
        return f"{text} ({value.astimezone(ZoneInfo('UTC')):%H:%M:%S} UTC)"

    def stated(self, text: str) -> str:
        """A moment as a case states it (RFC 3339), said as `when` says it; any other text as it is."""
        if len(text) < 20 or text[10:11] != "T":
            return text
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            return text
        return text if found.tzinfo is None else self.when(found)

    def span(self, value: timedelta) -> str:
        """A length of time in its largest unit, such as 3 hours."""
        text: str = dates.format_timedelta(value, threshold=1.5, locale=self.locale)
        return text

    @property
    def colon(self) -> str:
        """Between a name and what it is; French has a space before it."""
        return "\u00a0: " if self.language == "fr" else ": "

    @property
    def semicolon(self) -> str:
        """Between the parts of a list."""
        return "\u00a0; " if self.language == "fr" else "; "

    @property
    def locale(self) -> Locale:
        """The regional form: Belgian where there is one."""
        return Locale.parse(_LOCALES[self.language])


def _sentence(text: str) -> str:
    """With a capital: errors are said in small letters on a command line, as sentences on a page."""
    return text[:1].upper() + text[1:]


def preferred(accept: str, wanted: str | None = None) -> Language:
    """The language a browser asks for; `wanted` is a choice made earlier and counts first."""
    if wanted in LANGUAGES:
        return wanted
    offers: list[tuple[float, str]] = []
    for part in accept.split(",")[:16]:
        tag, _, quality = part.strip().partition(";q=")
        try:
            offers.append((float(quality or 1), tag.partition("-")[0].lower()))
        except ValueError:
            continue
    for _, tag in sorted(offers, key=lambda o: -o[0]):
        if tag in LANGUAGES:
            return tag
    return "en"
