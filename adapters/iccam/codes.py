"""ICCAM's code lists by version: data, read once; a code we have no word for becomes the list's `unknown`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

VERSION = "v3"


@dataclass(frozen=True, slots=True)
class Codes:
    """One version of the lists."""

    version: str
    lists: Mapping[str, Mapping[str, int]]
    final_actions: frozenset[int]
    needs_reason_above: int
    reasons: frozenset[int]

    def get(self, name: str, word: object) -> int | None:
        """The number for one of our words, or None."""
        return self.lists[name].get(word) if isinstance(word, str) else None


@cache
def codes(version: str = VERSION) -> Codes:
    """The lists of one version. `KeyError`-like `FileNotFoundError` for one that is not here."""
    text = resources.files(__package__).joinpath("lists", f"{version}.json").read_text("utf-8")
    found = json.loads(text)
    return Codes(
        version=found["version"],
        lists={name: values for name, values in found.items() if isinstance(values, dict)},
        final_actions=frozenset(found["final_actions"]),
        needs_reason_above=found["needs_reason_above"],
        reasons=frozenset(found["reasons"]),
    )
