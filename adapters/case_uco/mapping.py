"""From the minimised referral to a CASE investigation: elements first, then what ties them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adapters.case_uco import elements, ties
from adapters.case_uco.graph import Graph, moment, ref
from adapters.case_uco.observables import Element
from adapters.case_uco.places import ELEMENTS, FACTS
from broker.spi import Json, MinimisedReferral


def compose(referral: MinimisedReferral) -> Graph:
    """The whole graph. Deterministic: collections by plan, elements by id, members by name."""
    graph = Graph(referral.release)
    known = {
        collection: {
            element: graph.id(f"/entities/{collection}/{element}")
            for element in sorted(referral.entities.get(collection, {}))
        }
        for collection in elements.BUILD
    }
    nodes = {element: node for group in known.values() for element, node in group.items()}
    for collection, build in elements.BUILD.items():
        for element in _each(referral, collection, known):
            build(graph, element)
    marks = _markings(graph, referral)
    investigation = _investigation(graph, referral, nodes, marks)
    _facts(graph, referral, investigation, nodes)
    for collection, tie in (("links", ties.link), ("contacts", ties.contact)):
        for element in _each(referral, collection, known):
            tie(graph, element, investigation)
    for node in nodes.values():
        for mark in marks:
            graph.append(node, "uco-core:objectMarking", ref(mark))
    return graph


def _each(
    referral: MinimisedReferral, collection: str, known: Mapping[str, Mapping[str, str]]
) -> Iterator[Element]:
    found = referral.entities.get(collection, {})
    for element in sorted(found):
        values = {
            name: found[element][name]
            for name in ELEMENTS[collection]
            if found[element].get(name) is not None
        }
        yield Element(collection, element, values, known)


def _investigation(
    graph: Graph, referral: MinimisedReferral, nodes: Mapping[str, str], marks: Sequence[str]
) -> str:
    """The referral as an investigation, with a provenance record that holds all elements."""
    case = referral.facts.get("case", {})
    focus = [case[name] for name in ("kind", "offence_type") if isinstance(case.get(name), str)]
    held = [ref(node) for node in nodes.values()]
    marking = [ref(mark) for mark in marks]
    record = graph.node(
        "/#record",
        "case-investigation:ProvenanceRecord",
        {
            "case-investigation:exhibitNumber": referral.reference,
            "uco-core:object": held,
            "uco-core:objectMarking": marking,
        },
    )
    summary = referral.facts.get("summary", {}).get("text")
    investigation = graph.node(
        "/",
        "case-investigation:Investigation",
        {
            "case-investigation:focus": focus,
            "uco-core:description": [summary] if isinstance(summary, str) and summary else [],
            "uco-core:name": referral.reference,
            "uco-core:object": [ref(record), *held],
            "uco-core:objectMarking": marking,
        },
    )
    graph.node(
        "/#drafted",
        "case-investigation:InvestigativeAction",
        {
            "uco-action:endTime": moment(referral.drafted_at.isoformat()),
            "uco-action:object": [ref(investigation)],
            "uco-action:performer": _desk(graph, referral),
            "uco-action:result": [ref(record)],
            "uco-core:name": "drafted",
        },
    )
    for path, value in _envelope(referral):
        graph.annotate(investigation, "", f"/{path.replace('.', '/')}", path, value)
    return investigation


def _envelope(referral: MinimisedReferral) -> Iterator[tuple[str, Json]]:
    yield "release", referral.release
    yield "issuer", referral.issuer
    yield "version", referral.version
    yield "kind", referral.kind
    yield "supersedes", referral.supersedes
    yield "purposes", list(referral.purposes)
    yield "unconfirmed", referral.unconfirmed
    for role, party in (("addressee", referral.addressee), ("carrier", referral.carrier)):
        yield f"{role}.name", party.name
        yield f"{role}.class", party.recipient_class
        yield f"{role}.country", party.country


def _desk(graph: Graph, referral: MinimisedReferral) -> Json:
    """The hotline's desk (F72) as an organisation, or nothing."""
    desk = referral.facts.get("operator", {}).get("desk")
    if not isinstance(desk, Mapping):
        return None
    pointer = "/facts/operator/desk"
    node = graph.node(
        pointer, "uco-identity:Organization", {"uco-core:name": ties.text(desk.get("organisation"))}
    )
    rest = {name: value for name, value in desk.items() if name != "organisation"}
    graph.annotate(node, "F72", pointer, "desk", rest)
    return ref(node)


def _markings(graph: Graph, referral: MinimisedReferral) -> list[str]:
    """Conditions of use (F67) as statement markings; codes of schemes go as annotations."""
    codes = referral.facts.get("handling", {}).get("codes")
    conditions = codes.get("conditions") if isinstance(codes, Mapping) else None
    marks = []
    for n, condition in enumerate(conditions if isinstance(conditions, list) else []):
        text = condition.get("text") if isinstance(condition, Mapping) else condition
        if not isinstance(text, str) or not text:
            continue
        pointer = f"/facts/handling/codes/conditions/{n}"
        model = graph.node(
            f"{pointer}#statement",
            "uco-marking:StatementMarking",
            {"uco-marking:definitionType": "statement", "uco-marking:statement": text},
        )
        marks.append(
            graph.node(
                f"{pointer}#marking",
                "uco-marking:MarkingDefinition",
                {"uco-marking:definition": [ref(model)], "uco-marking:definitionType": "statement"},
            )
        )
    return marks


def _facts(graph: Graph, referral: MinimisedReferral, investigation: str, nodes: Mapping[str, str]) -> None:
    """Facts of the case: steps as actions, the rest as annotations of the investigation."""
    for section, names in FACTS.items():
        held = referral.facts.get(section, {})
        for name, field in names.items():
            value, pointer = held.get(name), f"/facts/{section}/{name}"
            if name in ties.ACTIONS and isinstance(value, list):
                for n, entry in enumerate(value):
                    ties.action(graph, (field, name, f"{pointer}/{n}"), entry, investigation, nodes)
            elif name != "desk":
                graph.annotate(investigation, field, pointer, name, value)
