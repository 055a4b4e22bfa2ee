"""Project Arachnid answers become drafts that promise no more than a match can."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.arachnid import adapter
from broker.core import case as cases
from broker.errors import Refused
from broker.spi import Ingests

SHA1 = hashlib.sha1(b"synthetic", usedforsecurity=False)
SHA256 = hashlib.sha256(b"synthetic")
ANSWER = {
    "classification": "csam",
    "match_type": "exact",
    "near_match_details": [],
    "sha1_base32": base64.b32encode(SHA1.digest()).decode(),
    "sha256_hex": SHA256.hexdigest().upper(),
    "size_bytes": 12,
}
REPORT = {
    "received_at": "2026-03-01T09:00:00+01:00",
    "url": "https://files.host-one.example/a/1",
    "page_url": "https://board.example/t/1",
    "reference": "SYN-1",
    "reporter_type": "anon",
    "statement": "Synthetic statement.",
    "urgency": "U3",
    "host": {
        "ip": "192.0.2.14",
        "asn": "AS64500",
        "country": "BE",
        "method": "dns",
        "traced_at": "2026-03-01T09:10:00Z",
    },
    "online": {"online": True, "at": "2026-03-01T09:11:00Z"},
    "first_seen": "2026-02-28T10:00:00Z",
    "last_seen": "2026-03-01T09:11:00Z",
    "media_type": "image/png",
    "filename": "synthetic.png",
    "human_viewed": True,
}
ENVELOPE = {"shield": ANSWER, "lookup_at": "2026-03-01T09:05:00Z", "report": REPORT}


def take(document, **options):
    return list(adapter.ingest(json.dumps(document).encode(), options=options))


def one(shield=None, report=None, **envelope):
    """A single draft from the envelope, with members replaced; None removes one."""
    document = {**ENVELOPE, **envelope}
    document["shield"] = _without_none({**ANSWER, **(shield or {})})
    document["report"] = _without_none({**REPORT, **(report or {})})
    [draft] = take(_without_none(document))
    return draft


def _without_none(members):
    return {k: v for k, v in members.items() if v is not None}


def codes(draft):
    return {f.code for f in draft.findings}


def refusal(content, **options):
    """The refusal of raw bytes: (field, rule), in bounded time and without an echo."""
    begin = time.thread_time()
    with pytest.raises(Refused) as caught:
        adapter.ingest(content, options=options)
    assert time.thread_time() - begin < 1
    [issue] = caught.value.issues
    assert caught.value.__cause__ is None
    assert "canary" not in f"{caught.value} {caught.value.hint} {issue.detail}"
    return issue.field, issue.rule


def refused(shield=None, report=None, **envelope):
    document = {**ENVELOPE, **envelope}
    document["shield"] = {**ANSWER, **(shield or {})}
    document["report"] = {**REPORT, **(report or {})}
    return refusal(json.dumps(document).encode())


def test_it_is_an_ingest_adapter():
    assert isinstance(adapter, Ingests)
    assert adapter.info.tried_live is False


def test_an_exact_match_with_a_report_is_a_valid_case():
    draft = one()
    case = cases.from_json(draft.case)
    assert draft.findings == ()
    item = case.data["items"]["item1"]
    assert item["crypto_hash"] == [
        {"alg": "sha256", "value": SHA256.hexdigest()},
        {"alg": "sha1", "value": SHA1.hexdigest()},
    ]
    assert item["known_status"] == {"status": "known", "match": "exact", "lists": ["ARACHNID"]}
    assert item["labels"] == [{"scheme": "ARACHNID", "version": "shield-v1", "label": "csam"}]
    assert item["media"] == {"type": "image/png", "size": 12}
    assert item["found_at"] == ["location1"]
    location = case.data["locations"]["location1"]
    assert location["host"] == {"ip": "192.0.2.14", "asn": "AS64500"}
    assert location["last_check"] == {"online": True, "at": "2026-03-01T09:11:00Z"}
    assert case.data["case"]["dates"] == {"opened_at": "2026-03-01T09:00:00+01:00"}


def test_an_exact_match_is_one_organisation_s_verdict_and_no_more():
    [verdict] = one().case["assessment"]["confirmations"]
    assert verdict == {
        "claim": "content_illegal",
        "organisation": "Project Arachnid",
        "at": "2026-03-01T09:05:00Z",
        "basis": "orb_consensus",
        "match": "exact",
        "organisations": 1,
        "about": ["item1"],
    }
    [verdict] = one({"organisations": 3}).case["assessment"]["confirmations"]
    assert verdict["organisations"] == 3


def test_a_near_match_never_confirms():
    near = {"timestamp": 0.0, "sha1_base32": "A" * 32, "sha256_hex": "b" * 64, "classification": "csam"}
    draft = one({"match_type": "near", "near_match_details": [near]})
    assert "assessment" not in draft.case
    assert draft.case["items"]["item1"]["known_status"] == {
        "status": "unknown",
        "match": "near",
        "lists": ["ARACHNID"],
    }
    assert "arachnid-near-match-confirms-nothing" in codes(draft)
    assert near["sha256_hex"] not in json.dumps(draft.case)
    cases.from_json(draft.case)


@pytest.mark.parametrize("match", ["exact", "near", None])
@pytest.mark.parametrize("word", ["harmful-abusive-material", "no-known-match", "newer-word", "two words"])
def test_nothing_but_an_exact_csam_match_confirms(word, match):
    assert "assessment" not in one({"classification": word, "match_type": match}).case


def test_a_match_without_a_lookup_time_confirms_nothing():
    draft = one(lookup_at=None)
    assert "assessment" not in draft.case
    assert "arachnid-no-lookup-time" in codes(draft)


def test_harmful_abusive_material_is_no_police_referral():
    draft = one({"classification": "harmful-abusive-material"})
    assert [f.severity for f in draft.findings if f.code == "arachnid-not-for-police"] == ["block"]


def test_new_classifications_are_kept_as_labels_or_named():
    draft = one({"classification": "newer-word"})
    assert draft.case["items"]["item1"]["labels"][0]["label"] == "newer-word"
    assert "arachnid-classification-unknown" in codes(draft)
    draft = one({"classification": "two words"})
    assert "labels" not in draft.case["items"]["item1"]
    assert "arachnid-label-not-kept" in codes(draft)
    cases.from_json(draft.case)


def test_new_members_are_ignored_with_a_finding():
    draft = one({"is_new": 1}, {"other": {"deep": []}}, third=None, fourth=4)
    pointers = {f.pointer for f in draft.findings if f.code == "arachnid-member-ignored"}
    assert pointers == {"/shield/is_new", "/report/other", "/fourth"}


def test_a_bare_answer_needs_to_be_told_when_the_report_came():
    [draft] = take(ANSWER, received_at="2026-03-01T09:00:00Z", url="https://a.example/1")
    assert draft.case["locations"] == {"location1": {"url": "https://a.example/1"}}
    assert "arachnid-no-lookup-time" in codes(draft)
    assert "arachnid-size-not-kept" in codes(draft)
    assert refusal(json.dumps(ANSWER).encode()) == ("/received_at", "required")
    assert refusal(json.dumps(ANSWER).encode(), other="canary")[1] == "option"


def test_lists_give_a_draft_each_and_a_list_of_answers_gives_items():
    drafts = take([ANSWER, ENVELOPE], received_at="2026-03-01T09:00:00Z")
    assert len(drafts) == 2
    two = [ANSWER, {**ANSWER, "url": "https://other.example/2"}]
    [draft] = take({**ENVELOPE, "shield": two})
    assert set(draft.case["items"]) == {"item1", "item2"}
    assert draft.case["items"]["item2"]["found_at"] == ["location2"]
    assert draft.case["locations"]["location2"] == {"url": "https://other.example/2"}
    cases.from_json(draft.case)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "json"),
        (b"[]", "empty"),
        (b"\xff\xfe", "encoding"),
        (b'{"a":' * 200_000, "depth"),
        (b"[" * 1_000_000, "depth"),
        (b'{"a":"' + b"x" * 50_000_000 + b'"}', "oversize"),
        (b"[" + b"1," * 60_000 + b"1]", "oversize"),
        (b'{"classification":"canary","classification":"canary"}', "duplicate"),
        (b'{"a":{"b":1,"b":2}}', "duplicate"),
        (b'{"size_bytes":NaN}', "number"),
        (b'{"size_bytes":' + b"9" * 500_000 + b"}", "number"),
        (b'{"a":"\\ud800"}', "encoding"),
        (b'{"a":"\\u0000canary"}', "control-character"),
        (b'"canary"', "type"),
        (b"\xef\xbb\xbf{}", "json"),
        (b"{} canary", "json"),
    ],
)
def test_hostile_bytes_are_refused(content, rule):
    assert refusal(content)[1] == rule


@pytest.mark.parametrize(
    ("shield", "report", "field", "rule"),
    [
        ({"size_bytes": 12.0}, {}, "/shield/size_bytes", "type"),
        ({"size_bytes": True}, {}, "/shield/size_bytes", "type"),
        ({"size_bytes": "12"}, {}, "/shield/size_bytes", "type"),
        ({"size_bytes": -1}, {}, "/shield/size_bytes", "range"),
        ({"organisations": 2.0}, {}, "/shield/organisations", "type"),
        ({"classification": None}, {}, "/shield/classification", "required"),
        ({"classification": 1}, {}, "/shield/classification", "type"),
        ({"match_type": "canary"}, {}, "/shield/match_type", "code"),
        ({"sha1_base32": SHA1.hexdigest()}, {}, "/shield/sha1_base32", "format"),
        ({"sha256_hex": "canary"}, {}, "/shield/sha256_hex", "format"),
        ({"near_match_details": {}}, {}, "/shield/near_match_details", "type"),
        (
            {"near_match_details": [{"timestamp": "0.0"}]},
            {},
            "/shield/near_match_details/0/timestamp",
            "type",
        ),
        ({"near_match_details": [1]}, {}, "/shield/near_match_details/0", "type"),
        ({"url": "file:///canary"}, {}, "/shield/url", "url"),
        ({"new": "data:image/png;base64,canary"}, {}, "/shield/new", "media"),
        ({"new": "QUJD" * 200}, {}, "/shield/new", "media"),
        ({"thumbnail": "canary"}, {}, "/shield/thumbnail", "media"),
        ({"image_base64": "canary"}, {}, "/shield/image_base64", "media"),
        ({"embedding": ["canary"]}, {}, "/shield/embedding", "media"),
        ({}, {"filename": "/home/canary/a.png"}, "/report/filename", "path-name"),
        ({}, {"filename": "..\\canary.png"}, "/report/filename", "path-name"),
        ({}, {"filename": "C:canary.png"}, "/report/filename", "path-name"),
        ({}, {"url": "javascript:canary"}, "/report/url", "url"),
        ({}, {"url": "https://a.example/x y"}, "/report/url", "url"),
        ({}, {"received_at": "2026-03-01T09:00:00"}, "/report/received_at", "timestamp"),
        ({}, {"received_at": "2026-02-30T09:00:00Z"}, "/report/received_at", "timestamp"),
        ({}, {"statement": "word " * 1800}, "/report/statement", "oversize"),
        ({}, {"urgency": "canary"}, "/report/urgency", "code"),
        ({}, {"online": {"online": True}}, "/report/online", "required"),
        ({}, {"host": "canary"}, "/report/host", "type"),
        ({}, {"times_reported": 1.0}, "/report/times_reported", "type"),
    ],
)
def test_wrong_members_are_refused_by_field_and_rule(shield, report, field, rule):
    assert refused(shield, report) == (field, rule)


def test_unusual_member_names_are_not_repeated():
    field, rule = refused({"https://canary.example/": "data:,x"})
    assert (field, rule) == ("/shield/(member)", "media")


def test_memory_stays_bounded_on_the_largest_input_taken():
    content = b'{"a":[' + b'"a few words here",' * 49_000 + b'"x"]}'
    tracemalloc.start()
    with pytest.raises(Refused):
        adapter.ingest(content, options={})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 1024 * 1024


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*ANSWER, *REPORT, *ENVELOPE, "x"]), inner, max_size=5)
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_anything_else_is_taken_or_refused_and_never_breaks(document):
    drafts, issues = [], ()
    try:
        drafts = take(document, received_at="2026-03-01T09:00:00Z")
    except Refused as refused_:
        issues = refused_.issues
    assert drafts or issues
    assert all(draft.case["schema"] == "broker-case/1" for draft in drafts)
