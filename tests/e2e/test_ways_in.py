"""Who can receive nothing gets no draft: it would be approved and could never be signed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import col, select

from broker import auth
from broker.client.keys import new_partner_keys
from broker.demo.house import House
from broker.desk import bulk, draft, endpoints, overdue, partners, route
from broker.desk.draft import Request
from broker.desk.endpoints import Endpoint
from broker.desk.partners import Registration
from broker.errors import Refused
from broker.jobs import settle
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case
from tests.deliveries import post
from tests.e2e.test_urgent import danger

NO_WAY = "no-way-to-receive"


def revoke(house: House, name: str, *uses: str) -> None:
    """Stop trusting these keys of a partner."""
    partner = house.partners[name]
    with unit_of_work(house.desk.db) as session:
        kids = session.exec(
            select(tables.PartnerKey.kid).where(
                col(tables.PartnerKey.partner_id) == partner, col(tables.PartnerKey.use).in_(uses)
            )
        ).all()
        for kid in kids:
            partners.revoke_key(house.desk, session, house.people["custodian"], partner, kid)


def refused(house: House, case_id: UUID, to: str) -> set[str]:
    with pytest.raises(Refused) as caught:
        build.drafted(house, case_id, to)
    return {issue.rule for issue in caught.value.issues}


def stored(house: House) -> int:
    with unit_of_work(house.desk.db) as session:
        return len(session.exec(select(tables.Draft)).all())


def with_keys(house: House, name: str = "police") -> None:
    folder = Path(tempfile.mkdtemp(dir=house.keys)) / "again"
    made = new_partner_keys(folder, "Synthetic agency (example)", house.desk.now(), unencrypted=True)
    with unit_of_work(house.desk.db) as session:
        partners.add_keys(
            house.desk, session, house.people["custodian"], house.partners[name], Registration.read(made)
        )


def with_address(house: House) -> None:
    where = Endpoint(
        "referral", "mail", "secure_mail",
        {"address": "desk@police.example", "certificate": post.mailbox(house.keys / "box").certificate},
    )  # fmt: skip
    with unit_of_work(house.desk.db) as session:
        endpoints.set_endpoint(
            house.desk, session, house.people["administrator"], house.partners["police"], where
        )


def with_reader(house: House) -> None:
    with unit_of_work(house.desk.db) as session:
        auth.add_person(
            session, house.people["administrator"], partner_id=house.partners["police"], login="reader",
            password="synthetic-inbox-only", now=house.desk.now(),
        )  # fmt: skip


@pytest.mark.parametrize("mended", [with_keys, with_address, with_reader])
def test_a_partner_that_cannot_receive_is_refused_at_draft(
    house: House, mended: Callable[[House], None]
) -> None:
    case_id = build.confirmed(house, full_case())
    revoke(house, "police", "enc")
    assert refused(house, case_id, "police") == {NO_WAY}
    assert stored(house) == 0
    with unit_of_work(house.desk.db) as session:
        said = route.describe(house.desk, session, case_id)
    assert [r["reasons"] for r in said["refusals"] if r["addressee"] == house.partners["police"]] == [
        [NO_WAY]
    ]
    words = "\n".join(route.in_words(said))
    for command in ("broker partner add-keys", "broker delivery to", "broker partner person add"):
        assert command in words
    mended(house)
    assert build.drafted(house, case_id, "police").stored


def test_the_job_counts_it_with_its_reason(house: House) -> None:
    for _ in range(2):
        build.confirmed(house, full_case())
    revoke(house, "police", "enc")
    done = bulk.draft_all(house.desk, house.people["analyst-1"], house.partners["police"])
    assert (done.made, done.known, done.refused) == (0, 0, {f"no-route: {NO_WAY}": 2})
    assert stored(house) == 0


def test_who_is_rung_hears_the_reference_without_a_way(house: House) -> None:
    case_id = danger(house)
    revoke(house, "police", "enc")
    made = build.drafted(house, case_id, "police", urgent_reason="live-stream")
    assert made.reference


def europol_case(house: House) -> UUID:
    """A case that Europol gets, by the police or by itself."""
    return build.confirmed(house, full_case("person_lead"))


def carriers(house: House, case_id: UUID) -> dict[str, str]:
    with unit_of_work(house.desk.db) as session:
        said = route.describe(house.desk, session, case_id)
    names = {partner: name for name, partner in house.partners.items()}
    return {names[r["addressee"]]: names[r["carrier"]] for r in said["routes"]}


def test_a_referral_keeps_its_carrier(house: House) -> None:
    """Routing names another carrier once the first lost its keys; then another one again."""
    case_id = europol_case(house)
    assert carriers(house, case_id)["europol"] == "europol"
    first = build.drafted(house, case_id, "europol")
    build.approve(house, first)
    settle(house.desk)
    revoke(house, "europol", "enc")
    assert carriers(house, case_id)["europol"] == "police"
    with pytest.raises(Refused) as caught:
        build.drafted(house, case_id, "europol", kind="supplement")
    assert {issue.rule for issue in caught.value.issues} == {NO_WAY}
    assert "broker partner add-keys" in caught.value.hint


def test_what_was_carried_by_another_goes_on_by_it_and_is_signed(house: House) -> None:
    case_id = europol_case(house)
    kept = house.partners["europol"]
    revoke(house, "europol", "enc")
    first = build.drafted(house, case_id, "europol")
    build.approve(house, first)
    settle(house.desk)
    with_keys(house, "europol")
    assert carriers(house, case_id)["europol"] == "europol"
    second = build.drafted(house, case_id, "europol", kind="supplement")
    build.approve(house, second)
    settle(house.desk)
    with unit_of_work(house.desk.db) as session:
        row = session.get_one(tables.Release, second.release)
        assert (row.addressee, row.carrier) == (kept, house.partners["police"])
        assert overdue.overdue(house.desk, session) == []


def test_what_is_sealed_apart_needs_the_key_for_it(house: House) -> None:
    document = full_case("person_lead")
    document["reporter"]["consent_to_contact"] = True
    case_id = build.confirmed(house, document)
    revoke(house, "police", "apart")
    with unit_of_work(house.desk.db) as session, pytest.raises(Refused) as caught:
        draft.draft(
            house.desk, session, house.people["analyst-1"],
            Request(case_id, house.partners["police"], ("P1", "P2"), grounds={"F12": "protect-child"}),
        )  # fmt: skip
    assert "no-apart-key" in {issue.rule for issue in caught.value.issues}
    assert build.drafted(house, case_id, "police", purposes=("P1", "P2")).stored
