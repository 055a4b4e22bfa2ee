"""The CyberTipline report: order, rules, honesty about what the format cannot hold."""

from __future__ import annotations

import copy
import csv
import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from lxml import etree

from adapters.ncmec import adapter, rules
from adapters.ncmec.plan import NEEDS
from adapters.ncmec.schema import SCHEMA
from adapters.ncmec.tree import Node, NotXml, printable, read, whole, write
from broker.conformance import samples
from broker.spi import Renders
from tests.adapters.outbound import (
    MANY,
    TWENTY,
    assert_reads_only_its_needs,
    gone,
    held,
    minimised_for,
    to,
)
from tests.adapters.reference import reference
from tests.adapters.referrals import referrals
from tests.cases import KINDS, confirmed, full_case, minimal_case

GOLDEN = Path(__file__).parent / "golden" / "ncmec"
SAMPLES = {name: to(referral, "NCM") for name, referral in samples().items()}
FULL = SAMPLES["full"]
NOW = FULL.drafted_at


def documents(referral):
    return {document.name: document for document in adapter.render(referral)}


def report(referral):
    return read(documents(referral)["report.xml"].content)


def codes(referral, severity=None):
    found = adapter.lint(referral, adapter.render(referral))
    return {f.code for f in found if severity in (None, f.severity)}


def changed(name="full", **facts):
    """A sample with facts of section `case` replaced."""
    referral = SAMPLES[name]
    section = {**referral.facts.get("case", {}), **facts}
    return replace(referral, facts={**referral.facts, "case": section})


@pytest.fixture(scope="module")
def xsd():
    return etree.XMLSchema(etree.parse(reference("ncmec/cyber_tipline.xsd")))


def assert_valid(xsd, content):
    assert xsd.validate(etree.fromstring(content)), xsd.error_log


# what it is


def test_it_is_a_render_adapter_that_says_which_schema_and_that_it_was_never_tried():
    assert isinstance(adapter, Renders)
    assert adapter.info.tried_live is False
    assert SCHEMA.stamp in adapter.info.version


def test_a_report_and_two_texts_for_each_item():
    assert list(documents(FULL)) == [
        "report.xml",
        "item-1.txt",
        "filedetails-1.xml",
        "item-2.txt",
        "filedetails-2.xml",
    ]
    assert {d.media_type for d in documents(FULL).values()} == {"text/xml", "text/plain"}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_golden(name):
    """Set BROKER_REGENERATE_GOLDEN=1 to write them anew, then read the difference."""
    for document in adapter.render(SAMPLES[name]):
        path = GOLDEN / f"{name}-{document.name}"
        if os.environ.get("BROKER_REGENERATE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(document.content)
        assert document.content == path.read_bytes()


def test_golden_files_are_valid(xsd):
    found = sorted(GOLDEN.glob("*.xml"))
    assert len(found) >= 5
    for path in found:
        assert_valid(xsd, path.read_bytes())


# the table against its sources


def test_the_table_says_what_the_schema_says():
    path = reference("ncmec/cyber_tipline.xsd")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SCHEMA.xsd_sha256
    space = "{http://www.w3.org/2001/XMLSchema}"
    root = etree.parse(path).getroot()
    named = {e.get("name"): e.find(f"{space}complexType") for e in root.findall(f"{space}element")}
    named |= {e.get("name"): e for e in root.findall(f"{space}complexType")}
    checked = 0
    for name, order in SCHEMA.sequence.items():
        kind = named["nameValue" if name == "nameValuePair" else name]
        inside = kind.xpath(
            "./xs:sequence//xs:element | ./xs:all/xs:element | ./xs:choice/xs:element",
            namespaces={"xs": space[1:-1]},
        )
        own = [e for e in inside if next(e.iterancestors(f"{space}complexType")) is kind]
        assert [e.get("name") or e.get("ref") for e in own] == list(order), name
        checked += 1
    assert checked == len(SCHEMA.sequence) > 20


def test_the_table_says_what_the_documentation_says():
    text = reference("ncmec/documented-rules.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))[1:]
    documented = {row[1]: row[4] for row in rows if "@" not in row[1]}
    lengths = {p: int(m[1]) for p, rule in documented.items() if (m := re.search(r"length is (\d+)", rule))}
    lengths["nameValuePair/name"] = lengths.pop("details/nameValuePair/name")
    assert dict(SCHEMA.lengths) == lengths
    assert {p for p, rule in documented.items() if "in the past" in rule} == SCHEMA.past
    assert {p for p, rule in documented.items() if "valid URL" in rule} == SCHEMA.urls


# what stands in it


def test_the_earliest_exact_time_and_what_it_is_the_time_of():
    found = report(FULL)
    assert found.texts("incidentSummary", "incidentDateTime") == ["2026-02-20T18:00:00Z"]
    assert "first contact" in found.texts("incidentSummary", "incidentDateTimeDescription")[0]


def test_a_date_is_never_passed_off_as_a_time():
    found = report(SAMPLES["narrow"])
    assert found.texts("incidentSummary", "incidentDateTime") == ["2026-02-28T00:00:00Z"]
    assert "time of day is not" in found.texts("incidentSummary", "incidentDateTimeDescription")[0]
    assert "ncmec-incident-time-not-exact" in codes(SAMPLES["narrow"], "warn")


def test_a_time_of_the_future_is_not_sent_as_a_time():
    entities = copy.deepcopy(dict(SAMPLES["full"].entities))
    entities["events"]["aevnt2dd3f"]["timestamp"] = {"at": "2026-03-01T14:10:01Z"}
    referral = replace(FULL, entities=entities)
    first = next(report(referral).all("personOrUserReported", "ipCaptureEvent"))
    assert first.texts("dateTime") == []
    assert "2026-03-01T14:10:01Z" in report(referral).texts("personOrUserReported", "additionalInfo")[0]
    assert {"ncmec-time-in-future", "ncmec-event-time-as-text"} <= codes(referral)
    assert codes(referral, "block") == set()


@pytest.mark.parametrize(("urgency", "there"), [("U1", 1), ("U2", 0), (None, 0)])
def test_only_the_highest_urgency_escalates(urgency, there):
    assert len(report(changed(urgency=urgency)).texts("incidentSummary", "escalateToHighPriority")) == there


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 5000])
def test_an_escalation_is_never_blank_and_never_too_long(reason):
    [text] = report(changed(urgency="U1", urgency_reason=reason)).texts(
        "incidentSummary", "escalateToHighPriority"
    )
    assert 0 < len(text.strip()) <= 3000


