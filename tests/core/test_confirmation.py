"""Two people confirm a claim; nothing else does, and what is not claimed stays closed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.core.confirmation import Claim, ConfirmedCase, House, Verdict, confirm, urgent
from broker.core.decision import Permit, Refuse
from tests.cases import AT, KINDS, accepted, cases, claims_for, full_case, minimal_case

ONE = Verdict("human", True, AT, "st_1")
TWO = Verdict("human", True, AT, "st_2")
NO = Verdict("human", False, AT, "st_3")
LOOSE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def match(kind: str = "exact", basis: Any = "orb_consensus", organisations: int = 2) -> Verdict:
    return Verdict(basis, True, AT, None, "Synthetic Orb", organisations, kind)  # type: ignore[arg-type]


def content(*verdicts: Verdict, about: tuple[str, ...] = ("item1",), name: str = "c1") -> Claim:
    return Claim(name, "content_illegal", about, verdicts)


def bare(kind: str = "content_report") -> dict[str, Any]:
    document = full_case(kind)
    document["assessment"].pop("confirmations")
    return document


def verdict(document: dict[str, Any], *claims: Claim, house: House | None = None) -> Any:
    decision = confirm(accepted(document), claims, house)
    return decision.value if isinstance(decision, Permit) else decision.codes


def test_two_people_confirm_and_one_does_not() -> None:
    assert isinstance(verdict(bare(), content(ONE, TWO)), ConfirmedCase)
    assert verdict(bare(), content(ONE)) == {"too-few-people"}
    assert verdict(bare(), content()) == {"too-few-people"}


def test_zero_claims_never() -> None:
    assert verdict(bare()) == {"no-claims"}


@given(st.integers(1, 8))
def test_the_same_analyst_many_times_is_one_person(times: int) -> None:
    assert verdict(bare(), content(*[ONE] * times)) == {"too-few-people"}


def test_disagreement_blocks_however_many_agree() -> None:
    three = (ONE, TWO, Verdict("human", True, AT, "st_4"))
    assert verdict(bare(), content(*three, NO)) == {"disagreement"}
    assert verdict(bare(), content(*three), content(NO, name="c2", about=("item1", "item2"))) == {
        "disagreement"
    }
    assert isinstance(
        verdict(bare(), content(*three), content(NO, name="c2", about=("item2",))), ConfirmedCase
    )


@pytest.mark.parametrize("basis", ["orb_consensus", "iccam"])
def test_an_exact_match_of_two_organisations_counts_beside_one_own_analyst(basis: str) -> None:
    assert isinstance(verdict(bare(), content(ONE, match(basis=basis))), ConfirmedCase)
    assert verdict(bare(), content(match(basis=basis), match(basis=basis))) == {"too-few-people"}
    assert verdict(bare(), content(ONE, match(basis=basis, organisations=1))) == {"too-few-people"}


def test_a_match_needs_a_hash_and_speaks_for_content_alone() -> None:
    document = bare()
    document["items"]["item1"].pop("crypto_hash")
    assert verdict(document, content(ONE, match())) == {"too-few-people"}
    person = Claim("p", "person_linked", ("person1",), (ONE, match()))
    assert verdict(bare(), person) == {"too-few-people"}


weak = st.one_of(
    st.sampled_from(["near", "none"]).flatmap(
        lambda kind: st.sampled_from(["orb_consensus", "iccam"]).map(lambda b: match(kind, b, 9))
    ),
    st.just(Verdict("own_tool", True, AT, None, "Synthetic Score", 1)),
    st.just(Verdict("human", True, AT, "x", "Elsewhere", 1, "near")),
    st.just(Verdict("human", True, AT, None, None)),
    st.just(Verdict("own_tool", True, AT, "st_9", None)),
)


@given(st.lists(weak, max_size=8))
def test_near_matches_scores_and_nobody_never_confirm(verdicts: list[Verdict]) -> None:
    assert verdict(bare(), content(ONE, *verdicts)) == {"too-few-people"}


def test_two_outsiders_do_not_replace_a_review_of_our_own() -> None:
    outside = (Verdict("human", True, AT, "a", "Peer One"), Verdict("human", True, AT, "b", "Peer Two"))
    assert verdict(bare(), content(*outside)) == {"no-own-review"}
    assert isinstance(verdict(bare(), content(ONE, outside[0])), ConfirmedCase)


def test_the_own_tool_counts_its_people_and_none_twice() -> None:
    first, second = (Verdict("own_tool", True, AT, code, "Our Tool") for code in ("T1", "T2"))
    assert isinstance(verdict(bare(), content(first, second)), ConfirmedCase)
    assert verdict(bare(), content(ONE, first)) == {"too-few-people"}
    mapped = House(aliases={"T1": "st_2"})
    assert isinstance(verdict(bare(), content(ONE, first), house=mapped), ConfirmedCase)
    same = House(aliases={"T1": "st_1"})
    assert verdict(bare(), content(ONE, first), house=same) == {"too-few-people"}
    imported = Verdict("human", True, AT, "T1", "Our House")
    assert verdict(bare(), content(ONE, imported), house=House("our house")) == {"too-few-people"}


def test_imported_verdicts_come_from_the_case_for_what_they_speak_of() -> None:
    document = full_case()  # an exact consensus on item1 and one on item2
    assert isinstance(verdict(document, content(ONE)), ConfirmedCase)
    assert verdict(document, content(ONE, about=("item3",))) == {"too-few-people"}
    assert verdict(document, content(ONE, about=("item1", "item3"))) == {"too-few-people"}


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        (content(ONE, TWO, about=()), "claim-names-nothing"),
        (content(ONE, TWO, about=("person1",)), "claim-names-wrong-entity"),
        (content(ONE, TWO, about=("item99",)), "claim-names-wrong-entity"),
        (Claim("p", "person_linked", (), (ONE, TWO)), "claim-names-nothing"),
    ],
)
def test_a_claim_must_name_what_it_is_about(claim: Claim, code: str) -> None:
    assert verdict(bare(), claim) == {code}


def test_what_was_assessed_as_not_illegal_cannot_be_claimed() -> None:
    document = bare()
    document["items"]["item1"]["baseline"] = "not_illegal"
    assert verdict(document, content(ONE, TWO)) == {"assessed-not-illegal"}


def test_grooming_without_items_passes_or_fails_honestly() -> None:
    document = minimal_case("grooming_or_extortion")
    person = Claim("p", "person_linked", ("person1",), (ONE, TWO))
    passed = verdict(document, person)
    assert passed.rows == {"person1", "contact1", "victim1"}
    assert verdict(document, Claim("p", "person_linked", ("person1",), (ONE,))) == {"too-few-people"}
    assert verdict(document, content(ONE, TWO, about=())) == {"claim-names-nothing"}


def test_rows_are_those_of_the_confirmed_claims() -> None:
    opened = verdict(bare(), content(ONE, TWO))
    assert opened.rows == {"item1", "loc1", "victim1"}
    person = Claim("p", "person_linked", ("person2",), (ONE, TWO))
    both = verdict(bare(), content(ONE, TWO), person)
    assert both.rows == {"item1", "loc1", "victim1", "person2", "event2", "contact2", "victim2"}
    third = verdict(bare(), content(ONE, TWO, about=("item2",)), person)
    assert third.rows == {"item2", "loc2", "victim2", "person2", "event2", "contact2", "link2"}


def test_a_claim_that_fails_is_left_out_with_its_rows() -> None:
    person = Claim("p", "person_linked", ("person1",), (ONE,))
    opened = verdict(bare(), content(ONE, TWO), person)
    assert [claim.id for claim in opened.claims] == ["c1"]
    assert not {"person1", "event1", "link1"} & opened.rows


def test_a_child_in_danger_without_a_name_opens_the_victims() -> None:
    opened = verdict(bare("danger"), Claim("d", "child_in_danger", (), (ONE, TWO)))
    assert opened.rows == {"victim1", "victim2"}


@LOOSE
@given(cases(), st.lists(st.sampled_from(["st_1", "st_2"]), max_size=3))
def test_rows_exist_and_need_two_people(document: dict[str, Any], analysts: list[str]) -> None:
    document["assessment"].pop("confirmations", None)
    case = accepted(document)
    decision = confirm(case, claims_for(case, analysts))
    if isinstance(decision, Refuse):
        return
    assert len(set(analysts)) == 2
    known = {local_id for _, local_id, _ in case.entities()}
    assert decision.value.rows <= known


@pytest.mark.parametrize("kind", KINDS)
def test_the_urgent_path_takes_one_person_a_reason_and_u1(kind: str) -> None:
    document = full_case(kind)
    document["case"]["urgency"] = "U1"
    case = accepted(document)
    decision = urgent(case, [], reason="live-stream", by="st_1", reasons={"live-stream"})
    assert isinstance(decision, Permit)
    assert decision.value.rows == {local_id for _, local_id, _ in case.entities()}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reason": "hunch"}, "urgent-reason-missing"),
        ({"by": ""}, "urgent-person-missing"),
        ({"locked": True}, "urgent-path-locked"),
    ],
)
def test_the_urgent_path_is_narrow(change: dict[str, Any], code: str) -> None:
    document = full_case()
    document["case"]["urgency"] = "U1"
    given_ = {"reason": "live-stream", "by": "st_1", "reasons": {"live-stream"}, **change}
    decision = urgent(accepted(document), [], **given_)
    assert isinstance(decision, Refuse)
    assert decision.codes == {code}


def test_the_urgent_path_is_for_u1_alone() -> None:
    decision = urgent(accepted(full_case()), [], reason="live-stream", by="st_1", reasons={"live-stream"})
    assert isinstance(decision, Refuse)
    assert decision.codes == {"not-u1"}


def test_a_link_does_not_open_the_event_of_somebody_elses_account() -> None:
    document = bare()
    document["links"] = {
        "link1": {
            "subject": "person2",
            "event": "event1",
            "relation": "contacted",
            "type": "fact",
            "confidence": "low",
        }
    }
    opened = verdict(document, Claim("p", "person_linked", ("person2",), (ONE, TWO)))
    assert "link1" in opened.rows
    assert "event1" not in opened.rows
    document["events"]["event1"]["event"].pop("account_of")
    assert "event1" in verdict(document, Claim("p", "person_linked", ("person2",), (ONE, TWO))).rows
