"""The six plain answers: each has its codes, its words in four languages, and the form that is stored."""

from __future__ import annotations

from typing import Any

import pytest

from broker.api.bodies import Answer as ApiAnswer
from broker.core.answers import BY_CODE, PLAIN, Answer, label, outcome_of
from broker.core.outcomes import NEEDS_GAPS, OUTCOMES
from broker.core.pack import load_pack
from broker.core.summary import LANGUAGES, texts

CHECKS = load_pack("be").checks


def test_six_answers_and_no_code_in_two_of_them() -> None:
    assert [p.code for p in PLAIN] == [
        "case-opened", "already-known", "need-more", "not-ours", "not-an-offence", "nothing-to-pursue"
    ]  # fmt: skip
    codes = [code for p in PLAIN for code in p.outcomes]
    assert len(set(codes)) == len(codes)
    assert set(codes) <= set(OUTCOMES)
    # "Need more" must ask which, and nothing else may lead to a code that asks it.
    assert {code for p in PLAIN if p.asks == "gaps" for code in p.outcomes} == NEEDS_GAPS


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_and_code_has_words(language: Any) -> None:
    words, english = texts(language)["answers"], texts("en")["answers"]
    assert set(words["outcomes"]) == set(OUTCOMES)
    assert set(words["plain"]) == set(BY_CODE)
    assert set(words["page"]) == set(english["page"])
    assert all(label(code, language).strip() for code in (*BY_CODE, *OUTCOMES))
    assert len({label(code, language) for code in BY_CODE}) == 6
    if language != "en":
        assert not set(words["page"].values()) & set(english["page"].values())
    assert texts("en")["answers"]["outcomes"] == dict(OUTCOMES)


def test_what_was_said_becomes_a_code() -> None:
    assert outcome_of("O61") == "O61"
    assert {p.code: outcome_of(p.code) for p in PLAIN} == {p.code: p.outcomes[0] for p in PLAIN}
    assert outcome_of("O99") is None
    assert outcome_of("maybe") is None


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        (Answer("O10", "BR.55.99.000001/2026"), []),
        (Answer("O20", gaps=("Q08",)), []),
        (Answer("O72", suggest="NL"), []),
        (Answer("O99"), ["/outcome"]),
        (Answer("O20"), ["/gaps"]),
        (Answer("O71", gaps=("Q99",)), ["/gaps"]),
        (Answer("O10", "<b>"), ["/caseReference"]),
        (Answer("O10", "x" * 65), ["/caseReference"]),
        (Answer("O72", suggest="nl"), ["/suggest"]),
    ],
)
def test_rules_are_those_of_the_api_and_the_body_is_the_same(answer: Answer, fields: list[str]) -> None:
    assert [issue.field for issue in answer.issues(CHECKS)] == fields
    if not fields:
        api = ApiAnswer.model_validate(answer.body())
        assert api.model_dump(by_alias=True, exclude_none=True) == answer.body()
