"""The adapter's own check of its graph, in milliseconds; the ontology's shapes are for the tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from adapters.case_uco.graph import CONTEXT, moment
from adapters.case_uco.places import NEEDS
from broker.spi import Document, Finding, Json, MinimisedReferral

_ID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "uco-core:Annotation": ("uco-core:object", "uco-core:statement"),
    "uco-core:Grouping": ("uco-core:context", "uco-core:object"),
    "uco-core:Relationship": ("uco-core:isDirectional", "uco-core:source", "uco-core:target"),
    "uco-marking:MarkingDefinition": ("uco-marking:definition", "uco-marking:definitionType"),
    "uco-marking:StatementMarking": ("uco-marking:definitionType", "uco-marking:statement"),
    "uco-observable:ObservableRelationship": (
        "uco-core:isDirectional",
        "uco-core:source",
        "uco-core:target",
    ),
    "uco-types:Hash": ("uco-types:hashMethod", "uco-types:hashValue"),
}
"""What the shapes of CASE 1.5 ask of the classes that this adapter writes."""

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_URLS = (("locations", "url"), ("locations", "page_url"), ("locations", "referrer"))


def lint(referral: MinimisedReferral, documents: Sequence[Document], name: str) -> list[Finding]:
    """Blocks a graph that is broken or lacks a URL; notes what this format does not take."""
    found = [document for document in documents if document.name == name]
    if not found:
        return [Finding("case-document-missing", "block", params={"name": name})]
    try:
        graph = json.loads(found[0].content)
        nodes = graph["@graph"]
        by_id = {node["@id"]: node for node in nodes}
    except (ValueError, KeyError, TypeError):
        return [Finding("case-unreadable", "block")]
    findings = list(_shape(graph, nodes, by_id))
    findings += _urls(referral, nodes)
    for pointer, field in sorted(referral.fields.items()):
        if field and field not in NEEDS:
            findings.append(Finding("case-not-taken", "note", pointer, {"field": field}))
    return findings


def _shape(graph: Mapping[str, Json], nodes: list[Json], by_id: Mapping[str, Json]) -> Iterator[Finding]:
    if graph.get("@context") != CONTEXT:
        yield Finding("case-context", "block")
    if len(by_id) != len(nodes) or not all(_ID.fullmatch(node) for node in by_id):
        yield Finding("case-node-id", "block")
    for node in nodes:
        kind = node["@type"]
        if not all(name in node for name in _REQUIRED.get(kind, ())):
            yield Finding("case-incomplete-node", "block", params={"class": kind})
        for value in _values(node):
            if "@id" in value and value["@id"] not in by_id:
                yield Finding("case-dangling-reference", "block", params={"class": kind})
            if not _typed(value):
                yield Finding("case-ill-typed", "block", params={"class": kind})


def _values(node: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    for term, value in node.items():
        if not term.startswith("@"):
            yield from (v for v in (value if isinstance(value, list) else [value]) if isinstance(v, Mapping))


def _typed(value: Mapping[str, Json]) -> bool:
    kind, text = value.get("@type"), value.get("@value")
    if kind == "xsd:hexBinary":
        return isinstance(text, str) and _HEX.fullmatch(text) is not None
    return kind != "xsd:dateTime" or moment(text) is not None


def _urls(referral: MinimisedReferral, nodes: list[Json]) -> Iterator[Finding]:
    """Every URL of the referral stands in the graph exactly."""
    held = {node.get("uco-observable:fullValue") for node in nodes}
    for collection, name in _URLS:
        for element, values in referral.entities.get(collection, {}).items():
            value = values.get(name)
            if isinstance(value, str) and value not in held:
                yield Finding("case-url-missing", "block", f"/entities/{collection}/{element}/{name}")
