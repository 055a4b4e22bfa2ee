"""A provider that may get a notice, a case that concerns it, and what the network says of its hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from broker.demo.house import Agency, House, add_agency, agreement_body
from broker.desk import agreements, endpoints
from broker.desk.endpoints import Endpoint
from broker.hosting import HostLookup, LookUpFailed, NetworkTable
from broker.store import tables
from broker.store.engine import unit_of_work
from tests.cases import full_case
from tests.deliveries import office

PROVIDER = "Host One (synthetic)"
ABUSE = "abuse@host-one.example"


def provider_case() -> dict[str, Any]:
    """Content with a provider abroad in a country without a hotline, nobody linked to it."""
    document = full_case("content_report")
    for name in ("persons", "events", "victims", "contacts", "links", "evidence", "actions"):
        document.pop(name, None)
    document["case"]["urgency"] = "U4"
    document["case"].pop("urgency_reason", None)
    for place in document["locations"].values():
        place["country"] = "ZZ"
        place.setdefault("host", {"ip": "192.0.2.1", "asn": "AS64500"})["provider"] = PROVIDER
    return document


def with_provider(house: House, endpoint: Endpoint) -> House:
    """A provider in a country that a clause opened for notices, under an agreement."""
    desk = house.desk
    pack = replace(desk.pack, routes=replace(desk.pack.routes, notices_opened={"ZZ": "clause-7"}))
    opened = replace(house, desk=replace(desk, pack=pack))
    agency = Agency("Synthetic Host (example)", "HSP", "ZZ", "en", ("P5",), transfer="clauses (synthetic)")
    return agreed(opened, "host", endpoint, agency, provider=PROVIDER)


def keyed_provider(house: House) -> House:
    """A provider with keys of its own, which pulls, in a country that a clause opened."""
    pack = replace(house.desk.pack, routes=replace(house.desk.pack.routes, notices_opened={"ZZ": "clause-7"}))
    opened = replace(house, desk=replace(house.desk, pack=pack))
    agency = Agency(
        "Synthetic Host (example)", "HSP", "ZZ", "en", ("P5",), transfer="clauses (synthetic)",
        provider=PROVIDER,
    )  # fmt: skip
    with unit_of_work(opened.desk.db) as session:
        made = add_agency(opened.desk, session, opened.people, opened.keys, agency)
    return replace(opened, partners={**opened.partners, "host": made})


def agreed(house: House, name: str, endpoint: Endpoint, agency: Agency, provider: str | None = None) -> House:
    """A partner without keys, under an agreement."""
    made = office.add_mailed(
        house, endpoint, name=name, recipient_class=agency.recipient_class, country=agency.country
    )
    desk, partner = made.desk, made.partners[name]
    with unit_of_work(desk.db) as session:
        row = session.get_one(tables.Partner, partner)
        row.provider = provider
        session.add(row)
        body = agreement_body(desk, partner, agency)
        digest = agreements.propose(desk, session, house.people["officer"], partner, body)
        agreements.approve(desk, session, house.people["releaser"], partner, digest)
    return made


def office_endpoint(house: House) -> Endpoint:
    """The endpoint of the house's office by secure mail, for somebody else."""
    with unit_of_work(house.desk.db) as session:
        row = endpoints.endpoint_of(session, house.partners["office"], "referral")
        assert row is not None
        return Endpoint("referral", "mail", "secure_mail", dict(row.config))


def network(document: Mapping[str, Any], **changes: str) -> HostLookup:
    """The network as the case has it. `country` or `provider` say otherwise of the first host, `gone="yes"`
    that its name no longer resolves."""
    rows, names = ["network,country,asn,organisation"], {}
    for number, place in enumerate(document["locations"].values()):
        said = changes if number == 0 else {}
        host = place["host"]
        country, provider = said.get("country", place["country"]), said.get("provider", host["provider"])
        rows.append(f"{host['ip']}/32,{country},{host.get('asn', '')},{provider}")
        if not said.get("gone"):
            names[urlsplit(place["url"]).hostname] = host["ip"]

    def resolve(name: str) -> list[str]:
        if name not in names:
            raise LookUpFailed("unresolved", "no such name")
        return [names[name]]

    documentation = tuple(ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
    table = NetworkTable.read("\n".join(rows).encode())
    return HostLookup(table, resolve=resolve, injected=documentation)


def by_mail(house: House, folder: Path, port: int, adapter: str = "xarf_notice") -> House:
    """The house with a provider whose abuse contact is reached by a relay on `port`."""
    opened = office.with_office(house, folder)
    office.channel(opened, adapter, office.relay(port))
    return with_provider(opened, Endpoint("referral", "mail", adapter, {"address": ABUSE}))


def seeing(house: House, hosts: HostLookup) -> House:
    """The same house, which looks hosts up before it sends a notice."""
    return replace(house, desk=replace(house.desk, hosts=lambda: hosts))
