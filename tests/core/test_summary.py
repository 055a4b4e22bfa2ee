"""Generated text: complete in every language, computed from codes and counts alone."""

from __future__ import annotations

import string
from typing import Any, get_args

import pytest
from hypothesis import given

from broker.core import schema
from broker.core.summary import LANGUAGES, generate, texts
from tests.cases import canaries, cases, confirmed, full_case
from tests.core.minimising import pairs, recipient, run


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_phrase(language: Any) -> None:
    mine, english = texts(language), texts("en")
    assert set(mine) == set(english)
    for key, phrase in english.items():
        if key not in ("codes", "answers"):  # tests/core/test_answers.py looks at the latter
            assert mine[key].strip()
            assert placeholders(mine[key]) == placeholders(phrase)
    for kind, words in english["codes"].items():
        assert set(mine["codes"][kind]) == set(words)
        assert all(mine["codes"][kind].values())


def test_every_code_of_the_schema_has_words() -> None:
    codes = texts("en")["codes"]
    assert set(codes["kind"]) == set(get_args(schema.Kind))
    assert set(codes["urgency"]) == set(get_args(schema.Urgency))
    offences = get_args(schema.CaseFacts.model_fields["offence_type"].annotation)
    assert set(codes["offence"]) == {*offences, "child_sexual_abuse_material"}
    demands = get_args(get_args(schema.ContactHistory.model_fields["demands"].annotation)[0])
    assert set(codes["demands"]) == set(demands)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_of_a_whole_case(language: Any) -> None:
    minimised = run(
        confirmed(full_case("grooming_or_extortion")),
        "BEP",
        "P2",
        recipient=recipient("BEP", language=language),
    )
    text = minimised.facts["summary"]["text"]
    phrases = texts(language)
    assert phrases["codes"]["kind"]["grooming_or_extortion"] in text
    assert phrases["items_many"].format(n=3) in text
    assert phrases["victims_many"].format(n=2) in text
    assert text.endswith(phrases["generated"])
    assert "{" not in text


@pytest.mark.parametrize(("recipient_class", "purpose"), pairs())
def test_no_free_value_gets_into_it(recipient_class: str, purpose: str) -> None:
    document = full_case("person_lead")
    minimised = run(confirmed(document), recipient_class, purpose)
    text = minimised.facts.get("summary", {}).get("text", "")
    assert not [pointer for pointer, value in canaries(document).items() if value in text]


@given(cases())
def test_it_is_a_function_of_the_minimised_document(document: Any) -> None:
    facts = {"case": {"kind": document["case"]["kind"]}}
    assert generate(facts, {}, "fr") == generate(facts, {"items": {}}, "fr")
    assert generate({}, {}, "nl") == ""


def test_a_bucket_is_not_undone_by_the_text() -> None:
    victims = {name: {"ref": {"of": "2-5"}, "identification": "unknown"} for name in ("a", "b", "c")}
    text = generate({}, {"victims": victims}, "en")
    assert "2-5" in text
    assert "3" not in text
