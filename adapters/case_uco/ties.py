"""What ties elements together: steps taken, who did what with what, and histories of contacts."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.case_uco.graph import Graph, moment, ref
from adapters.case_uco.observables import Element, identify
from broker.spi import Json

ACTIONS = {
    "confirmations": ("claim", "organisation", "at"),
    "custody": ("action", "", "at"),
    "preservation": ("", "", "at"),
    "removal": ("status", "", "at"),
}
"""Fields that are lists of things done: member for the name, for the performer, for the time."""


def action(
    graph: Graph,
    place: tuple[str, str, str],
    entry: Json,
    investigation: str,
    nodes: Mapping[str, str],
) -> None:
    """One step: what was done, by whom, when, about which elements."""
    field, name, pointer = place
    if not isinstance(entry, Mapping):
        graph.annotate(investigation, field, pointer, name, entry)
        return
    title, performer, at = ACTIONS[name]
    about = entry.get("about")
    objects = [nodes[e] for e in about if e in nodes] if isinstance(about, list) else []
    who = text(entry.get(performer)) if performer else ""
    organisation = (
        graph.node(f"{pointer}#performer", "uco-identity:Organization", {"uco-core:name": who}) if who else ""
    )
    step = graph.node(
        pointer,
        "case-investigation:InvestigativeAction",
        {
            "uco-action:endTime": moment(entry.get(at)),
            "uco-action:object": [ref(node) for node in dict.fromkeys(objects)] or [ref(investigation)],
            "uco-action:performer": ref(organisation) if organisation else None,
            "uco-core:name": text(entry.get(title)) if title else name,
            "uco-core:tag": [field, name],
        },
    )
    native = {title, performer, "about"} | ({at} if moment(entry.get(at)) else set())
    rest = {member: value for member, value in entry.items() if member not in native}
    graph.annotate(step, field, pointer, name, rest)


def link(graph: Graph, element: Element, investigation: str) -> None:
    """Who did what with what: one relationship for each target; without both ends, an annotation."""
    held = element.values.get("link")
    entry: Mapping[str, Json] = held if isinstance(held, Mapping) else {}
    source = element.end("persons", entry.get("subject"))
    targets = [
        element.end("items", entry.get("item")),
        element.end("events", entry.get("event")),
        *_victims(element, entry),
    ]
    made = [
        graph.node(
            f"{element.pointer}/link#{n}",
            "uco-core:Relationship",
            {
                "uco-core:isDirectional": True,
                "uco-core:kindOfRelationship": text(entry.get("relation")),
                "uco-core:source": [ref(source)],
                "uco-core:target": ref(target),
            },
        )
        for n, target in enumerate(targets)
        if source and target
    ]
    for node in made:
        identify(graph, node, element)
    ends = {"subject", "item", "event", "victims", "relation"}
    rest = {name: value for name, value in entry.items() if not made or name not in ends}
    about: Json = rest if entry else held
    graph.annotate(made[0] if made else investigation, "F73", f"{element.pointer}/link", "link", about)


def contact(graph: Graph, element: Element, investigation: str) -> None:
    """A history of contacts: a grouping of the account and the victims, with what is said of it."""
    history = element.values.get("history")
    entry: Mapping[str, Json] = history if isinstance(history, Mapping) else {}
    ends = [element.end("persons", entry.get("person")), *_victims(element, entry)]
    members = [node for node in ends if node]
    about = investigation
    if members:
        about = graph.node(
            element.pointer,
            "uco-core:Grouping",
            {
                "uco-core:context": ["contact history"],
                "uco-core:object": [ref(node) for node in dict.fromkeys(members)],
            },
        )
        identify(graph, about, element)
    rest = {name: value for name, value in entry.items() if name not in {"person", "victims"}}
    graph.annotate(about, "F74", f"{element.pointer}/history", "history", rest if entry else history)


def _victims(element: Element, entry: Mapping[str, Json]) -> list[str]:
    victims = entry.get("victims")
    return [element.end("victims", v) for v in victims] if isinstance(victims, list) else []


def text(value: Json) -> str:
    """A string as it is, and nothing for anything else."""
    return value if isinstance(value, str) else ""
