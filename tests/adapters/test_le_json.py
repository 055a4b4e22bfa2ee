"""The JSON that triage tools read: their key paths, nothing made up, nothing lost."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from adapters.le_json import adapter
from adapters.le_json.plan import NEEDS
from broker.conformance import samples
from broker.spi import Document, Renders
from tests.adapters.outbound import (
    MANY,
    TWENTY,
    assert_reads_only_its_needs,
    gone,
    held,
    minimised_for,
    strings,
)
from tests.adapters.reference import reference
from tests.adapters.referrals import referrals
from tests.cases import KINDS, confirmed, full_case

GOLDEN = Path(__file__).parent / "golden" / "le_json"
SAMPLES = samples()
FULL = SAMPLES["full"]


def document(referral):
    [rendered] = adapter.render(referral)
    assert (rendered.name, rendered.media_type) == ("referral-le.json", "application/json")
    return json.loads(rendered.content)


def about(referral):
    return document(referral)["reportedInformation"]


def codes(referral, severity=None):
    found = adapter.lint(referral, adapter.render(referral))
    return {f.code for f in found if severity in (None, f.severity)}


def edited(collection, element, **changes):
    entities = copy.deepcopy(dict(FULL.entities))
    entities[collection][element].update(changes)
    return replace(FULL, entities=entities)


def lines(referral):
    return [entry["value"] for entry in about(referral)["additionalInformations"]]


# their shape


def paths(value, path=""):
    """Every path of names with the types found there; list entries count as one."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from paths(child, f"{path}.{name}")
    elif isinstance(value, list):
        for child in value:
            yield from paths(child, f"{path}[]")
    else:
        yield path, type(value)


def table(value):
    found = {}
    for path, kind in paths(value):
        found.setdefault(path, set()).add(kind)
    return found


KNOWN_BEYOND_THE_SAMPLE = {
    ".reportedInformation.reportedPeople.reportedPersons[].phones.phones[].value",
    ".reportedInformation.reportedPeople.reportedPersons[].phones.phones[].verified",
    ".reportedInformation.uploadedFiles.uploadedFiles[].additionalInformations[].value",
}
"""Paths that the two tools read and the sample happens not to hold."""


def sample_table():
    return table(json.loads(reference("lea-cybertip-json/sample-le-cybertip.json").read_bytes()))


def fits(ours, theirs):
    """No path of ours that tools do not know; where both hold a value it is of the same type."""
    nothing = type(None)
    parents = {path for path, kinds in theirs.items() if nothing in kinds}
    for path, kinds in ours.items():
        if path in KNOWN_BEYOND_THE_SAMPLE:
            continue
        if path not in theirs:
            # null of ours where the sample goes deeper
            assert kinds == {nothing}, path
            assert any(known.startswith((path + ".", path + "[")) for known in theirs), path
        else:
            both = (kinds - {nothing}, theirs[path] - {nothing})
            assert not all(both) or both[0] == both[1], path
    assert parents


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_path_is_one_that_tools_read(name):
    fits(table(document(SAMPLES[name])), sample_table())


def test_every_path_of_the_sample_is_there_in_a_full_referral():
    ours, theirs = table(document(FULL)), sample_table()
    never = {path for path in theirs if ".ncmecTags." in path}
    assert {path for path in theirs if path not in ours} == never


