"""ICCAM reports become drafts that claim what was assessed, and name the receipts still owed."""

from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.iccam_in import adapter
from adapters.iccam_in.codes import VERSIONS
from broker.core import case as cases
from broker.errors import Refused
from broker.spi import Ingests

from .tables import codes, refusal

ASSESSMENT = {
    "assessingAnalystName": "canary.analyst",
    "assessmentDate": "2026-02-28T10:00:00.1234567Z",
    "classification": 1,
    "ageCategorization": 3,
    "genderCategorization": 2,
    "virtualContentCategorization": 0,
    "userGeneratedContentCategorization": 1,
    "childModelingCategorization": 0,
}
CONTENT = {
    "contentId": 71,
    "reportId": 42,
    "url": {
        "urlString": "https://files.host-one.example/a/1",
        "isSourceUrl": False,
        "hostingCountryCode": "BE",
        "hostingIpAddress": "192.0.2.14",
        "hostingIsp": "Host One",
        "hostingOrganization": {
            "autonomousSystemNumber": 64500,
            "organizationName": "Host One BV",
            "isContentDeliveryNetwork": False,
        },
    },
    "assignedCountryCode": "BE",
    "countryAssignmentDate": "2026-03-01T08:00:00Z",
    "memo": "",
    "assessments": [{**ASSESSMENT, "classification": 4}, ASSESSMENT],
    "actions": [],
}
SOURCE = {
    **CONTENT,
    "contentId": 70,
    "url": {**CONTENT["url"], "urlString": "https://board.example/t/1", "isSourceUrl": True},
}
REPORT = {
    "reportId": 42,
    "reportingHotlineId": 7,
    "reportingAnalystName": "canary.reporter",
    "hotlineReceivedDate": "2026-02-27T09:00:00Z",
    "hotlineReference": "REF-42",
    "memo": "Synthetic memo.",
    "sourceUrlUsername": "canary",
    "sourceUrlPassword": "canary",
    "sourceUrlReferrer": "https://links.example/",
    "sourceUrlSiteType": 5,
    "sourceUrlCommerciality": 2,
    "sourceUrlPaymentMethods": [1, 13],
    "reportContents": [{"contentId": 70, "urlString": "x"}, {"contentId": 71, "urlString": "y"}],
}
ENVELOPE = {"iccam": "v3", "list": "unactioned", "reports": [REPORT], "contents": [SOURCE, CONTENT]}


def take(document, **options):
    return list(adapter.ingest(json.dumps(document).encode(), options=options))


def one(report=None, content=None, assessment=None, **options):
    """The draft of a report with one content item."""
    item = {**CONTENT, **(content or {})}
    if assessment is not None:
        item["assessments"] = [{k: v for k, v in {**ASSESSMENT, **assessment}.items() if v is not None}]
    held = {**REPORT, "reportContents": [{"contentId": item["contentId"]}], **(report or {})}
    [draft] = take({**ENVELOPE, "reports": [held], "contents": [item]}, **options)
    return draft


def test_it_is_an_ingest_adapter():
    assert isinstance(adapter, Ingests)
    assert adapter.info.tried_live is False


def test_a_report_with_its_items_is_a_valid_case():
    [draft] = take(ENVELOPE, country="BE")
    data = cases.from_json(draft.case).data
    assert data["case"]["origin_channel"] == "iccam_in"
    assert data["case"]["dates"]["opened_at"] == "2026-02-27T09:00:00Z"
    assert data["case"]["related_refs"] == [
        {"system": "ICCAM", "ref": "42"},
        {"system": "ICCAM", "ref": "content 70"},
        {"system": "ICCAM", "ref": "content 71"},
        {"system": "INHOPE", "ref": "REF-42"},
    ]
    page, file = data["locations"]["location1"], data["locations"]["location2"]
    assert page["site"] == {"type": "forum"}
    assert page["referrer"] == "https://links.example/"
    assert page["commerce"] == {"commerciality": "commercial", "payment_methods": ["bitcoin"]}
    assert file["page_url"] == page["url"]
    assert "site" not in file
    assert file["host"] == {"ip": "192.0.2.14", "provider": "Host One", "asn": "AS64500"}
    assert file["cdn"] == {"is_cdn": False}
    assert file["country"] == "BE"
    item = data["items"]["item2"]
    assert item["baseline"] == "baseline"
    assert item["found_at"] == ["location2"]
    assert [label["label"] for label in item["labels"]] == ["age:pre-pubescent", "sex:female"]
    assert {label["version"] for label in item["labels"]} == {"iccam-v3"}
    assert item["self_generated"] == {"self_generated": "yes", "modelling": "no"}
    assert data["assessment"]["narrative"] == [
        {"text": "Synthetic memo.", "type": "assessment", "source": "partner"}
    ]


