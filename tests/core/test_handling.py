"""Handling codes: a lattice in which one can only go up, and nothing EU-classified."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.decision import Permit, Refuse
from broker.core.handling import Handling, as_json, compose, default, for_role, parse, tighten
from broker.core.pack import load_pack

PACK = load_pack("be")


@st.composite
def handlings(draw: st.DrawFn) -> Handling:
    restricting = draw(st.frozensets(st.sampled_from(["H1", "H2", "H3"])))
    codes = restricting or draw(st.sampled_from([frozenset[str](), frozenset({"H0"})]))
    text = draw(st.sampled_from(["ask first", "no copies"])) if "H3" in codes else None
    decision = parse(
        europol=codes,
        h3_text=[text] if text else [],
        tlp=draw(st.sampled_from([None, "AMBER+STRICT", "RED"])),
        pap=draw(st.sampled_from([None, "CLEAR", "GREEN", "AMBER", "RED"])),
        status=draw(st.sampled_from(["proposed", "set"])),
        conditions=draw(st.frozensets(st.sampled_from(sorted(PACK.conditions)))),
    )
    assert isinstance(decision, Permit)
    return decision.value


@given(handlings(), handlings(), handlings())
def test_composition_is_a_join(a: Handling, b: Handling, c: Handling) -> None:
    assert compose([a, compose([b, c])]) == compose([compose([a, b]), c])
    assert compose([a, b]) == compose([b, a])
    assert compose([a, a]) == a
    assert compose([a]) == a == compose([Handling(), a])


@given(handlings(), handlings())
def test_the_composition_covers_each_part(a: Handling, b: Handling) -> None:
    both = compose([a, b])
    assert both.covers(a)
    assert both.covers(b)
    assert (both.europol & {"H1", "H2", "H3"}) == ((a.europol | b.europol) & {"H1", "H2", "H3"})
    assert not ("H0" in both.europol and len(both.europol) > 1)


@given(handlings(), handlings())
def test_tightening_only_goes_up(base: Handling, wanted: Handling) -> None:
    decision = tighten(base, wanted)
    assert isinstance(decision, Permit) == wanted.covers(base)
    assert isinstance(tighten(base, compose([base, wanted])), Permit)
    if isinstance(decision, Permit):
        assert wanted.conditions >= base.conditions
        assert isinstance(tighten(wanted, base), Refuse) or wanted.covers(base) == base.covers(wanted)


def test_dropping_one_code_is_refused() -> None:
    base = Handling(europol=frozenset({"H1", "H2"}))
    refused = tighten(base, Handling(europol=frozenset({"H2"})))
    assert isinstance(refused, Refuse)
    assert refused.codes == {"handling-loosened"}


@pytest.mark.parametrize(
    "word",
    ["RESTREINT UE", "R-UE/EU-R", "EU CONFIDENTIAL", "secret ue", "TRÈS SECRET UE", "EU TOP SECRET"],
)
def test_eu_classified_markings_are_refused(word: str) -> None:
    for decision in (parse(europol=["H3"], h3_text=[f"{word} text"]), parse(tlp=word), parse(europol=[word])):
        assert isinstance(decision, Refuse)
        assert decision.codes == {"eu-classified"}


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        ({"europol": ["H4"]}, "unknown-code"),
        ({"europol": ["H0", "H1"]}, "unknown-code"),
        ({"europol": ["H3"]}, "h3-without-text"),
        ({"h3_text": ["text"]}, "h3-without-text"),
        ({"tlp": "GREEN"}, "too-open-for-personal-data"),
        ({"tlp": "PINK"}, "unknown-code"),
        ({"pap": "PINK"}, "unknown-code"),
    ],
)
def test_codes_that_cannot_stand(codes: dict[str, list[str]], reason: str) -> None:
    decision = parse(**codes)  # type: ignore[arg-type]
    assert isinstance(decision, Refuse)
    assert decision.codes == {reason}


def test_domestic_authorities_get_words_and_no_codes() -> None:
    for recipient_class in ("BEP", "BEM"):
        handling = default(PACK, recipient_class)
        assert (handling.europol, handling.tlp, handling.pap) == (frozenset(), None, None)
        for language in PACK.languages:
            value = as_json(handling, PACK, language)
            assert set(value) == {"conditions"}
            assert len(value["conditions"]) == 4
            assert all(entry["text"] for entry in value["conditions"])


def test_h_codes_to_europol_are_proposed() -> None:
    assert as_json(default(PACK, "EUR"), PACK, "en")["europol"] == {"codes": ["H0"], "status": "proposed"}


def test_h1_bars_a_prosecutor() -> None:
    barred = Handling(europol=frozenset({"H1"}))
    assert isinstance(for_role(barred, "prosecutor"), Refuse)
    assert isinstance(for_role(barred, "domestic_police"), Permit)
