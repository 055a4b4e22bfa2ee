"""Rows of competence, class by class, with their reasons."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from broker.core.minimise import competence_of
from broker.core.rows import RowDecision, select
from tests.cases import accepted, cases, full_case
from tests.core.minimising import changed, pack, recipient, terms

PURPOSE = {"FLE": "P2", "INH": "P5", "EUR": "P2", "INT": "P4", "NCM": "P2", "HSP": "P5"}


def rows(document: dict[str, Any], recipient_class: str, **changes: Any) -> dict[str, RowDecision]:
    data = accepted(document).data
    every = frozenset(i for c in data.values() if isinstance(c, dict) for i in c if i[-1].isdigit())
    eligible = changes.pop("eligible", every)
    added = changes.pop("added", {})
    agreed = changes.pop("terms", None)
    who = recipient(recipient_class, **changes)
    return select(data, eligible, competence_of(pack(), who, agreed), added)


def kept(document: dict[str, Any], recipient_class: str, **changes: Any) -> dict[str, str]:
    return {i: d.reason for i, d in rows(document, recipient_class, **changes).items() if d.kept}


@pytest.mark.parametrize("recipient_class", ["BEP", "BEM", "STA", "CMP"])
def test_the_own_country_and_the_own_house_get_every_confirmed_row(recipient_class: str) -> None:
    found = rows(full_case(), recipient_class)
    assert all(decision == RowDecision(True, "everything") for decision in found.values())
    assert len(found) == 19


def test_foreign_police_get_their_country_and_not_the_belgian_account() -> None:
    assert kept(full_case(), "FLE") == {
        "loc2": "hosted_in_country",
        "item2": "items_there",
        "person2": "account_in_country",
        "event2": "event_in_country",
        "victim2": "victim_in_country",
        "link2": "ends_kept",
        "contact2": "contact_of_person",
    }


def test_a_link_leads_to_the_unknown_but_never_into_another_state() -> None:
    document = changed(full_case())
    document["links"]["link2"]["subject"] = "person1"  # a Belgian account posted what stands in France
    assert "person1" not in kept(document, "FLE")
    assert "link2" not in kept(document, "FLE")
    del document["persons"]["person1"]["country_estimate"]
    found = kept(document, "FLE")
    assert found["person1"] == "linked"
    assert "event1" not in found  # its event is known to be in Belgium
    del document["events"]["event1"]["country"]
    assert kept(document, "FLE")["event1"] == "event_of_account"


def test_a_place_is_never_kept_because_something_linked_stands_there() -> None:
    document = changed(full_case())
    document["links"]["link2"]["item"] = "item1"  # stands in Belgium, posted by the French account
    found = kept(document, "FLE")
    assert found["item1"] == "linked"
    assert "loc1" not in found


def test_hotline_gets_what_is_hosted_there_and_who_is_shown() -> None:
    assert kept(full_case(), "INH") == {
        "loc2": "hosted_in_country",
        "item2": "items_there",
        "victim2": "depicted",
    }


def test_host_gets_its_own_service_only_even_by_hand() -> None:
    name = full_case()["locations"]["loc1"]["host"]["provider"]
    found = kept(full_case(), "HSP", names=frozenset({name.upper()}))
    assert found == {"loc1": "own_service", "item1": "items_there"}
    by_hand = rows(full_case(), "HSP", names=frozenset({name}), added={"loc2": "asked"})
    assert by_hand["loc2"] == RowDecision(False, "not_own_service")
    assert kept(full_case(), "HSP", names=frozenset()) == {}


@pytest.mark.parametrize("member", ["ip", "asn", "provider"])
def test_own_service_by_address_or_name(member: str) -> None:
    value = full_case()["locations"]["loc2"]["host"][member]
    assert "loc2" in kept(full_case(), "HSP", names=frozenset({value}))


def test_europol_gets_who_touches_two_states_or_none() -> None:
    assert not kept(full_case(), "EUR")  # each account touches exactly one state
    document = changed(full_case())
    document["events"]["event1"]["country"] = "FR"
    found = kept(document, "EUR")
    assert found["person1"] == "two_or_more_states"
    assert found["item1"] == "linked"
    assert "loc1" not in found
    assert "victim1" not in found
    lonely = changed(full_case())
    lonely["persons"] = {"person1": {"handle": "synthetic handle"}}
    for name in ("links", "contacts", "evidence", "events"):
        lonely.pop(name)
    lonely["case"].pop("jurisdiction_basis")
    assert kept(lonely, "EUR") == {"person1": "no_state_known"}


def test_interpol_gets_items_with_a_victim_nobody_identified() -> None:
    found = kept(full_case(), "INT")
    assert found["victim2"] == "unidentified_victim"
    assert found["item2"] == "unidentified_victim"
    assert "victim1" not in found
    assert "item1" not in found


def test_clearing_house_gets_listed_services_and_hosts() -> None:
    found = kept(full_case(), "NCM")
    assert found["loc3"] == "listed_provider"
    assert found["item3"] == "items_there"
    assert found["person3"] == "linked"
    document = changed(full_case())
    document["persons"]["person1"]["account"]["service"] = "Chat-US.example"
    assert kept(document, "NCM")["person1"] == "listed_provider"


def test_only_confirmed_rows_take_part() -> None:
    found = rows(full_case(), "FLE", eligible=frozenset({"item2", "loc2"}))
    assert {i for i, d in found.items() if d.kept} == {"item2", "loc2"}
    assert found["person2"] == RowDecision(False, "not_confirmed")
    assert rows(full_case(), "BEP", eligible=frozenset({"item1"}))["item2"].kept is False


def test_an_analyst_may_add_a_confirmed_row_and_nothing_comes_with_it() -> None:
    found = kept(full_case(), "FLE", added={"item1": "same-set"})
    assert found["item1"] == "added"
    assert "loc1" not in found
    assert "victim1" not in found
    refused = rows(full_case(), "FLE", added={"item1": "x"}, eligible=frozenset({"item2"}))
    assert refused["item1"] == RowDecision(False, "not_confirmed")


def test_the_agreement_narrows_rows() -> None:
    no_victims = terms("FLE", ("P2",), data__rows_removed=["victims"])
    found = rows(full_case(), "FLE", terms=no_victims, added={"victim1": "x"})
    assert found["victim1"] == found["victim2"] == RowDecision(False, "agreement")
    elsewhere = terms("FLE", ("P2",), data__jurisdictions=["DE"])
    assert not kept(full_case(), "FLE", terms=elsewhere)


@given(cases())
def test_every_row_is_decided_and_default_is_none(document: dict[str, Any]) -> None:
    for recipient_class in PURPOSE:
        found = rows(document, recipient_class, country="SE")
        assert set(found) == {i for _, i, _ in accepted(document).entities()}
        if recipient_class in ("FLE", "INH", "HSP"):
            assert not any(decision.kept for decision in found.values())


@given(cases())
def test_a_kept_link_has_the_ends_it_speaks_of(document: dict[str, Any]) -> None:
    for recipient_class in PURPOSE:
        found = rows(document, recipient_class)
        for name, link in document.get("links", {}).items():
            if found[name].kept:
                assert found[link["subject"]].kept