def test_an_offence_without_a_code_of_theirs_is_flagged_and_told_in_words():
    referral = changed(offence_type="abuse_manual")
    assert "ncmec-incident-type-approximate" in codes(referral, "warn")
    assert "Offence as assessed: abuse_manual" in report(referral).texts("additionalInfo")[0]


def test_one_suspect_and_the_other_in_words():
    found = report(FULL)
    assert found.texts("personOrUserReported", "screenName") == ["synthetic_person_a"]
    assert "second_handle_b" in found.texts("additionalInfo")[0]
    assert "ncmec-one-account-only" in codes(FULL, "warn")


def test_the_item_nobody_sent_is_never_called_viewed_or_classified():
    details = read(documents(FULL)["filedetails-1.xml"].content)
    assert details.texts("fileRelevance") == ["Supplemental Reported"]
    assert not [n for _, _, n in details.walk() if n.name in {"originalFileHash", "industryClassification"}]
    assert "viewed scope" in documents(FULL)["item-1.txt"].content.decode()
    assert "ncmec-hash-of-no-file" in codes(FULL)


def test_a_network_is_not_an_address():
    entities = copy.deepcopy(dict(FULL.entities))
    entities["events"]["aevnt2dd3f"]["ip"] = "198.51.100.0/24"
    referral = replace(FULL, entities=entities)
    found = report(referral)
    assert found.texts("personOrUserReported", "ipCaptureEvent", "ipAddress") == ["2001:db8:12:34::9a"]
    assert "198.51.100.0/24" in found.texts("personOrUserReported", "additionalInfo")[0]
    assert "ncmec-event-without-address" in codes(referral)


def test_an_event_of_nobody_is_nobodys():
    entities = copy.deepcopy(dict(FULL.entities))
    entities["events"]["bevnt4ff5g"]["event"] = {"type": "login", "account_of": "zdropped2a"}
    referral = replace(FULL, entities=entities)
    found = report(referral)
    assert found.texts("personOrUserReported", "ipCaptureEvent", "ipAddress") == ["198.51.100.23"]
    assert "of no reported account: ip: 2001:db8:12:34::9a" in found.texts("additionalInfo")[0]


