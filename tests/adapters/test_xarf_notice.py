"""Notices to providers: valid XARF, the elements of Art. 16(2) DSA, no live locator, nothing personal."""

from __future__ import annotations

import copy
import json
import os
import re
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
import xarf
from hypothesis import given
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from adapters.xarf_notice import NEEDS, adapter, cdn, letter, registrar
from adapters.xarf_notice.locators import LIVE, broken, words
from broker.conformance import check, samples
from broker.spi import Document, Renders
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
from tests.cases import KINDS, confirmed, full_case

GOLDEN = Path(__file__).parent / "golden" / "xarf_notice"
SAMPLES = samples()
TARGETS = {"host": adapter, "cdn": cdn, "registrar": registrar}
LANGUAGES = ("nl", "fr", "de", "en")
PERSONAL = {f"F{n:02d}" for n in (*range(11, 16), *range(37, 58), 61, 70, 73, 74, 75, 81)}


def provider(referral, **changes):
    """The referral as for a provider, in the coarse values its class gets."""
    entities = copy.deepcopy({c: dict(v) for c, v in referral.entities.items()})
    for item in entities.get("items", {}).values():
        if "known_status" in item:
            item["known_status"] = {"known": item["known_status"].get("status") == "known"}
        if "human_viewed" in item:
            item["human_viewed"] = {"viewed": item["human_viewed"]["viewed"]}
    facts = copy.deepcopy({s: dict(v) for s, v in referral.facts.items()})
    if "offence_type" in facts.get("case", {}):
        facts["case"]["offence_type"] = "child_sexual_abuse_material"
    return to(referral, "HSP", entities=entities, facts=facts, **changes)


FULL = provider(SAMPLES["full"])


def edited(collection, element, **changes):
    entities = copy.deepcopy(dict(FULL.entities))
    entities[collection][element] = {**entities[collection][element], **changes}
    return replace(FULL, entities=entities)


def rendered(referral, target="host"):
    return {document.name: document.content.decode() for document in TARGETS[target].render(referral)}


def reports(referral, target="host"):
    found = rendered(referral, target)
    return [json.loads(found[name]) for name in found if name.startswith("notice") and name.endswith("json")]


def codes(referral, target="host", severity=None):
    one = TARGETS[target]
    return {f.code for f in one.lint(referral, one.render(referral)) if severity in (None, f.severity)}


@pytest.fixture(scope="module")
def schema():
    folder = reference("xarf/schemas/v4")
    found = {}
    for path in (folder / "xarf-core.json", *sorted((folder / "types").glob("content-*.json"))):
        contents = json.loads(path.read_bytes())
        found[contents["$id"]] = Resource.from_contents(contents)
    registry = Registry().with_resources(found.items())
    csam = found["https://xarf.org/schemas/v4/types/content-csam.json"].contents
    return Draft202012Validator(csam, registry=registry, format_checker=FormatChecker())


def assert_xarf(report):
    """By the library of the format's makers, which knows the whole of it."""
    result = xarf.parse(json.dumps(report))
    assert [str(e) for e in result.errors] == []
    assert [str(w) for w in result.warnings] == []
    assert type(result.report).__name__ == "CsamReport"
    assert result.report.url == report["url"]


# validity


@pytest.mark.parametrize("target", TARGETS)
def test_reports_are_valid_by_library_and_schema(schema, target):
    found = reports(FULL, target)
    assert found
    for report in found:
        assert_xarf(report)
        assert list(schema.iter_errors(report)) == []


def test_the_validators_do_refuse(schema):
    [report, *_] = reports(FULL)
    for name in ("classification", "detection_method", "url", "source_identifier", "report_id"):
        short = {n: v for n, v in report.items() if n != name}
        assert xarf.parse(json.dumps(short)).errors
        assert list(schema.iter_errors(short))


@TWENTY
@given(referrals)
def test_generated_reports_are_valid(schema, referral):
    desk = {"operator": {"desk": {"organisation": "Synthetic Hotline", "mail": "desk@hotline.example"}}}
    host = to(referral, "HSP", kind="new", facts={**referral.facts, **desk})
    entities = copy.deepcopy({c: dict(v) for c, v in host.entities.items()})
    entities["locations"] = {"alocatq2x3": {"url": "https://files.host-one.example/a"}}
    entities["items"] = {
        "aitemsq2x3": {
            **next(iter(entities.get("items", {}).values()), {}),
            "ref": {"ref": "item 1", "found_at": ["alocatq2x3"]},
            "baseline": "baseline",
            "human_viewed": {"viewed": True},
        }
    }
    [report] = reports(replace(host, entities=entities))
    assert_xarf(report)
    assert list(schema.iter_errors(report)) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("target", TARGETS)