@TWENTY
@given(referrals)
def test_generated_paths_are_those_that_tools_read(referral):
    fits(table(document(referral)), sample_table())


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_golden(name):
    """Set BROKER_REGENERATE_GOLDEN=1 to write them anew, then read the difference."""
    [rendered] = adapter.render(SAMPLES[name])
    path = GOLDEN / f"{name}.json"
    if os.environ.get("BROKER_REGENERATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(rendered.content)
    assert rendered.content == path.read_bytes()


def test_it_is_a_render_adapter_that_was_never_tried():
    assert isinstance(adapter, Renders)
    assert adapter.info.tried_live is False


# nothing made up


def test_a_self_declared_name_is_not_the_name():
    [first, _] = about(FULL)["reportedPeople"]["reportedPersons"]
    assert (first["firstName"], first["lastName"]) == (None, None)
    assert any("self declared name: Synthetic Person A" in line for line in lines(FULL))


def test_without_an_exact_time_there_is_none():
    found = about(SAMPLES["narrow"])["incidentSummary"]
    assert found["incidentDateTime"] is None
    assert "2026-03-01" in found["incidentDateTimeDescription"]
    assert "le-no-incident-time" in codes(SAMPLES["narrow"], "warn")


def test_a_network_is_no_address():
    referral = edited("events", "aevnt2dd3f", ip="198.51.100.0/24")
    captures = about(referral)["reportedPeople"]["reportedPersons"][0]["sourceInformation"]["sourceCaptures"]
    assert [capture["value"] for capture in captures] == ["2001:db8:12:34::9a"]
    assert "le-event-in-words" in codes(referral)
    assert any("198.51.100.0/24" in line for line in lines(referral))


def test_an_event_of_nobody_is_nobodys():
    referral = edited("events", "bevnt4ff5g", event={"type": "login"})
    persons = about(referral)["reportedPeople"]["reportedPersons"]
    values = [c["value"] for p in persons for c in p["sourceInformation"]["sourceCaptures"]]
    assert values == ["198.51.100.23"]
    assert any(line.startswith("network event 2 of no reported account") for line in lines(referral))


@pytest.mark.parametrize(
    ("viewed", "scope", "expected"),
    [
        ({"viewed": True}, None, True),
        ({"viewed": False}, None, False),
        ({"viewed": True}, {"whole_file": False, "exif": False}, False),
        ({"viewed": True, "by_org": "Somebody Else"}, None, None),
        (None, None, None),
    ],
)
def test_viewed_means_by_the_hotline_and_unknown_is_not_no(viewed, scope, expected):
    referral = edited("items", "aitem2xk7q", human_viewed=viewed, viewed_scope=scope)
    assert about(referral)["uploadedFiles"]["uploadedFiles"][0]["viewedByEsp"] is expected


@pytest.mark.parametrize(("scheme", "expected"), [("NCMEC", "A1"), ("UCS", None)])
def test_a_label_of_another_scale_is_no_classification(scheme, expected):
    labels = [{"scheme": scheme, "version": "v3", "label": "A1"}]
    referral = edited("items", "aitem2xk7q", labels=labels)
    assert about(referral)["uploadedFiles"]["uploadedFiles"][0]["industryClassification"] == expected


def test_files_say_that_there_is_no_file():
    first, second = about(FULL)["uploadedFiles"]["uploadedFiles"]
    for file in (first, second):
        assert file["additionalInformations"][0]["value"].startswith("Hash and description only")
        assert file["submittalId"] is None
    assert first["verificationHash"] is None
    assert second["verificationHash"] == "d41d8cd98f00b204e9800998ecf8427e"


def test_a_url_has_a_time_only_where_it_was_found_there():
    incidents = about(FULL)["incidentDetails"]["webpageIncident"]
    times = [i["sourceInformation"]["sourceCaptures"][0]["dateTime"] for i in incidents]
    assert times == ["2026-03-01T13:55:00Z", None, None]


def test_the_two_lines_that_tools_split_are_two_whatever_a_value_holds():
    referral = edited("locations", "alocs4hh2p", access_note="a\nType: forged\r\nText: b")
    [note] = about(referral)["incidentDetails"]["webpageIncident"][0]["additionalInformations"]
    assert note["value"].count("\n") == 1
    assert note["value"].startswith("Type: image_host\nText: ")


def test_every_field_that_is_not_shown_is_noted():
    found = adapter.lint(FULL, adapter.render(FULL))
    noted = {f.params["field"] for f in found if f.code == "le-not-shown"}
    assert noted == {field for field in FULL.fields.values() if field} - NEEDS


# lint


def broken(change):
    value = document(FULL)
    change(value)
    content = json.dumps(value).encode()
    return {f.code for f in adapter.lint(FULL, [Document("referral-le.json", "application/json", content)])}


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("reportId"),
        lambda d: d.update(reportId=7),
        lambda d: d.update(extra=1),
        lambda d: d["reportedInformation"].update(reportedPeople=None),
        lambda d: d["reportedInformation"]["reportedPeople"]["reportedPersons"].append({}),
        lambda d: d["reportedInformation"]["uploadedFiles"]["uploadedFiles"][0].update(viewedByEsp="true"),
        lambda d: d["reportedInformation"]["uploadedFiles"]["uploadedFiles"][0].update(ncmecTags="x"),
        lambda d: d["reportedInformation"].update(additionalInformations={}),
    ],
)
def test_another_shape_is_blocked(change):
    assert "le-shape" in broken(change)


def test_no_document_or_no_json_is_blocked():
    assert "le-shape" not in broken(lambda d: None)
    assert {f.code for f in adapter.lint(FULL, [])} >= {"le-document-missing"}
    cut = [Document("referral-le.json", "application/json", b"{")]
    assert {f.code for f in adapter.lint(FULL, cut)} >= {"le-not-json"}


# generated


@pytest.mark.slow
@MANY
@given(referrals)
def test_generated_documents_are_pure_complete_and_of_this_shape(referral):
    found = assert_reads_only_its_needs(adapter, referral)
    assert [f for f in adapter.lint(referral, found) if f.severity == "block"] == []
    told = "\n".join(strings(json.loads(found[0].content)))
    named = {e for group in referral.entities.values() for e in group}
    for pointer, field, text in held(referral, NEEDS - {"F16"}):
        plain = " / ".join(text.splitlines())
        if text not in named and plain.strip():
            assert plain in told or text in told, (pointer, field)


@pytest.mark.parametrize("recipient_class", ["BEP", "FLE"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_withheld_from_a_really_minimised_case_is_not_in_it(kind, recipient_class):
    case = confirmed(full_case(kind))
    minimised, referral = minimised_for(case, recipient_class, "P1", "P2")
    told = adapter.render(referral)[0].content.decode()
    withheld = gone(minimised, referral)
    assert withheld
    assert not [value for value in withheld if value in told]
