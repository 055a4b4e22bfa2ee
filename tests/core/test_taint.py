"""The taint scan finds a withheld value in every form, and tells a leak from what a locator implies."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core import canonical
from broker.core.taint import Subject, locators, scan, subjects
from tests.cases import confirmed, full_case
from tests.core.minimising import changed, grounds_for, pairs, run

NAME = "Jérôme Synthetic-Hidden"
HIDDEN = Subject("F39", "/entities/persons/person1/self_declared_name", NAME)
URL = "https://given.example/u/jerome-hidden/1"


def codes(text: str | bytes, value: str = NAME, given_locators: tuple[str, ...] = ()) -> set[str]:
    subject = Subject("F39", "/x", value)
    return {finding.code for finding in scan([subject], {"payload": text}, given_locators)}


@pytest.mark.parametrize(
    "leak",
    [
        NAME,
        NAME.upper(),
        "Jerome Synthetic-Hidden",
        "Je\u0301ro\u0302me Synthetic-Hidden",
        "Synthetic-Hidden Jérôme",
        "Synthetic-Hidden, Jérôme",
        "Jérôme\nSynthetic-\nHidden",  # broken over lines, as in text out of a PDF
        "J\u00e9r\u00f4me Syn\u00adthe\u200btic-Hid\ufe0fden",
        "J\u00e9r\u00f4me Synthetic-Hidd\u0435n",  # a Cyrillic letter
        NAME.encode().hex(),
        NAME.encode().hex().upper(),
        quote(NAME),
        quote(NAME, safe=""),
        *[base64.b64encode(b"x" * n + NAME.encode() + b"yy").decode() for n in range(6)],
        base64.urlsafe_b64encode(NAME.encode()).decode(),
    ],
)
def test_every_form_is_found(leak: str) -> None:
    assert codes(f'{{"a":"before {leak} after"}}') == {"taint"}
    assert codes(f"{leak}".encode()) == {"taint"}


def test_quotes_and_backslashes_are_found_inside_json() -> None:
    value = 'nick "the\\wolf"'
    assert codes(canonical.encode({"a": value}), value) == {"taint"}


@given(st.text("abcdefghij ", min_size=0, max_size=200))
def test_other_text_is_clean(text: str) -> None:
    assert codes(text, "qqqwwwrrr") == set()


def test_inside_a_given_locator_it_is_implied_and_nowhere_else() -> None:
    value = "jerome-hidden"
    assert codes(f"see {URL}", value, (URL,)) == {"implied"}
    assert codes("see hxxps://given[.]example/u/jerome-hidden/1", value, (URL,)) == {"implied"}
    assert codes(f"see {URL} of jerome-hidden", value, (URL,)) == {"taint"}
    assert codes(f"see {URL}", value, ()) == {"taint"}
    assert codes("https://given.example/u/jerome-hidden/2", value, (URL,)) == {"taint"}
    (finding,) = scan([Subject("F38", "/x", value)], {"mail": URL}, [URL])
    assert (finding.severity, finding.params["part"]) == ("warn", "mail")


def test_a_finding_never_repeats_the_value() -> None:
    (finding,) = scan([HIDDEN], {"payload": NAME}, [])
    assert (finding.severity, finding.pointer) == ("block", HIDDEN.pointer)
    assert NAME not in str(finding)


@pytest.mark.parametrize("with_grounds", [False, True])
@pytest.mark.parametrize(("recipient_class", "purpose"), pairs())
def test_the_document_of_each_recipient_is_clean(
    recipient_class: str, purpose: str, with_grounds: bool
) -> None:
    grounds = grounds_for(recipient_class) if with_grounds else {}
    minimised = run(confirmed(full_case("person_lead")), recipient_class, purpose, grounds=grounds)
    parts = {"payload": canonical.encode({"f": minimised.facts, "e": minimised.entities})}
    assert subjects(minimised)
    assert scan(subjects(minimised), parts, locators(minimised)) == ()


@pytest.mark.parametrize(("recipient_class", "purpose"), pairs())
def test_every_withheld_free_value_is_a_subject(recipient_class: str, purpose: str) -> None:
    minimised = run(confirmed(full_case("person_lead")), recipient_class, purpose)
    found = subjects(minimised)
    for subject in found[::7]:
        leaked = scan(found, {"page": f"x {subject.value} y"}, ())
        assert ("taint", subject.pointer) in {(f.code, f.pointer) for f in leaked}
    if recipient_class == "FLE":
        values = {subject.value for subject in found}
        document = full_case("person_lead")
        assert document["persons"]["person1"]["handle"] in values
        assert document["locations"]["loc1"]["url"] in values
        assert document["assessment"]["narrative"][0]["text"] in values
        assert document["persons"]["person2"]["handle"] not in values


def test_a_name_in_the_narrative_that_the_police_do_not_get_blocks() -> None:
    document = changed(full_case())
    reporter = document["reporter"]["identity"]["name"]
    document["assessment"]["narrative"][0]["text"] = f"Told by {reporter}."
    minimised = run(confirmed(document), "BEP", "P2")
    parts = {"payload": canonical.encode(minimised.facts)}
    findings = scan(subjects(minimised), parts, locators(minimised))
    assert {(f.code, f.severity, f.params["field"]) for f in findings} == {("taint", "block", "F12")}


def test_a_masked_text_of_several_sentences_is_not_a_leak_of_its_own_sentences() -> None:
    document = full_case("content_report")
    kept = "Synthetic first sentence that names nobody."
    document["reporter"]["statement"] = f"{kept} Write to {document['reporter']['identity']['contact']}."
    result = run(confirmed(document), "BEP", "P2")
    assert kept in result.masked["/facts/reporter/statement"][1]
    hidden = {subject.value for subject in subjects(result) if subject.pointer == "/facts/reporter/statement"}
    assert kept not in hidden
    assert hidden, "the sentence with the withheld address is still looked for"
