"""A synthetic hotline: people, recognition, partners with keys and agreements. For demo and tests.

Everything is invented and says so. Partner keys lie unencrypted in the demo's own folder: they stand
in for five agencies on one machine, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlmodel import Session

from broker import auth
from broker.auth import Actor, Role
from broker.client.keys import PartnerKeys, new_partner_keys
from broker.desk import agreements, partners
from broker.desk.context import Desk
from broker.desk.partners import Registration
from broker.spi import Json
from broker.store import tables
from broker.store.engine import unit_of_work

PASSWORD = "synthetic-demo-only"  # noqa: S105 - accounts of the demo, on synthetic data
PEOPLE: Mapping[str, tuple[Role, ...]] = {
    "analyst-1": ("analyst",),
    "analyst-2": ("analyst",),
    "releaser": ("releaser",),
    "officer": ("dpo",),
    "custodian": ("key_custodian",),
    "administrator": ("administrator",),
}


@dataclass(frozen=True, slots=True)
class Agency:
    """A synthetic partner. `purposes` and `transfer` go into its agreement; none: it rests on statute."""

    name: str
    recipient_class: str
    country: str
    language: str
    purposes: tuple[str, ...] = ()
    transfer: str | None = None
    provider: str | None = None
    method: str = "pull"
    grounds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


AGENCIES: Mapping[str, Agency] = {
    "police": Agency(
        "Synthetic Federal Police (example)", "BEP", "BE", "nl", ("P1", "P2", "P6"),
        grounds={"contact identifiers": ("identify-person", "protect-child"),
                 "victim attributes": ("identify-victim", "protect-child"),
                 "person facts": ("protect-child", "court-evidence", "minor-among-reported"),
                 "access notes": ("reach-content", "court-evidence"), "material": ("match-material",)},
    ),
    "prosecutor": Agency(
        "Synthetic Prosecutor's Office (example)", "BEM", "BE", "fr", ("P7",),
        grounds={"person facts": ("court-evidence",), "victim attributes": ("aggravating-factor",)},
    ),
    "hotline": Agency("Synthetic Hotline NL (example)", "INH", "NL", "en", ("P4", "P5")),
    "europol": Agency("Synthetic Europol desk (example)", "EUR", "NL", "en", ("P2", "P3")),
    "ncmec": Agency(
        "Synthetic Clearing House US (example)", "NCM", "US", "en", ("P2",),
        transfer="standard contractual clauses (synthetic)",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class House:
    """The hotline of the demo: its desk, its people by login, its partners by short name."""

    desk: Desk
    people: Mapping[str, Actor]
    partners: Mapping[str, str]
    """short name → partner id."""
    keys: Path
    """One folder of keys for each partner id."""

    def partner_keys(self, name: str) -> PartnerKeys:
        """The keys of a partner, as its own software holds them."""
        return PartnerKeys.load(self.keys / self.partners[name])


def found(desk: Desk, keys: Path, agencies: Mapping[str, Agency] = AGENCIES) -> House:
    """Make people, recognition, partners and agreements in an empty database."""
    now = desk.now()
    with unit_of_work(desk.db) as session:
        people = {
            login: auth.add_staff(
                session,
                login=login,
                roles=frozenset(roles),
                password=PASSWORD,
                vetted_until=now + timedelta(days=365),
                now=now,
            )
            for login, roles in PEOPLE.items()
        }
        session.add(
            tables.Recognition(
                id="rec_demo",
                instrument="Synthetic royal decree (example)",
                valid_from=now - timedelta(days=30),
                valid_to=now + timedelta(days=3650),
            )
        )
    made = {}
    for name, agency in agencies.items():
        with unit_of_work(desk.db) as session:
            made[name] = add_agency(desk, session, people, keys, agency)
    return House(desk, people, made, keys)


def add_agency(desk: Desk, session: Session, people: Mapping[str, Actor], keys: Path, agency: Agency) -> str:
    """Onboard one agency: it makes its keys and hands over the registration; two people approve the
    agreement."""
    folder = keys / f"new-{desk.opaque(5)}"
    registration = new_partner_keys(folder, agency.name, desk.now(), unencrypted=True)
    row = partners.register(
        desk,
        session,
        people["custodian"],
        Registration.read(registration),
        name=agency.name,
        recipient_class=agency.recipient_class,
        country=agency.country,
        language=agency.language,
        provider=agency.provider,
        software="broker client",
    )
    folder.rename(keys / row.id)
    if agency.purposes:
        body = agreement_body(desk, row.id, agency)
        digest = agreements.propose(desk, session, people["officer"], row.id, body)
        agreements.approve(desk, session, people["releaser"], row.id, digest)
    return row.id


def agreement_body(desk: Desk, partner_id: str, agency: Agency, version: int = 1) -> dict[str, Json]:
    """A synthetic agreement with the fourteen items of docs/operators/agreements.md."""
    today = desk.now().date()
    return {
        "schema": "broker-agreement/1",
        "version": version,
        "partner": partner_id,
        "recipient_class": agency.recipient_class,
        "parties": ["Synthetic Hotline (example)", agency.name],
        "controllers": ["Synthetic Hotline (example)", agency.name],
        "dpos": [{"party": agency.name, "contact": "dpo@partner.example", "opinion": "DPO-SYN-1"}],
        "purposes": list(agency.purposes),
        "data": {
            "categories": ["S", "V", "R", "T", "N"],
            "format": "broker-referral/1",
            "jurisdictions": [],
            "fields_removed": [],
            "rows_removed": [],
        },
        "recipient_categories": ["child-protection unit"],
        "legal_bases": [
            {
                "purpose": p,
                "categories": ["S", "V", "R", "T"],
                "basis": "GDPR 6(1)(e), 9(2)(g), 10; synthetic",
            }
            for p in agency.purposes
        ],
        "communication": {"method": agency.method, "retrieval_window_days": 30},
        "proportionality": {
            "measures": "field matrix, coded grounds, sampled review",
            "grounds": {group: list(codes) for group, codes in agency.grounds.items()},
            "handling_ceiling": [],
            "onward_rule": "own_authorities",
        },
        "restrictions_on_rights": "as the law of the recipient has them",
        "rights_modalities": "through the hotline's data protection officer",
        "periodicity": "as cases arise",
        "duration": {
            "valid_from": (today - timedelta(days=1)).isoformat(),
            "valid_to": (today + timedelta(days=730)).isoformat(),
        },
        "sanctions": "suspension",
        "transfer": None
        if agency.transfer is None
        else {"mechanism": agency.transfer, "assessment": "TIA-SYN-1"},
    }