def test_people_of_other_hotlines_and_credentials_are_not_taken_over():
    [draft] = take(ENVELOPE)
    assert "canary" not in str(draft)
    assert "iccam-credentials-not-carried" in codes(draft)


def test_the_last_assessment_counts_and_is_an_imported_verdict():
    [verdict] = one().case["assessment"]["confirmations"]
    assert {k: verdict[k] for k in ("claim", "organisation", "basis", "about")} == {
        "claim": "content_illegal",
        "organisation": "INHOPE hotline 7",
        "basis": "iccam",
        "about": ["item1"],
    }
    assert verdict["at"].startswith("2026-02-28T10:00:00.123456")
    reverse = one(content={"assessments": list(reversed(CONTENT["assessments"]))})
    assert not reverse.case["assessment"]["confirmations"]
    assert "iccam-assessed-not-illegal" in codes(reverse)


def test_a_verdict_needs_a_time():
    draft = one(assessment={"assessmentDate": None})
    assert not draft.case["assessment"]["confirmations"]
    assert "iccam-verdict-without-time" in codes(draft)
    assert draft.case["items"]["item1"]["baseline"] == "baseline"


def test_the_reference_is_the_receipt():
    owed = [f.params["content"] for f in one().findings if f.code == "iccam-receipt-owed"]
    assert owed == [71]
    draft = one(content={"hotlineReference": "BE-1"})
    assert "iccam-already-receipted" in codes(draft)
    assert "iccam-receipt-owed" not in codes(draft)


def test_only_the_hotline_of_the_assigned_country_acts():
    draft = one(content={"assignedCountryCode": "NL"}, country="BE")
    assert [f.severity for f in draft.findings if f.code == "iccam-assigned-elsewhere"] == ["block"]
    assert "iccam-orphaned" in codes(one(content={"assignedCountryCode": None}, country="BE"))
    [draft] = take({**ENVELOPE, "list": "orphaned"})
    assert "iccam-orphaned-list" in codes(draft)


@pytest.mark.parametrize(
    ("number", "code", "severity"),
    [
        (1, "iccam-police-already-told", "warn"),
        (3, "iccam-final-action", "warn"),
        (4, "iccam-final-action", "warn"),
        (6, "iccam-final-action", "block"),
        (5, "iccam-code-unknown", "warn"),
    ],
)
def test_actions_of_others_are_told(number, code, severity):
    action = {"actionType": number, "actionDate": "2026-03-01T07:00:00Z", "actioningAnalystName": "canary"}
    draft = one(content={"actions": [action]})
    assert (code, severity) in {(f.code, f.severity) for f in draft.findings}
    assert "canary" not in str(draft)
    cases.from_json(draft.case)


def test_removals_and_unavailability_become_facts():
    at = "2026-03-01T07:00:00Z"
    actions = [{"actionType": n, "actionDate": at} for n in (2, 3, 4)]
    data = cases.from_json(one(content={"actions": actions}).case).data
    assert [removal["status"] for removal in data["actions"]["removal"]] == ["requested", "removed"]
    assert data["locations"]["location1"]["last_check"] == {"online": False, "at": at}
    undated = one(content={"actions": [{"actionType": 3}]})
    assert "actions" not in undated.case
    assert "iccam-action-without-time" in codes(undated)


def test_unknown_codes_are_named_and_never_guessed():
    draft = one(
        {"sourceUrlSiteType": 99, "sourceUrlCommerciality": 99, "sourceUrlPaymentMethods": [99]},
        assessment={"ageCategorization": 99, "classification": 9, "virtualContentCategorization": 2},
    )
    assert [f.code for f in draft.findings].count("iccam-code-unknown") == 6
    assert not draft.case["assessment"]["confirmations"]
    cases.from_json(draft.case)


def test_what_was_not_sent_is_missing_and_said_so():
    [draft] = take({**ENVELOPE, "contents": [CONTENT]})
    assert "iccam-content-not-sent" in codes(draft)
    lone = json.dumps({**ENVELOPE, "contents": []}).encode()
    assert refusal(adapter, lone) == [("/reports/0/reportContents", "required")]
    other = json.dumps({**ENVELOPE, "contents": [SOURCE, CONTENT, {**CONTENT, "contentId": 9}]}).encode()
    assert refusal(adapter, other) == [("/contents", "reference")]
    twice = json.dumps({**ENVELOPE, "contents": [SOURCE, CONTENT, CONTENT]}).encode()
    assert refusal(adapter, twice) == [("/contents/2/contentId", "duplicate")]


