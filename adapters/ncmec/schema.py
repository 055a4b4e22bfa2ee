"""What the receiving side demands, as data of one dated version: order, lengths, dates, codes.

The table is read from `schema-<stamp>.json` beside this module. It holds facts about NCMEC's schema and
documentation, not the schema itself; the tests compare it with both where they are at hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

STAMP = "2025-11"


@dataclass(frozen=True, slots=True)
class Schema:
    """Paths are `element/child`, where `element` is the type behind a name (`types`)."""

    stamp: str
    xsd_sha256: str
    types: Mapping[str, str]
    sequence: Mapping[str, tuple[str, ...]]
    required: Mapping[str, tuple[str, ...]]
    lengths: Mapping[str, int]
    past: frozenset[str]
    urls: frozenset[str]
    not_blank: frozenset[str]
    country: frozenset[str]
    codes: Mapping[str, frozenset[str]]
    countries: frozenset[str]

    def type_of(self, name: str) -> str:
        """`person` for `reportingPerson`; the name itself where it is its own type."""
        return self.types.get(name, name)

    def limit(self, parent: str, child: str) -> int | None:
        """The documented greatest length, in characters."""
        return self.lengths.get(f"{self.type_of(parent)}/{child}")


def load(stamp: str = STAMP) -> Schema:
    """The table of one version."""
    found = json.loads(resources.files(__package__).joinpath(f"schema-{stamp}.json").read_text("utf-8"))
    return Schema(
        stamp=found["stamp"],
        xsd_sha256=found["xsd_sha256"],
        types=found["types"],
        sequence={name: tuple(children) for name, children in found["sequence"].items()},
        required={name: tuple(children) for name, children in found["required"].items()},
        lengths=found["lengths"],
        past=frozenset(found["past"]),
        urls=frozenset(found["urls"]),
        not_blank=frozenset(found["not_blank"]),
        country=frozenset(found["country"]),
        codes={path: frozenset(codes) for path, codes in found["codes"].items()},
        countries=frozenset(found["countries"].split()),
    )


SCHEMA = load()
