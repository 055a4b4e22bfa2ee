"""A JSON-LD graph that grows node by node: ids out of the release id, values typed, order fixed.

Node ids are `urn:uuid:` version 5 of release id and place, so that the same referral gives the same
graph, two recipients' graphs share no id, and nothing in it can be dereferenced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import UUID, uuid5

from broker.spi import Json

CONTEXT: Mapping[str, str] = {
    "case-investigation": "https://ontology.caseontology.org/case/investigation/",
    "uco-action": "https://ontology.unifiedcyberontology.org/uco/action/",
    "uco-core": "https://ontology.unifiedcyberontology.org/uco/core/",
    "uco-identity": "https://ontology.unifiedcyberontology.org/uco/identity/",
    "uco-marking": "https://ontology.unifiedcyberontology.org/uco/marking/",
    "uco-observable": "https://ontology.unifiedcyberontology.org/uco/observable/",
    "uco-types": "https://ontology.unifiedcyberontology.org/uco/types/",
    "uco-victim": "https://ontology.unifiedcyberontology.org/uco/victim/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}

_SPACE = UUID("6f0b1c0e-4f0a-5d0c-9c53-0b8f5c1f7a41")
"""The name space of node ids; never to change, or old graphs could not be made again."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)")

Node = dict[str, Json]
EMPTY: Mapping[str, Json] = MappingProxyType({})
VOID: tuple[Json, ...] = (None, "", [])
"""Values that say nothing and do not stand in the graph."""


class Graph:
    """Nodes by id, in the order they came."""

    def __init__(self, release: str) -> None:
        self._release = release
        self._nodes: dict[str, Node] = {}

    def id(self, place: str) -> str:
        """The id of what stands at `place` (a pointer, or a pointer and a role)."""
        return f"urn:uuid:{uuid5(_SPACE, f'{self._release} {place}')}"

    def node(self, place: str, kind: str, members: Mapping[str, Json] = EMPTY) -> str:
        """Adds a node of one class with what it says, and gives its id; nothing stays empty."""
        found = self.id(place)
        said = {term: value for term, value in members.items() if value not in VOID}
        self._nodes[found] = {"@id": found, "@type": kind, **said}
        return found

    def facet(self, owner: str, kind: str, members: Mapping[str, Json]) -> None:
        """A facet of a node, where it has anything to say."""
        if any(value not in VOID for value in members.values()):
            self.append(owner, "uco-core:hasFacet", ref(self.node(f"{owner}#{kind}", kind, members)))

    def append(self, owner: str, term: str, value: Json) -> None:
        """One more value of a term."""
        self._nodes[owner].setdefault(term, []).append(value)

    def annotate(self, about: str, field: str, pointer: str, path: str, value: Json) -> None:
        """Every scalar inside `value` as an annotation of `about`: its field, its path, its pointer."""
        if isinstance(value, Mapping):
            for name in sorted(value):
                self.annotate(about, field, f"{pointer}/{name}", f"{path}.{name}", value[name])
        elif isinstance(value, list):
            for n, entry in enumerate(value):
                self.annotate(about, field, f"{pointer}/{n}", path, entry)
        elif value not in VOID:
            self.node(
                f"{pointer}#annotation",
                "uco-core:Annotation",
                {
                    "uco-core:object": [ref(about)],
                    "uco-core:statement": [plain(value)],
                    "uco-core:tag": [tag for tag in (field, path, pointer) if tag],
                },
            )

    def encode(self) -> bytes:
        """The document: context and graph, members sorted, one line an entry, UTF-8."""
        document = {"@context": dict(CONTEXT), "@graph": list(self._nodes.values())}
        return (json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def ref(node: str) -> Node:
    """A reference to a node."""
    return {"@id": node}


def moment(value: Json) -> Node | None:
    """An RFC 3339 time as it stands, typed; None for anything coarser."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return None
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return None
    return {"@type": "xsd:dateTime", "@value": value}


def plain(value: Json) -> str:
    """A scalar as text: `true`, `12`, a string as it is."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
