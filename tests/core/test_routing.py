"""The decision table of the protocol, row by row, and the gates that no row can open."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from broker.core.pack import load_pack
from broker.core.routing import Gates, PartnerInfo, Proposal, Route, propose
from tests.cases import ANALYSTS, accepted, cases, claims_for, confirmed, full_case, minimal_case, urgent_case

PACK = load_pack("be")
XX = load_pack(Path(__file__).parents[1] / "packs" / "xx")
PARTNERS = (
    PartnerInfo("pt_police", "BEP", "BE"),
    PartnerInfo("pt_prosecutor", "BEM", "BE"),
    PartnerInfo("pt_police_fr", "FLE", "FR"),
    PartnerInfo("pt_police_nl", "FLE", "NL"),
    PartnerInfo("pt_hotline_fr", "INH", "FR"),
    PartnerInfo("pt_europol", "EUR", ""),
    PartnerInfo("pt_interpol", "INT", ""),
    PartnerInfo("pt_clearing", "NCM", "US"),
    PartnerInfo("pt_host", "HSP", "FR", provider="Synthetic Host"),
)


def content(country: str | None = "BE", provider: str | None = None, **extra: Any) -> dict[str, Any]:
    document = minimal_case()
    place = document["locations"]["loc1"]
    place.pop("country")
    if country:
        place["country"] = country
    if provider:
        place["host"] = {"provider": provider}
    document.update(extra)
    return document


def with_person(document: dict[str, Any], **person: Any) -> dict[str, Any]:
    account = {"service": "chat.example", "account_id": "id-synthetic"}
    document["persons"] = {"person1": {"account": account, **person}}
    return document


def run(document: dict[str, Any], *, gates: Gates | None = None, partners: Any = PARTNERS) -> Proposal:
    return propose(confirmed(document), PACK, partners, gates)


def routed(proposal: Proposal) -> dict[str, Route]:
    return {route.addressee: route for route in proposal.routes}


def refused(proposal: Proposal) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for refusal in proposal.refusals:
        found.setdefault(refusal.recipient_class, set()).update(reason.code for reason in refusal.reasons)
    return found


def codes(route: Route) -> set[str]:
    return {reason.code for reason in route.reasons}


@pytest.mark.parametrize(
    ("country", "to", "reason"),
    [
        ("BE", "pt_police", "hosted-in-operator-country"),
        ("FR", "pt_hotline_fr", "hosted-in-inhope-country"),
        ("ZZ", "pt_police", "hosted-outside-inhope"),
        (None, "pt_police", "host-unknown"),
    ],
)
def test_content_alone_goes_where_the_protocol_says(country: str | None, to: str, reason: str) -> None:
    found = routed(run(content(country)))
    assert set(found) == {to}
    assert codes(found[to]) == {reason}


def test_a_lead_beside_iccam_goes_to_the_police_as_well() -> None:
    found = routed(run(with_person(content("FR"))))
    assert {"pt_hotline_fr", "pt_police"} <= set(found)
    assert {"lead-beside-iccam", "identifiable-person"} <= codes(found["pt_police"])
    assert set(found["pt_hotline_fr"].purposes) == {"P4", "P5"}


def test_an_inhope_country_without_a_partner_says_so() -> None:
    proposal = run(content("NL"))
    assert routed(proposal) == {}
    assert refused(proposal) == {"INH": {"no-partner"}}
    assert proposal.refusals[0].country == "NL"


@pytest.mark.parametrize("kind", ["person_lead", "grooming_or_extortion", "danger"])
def test_what_has_no_content_goes_to_the_police(kind: str) -> None:
    assert "lead-without-content" in codes(routed(run(minimal_case(kind)))["pt_police"])


def test_a_child_in_danger_adds_the_purpose_of_protection() -> None:
    route = routed(run(minimal_case("danger")))["pt_police"]
    assert route.purposes[0] == "P1"
    assert "child-in-danger" in codes(route)


def test_a_lead_in_a_partner_state_goes_there_with_the_national_police_as_carrier() -> None:
    document = with_person(content("BE"), country_estimate={"country": "FR", "confidence": "high"})
    found = routed(run(document))
    assert found["pt_police_fr"].carrier == "pt_police"
    assert "pt_police_nl" not in found
    assert "pt_europol" not in found  # one known state: no cross-check


def test_an_agreement_may_open_a_direct_channel() -> None:
    direct = tuple(dataclasses.replace(p, direct=p.id == "pt_police_fr") for p in PARTNERS)
    document = with_person(content("BE"), country_estimate={"country": "FR", "confidence": "high"})
    assert routed(run(document, partners=direct))["pt_police_fr"].carrier == "pt_police_fr"


def test_no_carrier_no_route() -> None:
    document = with_person(content("BE"), country_estimate={"country": "FR", "confidence": "high"})
    without = [p for p in PARTNERS if p.id != "pt_police"]
    assert refused(run(document, partners=without))["FLE"] == {"no-carrier"}


def test_europol_for_two_states_or_none() -> None:
    assert routed(run(with_person(content("BE"))))["pt_europol"].purposes == ("P3",)
    document = with_person(content("BE"), country_estimate={"country": "BE", "confidence": "high"})
    assert "pt_europol" not in routed(run(document))
    document["events"] = {
        "event1": {"ip": "203.0.113.9", "country": "NL", "event": {"type": "login", "account_of": "person1"}}
    }
    assert {"pt_europol", "pt_police_nl"} <= set(routed(run(document)))


def test_interpol_for_an_unidentified_victim_that_iccam_does_not_carry() -> None:
    victims = {"victim1": {"identification": "unknown"}}
    assert "pt_interpol" in routed(run(content("BE", victims=victims)))
    assert "pt_interpol" not in routed(run(content("FR", victims=victims)))


def test_the_clearing_house_for_listed_providers() -> None:
    assert "pt_clearing" in routed(run(content("US")))
    document = with_person(content("BE"))
    document["persons"]["person1"]["account"]["service"] = "Chat-US.example"
    assert "pt_clearing" in routed(run(document))


def file_at_prosecutor(document: dict[str, Any]) -> dict[str, Any]:
    document["case"]["related_refs"] = [{"system": "Parket", "ref": "SYN-1"}]
    return document


def test_prosecutor_or_police_never_both() -> None:
    assert set(routed(run(content("BE")))) == {"pt_police"}
    proposal = run(file_at_prosecutor(content("BE")))
    assert set(routed(proposal)) == {"pt_prosecutor"}
    assert refused(proposal)["BEP"] == {"the-other-authority-is-chosen"}


def test_danger_goes_to_the_police_whatever_the_prosecutor_has() -> None:
    found = routed(run(file_at_prosecutor(minimal_case("danger"))))
    assert "pt_police" in found
    assert "pt_prosecutor" not in found


def test_a_prosecutor_nobody_can_reach_leaves_the_police() -> None:
    without = [p for p in PARTNERS if p.id != "pt_prosecutor"]
    assert set(routed(run(file_at_prosecutor(content("BE")), partners=without))) == {"pt_police"}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_for_any_case_one_domestic_authority_at_most_and_pairs_of_the_matrix_only(
    document: dict[str, Any],
) -> None:
    case = accepted(document)
    if not claims_for(case):
        return
    found = routed(run(document))
    assert not {"pt_police", "pt_prosecutor"} <= set(found)
    for route in found.values():
        assert all((route.recipient_class, purpose) in PACK.pairs for purpose in route.purposes)
        assert route.reasons


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_an_urgent_case_goes_to_the_domestic_police_alone(document: dict[str, Any]) -> None:
    proposal = propose(urgent_case(document), PACK, PARTNERS)
    assert set(routed(proposal)) == {"pt_police"}
    (route,) = proposal.routes
    assert route.unconfirmed
    assert "P1" in route.purposes
    assert route.carrier == "pt_police"


def test_provider_notices_are_off() -> None:
    assert refused(run(content("ZZ", "Synthetic Host")))["HSP"] == {"provider-notices-off"}


def test_a_recorded_clause_opens_a_country() -> None:
    gates = Gates(notices_opened={"ZZ": "clause-7"})
    assert "pt_host" in routed(run(content("ZZ", "Synthetic Host"), gates=gates))


def test_no_host_in_the_operators_country_without_the_police() -> None:
    gates = Gates(notices_opened={"BE": "clause-1"})
    assert refused(run(content("BE", "Synthetic Host"), gates=gates))["HSP"] == {"hosted-in-operator-country"}
    told = Gates(police_instruction_ref="SYN-INSTRUCTION-1")
    assert "pt_host" in routed(run(content("BE", "Synthetic Host"), gates=told))


def test_where_a_hotline_exists_it_decides() -> None:
    gates = Gates(notices_opened={"FR": "clause-1"}, police_instruction_ref="SYN-1")
    assert refused(run(content("FR", "Synthetic Host"), gates=gates))["HSP"] == {"inhope-hotline-decides"}


def test_a_police_hold_suppresses_every_notice() -> None:
    gates = Gates(notices_opened={"ZZ": "clause-7"}, police_instruction_ref="SYN-1")
    document = content("ZZ", "Synthetic Host", actions={"hold": {"state": "active"}})
    assert refused(run(document, gates=gates))["HSP"] == {"police-hold"}


def test_a_provider_in_two_countries_needs_both_open() -> None:
    document = content("ZZ", "Synthetic Host")
    document["locations"]["loc2"] = {"country": "BE", "host": {"provider": "synthetic host"}}
    document["items"]["item1"]["found_at"] = ["loc1", "loc2"]
    gates = Gates(notices_opened={"ZZ": "clause-7"})
    assert refused(run(document, gates=gates))["HSP"] == {"hosted-in-operator-country"}


def test_without_recognition_only_a_tip_about_danger_leaves_without_locators() -> None:
    lapsed = Gates(recognition_valid=False)
    calm = run(content("BE"), gates=lapsed)
    assert calm.routes == ()
    assert refused(calm)["BEP"] == {"recognition-lapsed"}
    route = routed(run(minimal_case("danger"), gates=lapsed))["pt_police"]
    assert {"F29", "F30", "F17", "F21"} <= route.fields_removed
    assert "recognition-lapsed" in codes(route)
    urgent = content("FR")
    urgent["case"]["urgency"] = "U1"
    assert refused(run(urgent, gates=lapsed))["INH"] == {"recognition-lapsed"}


def test_expired_vetting_stops_everything() -> None:
    assert run(full_case(), gates=Gates(staff_vetted=False)).routes == ()


def test_statutory_routes_do_not_hang_on_an_agreement() -> None:
    without = tuple(dataclasses.replace(p, agreement_in_force=False) for p in PARTNERS)
    document = with_person(content("FR"))
    proposal = run(document, partners=without)
    assert set(routed(proposal)) == {"pt_police"}
    assert routed(proposal)["pt_police"].statutory
    assert refused(proposal)["INH"] == {"agreement-not-in-force"}


def test_an_inactive_partner_gets_nothing_even_by_statute() -> None:
    off = tuple(dataclasses.replace(p, active=False) for p in PARTNERS)
    proposal = run(content("BE"), partners=off)
    assert proposal.routes == ()
    assert refused(proposal)["BEP"] == {"partner-not-active"}


def test_who_cannot_receive_is_refused_unless_it_is_rung() -> None:
    """The carrier has to; of several that may carry one that can is taken (ruling 10)."""
    deaf = tuple(dataclasses.replace(p, reachable=p.id != "pt_police") for p in PARTNERS)
    proposal = run(full_case("person_lead"), partners=deaf)
    assert refused(proposal)["BEP"] == refused(proposal)["EUR"] == {"no-way-to-receive"}
    other = (*deaf, PartnerInfo("pt_police_2", "BEP", "BE"))
    assert routed(run(full_case("person_lead"), partners=other))["pt_europol"].carrier == "pt_police_2"
    direct = tuple(dataclasses.replace(p, direct=p.id == "pt_europol") for p in deaf)
    assert routed(run(full_case("person_lead"), partners=direct))["pt_europol"].carrier == "pt_europol"
    assert set(routed(propose(urgent_case(minimal_case("danger")), PACK, deaf))) == {"pt_police"}


def test_only_released_rows_decide() -> None:
    document = with_person(content("BE"), country_estimate={"country": "FR", "confidence": "high"})
    case = accepted(document)
    whole = confirmed(document)
    claims = tuple(c for c in claims_for(case, ANALYSTS) if c.kind == "content_illegal")
    narrow = dataclasses.replace(whole, claims=claims, rows=frozenset({"item1", "loc1"}))
    assert set(routed(propose(narrow, PACK, PARTNERS))) == {"pt_police"}
    assert codes(routed(propose(narrow, PACK, PARTNERS))["pt_police"]) == {"hosted-in-operator-country"}


def test_another_country_routes_by_its_own_folder() -> None:
    partners = (
        PartnerInfo("pt_x", "XPO", "XX"),
        PartnerInfo("pt_y", "XHO", "YY"),
        PartnerInfo("pt_be", "BEP", "BE"),
    )
    assert set(routed(propose(confirmed(content("YY")), XX, partners))) == {"pt_y"}
    assert set(routed(propose(confirmed(content("XX")), XX, partners))) == {"pt_x"}
    assert set(routed(propose(confirmed(content("BE")), XX, partners))) == {"pt_x"}


def test_the_prosecutor_is_told_where_the_police_are_not_competent() -> None:
    """Content abroad without a lead: no rule names the police, so there is nothing to choose between."""
    without = [p for p in PARTNERS if p.id != "pt_prosecutor"]
    assert refused(run(file_at_prosecutor(content("FR")), partners=without))["BEM"] == {"no-partner"}
    assert {"pt_prosecutor", "pt_hotline_fr"} == set(routed(run(file_at_prosecutor(content("FR")))))
