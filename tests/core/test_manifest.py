"""The view of each recipient: matrix, purposes, agreement, legal basis, grounds; and its manifest."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.agreement import AgreementTerms
from broker.core.explain import what_if, why_field
from broker.core.fields import FIELD_IDS
from broker.core.manifest import EEA, Scope, View, compile_view, withheld_manifest
from broker.errors import Refused
from tests.cases import cases, confirmed
from tests.core.minimising import COUNTRY, OWN_HOUSE, grounds_for, pack, pairs, run, terms

EXTERNAL = ("BEP", "BEM", "FLE", "INH", "EUR", "INT", "NCM", "HSP")
USUAL: Any = object()


def view(
    recipient_class: str,
    *purposes: str,
    agreed: AgreementTerms | None = USUAL,
    grounds: dict[str, str] | None = None,
    country: str = "",
    **changes: Any,
) -> View:
    return compile_view(
        Scope.of(
            pack(),
            recipient_class,
            country or COUNTRY.get(recipient_class, "FR"),
            purposes=purposes,
            terms=terms(recipient_class, purposes) if agreed is USUAL else agreed,
            grounds=grounds or {},
            **changes,
        )
    )


def widest(recipient_class: str) -> View:
    """Every purpose of the class and a ground for every C."""
    purposes = tuple(sorted(p for c, p in pairs() if c == recipient_class))
    return view(recipient_class, *purposes, grounds=grounds_for(recipient_class))


def clauses(found: View) -> dict[str, str]:
    return {f: d.clause for f, d in found.decisions.items() if d.state == "withheld"}


def gets(found: View, field_id: str) -> bool:
    return found.decisions[field_id].state != "withheld"


def category(letter: str) -> set[str]:
    return {f for f, rule in pack().fields.items() if rule.dsc == letter}


# domain.md §5.3, items 1 to 8; 9 and 10 are the pack's and the loader's, 11 is test_taint


def test_1_the_reporter_is_for_the_domestic_police_and_the_prosecutor() -> None:
    for recipient_class in EXTERNAL:
        found = widest(recipient_class)
        assert not gets(found, "F13")
        for field_id in ("F12", "F14", "F15"):
            assert not gets(found, field_id) or recipient_class in ("BEP", "BEM")
    assert view("BEP", "P1").decisions["F12"].clause == "matrix:C"
    assert view("BEP", "P1").decisions["F14"].action == "M"
    assert widest("BEP").decisions["F12"].state == "apart"


def test_2_a_host_gets_no_person() -> None:
    found = widest("HSP")
    assert {f for f in category("S") | category("R") if gets(found, f)} == set()
    assert {f for f in category("V") if gets(found, f)} == {"F17", "F58", "F64"}
    assert found.decisions["F58"].action == "G8"
    assert found.decisions["F64"].action == "T"


def test_3_media_pointers_go_to_police_prosecutor_and_hotline_only() -> None:
    assert {c for c in EXTERNAL if gets(widest(c), "F21")} <= {"BEP", "BEM", "INH"}


def test_4_a_victims_identity_only_by_ground_and_only_apart() -> None:
    for recipient_class in EXTERNAL:
        decision = widest(recipient_class).decisions["F54"]
        assert decision.state == ("apart" if recipient_class in ("BEP", "BEM") else "withheld")
    assert not gets(view("BEP", "P1"), "F54")


def test_5_free_text_never_in_full_abroad() -> None:
    texts = {f for f, rule in pack().fields.items() if rule.free_text}
    for recipient_class in set(EXTERNAL) - {"BEP", "BEM"}:
        purposes = tuple(sorted(p for c, p in pairs() if c == recipient_class))
        found = view(recipient_class, *purposes)
        assert {f for f in texts if found.decisions[f].action == "F"} == set()


def test_6_statistics_get_aggregates_and_months() -> None:
    assert {d.action for d in widest("STA").decisions.values()} == {"A", "-", "G2"}


def test_7_interpol_gets_no_identifier_of_a_reported_person() -> None:
    identifiers = {"F37", "F38", "F39", "F40", "F41", "F42", "F46", "F47", "F48", "F49", "F73"}
    assert {f for f in identifiers if gets(widest("INT"), f)} == set()


def test_8_europol_gets_victims_by_ground_or_masked_only() -> None:
    found = view("EUR", "P2", "P3")
    personal = category("V") - {"F17", "F18", "F58"}  # content identifiers and labels
    assert {found.decisions[f].action for f in personal} <= {"-", "M", "T"}


@pytest.mark.parametrize(("recipient_class", "purpose"), pairs())
def test_the_view_is_the_intersection(recipient_class: str, purpose: str) -> None:
    found = view(recipient_class, purpose)
    needed = pack().purpose_fields((purpose,))
    for field_id, decision in found.decisions.items():
        assert decision.column == pack().action(field_id, recipient_class)
        if decision.column == "-":
            assert decision.clause == "matrix:-"
        elif field_id not in needed:
            assert decision.clause == "purpose"
        elif decision.column == "C":
            assert decision.asks
        else:
            assert decision.action == decision.column


def test_removed_by_agreement() -> None:
    agreed = terms("FLE", ("P2",), data__fields_removed=["F29"], data__categories=["V"])
    found = clauses(view("FLE", "P2", agreed=agreed))
    assert found["F29"] == "agreement"
    assert found["F38"] == "agreement"  # category S is not agreed
    assert "F17" not in found
    fewer = terms("FLE", ("P1",))
    both = clauses(view("FLE", "P1", "P2", agreed=fewer))
    assert both["F02"] == "agreement"  # only P2 needs it
    assert "F07" not in both


@given(st.sets(st.sampled_from(sorted(set(FIELD_IDS) - {"F67", "F68", "F71", "F72"}))))
def test_an_agreement_can_only_narrow(removed: set[str]) -> None:
    narrower = view("FLE", "P2", agreed=terms("FLE", ("P2",), data__fields_removed=sorted(removed)))
    changes = what_if(view("FLE", "P2"), narrower)
    assert not [change for change in changes if change.widens]
    assert {change.field for change in changes} <= removed


def test_suspects_and_victims_abroad_need_a_recorded_basis() -> None:
    none = terms("FLE", ("P2",), legal_bases=[])
    found = clauses(view("FLE", "P2", agreed=none))
    assert found["F38"] == found["F17"] == found["F46"] == "legal_basis"
    assert "F29" not in found
    victims = terms("FLE", ("P2",), legal_bases=[{"purpose": "P2", "categories": ["V"], "basis": "b"}])
    found = clauses(view("FLE", "P2", agreed=victims))
    assert found["F38"] == "legal_basis"
    assert "F17" not in found
    # The same basis for another purpose does not count.
    other = terms("FLE", ("P1", "P2"), legal_bases=[{"purpose": "P1", "categories": ["S"], "basis": "b"}])
    assert clauses(view("FLE", "P2", agreed=other))["F38"] == "legal_basis"
    assert "F38" not in clauses(view("BEP", "P2", agreed=terms("BEP", ("P2",), legal_bases=[])))


@pytest.mark.parametrize(
    ("recipient_class", "country"), [("NCM", "US"), ("NCM", "CA"), ("INT", "FR"), ("FLE", "CH")]
)
def test_beyond_the_eea_a_transfer_mechanism_is_needed(recipient_class: str, country: str) -> None:
    purpose = "P4" if recipient_class == "INT" else "P2"
    without = terms(recipient_class, (purpose,), transfer=None)
    assert clauses(view(recipient_class, purpose, agreed=without, country=country))["F17"] == "legal_basis"
    assert "F17" not in clauses(view(recipient_class, purpose, country=country))
    assert "F17" not in clauses(view("FLE", "P2", agreed=terms("FLE", ("P2",), transfer=None), country="SE"))


def test_the_eea() -> None:
    assert len(EEA) == 30
    assert {"BE", "NO", "IS", "LI"} <= EEA
    assert not {"GB", "CH", "US", "CA"} & EEA


def test_a_ground_opens_its_field_and_no_other() -> None:
    found = view("FLE", "P2", grounds={"F39": "identify-person"})
    assert [c.field for c in what_if(view("FLE", "P2"), found)] == ["F39"]
    assert found.decisions["F39"].state == "passed"
    assert withheld_manifest(found)["can_be_asked_for"] == [
        f for f in withheld_manifest(view("FLE", "P2"))["can_be_asked_for"] if f != "F39"
    ]


@pytest.mark.parametrize(
    "grounds", [{"F39": "identify-victim"}, {"F39": "because"}, {"F29": "identify-person"}, {"F39": ""}]
)
def test_a_ground_that_is_not_agreed_is_an_error(grounds: dict[str, str]) -> None:
    with pytest.raises(Refused, match="ground-refused"):
        view("FLE", "P2", grounds=grounds)


def test_a_ground_of_the_pack_counts_only_where_the_agreement_has_it() -> None:
    agreed = terms("FLE", ("P2",), proportionality__grounds={})
    with pytest.raises(Refused, match="ground-refused"):
        view("FLE", "P2", agreed=agreed, grounds={"F39": "identify-person"})


def test_the_statutory_view() -> None:
    found = view("BEP", "P2", "P6", agreed=None, statutory=True)
    for field_id, decision in found.decisions.items():
        if decision.column != "-" and field_id in pack().purpose_fields(("P2", "P6")):
            inside = field_id in pack().purpose_fields(("P1", "P2")) and decision.column != "C"
            assert (decision.clause == "") is inside, field_id
    assert withheld_manifest(found)["agreement"] is None
    assert clauses(found)["F14"] == "statutory"
    opened = view("BEP", "P1", agreed=None, statutory=True, urgency="U1", grounds={"F12": "protect-child"})
    assert opened.decisions["F12"].state == "apart"
    assert clauses(opened)["F54"] == "matrix:C"


def test_a_lapsed_agreement_does_not_count_on_the_statutory_route() -> None:
    removed = terms("BEP", ("P2",), data__fields_removed=["F29"])
    assert clauses(view("BEP", "P2", agreed=removed, statutory=True)).get("F29") is None


def test_before_confirmation_only_what_protects_a_child_and_only_at_home() -> None:
    found = view("BEP", "P1", "P2", urgent=True)
    assert clauses(found)["F10"] == "urgent"
    assert "F38" not in clauses(found)
    with pytest.raises(Refused, match="urgent-domestic-only"):
        view("FLE", "P1", urgent=True)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"agreed": None}, "no-agreement"),
        ({"agreed": None, "statutory": True}, "no-agreement"),
        ({"agreed": terms("INH", ("P5",))}, "agreement-class"),
        ({"agreed": terms("FLE", ("P1",))}, "purpose-refused"),
    ],
)
def test_no_lawful_view(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused, match=code):
        view("FLE", "P2", **changes)


def test_only_pairs_of_the_pack() -> None:
    with pytest.raises(Refused, match="purpose-refused"):
        view("HSP", "P2")
    with pytest.raises(Refused, match="purpose-refused"):
        view("FLE", agreed=terms("FLE", ("P2",)))
    with pytest.raises(Refused, match="unknown-class"):
        view("XXX", "P2", agreed=None)


@pytest.mark.parametrize(("recipient_class", "purpose"), pairs())
def test_the_manifest_lists_every_field_in_the_form_of_the_specification(
    recipient_class: str, purpose: str
) -> None:
    found = withheld_manifest(view(recipient_class, purpose))
    assert list(found["fields"]) == list(FIELD_IDS)
    assert found["matrix"] == {"pack": "be", "version": pack().version, "digest": pack().matrix_digest}
    assert (found["agreement"] is None) is (recipient_class in OWN_HOUSE)
    known = {"matrix:-", "matrix:C", "purpose", "agreement", "legal_basis", "statutory", "urgent"}
    for entry in found["fields"].values():
        assert set(entry) <= {"state", "how", "clause"}
        assert (entry["state"] == "transformed") is ("how" in entry)
        assert (entry["state"] == "withheld") is ("clause" in entry)
        assert entry.get("clause", "purpose") in known
        assert entry.get("how", "A") in pack().actions


@given(cases())
def test_the_manifest_does_not_depend_on_the_case(document: dict[str, Any]) -> None:
    if document["items"] or document["persons"] or document["victims"]:
        for recipient_class, purpose in pairs():
            one = run(confirmed(document), recipient_class, purpose).manifest
            assert one == withheld_manifest(view(recipient_class, purpose))


def test_why() -> None:
    found = view("FLE", "P2", grounds={"F39": "identify-person"})
    asked = why_field(found, "F39")
    assert asked.ground == "identify-person"
    assert asked.purposes == ("P2",)
    assert asked.agreement == 3
    assert why_field(found, "F16").purposes == ("core",)
    assert why_field(found, "F54").decision.clause == "matrix:-"


def test_scopes_of_equal_digests_are_equal() -> None:
    one = view("FLE", "P2").scope
    assert one == dataclasses.replace(one)
    assert one != view("FLE", "P1").scope
    assert one != view("FLE", "P2", agreed=terms("FLE", ("P2",), data__fields_removed=["F29"])).scope
