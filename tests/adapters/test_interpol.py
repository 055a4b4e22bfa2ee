"""The victim-identification package: items and victims, and no suspect, whatever the referral holds."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.interpol import adapter, icse, plan
from broker.conformance import referral_from, samples
from broker.core.fields import COLLECTIONS, SECTIONS
from broker.core.pack import load_pack
from broker.spi import Document
from tests.adapters.corpus import FULL, corpus, given_values, scalars

GOLDEN = Path(__file__).parent / "golden"
REGENERATE = "BROKER_REGENERATE_GOLDEN"
SAMPLES = samples()
HEADER = (
    "MD5;SHA1;PhotoDNA;Image ID;Is distributed;Victim identified;Offender identified;Series name;"
    "Number of submissions;File Available;Media Type;Baseline"
)
OURS = {"broker-interpol/1", "victim identification"}
SUSPECT = frozenset(f"F{n}" for n in (37, 38, 39, 40, 41, 42, 43, 44, 46, 47, 48, 49, 55, 73, 74, 75))
"""Fields of suspects and of what they did; F45 goes as a country without a person."""
LOCATING = frozenset({"F20", "F21", "F22", "F29", "F30", "F32", "F77"})
"""Fields in which a suspect's name may stand."""


def package(referral):
    return json.loads(adapter.render(referral)[0].content)


def sheet(referral):
    return adapter.render(referral)[1].content.decode("ascii")


def without_suspects(referral):
    """The same referral without any account, event, link, contact or locator; countries stay."""
    entities = {c: dict(e) for c, e in referral.entities.items() if c not in {"events", "links", "contacts"}}
    persons = entities.pop("persons", {})
    kept = {
        e: {"country_estimate": p["country_estimate"]} for e, p in persons.items() if "country_estimate" in p
    }
    if kept:
        entities["persons"] = kept
    for collection in ("locations", "items", "victims"):
        names = COLLECTIONS[collection]
        entities[collection] = {
            e: {n: v for n, v in values.items() if names[n] not in SUSPECT | LOCATING}
            for e, values in entities.get(collection, {}).items()
        }
    return replace(referral, entities=entities, payload=b"{}")


def poisoned(referral):
    """The same referral with every value of a suspect made unmistakable."""

    def mark(value, place):
        if isinstance(value, dict):
            return {k: mark(v, f"{place}-{k}") for k, v in value.items()}
        if isinstance(value, list):
            return [mark(v, place) for v in value]
        return f"canary7f3a9b-{place}"

    def entry(collection, name, value):
        field = COLLECTIONS[collection][name]
        return mark(value, field) if field in SUSPECT | LOCATING else value

    entities = {
        c: {e: {n: entry(c, n, v) for n, v in values.items()} for e, values in elements.items()}
        for c, elements in referral.entities.items()
    }
    return replace(referral, entities=entities)


@pytest.mark.parametrize("name", ["full", "narrow"])
@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_golden(name, suffix):
    golden = GOLDEN / f"interpol-{name}.{suffix}"
    made = adapter.render(SAMPLES[name])[suffix == "csv"].content
    if os.environ.get(REGENERATE):
        golden.write_bytes(made)
    assert made == golden.read_bytes()


def test_by_construction_no_suspect_field_is_read():
    assert not plan.NEEDS & (SUSPECT | LOCATING)
    assert adapter.info.needs == plan.NEEDS
    for mine, theirs in ((plan.FACTS, SECTIONS), (plan.ELEMENTS, COLLECTIONS)):
        assert all(names.items() <= theirs[group].items() for group, names in mine.items())


def test_the_matrix_gives_interpol_all_that_the_package_takes():
    pack = load_pack("be")
    assert not {f for f in plan.NEEDS if pack.action(f, "INT") == "-"}
    assert not {f for f in SUSPECT if pack.action(f, "INT") != "-"}


def test_thousand_generated_hold_no_suspect_identifier():
    for referral in corpus():
        for document in adapter.render(poisoned(referral)):
            assert b"canary7f3a9b" not in document.content, referral.release


def test_thousand_generated_do_not_change_with_the_suspects():
    for referral in corpus():
        assert adapter.render(without_suspects(referral)) == adapter.render(referral), referral.release


def test_the_canary_would_be_seen():
    payload = json.loads(poisoned(FULL).payload)
    payload["doc"]["entities"]["victims"]["avict2bb3c"]["series_ref"] = "canary7f3a9b"
    assert b"canary7f3a9b" in adapter.render(referral_from(payload))[0].content