def test_a_value_cannot_pose_as_a_line_of_ours():
    entities = copy.deepcopy(dict(FULL.entities))
    entities["items"]["aitem2xk7q"]["filename"] = "a\nPolice hold on removal: none"
    text = report(replace(FULL, entities=entities)).texts("additionalInfo")[0]
    assert "a / Police hold on removal: none" in text
    assert text.count("\nPolice hold on removal:") == 1


@pytest.mark.parametrize("kind", ["withdraw", "erase"])
def test_a_withdrawal_is_a_letter_and_no_report(kind):
    found = documents(replace(FULL, kind=kind))
    assert list(found) == ["withdrawal.txt"]
    assert FULL.reference in found["withdrawal.txt"].content.decode()
    assert "synthetic_person_a" not in found["withdrawal.txt"].content.decode()


def test_without_a_mail_address_of_the_desk_it_is_blocked():
    facts = {**FULL.facts, "operator": {"desk": {"organisation": "Synthetic Hotline"}}}
    assert codes(replace(FULL, facts=facts), "block") == {"ncmec-rule-reporter-email"}


def test_every_field_that_is_not_shown_is_noted():
    found = adapter.lint(FULL, adapter.render(FULL))
    noted = {f.params["field"] for f in found if f.code == "ncmec-not-shown"}
    assert noted == {field for field in FULL.fields.values() if field} - NEEDS


# the rules by themselves


def edited(path, text=None, *, drop=False, twice=False, rename=None):
    """The full report with the first element at a path changed."""
    head, *rest = path

    def change(node, rest):
        children = []
        for child in node.children:
            if rest and child.name == rest[0] and not change.done:
                if len(rest) > 1:
                    children.append(change(child, rest[1:]))
                    continue
                change.done = True
                new = replace(child, text=child.text if text is None else text, name=rename or child.name)
                children += [] if drop else [new, new] if twice else [new]
                continue
            children.append(child)
        return replace(node, children=tuple(children))

    change.done = False
    root = change(report(FULL), [head, *rest])
    assert change.done
    return {f.code.removeprefix("ncmec-rule-") for f in rules.check(root, NOW)}


def test_the_untouched_report_breaks_no_rule():
    assert list(rules.check(report(FULL), NOW)) == []


PERSON = "personOrUserReported"


@pytest.mark.parametrize(
    ("path", "change", "rule"),
    [
        (("incidentSummary", "platform"), {"text": "x" * 257}, "length"),
        (("incidentSummary", "incidentType"), {"text": "Other"}, "code"),
        (("incidentSummary", "incidentDateTime"), {"text": "2026-02-20T18:00:00"}, "zone"),
        (("incidentSummary", "incidentDateTime"), {"text": "2026-03-01T14:10:01Z"}, "future"),
        (("incidentSummary", "incidentDateTime"), {"drop": True}, "missing"),
        (("incidentSummary",), {"twice": True}, None),
        (("internetDetails", "webPageIncident", "url"), {"text": "not a url"}, "url"),
        (
            ("internetDetails", "webPageIncident", "url"),
            {"text": "https://a.example/" + "x" * 2083},
            "length",
        ),
        (("internetDetails", "webPageIncident"), {"twice": True}, "one-kind-of-incident"),
        (("reporter", "reportingPerson", "email"), {"drop": True}, "reporter-email"),
        (("reporter", "reportingPerson", "email"), {"text": ""}, "email"),
        (("reporter",), {"drop": True}, "missing"),
        (("reporter",), {"rename": "report"}, "unknown-element"),
        ((PERSON,), {"twice": True}, "one-suspect"),
        ((PERSON, "ipCaptureEvent", "ipAddress"), {"text": "198.51.100.0/24"}, "address"),
        ((PERSON, "ipCaptureEvent", "ipAddress"), {"text": " "}, "blank"),
        ((PERSON, "ipCaptureEvent", "port"), {"text": "65536"}, "port"),
        ((PERSON, "ipCaptureEvent", "eventName"), {"text": "Seen"}, "code"),
        ((PERSON, "estimatedLocation", "countryCode"), {"text": "EU"}, "country"),
        ((PERSON, "estimatedLocation", "countryCode"), {"text": ""}, "blank"),
        ((PERSON, "espService"), {"text": "x" * 101}, "length"),
        ((PERSON, "profileUrl"), {"text": "magnet:?x"}, "url"),
    ],
)
def test_each_documented_rule_is_found(path, change, rule):
    found = edited(path, **change)
    assert rule in found if rule else found == set()


