"""An element as this recipient gets it, and the observables that several kinds of element share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from adapters.case_uco.graph import Graph, ref
from broker.spi import Json


@dataclass(frozen=True, slots=True)
class Element:
    """One element as this recipient gets it; `known` gives nodes by collection and element id."""

    collection: str
    id: str
    values: Mapping[str, Json]
    known: Mapping[str, Mapping[str, str]]

    def end(self, collection: str, element: Json) -> str:
        """The node that a reference points to, or nothing where it is not in this referral."""
        return self.known[collection].get(element, "") if isinstance(element, str) else ""

    @property
    def pointer(self) -> str:
        """Its place in `doc`."""
        return f"/entities/{self.collection}/{self.id}"


def identify(graph: Graph, node: str, element: Element) -> None:
    """The element id, which stays the same over the versions of a referral; node ids do not."""
    reference = graph.node(
        f"{node}#element",
        "uco-core:ExternalReference",
        {"uco-core:definingContext": "broker-referral/1 element", "uco-core:externalIdentifier": element.id},
    )
    graph.append(node, "uco-core:externalReference", ref(reference))


def relate(graph: Graph, place: str, source: str, kind: str, target: str) -> None:
    """A directed relationship between two observables that are both there."""
    if target:
        graph.node(
            place,
            "uco-observable:ObservableRelationship",
            {
                "uco-core:isDirectional": True,
                "uco-core:kindOfRelationship": kind,
                "uco-core:source": [ref(source)],
                "uco-core:target": ref(target),
            },
        )


def url(graph: Graph, place: str, value: Json) -> str:
    """A URL as an observable of its own, or nothing."""
    if not isinstance(value, str) or not value:
        return ""
    node = graph.node(place, "uco-observable:URL")
    graph.facet(node, "uco-observable:URLFacet", {"uco-observable:fullValue": value})
    return node


def address_of(graph: Graph, place: str, value: Json) -> str:
    """An IP address as an observable; nothing for a network, which is no address."""
    try:
        address = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        address = None
    if address is None:
        return ""
    version = "IPv4" if isinstance(address, IPv4Address) else "IPv6"
    node = graph.node(place, f"uco-observable:{version}Address")
    graph.facet(node, f"uco-observable:{version}AddressFacet", {"uco-observable:addressValue": value})
    return node


def member(value: Json, name: str) -> str:
    """A member that is a string, and nothing for anything else."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else ""