def test_golden(target, language):
    """Set BROKER_REGENERATE_GOLDEN=1 to write them anew, then read the difference."""
    for name, content in rendered(replace(FULL, language=language), target).items():
        if language != "en" and name != "notice.txt":
            continue
        path = GOLDEN / f"{target}-{language}-{name}"
        if os.environ.get("BROKER_REGENERATE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content.encode())
        assert content.encode() == path.read_bytes()


# who gets one


@pytest.mark.parametrize("target", TARGETS)
def test_three_adapters_one_for_each_addressee(target):
    one = TARGETS[target]
    assert isinstance(one, Renders)
    assert one.info.tried_live is False
    assert check(one) == []


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_nobody_but_a_provider_gets_a_notice(name, target):
    found = rendered(SAMPLES[name], target)
    assert list(found) == ["notice.txt"]
    assert found["notice.txt"] == letter.TABLES[SAMPLES[name].language]["no_notice"] + "\n"
    assert "xarf-no-provider" in codes(SAMPLES[name], target, "warn")


def test_documents_of_a_notice_are_refused_for_anybody_else():
    found = adapter.lint(SAMPLES["full"], adapter.render(FULL))
    assert "xarf-for-providers-only" in {f.code for f in found if f.severity == "block"}


@pytest.mark.parametrize("kind", ["withdraw", "erase"])
def test_a_withdrawal_is_a_letter_without_addresses(kind):
    found = rendered(replace(FULL, kind=kind))
    assert list(found) == ["notice.txt"]
    assert FULL.reference in found["notice.txt"]
    assert "hxxp" not in found["notice.txt"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"unconfirmed": True}, "xarf-unconfirmed"),
        ({"entities": {}}, "xarf-no-location"),
        ({"facts": {}}, "xarf-no-notifier"),
    ],
)
def test_a_notice_without_its_elements_is_blocked(change, code):
    assert codes(replace(FULL, **change), severity="block") == {code}


# what it says


def test_nothing_personal_is_even_read():
    assert NEEDS.isdisjoint(PERSONAL)
    told = "".join(rendered(FULL).values())
    personal = {text for _, _, text in held(FULL, frozenset(PERSONAL)) if len(text) >= 12}
    assert len(personal) > 15
    urls = "".join(v.get("url", "") for v in FULL.entities["locations"].values())
    assert not [t for t in personal if t in told and t not in urls and t not in FULL.addressee.name]


def test_exact_in_json_and_broken_in_the_letter():
    found = rendered(FULL)
    urls = [v["url"] for _, v in sorted(FULL.entities["locations"].items()) if v["url"].startswith("http")]
    assert [entry["url"] for entry in json.loads(found["locations.json"])["locations"]] == urls
    assert len(urls) == 2
    for url in urls:
        assert url not in found["notice.txt"]
        assert broken(url) in found["notice.txt"]
    assert not LIVE.search(found["notice.txt"])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_elements_of_article_16_are_in_every_letter(language, target):
    say = letter.TABLES[language]
    text = rendered(replace(FULL, language=language), target)["notice.txt"]
    assert say["title"] in text
    assert say["reason.csam"] in text  # (a) why
    assert "hxxps://files[.]host-one[.]example" in text  # (b) where
    assert "Synthetic Hotline" in text  # (c) who
    assert "desk@hotline.example" in text
    assert say["faith"] in text  # (d) good faith
    assert say[f"ask.{target}"] in text
    others = {say[f"ask.{t}"] for t in TARGETS if t != target}
    assert not [other for other in others if other in text]


def test_all_languages_have_all_words_with_the_same_parameters():
    english = letter.TABLES["en"]
    for table in letter.TABLES.values():
        assert set(table) == set(english)
        for key, text in table.items():
            assert re.findall(r"\{\w+\}", text) == re.findall(r"\{\w+\}", english[key]) or sorted(
                re.findall(r"\{\w+\}", text)
            ) == sorted(re.findall(r"\{\w+\}", english[key]))


# nothing made up


def test_national_content_gets_a_letter_and_no_report():
    referral = edited("items", "aitem2xk7q", baseline="national")
    found = rendered(referral)
    assert list(found) == ["notice.txt", "locations.json"]
    assert letter.TABLES["en"]["national"] in found["notice.txt"]
    assert letter.TABLES["en"]["baseline"] not in found["notice.txt"]
    assert all(entry["report"] is None for entry in json.loads(found["locations.json"])["locations"])
    assert "xarf-no-classification" in codes(referral, severity="warn")


@pytest.mark.parametrize(
    ("viewed", "known", "method"),
    [(True, True, "manual_review"), (True, False, "manual_review"), (False, True, "hash_match")],
)
def test_the_method_is_what_was_done(viewed, known, method):
    referral = edited("items", "aitem2xk7q", human_viewed={"viewed": viewed}, known_status={"known": known})
    assert {report["detection_method"] for report in reports(referral)} == {method}


def test_without_a_method_there_is_no_report():
    referral = edited("items", "aitem2xk7q", human_viewed=None, known_status={"known": False})
    assert reports(referral) == []
    assert "xarf-no-detection-method" in codes(referral, severity="warn")


def test_a_time_of_verification_only_where_it_was_online():
    first, second = reports(FULL)
    assert first["verified_at"] == first["timestamp"] == "2026-03-01T13:55:00Z"
    assert "verified_at" not in second
    assert "xarf-not-online" in codes(FULL)


