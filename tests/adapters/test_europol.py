"""The Article 26b package: purpose, evaluation and a proposal of codes on everything, and no more."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.europol import adapter, plan
from adapters.europol.sheet import LIVE, clean
from broker.conformance import referral_from, samples
from broker.core.fields import COLLECTIONS, SECTIONS
from broker.core.pack import load_pack
from broker.spi import Document, Party
from tests.adapters.corpus import FULL, corpus, given_values, scalars

GOLDEN = Path(__file__).parent / "golden"
REGENERATE = "BROKER_REGENERATE_GOLDEN"
SAMPLES = samples()
EUROPOL = Party("pt_europol", "EUR", "EU", "Europol (synthetic)")
OURS = {
    *plan.PURPOSES.values(),
    *plan.PURPOSES,
    *(f"Art. 18(2)({letter})" for letter in plan.PURPOSES),
    "broker-europol/1",
    plan.BASIS,
    "proposed",
    "X",
    "4",
    "true",
    "false",
    "reported, not established as a suspect",
    "victim or presumed victim",
}
"""Words of the adapter that may stand in the package beside values."""


def with_codes(referral, europol):
    """The referral addressed to Europol, with these H codes as F67 has them."""
    payload = json.loads(referral.payload)
    codes = payload["doc"]["facts"].setdefault("handling", {}).setdefault("codes", {})
    codes["europol"] = europol
    return replace(referral_from(payload), addressee=EUROPOL)


PROPOSED = with_codes(FULL, {"codes": ["H0"], "status": "proposed"})


def package(referral):
    return json.loads(adapter.render(referral)[0].content)


def text(referral):
    return adapter.render(referral)[1].content.decode()


def blocks(referral, documents=None):
    found = adapter.lint(referral, adapter.render(referral) if documents is None else documents)
    return {f.code for f in found if f.severity == "block"}


@pytest.mark.parametrize("suffix", ["json", "txt"])
def test_golden(suffix):
    golden = GOLDEN / f"europol-full.{suffix}"
    made = adapter.render(PROPOSED)[suffix == "txt"].content
    if os.environ.get(REGENERATE):
        golden.write_bytes(made)
    assert made == golden.read_bytes()


def test_it_names_ground_letters_addressee_and_relay():
    made = package(replace(PROPOSED, purposes=("P3", "P2", "P3")))
    assert made["basis"] == "Regulation (EU) 2016/794, Article 26b"
    assert [p["letter"] for p in made["purposes"]] == ["a", "c"]
    assert made["addressee"]["name"] == "Europol (synthetic)"
    assert made["relay"]["class"] == "BEP"
    sheet = text(replace(PROPOSED, purposes=("P3",)))
    assert "Art. 18(2)(a): cross-checking" in sheet
    assert "relay: Federal Police, child unit (synthetic) (BEP, BE)" in sheet


@pytest.mark.parametrize("purposes", [(), ("P99",), ("P6",)])
def test_without_a_letter_nothing_leaves(purposes):
    assert blocks(replace(PROPOSED, purposes=purposes)) == {"europol-no-purpose-letter"}


def test_every_pair_of_the_pack_has_a_letter():
    wanted = {purpose for recipient, purpose in load_pack("be").pairs if recipient == "EUR"}
    assert wanted
    assert wanted <= set(plan.LETTERS)


def test_codes_are_a_proposal_whoever_wrote_them():
    assert package(PROPOSED)["handling"]["codes"] == ["H0"]
    said = with_codes(FULL, {"codes": ["H2"], "status": "set"})
    assert package(said)["handling"]["status"] == "proposed"
    assert "H2 (proposed): not to be disseminated" in text(said)
    assert blocks(said) == set()


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ({"codes": ["H4"]}, "europol-handling-code"),
        ({"codes": ["H0", "H1"]}, "europol-handling-code"),
        ({"codes": ["H3"]}, "europol-h3-text"),
        ({"codes": ["H1"], "h3": ["Synthetic restriction"]}, "europol-h3-text"),
    ],
)
def test_wrong_codes_block(codes, code):
    assert blocks(with_codes(FULL, codes)) == {code}


def test_no_code_is_a_warning_and_is_said():
    none = with_codes(FULL, {"codes": []})
    assert "no H code is proposed" in text(none)
    assert "europol-no-handling-code" in {f.code for f in adapter.lint(none, adapter.render(none))}


def test_evaluation_as_given_or_unassessed():
    persons = {p["id"]: p["evaluation"] for p in package(PROPOSED)["elements"]["persons"]}
    assert persons == {
        "apers2vv4w": {"source": "B", "info": "2", "assessed": True},
        "bpers5nn6x": {"source": "X", "info": "4", "assessed": False},
    }
    assert "(bpers5nn6x) [X4, unassessed]" in text(PROPOSED)
    notes = {
        f.pointer for f in adapter.lint(PROPOSED, adapter.render(PROPOSED)) if f.code == "europol-unassessed"
    }
    assert "/entities/persons/bpers5nn6x" in notes


@pytest.mark.parametrize("half", [{"source": "A"}, {"info": "1"}, {"source": "A", "info": "9"}, "A1", None])
def test_half_an_evaluation_is_none(half):
    payload = json.loads(PROPOSED.payload)
    payload["doc"]["entities"]["items"]["aitem2xk7q"]["evaluation"] = half
    items = {i["id"]: i["evaluation"] for i in package(referral_from(payload))["elements"]["items"]}
    assert items["aitem2xk7q"] == {"source": "X", "info": "4", "assessed": False}


def test_article_30_names_victims_and_minors():
    payload = json.loads(PROPOSED.payload)
    payload["doc"]["entities"]["persons"]["bpers5nn6x"]["minor_flag"] = "minor"
    assert package(referral_from(payload))["article_30"] == ["acont2rr3s", "avict2bb3c", "bpers5nn6x"]


def test_a_reported_person_is_no_suspect_yet():
    assert {p["category"] for p in package(PROPOSED)["elements"]["persons"]} == {
        "reported, not established as a suspect"
    }


def test_identification_stands_in_utc():
    sheet = text(PROPOSED)
    line = "  Chat Service A (synthetic) / user-000117 / 2001:db8:12:34::9a / - / 2026-03-01T05:01:59.250000Z"
    assert line in sheet.splitlines()
    assert "  Forum B (synthetic) / second_handle_b / - / - / -" in sheet.splitlines()


def test_no_value_passes_for_a_heading_or_hides():
    payload = json.loads(PROPOSED.payload)
    payload["doc"]["entities"]["persons"]["apers2vv4w"]["handle"] = "x\nHANDLING\u2028H0\u202e\u200b\x07"
    sheet = text(referral_from(payload))
    assert "  handle: x HANDLING{U+2028}H0{U+202E}{U+200B}{U+0007}" in sheet
    assert all(line == "" or line.startswith("  ") or re.match(r"[A-Z]", line) for line in sheet.splitlines())


@pytest.mark.parametrize(
    ("live", "broken"),
    [
        ("see https://a.b.example/c.d", "see hxxps://a[.]b[.]example/c.d"),
        ("www.bad.example", "www[.]bad[.]example"),
        ("magnet:?xt=1", "magnet[:]?xt=1"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("host.example/x", "host[.]example/x"),
    ],
)
def test_locators_are_broken(live, broken):
    assert clean(live) == broken
    assert clean(broken) == broken
    assert not LIVE.search(broken)


def test_places_are_those_of_the_schema_and_what_never_goes_is_not_among_them():
    for mine, theirs in ((plan.FACTS, SECTIONS), (plan.ELEMENTS, COLLECTIONS)):
        assert all(names.items() <= theirs[group].items() for group, names in mine.items())
    pack = load_pack("be")
    dropped = {f for f in pack.fields if pack.action(f, "EUR") == "-"}
    assert not plan.NEEDS & dropped
    assert set(pack.fields) - dropped - plan.NEEDS == set()


def test_thousand_generated_grade_every_element_and_hold_nothing_but_the_referral():
    for referral in corpus():
        made = package(referral)
        assert scalars(made) <= given_values(referral) | OURS, referral.release
        for collection in plan.EVALUATED:
            graded = {e["id"]: e["evaluation"] for e in made["elements"].get(collection, ())}
            assert graded.keys() == referral.entities.get(collection, {}).keys()
            assert all(g["source"] in "ABCX" and g["info"] in "1234" for g in graded.values())
        assert made["handling"]["status"] == "proposed"


def test_thousand_generated_are_the_same_twice_and_safe_to_paste():
    for referral in corpus():
        documents = adapter.render(referral)
        assert adapter.render(referral) == documents
        expected = set() if set(referral.purposes) & set(plan.LETTERS) else {"europol-no-purpose-letter"}
        assert blocks(referral, documents) == expected
        sheet = documents[1].content.decode()
        assert not LIVE.search(sheet)
        assert not {unicodedata.category(c) for c in sheet if c != "\n"} & {"Cc", "Cf", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda m: m["purposes"].clear(), "europol-no-purpose-letter"),
        (lambda m: m.update(basis="none"), "europol-no-basis"),
        (lambda m: m["relay"].update(name=""), "europol-no-relay"),
        (lambda m: m["handling"].update(status="set"), "europol-handling-set"),
        (lambda m: m["elements"]["items"].pop(), "europol-no-evaluation"),
        (lambda m: m["elements"]["events"][0].update(evaluation={}), "europol-no-evaluation"),
        (lambda m: m.update(article_30=[]), "europol-article-30"),
        (lambda m: m.pop("handling"), "europol-unreadable"),
    ],
)
def test_lint_blocks(change, code):
    made = package(PROPOSED)
    change(made)
    documents = [
        Document("europol.json", "application/json", json.dumps(made).encode()),
        adapter.render(PROPOSED)[1],
    ]
    assert code in blocks(PROPOSED, documents)


def test_lint_blocks_a_live_locator_and_an_absent_document():
    one, _ = adapter.render(PROPOSED)
    live = Document("europol.txt", "text/plain", b"  url: https://a.example/x\n")
    assert blocks(PROPOSED, [one, live]) == {"europol-live-locator"}
    assert blocks(PROPOSED, []) == {"europol-document-missing"}
