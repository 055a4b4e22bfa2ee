"""Tables become cases only as the saved mapping says, and only whole."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.tabular import adapter
from adapters.tabular.targets import TARGETS
from broker.core import case as cases
from broker.errors import Refused
from broker.spi import Ingests
from broker.spi_in.screen import is_formula, screen_marking, screen_text

from .tables import HEADER, MAPPING, ROW, SHA1, codes, mapped, refusal, row, table


def take(content, **options):
    return list(adapter.ingest(content, options={**mapped(), **options}))


def test_it_is_an_ingest_adapter():
    assert isinstance(adapter, Ingests)
    assert adapter.info.tried_live is False


def test_a_row_is_a_valid_case():
    [draft] = take(table(ROW))
    data = cases.from_json(draft.case).data
    assert draft.findings == ()
    assert draft.case["case"] == {
        "kind": "content_report",
        "offence_type": "csam_dissemination",
        "origin_channel": "partner",
        "dates": {"opened_at": "2026-03-01T10:00:00+01:00"},
        "related_refs": [{"system": "HOTLINE", "ref": "SYN-1"}],
    }
    assert data["locations"] == {
        "location1": {
            "url": "https://files.host-one.example/a/1",
            "site": {"type": "image_host"},
            "host": {"ip": "192.0.2.14"},
        }
    }
    item = data["items"]["item1"]
    assert item["crypto_hash"] == [{"alg": "sha1", "value": SHA1}]
    assert item["found_at"] == ["location1"]
    assert item["seen"]["first"] == {
        "at": "2026-03-01T08:30:00Z",
        "meaning": "observed",
        "clock": "hotline",
    }


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_their_marks_and_all_delimiters(delimiter, encoding):
    content = table(row(Report="Dossier é"), delimiter=delimiter, encoding=encoding)
    [draft] = take(content)
    assert draft.case["case"]["related_refs"][0]["ref"] == "Dossier é"


def test_windows_1252_only_when_it_is_said():
    content = table(row(Report="Dossier é"), encoding="windows-1252")
    assert refusal(adapter, content, **mapped()) == [("", "encoding")]
    [draft] = take(content, encoding="windows-1252")
    assert draft.case["case"]["related_refs"][0]["ref"] == "Dossier é"
    [draft] = adapter.ingest(content, options=mapped(encoding="windows-1252"))
    assert draft.case["case"]["related_refs"][0]["ref"] == "Dossier é"


def test_a_mark_that_says_otherwise_is_believed_by_nobody():
    content = table(ROW, encoding="utf-16")
    assert refusal(adapter, content, **mapped(), encoding="windows-1252") == [("", "encoding")]
    assert refusal(adapter, content[2:], **mapped(), encoding="utf-16") == [("", "encoding")]
    assert refusal(adapter, content[2:], **mapped()) == [("", "control-character")]


def test_a_sep_line_is_the_spreadsheet_s_own_way_to_say_it():
    content = b"sep=|\r\n" + table(row(URL=""), delimiter="|")
    assert refusal(adapter, content, **mapped()) == [("/rows/3/location.url", "required")]
    assert refusal(adapter, content, **mapped(delimiter=";")) == [("", "delimiter")]


def test_nothing_is_half_imported():
    content = table(ROW, row(IP="canary"), ROW, row(URL="", SHA1="canary"))
    assert refusal(adapter, content, **mapped()) == [
        ("/rows/3/location.ip", "ip-address"),
        ("/rows/5/location.url", "required"),
        ("/rows/5/item.sha1", "format"),
    ]


def test_a_file_that_is_refused_anyway_is_not_read_to_its_end():
    content = table(*[row(IP="canary")] * 60, row(SHA1="canary"))
    found = refusal(adapter, content, **mapped())
    assert found == [(f"/rows/{n}/location.ip", "ip-address") for n in range(2, 52)]


def test_refused_rows_come_back_by_number_when_the_operator_takes_the_rest():
    content = table(row(IP="canary"), ROW, row(SHA1="canary"))
    [draft] = take(content, rows="accepted")
    told = [(f.pointer, f.params["rule"]) for f in draft.findings if f.code == "tabular-row-refused"]
    assert told == [("/rows/2/location.ip", "ip-address"), ("/rows/4/item.sha1", "format")]
    assert "canary" not in str(draft)
    assert refusal(adapter, table(row(IP="canary")), **mapped(), rows="accepted")


def test_rows_of_one_case_share_what_is_the_same():
    options = mapped(case_by="Report")
    other = row(SHA1="b" * 40)
    drafts = adapter.ingest(table(ROW, other, row(Report="SYN-2")), options=options)
    assert len(drafts) == 2
    data = cases.from_json(drafts[0].case).data
    assert set(data["items"]) == {"item1", "item2"}
    assert set(data["locations"]) == {"location1"}


def test_a_case_with_a_refused_row_is_refused_whole():
    options = mapped(case_by="Report")
    content = table(ROW, row(IP="canary"), row(Report="SYN-2"))
    [draft] = adapter.ingest(content, options={**options, "rows": "accepted"})
    assert draft.case["case"]["related_refs"][0]["ref"] == "SYN-2"
    told = {(f.pointer, f.params["rule"]) for f in draft.findings}
    assert told == {("/rows/2/case_by", "case"), ("/rows/3/location.ip", "ip-address")}


def test_rows_of_one_case_must_agree_about_it():
    content = table(ROW, row(Received="02/03/2026 10:00"))
    found = refusal(adapter, content, **mapped(case_by="Report"))
    assert ("/rows/3/case.dates", "conflict") in found
    assert refusal(adapter, table(row(Report="")), **mapped(case_by="Report"))[-1] == (
        "/rows/2/case_by",
        "required",
    )


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ('=HYPERLINK("canary")', "formula"),
        ("+canary|' /C x'!A0", "formula"),
        ("-2+canary", "formula"),
        ("@SUM(canary)", "formula"),
        ("\t=canary", "formula"),
        ("  =canary", "formula"),
        ("＝canary()", "formula"),
        ("data:image/png;base64,canary", "media"),
        ("QUJD" * 200, "media"),
        ("a\x07canary", "control-character"),
        ("EU RESTRICTED canary", "eu-classified"),
        ("canary " * 5000, "oversize"),
    ],
)
def test_cells_nobody_may_read_are_refused_wherever_they_stand(cell, rule):
    assert refusal(adapter, table(row(Report=cell)), **mapped()) == [("/rows/2/case.reference", rule)]
    if rule != "eu-classified":
        extra = table([*ROW, cell], header=[*HEADER, "Not mapped"])
        assert refusal(adapter, extra, **mapped()) == [("/rows/2/columns/8", rule)]


@pytest.mark.timeout(30)
def test_screening_a_text_takes_no_longer_than_reading_it():
    """A pattern that backtracks would need hours for these; each stands just under some rule."""
    for text in (
        "data:" + "a." * 500_000,
        "data:a/" * 150_000,
        "TRES SECRET " + " " * 1_000_000,
        "+1" * 500_000,
    ):
        screen_text(text)
        screen_marking(text)
        is_formula(text)


@pytest.mark.parametrize("cell", ["+32 2 123 45 67", "-12.5", "-", "@synthetic.a"])
def test_telephone_numbers_dashes_and_handles_are_no_formulas(cell):
    [draft] = take(table(row(Report=cell)))
    assert draft.case["case"]["related_refs"][0]["ref"] == cell


def test_unmapped_columns_are_counted_and_named_ones_ignored():
    content = table([*ROW, "x", "y"], header=[*HEADER, "Not mapped", "Known"])
    columns = {**MAPPING["columns"], "Known": {"ignore": True}}
    [draft] = adapter.ingest(content, options=mapped(columns=columns))
    [finding] = draft.findings
    assert (finding.code, finding.params) == ("tabular-columns-ignored", {"count": 1})


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("01/03/2026 10:00", "2026-03-01T10:00:00+01:00"),
        ("01/07/2026 10:00", "2026-07-01T10:00:00+02:00"),
        ("2026-03-01 10:00:05", "2026-03-01T10:00:05+01:00"),
        ("2026-03-01T10:00:00-05:00", "2026-03-01T10:00:00-05:00"),
    ],
)
def test_local_times_take_the_zone_of_the_mapping(cell, expected):
    [draft] = take(table(row(Received=cell)))
    assert draft.case["case"]["dates"]["opened_at"] == expected


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("25/10/2026 02:30", "ambiguous-time"),
        ("29/03/2026 02:30", "timestamp"),
        ("31/02/2026 10:00", "timestamp"),
        ("2026-03-01", "timestamp"),
        ("2026-02-30T10:00:00Z", "timestamp"),
        ("canary", "timestamp"),
        ("0001-01-01 00:00", "timestamp"),
        ("1800-01-01 10:00", "timestamp"),
    ],
)
def test_times_that_leave_a_doubt_are_refused(cell, rule):
    assert refusal(adapter, table(row(Received=cell)), **mapped()) == [("/rows/2/case.opened_at", rule)]


def test_a_naive_time_needs_a_zone_and_an_option_wins():
    content = table(ROW)
    assert refusal(adapter, content, **mapped(zone=None)) == [("/rows/2/case.opened_at", "naive-timestamp")]
    [draft] = take(content, zone="UTC")
    assert draft.case["case"]["dates"]["opened_at"] == "2026-03-01T10:00:00Z"
    seen = take(table(row(First_seen="2026-03-01 08:30")))[0].case["items"]["item1"]["seen"]["first"]
    assert (seen["at"], seen["zone"]) == ("2026-03-01T08:30:00+01:00", "Europe/Brussels")


def test_broken_urls_are_mended_only_where_the_mapping_says_so():
    cell = "hxxps://files[.]host-one.example/a"
    assert refusal(adapter, table(row(URL=cell)), **mapped()) == [("/rows/2/location.url", "url")]
    columns = {**MAPPING["columns"], "URL": {"to": "location.url", "broken": True}}
    [draft] = adapter.ingest(table(row(URL=cell)), options=mapped(columns=columns))
    assert draft.case["locations"]["location1"]["url"] == "https://files.host-one.example/a"


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"mapping": "other"}, "/mapping", "schema"),
        ({"columns": None}, "/columns", "required"),
        ({"zone": "Mars/Base"}, "/zone", "zone"),
        ({"zone": "../etc/localtime"}, "/zone", "zone"),
        ({"columns": {"URL": {"to": "reporter.name"}}}, "/columns/0/to", "target"),
        ({"columns": {"URL": {"to": "location.url", "canary": 1}}}, "/columns/0/canary", "unknown-member"),
        ({"columns": {"a": {"to": "item.first_seen"}}}, "/columns/0/meaning", "required"),
        (
            {"columns": {"a": {"to": "location.url"}, "b": {"to": "location.url"}}},
            "/columns/1/to",
            "duplicate",
        ),
        ({"columns": {"a": {"to": "case.opened_at", "form": "%c"}}}, "/columns/0/form", "format"),
        ({"constants": {"case.kind": "canary"}}, "/constants/case.kind", "code"),
        ({"constants": {"canary": "x"}}, "/constants/0", "target"),
        ({"constants": {"case.kind": "danger"}}, "/constants/case.offence_type", "required"),
        ({"delimiter": "x"}, "/delimiter", "code"),
        ({"canary": 1}, "/canary", "unknown-member"),
    ],
)
def test_a_wrong_mapping_is_refused_by_its_own_field(changes, field, rule):
    with pytest.raises(Refused) as caught:
        adapter.ingest(table(ROW), options=mapped(**changes))
    [issue] = caught.value.issues
    assert (issue.field, issue.rule) == (field, rule)


def test_options_are_checked():
    content = table(ROW)
    assert refusal(adapter, content) == [("/mapping", "required")]
    assert refusal(adapter, content, **mapped(), rows="some") == [("/rows", "option")]
    assert refusal(adapter, content, **mapped(), zone="canary") == [("/zone", "option")]
    assert refusal(adapter, content, **mapped(), encoding="canary") == [("/encoding", "option")]
    assert refusal(adapter, content, **mapped(), canary="x") == [("", "option")]


def test_the_header_must_be_the_one_the_mapping_knows():
    assert refusal(adapter, table(ROW[:-1], header=HEADER[:-1]), **mapped()) == [("/rows/1", "columns")]
    wrong = table(ROW[:-1], header=HEADER[:-1])
    assert refusal(adapter, wrong, **mapped(delimiter=";")) == [("/columns/6", "columns")]
    twice = table([*ROW, "x"], header=[*HEADER, "URL"])
    assert refusal(adapter, twice, **mapped()) == [("/columns/2", "duplicate")]


def test_cut_rows_and_quotes_without_end_are_refused():
    assert refusal(adapter, table(ROW[:-1]), **mapped()) == [("/rows/2/columns", "columns")]
    assert refusal(adapter, table([*ROW, "x"]), **mapped()) == [("/rows/2/columns/8", "columns")]
    assert refusal(adapter, table(ROW) + b'"canary', **mapped()) == [("/rows/3", "quoting")]
    assert refusal(adapter, table(), **mapped()) == [("", "empty")]


def test_what_needs_something_beside_it_says_so():
    columns = {
        **MAPPING["columns"],
        "Size": {"to": "item.size"},
        "Up": {"to": "location.online"},
        "Account": {"to": "person.account_id"},
    }
    content = table([*ROW, "12", "yes", "a1"], header=[*HEADER, "Size", "Up", "Account"])
    assert set(refusal(adapter, content, **mapped(columns=columns))) == {
        ("/rows/2/item.size", "required"),
        ("/rows/2/location.online", "required"),
        ("/rows/2/person.account_id", "required"),
    }


def test_people_and_events_find_each_other():
    columns = {
        "Received": {"to": "case.opened_at"},
        "Service": {"to": "person.service"},
        "Account": {"to": "person.account_id"},
        "IP": {"to": "event.ip"},
        "Port": {"to": "event.port"},
        "Login": {"to": "event.at", "meaning": "login", "clock": "provider"},
    }
    constants = {"case.kind": "person_lead", "case.offence_type": "grooming", "event.type": "login"}
    cells = ["2026-03-01T10:00:00Z", "chat.example", "a1", "192.0.2.1", "443", "2026-02-01 10:00"]
    content = table(cells, header=list(columns))
    [draft] = adapter.ingest(content, options=mapped(columns=columns, constants=constants))
    data = cases.from_json(draft.case).data
    assert data["persons"]["person1"]["account"] == {"service": "chat.example", "account_id": "a1"}
    assert data["events"]["event1"]["event"] == {"type": "login", "account_of": "person1"}
    assert codes(draft) == set()


MOMENTS = {name for name, target in TARGETS.items() if target.kind == "moment"}
EVERY = {
    "mapping": "broker-mapping/1",
    "delimiter": ";",
    "zone": "Europe/Brussels",
    "constants": {
        "case.kind": "content_report",
        "case.offence_type": "csam_dissemination",
        "case.opened_at": "2026-03-01T10:00:00Z",
    },
    "columns": {
        name: {"to": name} | ({"meaning": "observed"} if name in MOMENTS else {}) for name in TARGETS
    },
}
SAMPLES = ["https://[::1", "magnet:?x", "ftp://a.example/é", "yes", "1" * 20, "AS0001", "fe80::1%en0", "BE"]
SAMPLES += [
    SHA1,
    "a" * 64,
    "2026-03-01 10:00",
    "9999-12-31 23:59",
    "0001-01-01T00:00:00Z",
    "ＡＢ",
    "video/mp4",
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from([*ROW, *SAMPLES])


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(set(TARGETS) - set(EVERY["constants"]))), TEXT, max_size=3))
def test_what_is_taken_passes_intake_and_the_rest_is_refused(cells):
    content = table([cells.get(name, "") for name in TARGETS] + ["x"], header=[*TARGETS, "filled"])
    try:
        drafts = adapter.ingest(content, options={"mapping": json.dumps(EVERY)})
    except Refused:
        return
    for draft in drafts:
        cases.from_json(draft.case)