def test_what_stands_in_front_is_not_called_the_host():
    referral = edited("locations", "alocs4hh2p", cdn={"is_cdn": True, "provider": "Edge (synthetic)"})
    first = reports(referral)[0]
    assert first["source_identifier"] == first["domain"] == "files.host-one.example"
    assert not {"hosting_provider", "asn", "country_code"} & set(first)
    assert "192.0.2.14" not in "".join(rendered(referral).values())
    assert "xarf-host-behind-cdn" in codes(referral, "host", "warn")
    assert "xarf-host-behind-cdn" not in codes(referral, "cdn")


def test_each_target_knows_the_content_by_its_own_name():
    assert [r["source_identifier"] for r in reports(FULL, "host")] == ["192.0.2.14", "192.0.2.77"]
    assert [r["source_identifier"] for r in reports(FULL, "registrar")] == ["files.host-one.example"]
    assert "xarf-no-domain" in codes(FULL, "registrar", "warn")
    assert "xarf-not-known-as-cdn" in codes(FULL, "cdn", "warn")


def test_report_ids_are_uuids_that_stay_and_differ():
    ids = [r["report_id"] for target in TARGETS for r in reports(FULL, target)]
    assert ids == [r["report_id"] for target in TARGETS for r in reports(FULL, target)]
    assert len(set(ids)) == len(ids) == 5
    assert {uuid.UUID(i).version for i in ids} == {4}
    assert not set(ids) & {r["report_id"] for r in reports(replace(FULL, release="b" * 26))}


def test_urls_that_no_provider_serves_are_left_out_and_told():
    assert "xarf-url-of-no-host" in codes(FULL, severity="warn")
    assert "magnet" not in "".join(rendered(FULL).values())


def test_credentials_in_an_address_are_told():
    referral = edited("locations", "alocs4hh2p", url="https://user:pw@files.host-one.example/a")
    assert "xarf-credentials-in-url" in codes(referral, severity="warn")


# lint


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"evidence": []}, "xarf-carries-content"),
        ({"screenshot_url": "https://a.example/"}, "xarf-carries-content"),
        ({"_internal": {}}, "xarf-carries-content"),
        ({"account": "x"}, "xarf-unknown-member"),
        ({"classification": "A1"}, "xarf-incomplete"),
        ({"description": "x" * 1001}, "xarf-too-long"),
    ],
)
def test_a_report_that_must_not_go_is_blocked(change, code):
    [report, *_] = reports(FULL)
    letter_alone = adapter.render(FULL)[0]
    altered = Document("notice.json", "application/json", json.dumps({**report, **change}).encode())
    found = adapter.lint(FULL, [letter_alone, altered])
    assert {f.code for f in found if f.severity == "block"} == {code}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("see https://a.example/", "xarf-live-locator"),
        ("see www.a.example", "xarf-live-locator"),
        ("a\u202eb", "xarf-invisible-character"),
    ],
)
def test_a_letter_that_must_not_go_is_blocked(text, code):
    found = adapter.lint(FULL, [Document("notice.txt", "text/plain", text.encode())])
    assert {f.code for f in found if f.severity == "block"} == {code}
    assert {f.code for f in adapter.lint(FULL, []) if f.severity == "block"} == {"xarf-document-missing"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.b.example/c.d?e=f.g", "hxxps://a[.]b[.]example/c[.]d?e=f[.]g"),
        ("HTTP://192.0.2.77:8080/x", "hxxp://192[.]0[.]2[.]77:8080/x"),
        ("ftp://a.example/x y\n", "fxp://a[.]example/x y"),
        ("https://a.example/?u=https://b.example", "hxxps://a[.]example/?u=hxxps://b[.]example"),
    ],
)
def test_broken_addresses(text, expected):
    assert broken(text) == expected
    assert not LIVE.search(words(text))


# generated


@pytest.mark.slow
@MANY
@given(referrals)
def test_generated_notices_are_pure_and_safe(referral):
    for one in TARGETS.values():
        assert list(rendered(referral, one.target)) == ["notice.txt"]
        host = to(referral, "HSP")
        found = assert_reads_only_its_needs(one, host)
        allowed = {"xarf-no-location", "xarf-no-notifier", "xarf-unconfirmed"}
        assert {f.code for f in one.lint(host, found) if f.severity == "block"} <= allowed
        assert not LIVE.search(found[0].content.decode())
        for document in found[1:]:
            json.loads(document.content)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_withheld_from_a_really_minimised_case_is_not_in_it(kind):
    minimised, referral = minimised_for(confirmed(full_case(kind)), "HSP", "P5", language="nl")
    withheld = gone(minimised, referral)
    assert len(withheld) > 10
    for one in TARGETS.values():
        found = assert_reads_only_its_needs(one, referral)
        told = "".join(document.content.decode() for document in found)
        assert not [value for value in withheld if value in told]
        assert not [value for value in withheld if words(value) in told]


def test_a_really_minimised_case_makes_a_report():
    _, referral = minimised_for(confirmed(full_case("content_report")), "HSP", "P5")
    found = reports(referral)
    assert found
    assert codes(referral, severity="block") == set()
    for report in found:
        assert_xarf(report)