def test_thousand_generated_hold_nothing_but_the_referral_and_are_clean():
    for referral in corpus():
        documents = adapter.render(referral)
        assert adapter.render(referral) == documents
        assert scalars(json.loads(documents[0].content)) <= given_values(referral) | OURS
        assert [f.code for f in adapter.lint(referral, documents) if f.severity == "block"] == []


def test_the_sheet_has_the_header_that_importers_expect():
    assert ";".join(icse.HEADER) == HEADER
    for referral in corpus():
        head, *rows, end = sheet(referral).split("\r\n")
        assert (head, end) == (HEADER, "")
        for row in rows:
            cells = dict(zip(icse.HEADER, row.split(";"), strict=True))
            assert any(cells[name] for name in ("MD5", "SHA1", "PhotoDNA"))
            assert not cells["Offender identified"]
            assert cells["Baseline"] in {"Yes", "No", ""}


def test_the_sheet_has_a_row_for_each_item_with_a_hash():
    assert sheet(FULL).split("\r\n")[1:3] == [
        ";a94a8fe5ccb19ba61c4c0873d391e987982fbbd3;;;;;;;;;image/jpeg;Yes",
        "d41d8cd98f00b204e9800998ecf8427e;;;;;;;;;;video/mp4;No",
    ]


@pytest.mark.parametrize(
    ("algorithm", "value", "taken"),
    [
        ("photodna", "A" * 191 + "+", True),
        ("photodna", "0f" * 144, True),
        ("photodna", "A" * 100, False),
        ("md5", "=1+1", False),
        ("md5", "0" * 32 + "\r\n", False),
        ("sha1", "ab" * 20, True),
        ("sha256", "ab" * 32, False),
    ],
)
def test_only_hashes_of_the_right_form_go_into_cells(algorithm, value, taken):
    made = icse.write([{"id": "x", "crypto_hash": [{"alg": algorithm, "value": value}]}]).decode()
    assert (value in made) is taken
    assert made.count("\r\n") == 1 + taken


def test_a_media_type_is_a_media_type():
    item = {"crypto_hash": [{"alg": "md5", "value": "0" * 32}], "media": {"type": "a;b\r\n=1"}}
    assert icse.write([item]).decode().split("\r\n")[1] == "0" * 32 + ";" * 11


def test_claims_about_people_and_their_ids_stay_away():
    made = package(FULL)
    assert [c["claim"] for c in made["confirmations"]] == ["content_illegal"]
    assert made["countries"] == ["BE"]
    assert made["country_estimates"] == ["BE"]
    assert made["locations"][0] == {"id": "alocs4hh2p", "country": "NL", "site_type": "image_host"}
    ids = {e for c in ("persons", "events", "links", "contacts") for e in FULL.entities[c]}
    assert not ids & scalars(made)


def _with(change):
    made = package(FULL)
    change(made)
    return [
        Document("interpol.json", "application/json", json.dumps(made).encode()),
        adapter.render(FULL)[1],
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda m: m.update(persons=[]), "interpol-members"),
        (lambda m: m["items"][0].update(filename="x"), "interpol-member-beyond-plan"),
        (lambda m: m["locations"][0].update(url="x"), "interpol-member-beyond-plan"),
        (lambda m: m["confirmations"][0]["about"].append("apers2vv4w"), "interpol-suspect-element"),
        (lambda m: m.pop("items"), "interpol-unreadable"),
    ],
)
def test_lint_blocks(change, code):
    assert code in {f.code for f in adapter.lint(FULL, _with(change)) if f.severity == "block"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"MD5;SHA1\r\n", "interpol-icse-header"),
        (HEADER.encode() + b"\r\n" + b"0;" * 11 + b"\r\n", "interpol-icse-row"),
        (HEADER.encode() + b"\r\n" + b"0" * 32 + b";;;;;;Yes;;;;;\r\n", "interpol-icse-row"),
        (b"\xff", "interpol-unreadable"),
    ],
)
def test_lint_blocks_a_wrong_sheet(content, code):
    documents = [adapter.render(FULL)[0], Document("icse.csv", "text/csv", content)]
    assert [f.code for f in adapter.lint(FULL, documents) if f.severity == "block"] == [code]


def test_lint_warns_of_a_locator_in_what_is_said_of_an_item():
    documents = _with(lambda m: m["victims"][0].update(series_ref="https://a.example/x"))
    assert "interpol-locator" in {f.code for f in adapter.lint(FULL, documents)}
    assert {f.code for f in adapter.lint(FULL, [])} == {"interpol-document-missing"}
