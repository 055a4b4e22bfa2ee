"""PDF and CSV say the same: each fact of one stands in the other, in its displayed form."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from adapters.police_dossier import adapter, moments
from adapters.police_dossier.dossier import compose
from adapters.police_dossier.locators import defang, defang_host, printable
from adapters.police_dossier.words import LANGUAGES, Words
from broker.conformance import samples
from broker.spi import Document, MinimisedReferral
from tests.adapters.reading import pages, rows, squeeze
from tests.adapters.referrals import referrals

SAMPLES = samples()


def forms(text: str) -> set[str]:
    """How a CSV text may stand on a page."""
    return {squeeze(printable(defang(text))), squeeze(printable(defang_host(text)))}


def page_text(referral: MinimisedReferral, document: Document) -> str:
    """All pages as one run of characters, without running heads and repeated table heads."""
    words = Words(referral.language)
    text = pages(document)
    whole = ""
    for number, page in enumerate(text, 1):
        body = squeeze(page)
        foot = squeeze(f"{referral.reference} · {referral.release} {words.say('ui.page')} {number} ")
        foot += squeeze(f"{words.say('ui.of')} {len(text)}")
        assert foot in body
        body = body.replace(foot, "")
        if number > 1:
            head = squeeze(f"{words.say('ui.title')}{referral.reference}")
            assert head in body
            body = body.replace(head, "", 1)
        whole += body
    for head in element_heads(referral):
        whole = whole.replace(head, "")
    return whole


def element_heads(referral: MinimisedReferral) -> set[str]:
    return {squeeze(name + element) for element, name in compose(referral).names.items()}


def missing_in_pdf(referral: MinimisedReferral, documents: Sequence[Document]) -> list[str]:
    """Pointers of the facts of the CSV that the PDF does not show."""
    text = page_text(referral, documents[0])
    facts = [row for row in rows(documents[1]) if row["record"] != "url"]
    assert facts
    return [row["pointer"] for row in facts if not any(form in text for form in forms(row["text"]))]


def left_of_pdf(referral: MinimisedReferral, documents: Sequence[Document]) -> str:
    """What of the PDF is neither a fact of the CSV nor a word of the language's table."""
    text = page_text(referral, documents[0])
    known = {squeeze(entry) for entry in Words(referral.language).table.values()}
    for row in rows(documents[1]):
        known |= forms(row["text"]) | {squeeze(printable(row["value"])), moments.utc(row["value"])}
    for piece in sorted((k for k in known if k), key=lambda k: (-len(k), k)):
        text = text.replace(piece, "\0")
    return re.sub(r"[\0·,;:/–()]", "", text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_fact_of_the_csv_stands_in_the_pdf(name, language):
    referral = replace(SAMPLES[name], language=language)
    assert missing_in_pdf(referral, adapter.render(referral)) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_pdf_says_nothing_that_the_csv_does_not(name, language):
    referral = replace(SAMPLES[name], language=language)
    assert left_of_pdf(referral, adapter.render(referral)) == ""


def test_every_value_of_the_referral_stands_in_the_csv_exactly():
    referral = SAMPLES["full"]
    held = {row["value"] for row in rows(adapter.render(referral)[1])}

    def scalars(value):
        if isinstance(value, dict):
            for child in value.values():
                yield from scalars(child)
        elif isinstance(value, list):
            for child in value:
                yield from scalars(child)
        else:
            yield json.dumps(value) if isinstance(value, bool) else str("" if value is None else value)

    wanted = {v for part in (referral.facts, referral.entities) for v in scalars(part)}
    assert wanted - held == set()


FOUND_FIRST = [Phase.explicit, Phase.reuse, Phase.generate]
"""No shrinking: one example takes up to a second, and the first one found reads well enough."""


@pytest.mark.slow
@settings(max_examples=200, deadline=None, phases=FOUND_FIRST, suppress_health_check=list(HealthCheck))
@given(referrals)
def test_generated_referrals_render_safely_and_the_same_twice(referral):
    documents = adapter.render(referral)
    assert [f.code for f in adapter.lint(referral, documents) if f.severity == "block"] == []
    assert adapter.render(referral) == documents


@pytest.mark.slow
@settings(max_examples=40, deadline=None, phases=FOUND_FIRST, suppress_health_check=list(HealthCheck))
@given(referrals)
def test_generated_referrals_say_the_same_in_both_documents(referral):
    documents = adapter.render(referral)
    assert missing_in_pdf(referral, documents) == []
    assert left_of_pdf(referral, documents) == ""
