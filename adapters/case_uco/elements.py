"""Items, locations, accounts, events and victims as observables, each with its element id.

What a class of the ontology has a property for becomes one; every other value is an annotation of
the element's node. Nothing is guessed: a network instead of an address, a month instead of a time
or a pseudonym stays an annotation or an identifier as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapters.case_uco.graph import Graph, moment, ref
from adapters.case_uco.observables import Element, address_of, identify, member, relate, url
from adapters.case_uco.places import ELEMENTS
from broker.spi import Json

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_METHODS = {"md5": "MD5", "sha1": "SHA1", "sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}


def item(graph: Graph, element: Element) -> None:
    """An item is a file: name, size, type, hashes; found at its locations."""
    values = dict(element.values)
    node = _start(graph, element, "uco-observable:File", member(values.get("ref"), "ref"))
    media = values.get("media")
    size = media.get("size") if isinstance(media, Mapping) else None
    name = values.pop("filename", None)
    graph.facet(node, "uco-observable:FileFacet", {"uco-observable:fileName": [name] if name else []})
    hashes = [
        *_hashes(graph, element, values, "crypto_hash"),
        *_hashes(graph, element, values, "perceptual_hash"),
    ]
    kind = member(media, "type")
    facet = {
        "uco-observable:hash": hashes,
        "uco-observable:mimeType": [kind] if kind else [],
        "uco-observable:sizeInBytes": size,
    }
    graph.facet(node, "uco-observable:ContentDataFacet", facet)
    if isinstance(media, Mapping):
        values["media"] = {n: v for n, v in media.items() if n not in {"type", "size"}}
    place = values.pop("ref", None)
    if isinstance(place, Mapping):
        found = place.get("found_at")
        for n, where in enumerate(found if isinstance(found, list) else []):
            target = element.end("locations", where)
            relate(graph, f"{element.pointer}/ref/found_at/{n}", node, "Contained_Within", target)
    else:
        values["ref"] = place
    _rest(graph, node, element, values)


def location(graph: Graph, element: Element) -> None:
    """A location is a URL, where the recipient gets it; page and referrer are URLs of their own."""
    values = dict(element.values)
    address = values.pop("url", None)
    kind = "uco-observable:URL" if address else "uco-observable:ObservableObject"
    node = _start(graph, element, kind, "")
    graph.facet(node, "uco-observable:URLFacet", {"uco-observable:fullValue": address})
    for name, relation in (("page_url", "Contained_Within"), ("referrer", "Referred_By")):
        other = url(graph, f"{element.pointer}/{name}", values.pop(name, None))
        relate(graph, f"{element.pointer}/{name}#relation", node, relation, other)
    host = values.get("host")
    if isinstance(host, Mapping) and (
        found := address_of(graph, f"{element.pointer}/host/ip", host.get("ip"))
    ):
        relate(graph, f"{element.pointer}/host/ip#relation", node, "Resolved_To", found)
        values["host"] = {name: value for name, value in host.items() if name != "ip"}
    _rest(graph, node, element, values)


def person(graph: Graph, element: Element) -> None:
    """A reported account or person is an account; nobody is made an identity here."""
    values = dict(element.values)
    node = _start(graph, element, "uco-observable:DigitalAccount", "")
    account, issuer = values.pop("account", None), ""
    service = member(account, "service")
    if service:
        issuer = graph.node(
            f"{element.pointer}/account/service", "uco-identity:Organization", {"uco-core:name": service}
        )
    identifier = member(account, "account_id") if isinstance(account, Mapping) else account
    facet = {
        "uco-observable:accountIdentifier": identifier,
        "uco-observable:accountIssuer": ref(issuer) if issuer else None,
    }
    graph.facet(node, "uco-observable:AccountFacet", facet)
    name = values.pop("handle", None)
    graph.facet(node, "uco-observable:DigitalAccountFacet", {"uco-observable:displayName": name})
    profile = values.get("profile")
    if isinstance(profile, Mapping):
        page = url(graph, f"{element.pointer}/profile/url", profile.get("url"))
        relate(graph, f"{element.pointer}/profile/url#relation", node, "Related_To", page)
        values["profile"] = {n: v for n, v in profile.items() if n != "url"}
    _contact_details(graph, element, node, values)
    _rest(graph, node, element, values)


def event(graph: Graph, element: Element) -> None:
    """A network event is a connection: source address, source port and time in one facet."""
    values = dict(element.values)
    node = _start(graph, element, "uco-observable:NetworkConnection", "")
    source = address_of(graph, f"{element.pointer}/ip", values.get("ip"))
    if source:
        del values["ip"]
    stamp = values.get("timestamp")
    at = moment(stamp.get("at") if isinstance(stamp, Mapping) else stamp)
    facet = {
        "uco-observable:sourcePort": values.pop("port", None),
        "uco-observable:src": [ref(source)] if source else [],
        "uco-observable:startTime": at,
    }
    graph.facet(node, "uco-observable:NetworkConnectionFacet", facet)
    if at:
        values["timestamp"] = (
            {n: v for n, v in stamp.items() if n != "at"} if isinstance(stamp, Mapping) else None
        )
    kind = values.get("event")
    if isinstance(kind, Mapping):
        owner = element.end("persons", kind.get("account_of"))
        relate(graph, f"{element.pointer}/event/account_of", node, "Connected_To", owner)
        values["event"] = {n: v for n, v in kind.items() if n != "account_of"}
    _rest(graph, node, element, values)


def victim(graph: Graph, element: Element) -> None:
    """A victim is a role without an identity."""
    values = dict(element.values)
    place = values.get("ref")
    node = _start(graph, element, "uco-victim:Victim", member(place, "ref"))
    if isinstance(place, Mapping):
        values["ref"] = {n: v for n, v in place.items() if n != "ref"}
    _rest(graph, node, element, values)


BUILD = {"locations": location, "items": item, "persons": person, "events": event, "victims": victim}


def _contact_details(graph: Graph, element: Element, node: str, values: dict[str, Json]) -> None:
    contact = values.get("contact")
    if not isinstance(contact, Mapping):
        return
    mail, phone = contact.get("email"), contact.get("phone")
    place = f"{element.pointer}/contact"
    if mail:
        found = graph.node(f"{place}/email", "uco-observable:EmailAddress")
        graph.facet(found, "uco-observable:EmailAddressFacet", {"uco-observable:addressValue": mail})
        relate(graph, f"{place}/email#relation", node, "Related_To", found)
    if phone:
        found = graph.node(f"{place}/phone", "uco-observable:PhoneAccount")
        graph.facet(found, "uco-observable:PhoneAccountFacet", {"uco-observable:phoneNumber": phone})
        relate(graph, f"{place}/phone#relation", node, "Related_To", found)
    values["contact"] = {n: v for n, v in contact.items() if n not in {"email", "phone"}}


def _hashes(graph: Graph, element: Element, values: dict[str, Json], name: str) -> list[Json]:
    """Hashes by a method of UCO's vocabulary, in hexadecimal; any other is an annotation by its name."""
    entries = values.get(name)
    if not isinstance(entries, list):
        return []
    del values[name]
    made: list[Json] = []
    for n, entry in enumerate(entries):
        algorithm, value = member(entry, "alg"), member(entry, "value")
        place = f"{element.pointer}/{name}/{n}"
        if algorithm in _METHODS and _HEX.fullmatch(value):
            members = {
                "uco-types:hashMethod": _METHODS[algorithm],
                "uco-types:hashValue": {"@type": "xsd:hexBinary", "@value": value},
            }
            made.append(ref(graph.node(place, "uco-types:Hash", members)))
        else:
            node, field = graph.id(element.pointer), ELEMENTS["items"][name]
            graph.annotate(node, field, f"{place}/value", f"{name}.{algorithm}", value)
    return made


def _start(graph: Graph, element: Element, kind: str, name: str) -> str:
    node = graph.node(element.pointer, kind, {"uco-core:name": name})
    identify(graph, node, element)
    return node


def _rest(graph: Graph, node: str, element: Element, values: Mapping[str, Json]) -> None:
    names = ELEMENTS[element.collection]
    for name in (n for n in names if n in values):
        graph.annotate(node, names[name], f"{element.pointer}/{name}", name, values[name])
