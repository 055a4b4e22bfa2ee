"""Orb exports: the operator says which column is what, and a consensus says how many stand behind it."""

from __future__ import annotations

import json

import pytest

from adapters.arachnid import adapter
from broker.conformance import hostile
from broker.core import case as cases

from .tables import SHA1, codes, refusal, table
from .workbooks import workbook

MAPPING = {
    "mapping": "broker-mapping/1",
    "zone": "America/Winnipeg",
    "columns": {
        "Hash": {"to": "shield.sha1", "encoding": "base32"},
        "Class": {"to": "shield.classification", "codes": {"Illegal": "csam", "Other": "no-known-match"}},
        "Classified by": {"to": "shield.organisations", "separator": ","},
        "Classified": {"to": "lookup_at"},
        "Seen at": {"to": "report.url"},
        "IP": {"to": "host.ip"},
    },
}
HEADER = list(MAPPING["columns"])
BASE32 = "VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE5"
ROW = [
    BASE32,
    "Illegal",
    "Hotline A, Hotline B,hotline a",
    "2026-03-01 09:00",
    "https://a.example/1",
    "192.0.2.14",
]
RECEIVED = {"received_at": "2026-03-01T16:00:00Z"}


def options(**changes):
    return {"mapping": json.dumps({**MAPPING, **changes}), **RECEIVED}


def row(**changes):
    return [changes.get(name.replace(" ", "_"), cell) for name, cell in zip(HEADER, ROW, strict=True)]


def orb(*rows):
    return table(*rows, header=HEADER)


def test_a_consensus_says_how_many_organisations_classified_it():
    [draft] = adapter.ingest(orb(ROW), options=options())
    data = cases.from_json(draft.case).data
    [verdict] = data["assessment"]["confirmations"]
    assert verdict["organisations"] == 2
    assert verdict["basis"] == "orb_consensus"
    assert verdict["match"] == "exact"
    assert verdict["at"] == "2026-03-01T09:00:00-06:00"
    assert data["items"]["item1"]["crypto_hash"] == [{"alg": "sha1", "value": SHA1}]
    assert data["locations"]["location1"] == {"url": "https://a.example/1", "host": {"ip": "192.0.2.14"}}
    assert "Hotline" not in str(draft)
    assert "arachnid-one-organisation" not in codes(draft)


@pytest.mark.parametrize("cell", ["1", "Hotline A", "Hotline A,hotline a", ""])
def test_one_organisation_is_no_consensus(cell):
    [draft] = adapter.ingest(orb(row(Classified_by=cell)), options=options())
    [verdict] = draft.case["assessment"]["confirmations"]
    assert verdict["organisations"] == 1
    assert "arachnid-one-organisation" in codes(draft)


def test_a_near_match_confirms_nothing_here_either():
    columns = {**MAPPING["columns"], "Match": {"to": "shield.match_type"}}
    content = table([*ROW, "near"], header=[*HEADER, "Match"])
    [draft] = adapter.ingest(content, options=options(columns=columns))
    assert "assessment" not in draft.case
    assert "arachnid-near-match-confirms-nothing" in codes(draft)


def test_what_is_not_known_to_be_illegal_confirms_nothing():
    [draft] = adapter.ingest(orb(row(Class="Other")), options=options())
    assert "assessment" not in draft.case


def test_workbooks_are_read_the_same_way():
    [draft] = adapter.ingest(workbook(HEADER, ROW), options=options())
    assert draft.case["assessment"]["confirmations"][0]["organisations"] == 2


def test_nothing_is_half_imported():
    content = orb(row(Class="canary"), ROW, row(IP="canary"), row(Class=""))
    expected = [
        ("/rows/2/shield.classification", "code"),
        ("/rows/4/host.ip", "ip-address"),
        ("/rows/5/shield/classification", "required"),
    ]
    assert refusal(adapter, content, **options()) == expected
    [draft] = adapter.ingest(content, options={**options(), "rows": "accepted"})
    told = [(f.pointer, f.params["rule"]) for f in draft.findings if f.code == "arachnid-row-refused"]
    assert told == expected


def test_options_and_mapping_are_checked():
    assert refusal(adapter, orb(ROW), **options(), canary="x") == [("", "option")]
    assert refusal(adapter, orb(ROW), **options(), rows="canary") == [("/rows", "option")]
    short = {"Seen at": {"to": "report.url"}}
    assert refusal(adapter, orb(ROW), **options(columns=short)) == [
        ("/constants/shield.classification", "required")
    ]


@pytest.mark.parametrize("name", sorted(hostile()))
def test_the_conformance_suite_s_inputs_are_refused_with_a_mapping_too(name):
    assert refusal(adapter, hostile()[name], **options(delimiter=";"))
