"""The words of the dossier in NL, FR, DE and EN, one flat table for each language.

Keys: `ui.*` sentences and headings, `env.*` facts about the referral itself, `col.*` and `one.*`
collections, `field.F..` field labels, `member.*` labels inside a field, `code.<field>.<value>` or
`code.<member>.<value>` words for coded values. A code without a word is shown as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources

LANGUAGES = ("nl", "fr", "de", "en")

_GROUPS = {"nl": ".", "fr": "\u202f", "de": ".", "en": ","}
"""What stands between groups of three digits."""

_REGION = {"nl": "BE", "fr": "BE", "de": "BE", "en": "GB"}


def _load(language: str) -> Mapping[str, str]:
    text = resources.files(__package__).joinpath(f"texts/{language}.json").read_text(encoding="utf-8")
    table: dict[str, str] = json.loads(text)
    return table


_TABLES = {language: _load(language) for language in LANGUAGES}


class Words:
    """The table of one language; an unknown language falls back to English."""

    def __init__(self, language: str) -> None:
        self.language = language if language in _TABLES else "en"
        self.region = _REGION[self.language]
        self.table = _TABLES[self.language]

    def say(self, key: str, **params: str | int) -> str:
        """A sentence; parameters are inserted as they are and never read as a format again."""
        return self.table[key].format(**params) if params else self.table[key]

    def field(self, field_id: str) -> str:
        """The label of a field; the id itself for one that has none."""
        return self.table.get(f"field.{field_id}", field_id)

    def member(self, name: str) -> str:
        """The label of a member inside a structured value."""
        return self.table.get(f"member.{name}", name)

    def code(self, field_id: str, member: str, value: str) -> str | None:
        """The words for a coded value, or None where it is no code of that place."""
        if member in FREE_MEMBERS:
            return None
        shared = self.table.get(f"code.{SHARED_CODES.get(member, '')}.{value}")
        return shared or self.table.get(f"code.{field_id}.{value}")

    def unit(self, field_id: str, member: str, value: object) -> str | None:
        """A number as people say it (`42 messages`), or None where the place counts nothing.

        A number given as a range (`2-5`) has the words of many.
        """
        place = f"unit.{field_id}.{member}" if member else f"unit.{field_id}"
        if f"{place}.many" not in self.table or isinstance(value, bool):
            return None
        said = f"{value:,}".replace(",", _GROUPS[self.language]) if isinstance(value, int) else str(value)
        single = value == 1 or (value == 0 and self.language == "fr")
        return self.say(f"{place}.one" if single else f"{place}.many", n=said)


SHARED_CODES = {
    "meaning": "meaning",
    "clock": "clock",
    "confidence": "confidence",
    "match": "match",
    "purpose": "purposes",
    "purposes": "purposes",
}
"""Member → the table its codes stand in, where they mean the same in every field."""

FREE_MEMBERS = frozenset(
    {
        "account_id",
        "analyst",
        "article",
        "bio",
        "by",
        "by_org",
        "device",
        "domain",
        "email",
        "isp",
        "label",
        "lists",
        "organisation",
        "phone",
        "platform",
        "provider",
        "ref",
        "requested_to",
        "scheme",
        "service",
        "statute",
        "system",
        "text",
        "to",
        "tool_version",
        "url",
        "version",
    }
)
"""Members that hold somebody's own words: never read as codes, even where they look like one."""