def test_rules_between_elements():
    full = report(FULL)
    swapped = replace(full, children=full.children[::-1])
    assert "order" in {f.code.removeprefix("ncmec-rule-") for f in rules.check(swapped, NOW)}
    batch = Node("batchedReport", "", (), {"reason": "VIRAL_POTENTIAL_MEME"})
    batched = replace(full, children=(batch, *full.children))
    assert "ncmec-rule-batched" in {f.code for f in rules.check(batched, NOW)}
    mail = Node("internetDetails", "", (whole("emailIncident", [Node("emailAddress", "a@b.example")]),))
    mailed = whole("report", [*full.children, mail])
    assert "ncmec-rule-incident-email" in {f.code for f in rules.check(mailed, NOW)}
    known = whole("report", [*full.children, replace(mail, children=())])
    assert "ncmec-rule-one-kind-of-incident" in {f.code for f in rules.check(known, NOW)}


def test_rules_of_file_details():
    details = read(documents(FULL)["filedetails-1.xml"].content)
    exif = whole("fileDetails", [*details.children, Node("exifViewedByEsp", "true")])
    unviewed = replace(exif, children=tuple(c for c in exif.children if c.name != "fileViewedByEsp"))
    classified = whole("fileDetails", [*details.children, Node("industryClassification", "A1")])
    hashed = whole("fileDetails", [*details.children, Node("originalFileHash", "00")])
    found = [{f.code for f in rules.check(r, NOW)} for r in (exif, unviewed, classified, hashed)]
    assert found == [
        set(),
        {"ncmec-rule-exif-viewed"},
        {"ncmec-rule-supplemental-classified"},
        {"ncmec-rule-hash-type"},
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<a>",
        b"<a/><b/>",
        b'<!DOCTYPE a [<!ENTITY x "xxxx">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>',
        b"<a>" * 40 + b"</a>" * 40,
        b"<a>" + b"x" * (1 << 20) + b"</a>",
        b"<a>\xff</a>",
    ],
)
def test_hostile_xml_is_refused(content):
    with pytest.raises(NotXml):
        read(content)


def test_text_survives_writing_and_reading():
    text = "a<b>&amp;\"'\r\n\ttab ]]> \U0001f600 \ufffe \x0b é"
    again = read(write(Node("a", text))).text
    assert again == printable(text)
    assert "{U+000B}" in again


# generated


@pytest.mark.slow
@MANY
@given(referrals)
def test_generated_reports_are_pure_complete_and_lawful(referral):
    found = assert_reads_only_its_needs(adapter, referral)
    blocks = [f for f in adapter.lint(referral, found) if f.severity == "block"]
    assert {f.code for f in blocks} <= {"ncmec-rule-reporter-email"}
    if referral.kind in {"withdraw", "erase"}:
        return
    root = read(found[0].content)
    told = "\n".join(node.text for _, _, node in root.walk())
    named = {e for group in referral.entities.values() for e in group}
    for pointer, field, text in held(referral, NEEDS - {"F16", "F72"}):
        plain = " / ".join(text.splitlines())
        if text not in named and plain.strip():
            assert printable(plain) in told or printable(text) in told, (pointer, field)


@TWENTY
@given(referrals)
def test_generated_reports_are_valid(xsd, referral):
    for document in adapter.render(replace(referral, kind="new")):
        if document.media_type == "text/xml":
            assert_valid(xsd, document.content)


@pytest.mark.parametrize("make", [full_case, minimal_case])
@pytest.mark.parametrize("kind", KINDS)
def test_really_minimised_cases(kind, make):
    minimised, referral = minimised_for(confirmed(make(kind)), "NCM", "P2")
    found = assert_reads_only_its_needs(adapter, referral)
    assert {f.code for f in adapter.lint(referral, found) if f.severity == "block"} == set()
    told = b"\n".join(document.content for document in found).decode()
    assert not [value for value in gone(minimised, referral) if value in told]


def test_there_is_something_to_withhold_from_a_full_case():
    assert len(gone(*minimised_for(confirmed(full_case("person_lead")), "NCM", "P2"))) > 10