@pytest.mark.parametrize(
    ("where", "value", "field", "rule"),
    [
        (("iccam",), "canary", "/iccam", "code"),
        (("list",), "canary", "/list", "code"),
        (("reports",), {}, "/reports", "type"),
        (("reports", 0, "reportId"), "canary", "/reports/0/reportId", "type"),
        (("reports", 0, "reportId"), None, "/reports/0/reportId", "required"),
        (("reports", 0, "hotlineReceivedDate"), "2026-02-27T09:00:00", "", "naive-timestamp"),
        (("reports", 0, "hotlineReceivedDate"), None, "/reports/0/hotlineReceivedDate", "required"),
        (("reports", 0, "sourceUrlPaymentMethods"), ["canary"], "", "type"),
        (("reports", 0, "memo"), "canary " * 900, "/reports/0/memo", "oversize"),
        (("contents", 0, "url"), None, "/contents/0/url", "required"),
        (("contents", 0, "url", "urlString"), "file:///canary", "/contents/0/url/urlString", "url"),
        (("contents", 0, "url", "hostingIsp"), 5, "/contents/0/url/hostingIsp", "type"),
        (("contents", 0, "assessments"), [{}] * 201, "/contents/0/assessments", "oversize"),
        (("contents", 0, "memo"), "data:image/png;base64,canary", "/contents/0/memo", "media"),
        (("contents", 0, "thumbnail"), "canary", "/contents/0/thumbnail", "media"),
        (("contents", 0, "file"), ["canary"], "/contents/0/file", "media"),
    ],
)
def test_wrong_members_are_refused_by_field_and_rule(where, value, field, rule):
    document = json.loads(json.dumps(ENVELOPE))
    node = document
    for step in where[:-1]:
        node = node[step]
    node[where[-1]] = value
    [(found, word)] = refusal(adapter, json.dumps(document).encode())
    assert word == rule
    assert found == field or not field


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b'{"a":' * 100_000, "depth"),
        (b"[" * 1_000_000, "depth"),
        (b"[" + b"1," * 200_000 + b"1]", "oversize"),
        (b'{"iccam":"' + b"canary " * 8_000_000 + b'"}', "oversize"),
        (b'{"iccam":"v3","iccam":"v3"}', "duplicate"),
        (b"[]", "type"),
        (b'<?xml version="1.0"?><!DOCTYPE x><x/>', "json"),
        (b"\xef\xbb\xbf{}", "json"),
    ],
)
def test_hostile_bytes_are_refused_in_bounded_memory(content, rule):
    tracemalloc.start()
    [(_, word)] = refusal(adapter, content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert word == rule
    assert peak < 64 * 1024 * 1024


def test_options_are_checked():
    raw = json.dumps(ENVELOPE).encode()
    assert refusal(adapter, raw, canary="x") == [("", "option")]
    assert refusal(adapter, raw, country="be") == [("/country", "option")]


def test_the_tables_hold_every_code_that_is_known_of_v3():
    """Against the list of facts beside the vectors: a number lost here would be a fact lost there."""
    path = Path(__file__).with_name("golden") / "iccam-v3-codes.csv"
    known = VERSIONS["v3"]
    tables = {
        "sourceUrlSiteType": known.site_types,
        "sourceUrlCommerciality": known.commercialities,
        "sourceUrlPaymentMethods": known.payment_methods,
        "action": known.actions,
        "classification": known.classifications,
        "ageCategorization": known.ages,
        "genderCategorization": known.genders,
        "actionReasons": known.reasons,
    }
    found = {name: set() for name in tables}
    for name, number in csv.reader(path.read_text().splitlines()):
        found[name].add(int(number))
    assert {name: set(table) for name, table in tables.items()} == found


VALUE = st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.lists(st.integers(), max_size=3)
PATHS = [(), ("reports", 0), ("contents", 0), ("contents", 0, "url"), ("contents", 0, "assessments", 0)]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PATHS), st.data(), VALUE)
def test_anything_else_is_taken_or_refused_and_never_breaks(path, data, value):
    document = json.loads(json.dumps(ENVELOPE))
    node = document
    for step in path:
        node = node[step]
    node[data.draw(st.sampled_from(sorted(node)))] = value
    drafts, issues = [], ()
    try:
        drafts = take(document, country="BE")
    except Refused as refused:
        issues = refused.issues
    assert drafts or issues
    for draft in drafts:
        cases.from_json(draft.case)


def test_a_slip_about_the_host_is_said_and_not_kept():
    url = {**CONTENT["url"], "hostingIpAddress": "canary", "hostingCountryCode": "B1"}
    draft = one(content={"url": url})
    assert [f.code for f in draft.findings].count("iccam-fact-not-kept") == 2
    assert draft.case["locations"]["location1"]["host"] == {"provider": "Host One", "asn": "AS64500"}
    assert "canary" not in str(draft)
