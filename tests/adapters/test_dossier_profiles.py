"""The dossier for whom it is: what a prosecutor reads first, and numbers and conditions in words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from adapters.police_dossier import adapter, plan
from adapters.police_dossier.dossier import compose
from adapters.police_dossier.words import LANGUAGES, Words
from broker.conformance import referral_from, samples
from tests.adapters.reading import pages, rows, squeeze

FULL = samples()["full"]
MAGISTRATE = replace(FULL.addressee, recipient_class="BEM", name="Synthetic prosecutor")
PROSECUTOR = replace(FULL, addressee=MAGISTRATE, purposes=("P7",))


def read(referral):
    return squeeze("".join(pages(adapter.render(referral)[0])))


def records(referral):
    return [section.record for section in compose(referral).sections]


def test_a_prosecutor_reads_the_legal_basis_first():
    assert records(FULL)[:2] == ["referral", "case"]
    assert records(FULL)[-1] == "legal"
    assert records(PROSECUTOR)[:3] == ["referral", "legal", "case"]
    assert sorted(records(PROSECUTOR)) == sorted(records(FULL))
    assert sorted(plan.PROSECUTOR) == sorted(plan.SECTIONS)


@pytest.mark.parametrize("change", [{"purposes": ("P7",)}, {"addressee": MAGISTRATE}])
def test_by_purpose_in_any_pack_and_by_class_in_the_belgian_one(change):
    assert records(replace(FULL, **change))[1] == "legal"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_whom_it_is_for_in_each_language(language):
    words = Words(language)
    text = read(replace(PROSECUTOR, language=language))
    assert squeeze(words.say("ui.subtitle.prosecutor")) in text
    legal, case = squeeze(words.say("ui.legal")), squeeze(words.say("ui.case") + words.field("F84"))
    assert text.index(legal + squeeze(words.field("F04"))) < text.index(case)
    police = read(replace(FULL, language=language))
    assert squeeze(words.say("ui.subtitle.prosecutor")) not in police


def with_conditions(*conditions):
    payload = json.loads(FULL.payload)
    payload["doc"]["facts"]["handling"]["codes"] = {"conditions": list(conditions)}
    return referral_from(payload)


def test_a_condition_stands_once_when_code_and_text_say_the_same():
    same = "For criminal investigation and prosecution only."
    text = read(with_conditions({"code": "criminal-proceedings", "text": same}))
    assert text.count(squeeze(same)) == 1
    assert "criminal-proceedings" not in text


def test_and_both_stand_when_they_differ():
    other = "Only for the synthetic unit."
    text = read(
        with_conditions({"code": "criminal-proceedings", "text": other}, {"code": "X-1", "text": "Ask."})
    )
    assert squeeze("For criminal investigation and prosecution only. " + other) in text
    assert squeeze("X-1 Ask.") in text


def test_the_csv_still_has_the_code():
    same = "For criminal investigation and prosecution only."
    table = rows(adapter.render(with_conditions({"code": "criminal-proceedings", "text": same}))[1])
    assert [r["value"] for r in table if r["pointer"].endswith("/conditions/0/code")] == [
        "criminal-proceedings"
    ]


@pytest.mark.parametrize(
    ("language", "field", "member", "value", "said"),
    [
        ("nl", "F74", "count", 1, "1 bericht"),
        ("nl", "F19", "size", 182044, "182.044 bytes"),
        ("fr", "F74", "count", 0, "0 message"),
        ("fr", "F74", "count", 2, "2 messages"),
        ("fr", "F19", "size", 1234567, "1\u202f234\u202f567 octets"),
        ("de", "F60", "organisations", 2, "2 Organisationen"),
        ("de", "F74", "count", 0, "0 Nachrichten"),
        ("en", "F50", "of", 1, "1 in total"),
        ("en", "F50", "of", "2-5", "2-5 in total"),
        ("en", "F74", "count", 1, "1 message"),
        ("en", "F19", "size", 20481122, "20,481,122 bytes"),
    ],
)
def test_numbers_read_as_people_say_them(language, field, member, value, said):
    assert Words(language).unit(field, member, value) == said


def test_what_counts_nothing_stays_a_plain_value():
    assert Words("en").unit("F47", "", 51234) is None
    assert Words("en").unit("F74", "count", True) is None
    assert squeeze("Source port 51234") in read(FULL)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_page_says_that_an_annex_may_be_sealed_apart(language):
    words = Words(language)
    name = words.field("F12").split(" (", maxsplit=1)[0]
    sentence = squeeze(words.say("ui.apart", names=name))
    withheld = {"fields": {"F12": {"state": "apart"}}, "agreement": None}
    first, *rest = pages(adapter.render(replace(FULL, language=language, withheld=withheld))[0])
    assert sentence in squeeze(first)
    assert sentence not in squeeze("".join(rest))
    none = {"fields": {"F12": {"state": "withheld"}}, "agreement": None}
    assert "apart.jwe" not in read(replace(FULL, language=language, withheld=none))
