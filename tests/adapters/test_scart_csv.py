"""SCART's police list and exports: read as SCART writes them, with its missing zone and quoting."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.scart_csv import adapter
from broker.conformance import hostile
from broker.core import case as cases
from broker.errors import Refused
from broker.spi import Ingests

from .tables import codes, refusal

OPTIONS = {"zone": "Europe/Amsterdam", "received_at": "2026-03-01T09:00:00+01:00"}
LINE = "https://files.host-one.example/a/1;known content;192.0.2.14;2026-03-01 08:00:00;2026-03-01 09:00:00"
EXPORT = ["filenumber", "url", "host", "IP", "classification", "received", "first seen", "last seen"]
VALUES = [
    "A2026030100001",
    "https://files.host-one.example/a;1",
    "files.host-one.example",
    "192.0.2.14",
    "illegal",
    "2026-03-01 08:30:00",
    "2026-03-01 08:00:00",
    "2026-03-01 09:00:00",
]


def police(*lines):
    return "\n".join(["url;reason;IP;firstseen;lastseen", *lines, ""]).encode()


def export(*rows, header=EXPORT):
    """As SCART does: every cell quoted, backslash escapes, a separator at the end of the line."""
    lines = ["".join(f'"{cell}";' for cell in cells) for cells in (header, *rows)]
    return "\n".join(lines).encode()


def values(**changes):
    return [changes.get(name.replace(" ", "_"), cell) for name, cell in zip(EXPORT, VALUES, strict=True)]


def take(content, **options):
    return list(adapter.ingest(content, options={**OPTIONS, **options}))


def test_it_is_an_ingest_adapter():
    assert isinstance(adapter, Ingests)
    assert adapter.info.tried_live is False


def test_a_police_line_is_a_valid_case():
    [draft] = take(police(LINE))
    data = cases.from_json(draft.case).data
    assert data["case"]["dates"] == {"opened_at": "2026-03-01T09:00:00+01:00"}
    assert data["locations"]["location1"] == {
        "url": "https://files.host-one.example/a/1",
        "host": {"ip": "192.0.2.14"},
    }
    item = data["items"]["item1"]
    assert item["found_at"] == ["location1"]
    assert item["seen"]["first"]["at"] == "2026-03-01T08:00:00+01:00"
    assert item["seen"]["last"] == {
        "at": "2026-03-01T09:00:00+01:00",
        "meaning": "observed",
        "clock": "hotline",
    }
    assert data["assessment"]["narrative"] == [
        {"text": "known content", "type": "assessment", "source": "hotline"}
    ]
    assert codes(draft) == {"scart-no-hash"}


@pytest.mark.parametrize(
    "line",
    [
        "https://a.example/x;canary;known;192.0.2.1;2026-03-01 08:00:00;2026-03-01 09:00:00",
        "https://a.example/x;192.0.2.1;2026-03-01 08:00:00;2026-03-01 09:00:00",
        "canary",
        ";;;;;;;",
    ],
)
def test_a_stray_separator_is_never_guessed_away(line):
    assert refusal(adapter, police(line), **OPTIONS) == [("/rows/2/columns", "ambiguous-columns")]


def test_the_provider_list_has_its_own_order():
    line = "https://a.example/x;192.0.2.1;2026-03-01 08:00:00;;a note"
    [draft] = take(("url;IP;firstseen;lastseen;note\r\n" + line + "\r\n").encode())
    assert draft.case["assessment"]["narrative"][0]["text"] == "a note"
    assert "last" not in draft.case["items"]["item1"]["seen"]


def test_times_need_the_zone_of_the_server_and_a_date_of_receipt():
    received = {"received_at": OPTIONS["received_at"]}
    assert refusal(adapter, police(LINE), **received) == [
        ("/rows/2/first_seen", "naive-timestamp"),
        ("/rows/2/last_seen", "naive-timestamp"),
    ]
    assert refusal(adapter, police(LINE), zone="UTC") == [("/rows/2/received_at", "required")]
    assert refusal(adapter, police(LINE), zone="UTC", received_at="2026-03-01 10:00") == [
        ("/received_at", "naive-timestamp")
    ]


def test_an_export_with_its_backslashes_is_a_valid_case():
    cells = values(filenumber="A\\'1\\\\2")
    [draft] = adapter.ingest(export(cells), options={"zone": "Europe/Amsterdam"})
    data = cases.from_json(draft.case).data
    assert data["case"]["related_refs"] == [{"system": "SCART", "ref": "A'1\\2"}]
    assert data["case"]["dates"] == {"opened_at": "2026-03-01T08:30:00+01:00"}
    assert data["locations"]["location1"]["url"] == "https://files.host-one.example/a;1"
    ignored = [f.params["count"] for f in draft.findings if f.code == "scart-columns-ignored"]
    assert ignored == [1]
    assert "scart-verdict-without-time" in codes(draft)
    assert "confirmations" not in draft.case.get("assessment", {})


def test_only_what_was_classified_illegal_becomes_a_case():
    rows = [values(), values(classification="not_illegal"), values(classification="ignore")]
    [draft] = take(export(*rows))
    left = [f.pointer for f in draft.findings if f.code == "scart-not-illegal-left-out"]
    assert left == ["/rows/3", "/rows/4"]
    assert refusal(adapter, export(rows[1]), **OPTIONS) == [("", "empty")]
    assert refusal(adapter, export(values(classification="canary")), **OPTIONS) == [
        ("/rows/2/classification", "code")
    ]


def test_a_notice_export_tells_who_was_asked_to_remove():
    header = ["NTD filenumber", "NTD status time", "abuse owner", "url", "IP", "first seen"]
    cells = ["N1", "2026-03-01 10:00:00", "Host One", VALUES[1], "192.0.2.14", "2026-03-01 08:00:00"]
    [draft] = take(export(cells, header=header))
    data = cases.from_json(draft.case).data
    assert data["case"]["related_refs"] == [{"system": "SCART", "ref": "N1"}]
    assert data["actions"]["removal"] == [
        {
            "to": "Host One",
            "at": "2026-03-01T10:00:00+01:00",
            "status": "requested",
            "about": ["location1"],
        }
    ]


def test_an_export_without_urls_is_no_lead():
    assert refusal(adapter, export(["A1", "x"], header=["filenumber", "status"]), **OPTIONS) == [
        ("/columns/0", "columns")
    ]


def test_nothing_is_half_imported():
    content = police(LINE, LINE.replace("192.0.2.14", "canary"), "javascript:canary;;;;")
    assert refusal(adapter, content, **OPTIONS) == [("/rows/3/ip", "ip-address"), ("/rows/4/url", "url")]
    [draft] = take(content, rows="accepted")
    told = [(f.pointer, f.params["rule"]) for f in draft.findings if f.code == "scart-row-refused"]
    assert told == [("/rows/3/ip", "ip-address"), ("/rows/4/url", "url")]
    assert "canary" not in str(draft)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"PK\x03\x04canary", [("", "format")]),
        (police(), [("", "empty")]),
        (police("https://a.example/é;;;;").replace("é".encode(), b"\xe9"), [("", "encoding")]),
        (police("=canary;x;192.0.2.1;;"), [("/rows/2/url", "formula")]),
        (police("https://a.example/;=canary();;;"), [("/rows/2/reason", "formula")]),
        (police("https://a.example/;data:image/png,canary;;;"), [("/rows/2/reason", "media")]),
        (police("https://a.example/;" + "QUJD" * 300 + ";;;"), [("/rows/2/reason", "media")]),
        (police("x" * 9000), [("/rows/2/columns", "oversize")]),
        (police(*["x"] * 20_001), [("", "oversize")]),
        (b"url;reason;IP;firstseen;lastseen\n" + b"x" * 50_000_000, [("", "oversize")]),
    ],
)
def test_hostile_lists_are_refused(content, expected):
    assert refusal(adapter, content, **OPTIONS) == expected


@pytest.mark.parametrize("name", sorted(hostile()))
def test_the_conformance_suite_s_inputs_are_refused_with_options_too(name):
    assert refusal(adapter, hostile()[name], **OPTIONS)


def test_options_are_checked():
    assert refusal(adapter, police(LINE), canary="x") == [("", "option")]
    assert refusal(adapter, police(LINE), zone="canary") == [("/zone", "option")]
    assert refusal(adapter, police(LINE), rows="canary") == [("/rows", "option")]
    assert refusal(adapter, police(LINE), encoding="canary") == [("/encoding", "option")]


CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(LINE.split(";"))


@settings(max_examples=200, deadline=None)
@given(st.lists(CELL, min_size=5, max_size=5))
def test_what_is_taken_passes_intake_and_the_rest_is_refused(cells):
    try:
        drafts = take(police(";".join(cells)))
    except Refused:
        return
    for draft in drafts:
        cases.from_json(draft.case)
