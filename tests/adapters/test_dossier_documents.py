"""The two files as files: archival, tagged, without live links, deterministic, safe in a spreadsheet."""

from __future__ import annotations

import io
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.police_dossier import adapter, moments, plan, sheet
from adapters.police_dossier.locators import defang, printable
from adapters.police_dossier.words import LANGUAGES, Words
from broker.conformance import referral_from, samples
from broker.core.fields import COLLECTIONS, SEALED_APART, SECTIONS
from broker.spi import Renders
from tests.adapters.reading import open_pdf, pages, rows, squeeze

GOLDEN = Path(__file__).parent / "golden"
REGENERATE = "BROKER_REGENERATE_GOLDEN"
SAMPLES = samples()
FULL = SAMPLES["full"]


def test_it_is_a_render_adapter_that_says_what_it_never_did():
    assert isinstance(adapter, Renders)
    assert adapter.info.tried_live is False


def test_two_documents_and_only_the_pdf_is_to_be_signed():
    documents = adapter.render(FULL)
    assert [(d.name, d.media_type, d.sign) for d in documents] == [
        ("referral.pdf", "application/pdf", "pades"),
        ("referral.csv", "text/csv", None),
    ]


def test_pdf_is_tagged_archival_and_says_so():
    reader = open_pdf(adapter.render(FULL)[0])
    root = reader.root_object
    assert root["/MarkInfo"]["/Marked"] is not None
    assert root["/StructTreeRoot"]
    assert root["/Lang"] == "en-GB"
    xmp = root["/Metadata"].get_object().get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part>" in xmp
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in xmp
    assert "<pdfuaid:part>1</pdfuaid:part>" in xmp


def test_pdf_has_no_annotation_and_no_action():
    reader = open_pdf(adapter.render(FULL)[0])
    assert not any("/Annots" in page for page in reader.pages)
    objects = [reader.get_object(i) for i in range(1, reader.trailer["/Size"])]
    keys = {key for o in objects if hasattr(o, "keys") for key in o}
    kinds = {str(o.get("/S")) for o in objects if hasattr(o, "keys")}
    assert not keys & {"/URI", "/OpenAction", "/AA", "/JS", "/JavaScript"}
    assert not kinds & {"/URI", "/JavaScript", "/Launch", "/GoToR", "/SubmitForm"}


def test_attachment_is_the_payload():
    reader = open_pdf(adapter.render(FULL)[0])
    assert dict(reader.attachments.items()) == {"referral.json": [FULL.payload]}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_no_locator_is_live_anywhere_on_the_pages(name):
    text = "\n".join(pages(adapter.render(SAMPLES[name])[0]))
    assert not re.search(r"https?://|ftp://|www\.|magnet:[^\]]", text)


def test_first_page_has_what_an_officer_needs_first():
    page = squeeze(pages(adapter.render(SAMPLES["grooming"])[0])[0])
    words = Words("nl")
    for text in (
        "CF-2026-000124-5",
        "+32 2 555 01 10",
        "Federal Police, child unit (synthetic)",
        words.say("ui.urgency.U1"),
        words.say("ui.unconfirmed"),
        "For criminal investigation and prosecution only.",
        "A meeting was announced for this evening.",
    ):
        assert squeeze(text) in page


def test_unconfirmed_is_not_said_of_a_confirmed_one():
    words = Words("en")
    page = pages(adapter.render(FULL)[0])[0]
    assert words.say("ui.unconfirmed") not in page


def test_identification_block_is_ready_to_paste():
    text = squeeze("".join(pages(adapter.render(FULL)[0])))
    wanted = "Chat Service A (synthetic) / user-000117 / 198.51.100.23 / 51234 / 2026-02-28T20:14:05Z"
    assert squeeze(wanted) in text
    assert squeeze("Forum B (synthetic) / second_handle_b / – / – / –") in text


def test_times_stand_in_utc_and_local_with_their_meaning():
    text = squeeze("".join(pages(adapter.render(FULL)[0])))
    wanted = "2026-02-28 20:14:05 UTC = 21:14:05 Europe/Amsterdam (+01:00) · uploaded · clock of the platform"
    assert squeeze(wanted) in text


@pytest.mark.parametrize(
    ("instant", "zone", "shown"),
    [
        ("2026-01-15T12:00:00Z", None, "2026-01-15 12:00:00 UTC = 13:00:00 Europe/Brussels (+01:00)"),
        ("2026-07-15T12:00:00+02:00", None, "2026-07-15 10:00:00 UTC = 12:00:00 Europe/Brussels (+02:00)"),
        (
            "2026-07-15T23:30:00Z",
            None,
            "2026-07-15 23:30:00 UTC = 2026-07-16 01:30:00 Europe/Brussels (+02:00)",
        ),
        (
            "2026-01-15T12:00:00Z",
            "America/New_York",
            "2026-01-15 12:00:00 UTC = 07:00:00 America/New_York (-05:00)",
        ),
        ("2026-01-15T12:00:00Z", "../../etc", "2026-01-15 12:00:00 UTC = 13:00:00 Europe/Brussels (+01:00)"),
        ("2026-01-15", None, "2026-01-15"),
        ("9999-12-31T23:59:59Z", None, "9999-12-31 23:59:59 UTC"),
    ],
)
def test_local_time_follows_summer_time_and_falls_back_to_brussels(instant, zone, shown):
    assert moments.show(instant, zone) == shown


def test_deterministic_over_time_and_processes():
    import subprocess
    import sys

    code = (
        "import hashlib; from broker.conformance import samples; from adapters.police_dossier import adapter;"
        "print([hashlib.sha256(d.content).hexdigest() for d in adapter.render(samples()['full'])])"
    )
    env = {**os.environ, "TZ": "Pacific/Auckland", "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    import hashlib

    here = [hashlib.sha256(d.content).hexdigest() for d in adapter.render(FULL)]
    assert there.stdout.strip() == str(here)


def test_the_page_cannot_run_what_a_case_says():
    payload = json.loads(FULL.payload)
    payload["doc"]["facts"]["reporter"]["statement"] = '#raw(read("/etc/passwd")) #panic() $ * _ ` @x <y> \\'
    text = "".join(pages(adapter.render(referral_from(payload))[0]))
    assert squeeze('#raw(read("/etc/passwd")) #panic() $ * _ ` @x <y> \\') in squeeze(text)


def test_csv_begins_as_hotline_tools_write_it():
    content = adapter.render(FULL)[1].content.decode("utf-8")
    header, first, *_ = content.split("\r\n")
    assert header.startswith("url;reason;IP;firstseen;lastseen;")
    location = FULL.entities["locations"]["alocs4hh2p"]
    assert first.startswith(f'"{location["url"]}";')
    assert '"192.0.2.14";"2026-02-28T20:14:05Z";"2026-03-01T09:12:44Z"' in first


def test_csv_has_each_url_exactly_once_for_each_item():
    found = [(r["url"], r["item"]) for r in rows(adapter.render(FULL)[1]) if r["record"] == "url"]
    locations = FULL.entities["locations"]
    assert found == [
        (locations["alocs4hh2p"]["url"], "aitem2xk7q"),
        (locations["blocs6jj3r"]["url"], "aitem2xk7q"),
        (locations["clocs7kk5s"]["url"], "bitem5mw3t"),
    ]


@pytest.mark.parametrize("cell", ["=1+1", "+32 2", "-x", "@a", "\tx", "\rx", "\nx", "'x", "＝x", "＋x"])
def test_no_cell_runs_in_a_spreadsheet_and_nothing_is_lost(cell):
    assert sheet.safe(cell) == "'" + cell
    assert sheet.unsafe(sheet.safe(cell)) == cell


@pytest.mark.parametrize("url", ["https://a.example/=1+1", "magnet:?xt=1", "http://a.example/'@x"])
def test_urls_are_never_escaped(url):
    assert sheet.safe(url) == url


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("https://a.b.example/c.d", "hxxps://a[.]b[.]example/c.d"),
        ("HTTP://192.0.2.1:80/", "hxxp://192[.]0[.]2[.]1:80/"),
        ("see a.example/x, then.", "see a[.]example/x, then."),
        ("www.a.example", "www[.]a[.]example"),
        ("magnet:?xt=urn:x", "magnet[:]?xt=urn:x"),
        ("a.b@mail.example", "a.b@mail.example"),
        ("Ends here. Next", "Ends here. Next"),
    ],
)
def test_locators_are_broken_and_words_are_not(text, broken):
    assert defang(text) == broken
    assert defang(defang(text)) == broken


def test_characters_without_a_glyph_are_named():
    assert printable("a\u202eb\U0001f600é") == "a{U+202E}b{U+1F600}é"


def test_needs_are_exactly_the_places_of_the_plan():
    places = {(s, n): f for s, names in SECTIONS.items() for n, f in names.items()}
    groups = (
        plan.FRONT,
        plan.CASE,
        plan.REFERRAL,
        plan.REPORTER,
        plan.NARRATIVE,
        plan.ASSESSMENT,
        plan.ACTIONS,
        plan.LEGAL,
    )
    used = {(p.section, p.name): p.field for group in groups for p in group}
    assert used.items() <= places.items()
    assert {f for k, f in places.items() if k not in used} == {"F12", "F13", "F61"}
    for collection, columns in plan.COLLECTIONS.items():
        named = {c.name: c.field for c in columns}
        assert named.items() <= COLLECTIONS[collection].items()
        assert set(COLLECTIONS[collection].values()) - set(named.values()) <= SEALED_APART | {"F83"}


def test_the_four_languages_have_the_same_words():
    tables = {language: Words(language).table for language in LANGUAGES}
    keys = {language: set(table) for language, table in tables.items()}
    assert keys["nl"] == keys["fr"] == keys["de"] == keys["en"]
    for key in keys["en"]:
        holes = {language: sorted(re.findall(r"{\w+}", table[key])) for language, table in tables.items()}
        assert len({tuple(h) for h in holes.values()}) == 1, key
        assert all(printable(table[key]) == table[key] for table in tables.values()), key


def test_every_code_of_the_schema_has_words():
    from typing import get_args

    from broker.core import schema

    missing = []
    for field_id, member, values in _codes(schema, get_args):
        missing += [(field_id, v) for v in values if Words("en").code(field_id, member, v) is None]
    assert missing == []


def _codes(schema, get_args):
    from broker.core import schema_entities

    def model(name):
        return getattr(schema_entities, name, None) or getattr(schema, name)

    models = {
        "F05": model("JurisdictionReason"),
        "F23": model("Known"),
        "F31": model("Site"),
        "F35": model("Trace"),
        "F45": model("CountryEstimate"),
        "F49": model("EventKind"),
        "F60": model("Confirmation"),
        "F62": model("Evaluation"),
        "F64": model("Statement"),
        "F65": model("Custody"),
        "F69": model("Removal"),
        "F73": model("Link"),
        "F78": model("Commerce"),
        "F79": model("SelfGenerated"),
        "F81": model("Hold"),
        "F82": model("OffenceAt"),
        "F25": model("Moment"),
    }
    for field_id, one in models.items():
        for name, info in one.model_fields.items():
            values = [v for v in get_args(info.annotation) if isinstance(v, str)]
            yield field_id, name, values
    groups = {"case": model("CaseFacts"), "reporter": model("Reporter")}
    for section, one in groups.items():
        for name, field_id in SECTIONS[section].items():
            yield field_id, "", _literals(one, name, get_args)
    entities = {
        "items": model("Item"),
        "persons": model("Person"),
        "events": model("Event"),
        "victims": model("Victim"),
    }
    for collection, one in entities.items():
        for name, field_id in COLLECTIONS[collection].items():
            if field_id not in {"F51"}:
                yield field_id, "", _literals(one, name, get_args)


def _literals(model, name, get_args):
    if name not in model.model_fields or name == "urgency":
        return []
    found = []
    stack = [model.model_fields[name].annotation]
    while stack:
        for arg in get_args(stack.pop()):
            if isinstance(arg, str):
                found.append(arg)
            elif arg is not None and not hasattr(arg, "model_fields"):
                stack.append(arg)
    return [v for v in found if re.fullmatch(r"[a-z0-9_]+", v)]


def test_lint_finds_what_must_not_leave():
    pdf, table = adapter.render(FULL)
    other = adapter.render(SAMPLES["grooming"])

    def codes(*documents):
        return {f.code for f in adapter.lint(FULL, documents) if f.severity == "block"}

    assert codes(pdf, table) == set()
    assert codes(pdf) == {"dossier-document-missing"}
    assert "dossier-attachment-differs" in codes(other[0], table)
    assert "dossier-csv-url" in codes(pdf, other[1])
    assert "dossier-pdf-unreadable" in codes(replace(pdf, content=b"%PDF-1.7 nothing"), table)
    assert "dossier-csv-shape" in codes(pdf, replace(table, content=table.content[20:]))
    run = table.content.replace(b"\"'+32 2", b'"+32 2')
    assert run != table.content
    assert "dossier-csv-formula" in codes(pdf, replace(table, content=run))


def test_lint_warns_of_what_an_officer_would_miss():
    referral = SAMPLES["empty"]
    codes = {f.code for f in adapter.lint(referral, adapter.render(referral))}
    assert {"dossier-no-desk-telephone", "dossier-no-handling"} <= codes


def test_lint_names_what_is_not_shown():
    payload = json.loads(FULL.payload)
    payload["doc"]["entities"]["locations"]["alocs4hh2p"]["credentials"] = {"username": "u", "password": "p"}
    referral = referral_from(payload)
    found = [f for f in adapter.lint(referral, adapter.render(referral)) if f.code == "dossier-not-shown"]
    assert [f.params for f in found] == [{"field": "F83"}]


def test_many_rows_stay_on_the_page_and_within_bounds():
    payload = json.loads(FULL.payload)
    items = payload["doc"]["entities"]["items"]
    one = items["aitem2xk7q"]
    for n in range(60):
        items[f"c{n:02d}em2xk7q".replace("0", "x").replace("1", "y").replace("8", "w").replace("9", "z")] = {
            **one,
            "ref": {"ref": f"item {n + 3}", "found_at": []},
        }
    referral = referral_from(payload)
    documents = adapter.render(referral)
    assert not [f for f in adapter.lint(referral, documents) if f.severity == "block"]
    assert len(open_pdf(documents[0]).pages) > 20


@pytest.mark.parametrize(
    ("name", "language"),
    [*(("full", language) for language in LANGUAGES), ("grooming", "nl"), ("narrow", "fr"), ("empty", "de")],
)
def test_golden_text(name, language):
    """Regenerate with `BROKER_REGENERATE_GOLDEN=1 pytest tests/adapters` and read the difference."""
    documents = adapter.render(replace(SAMPLES[name], language=language))
    text = "\n\f\n".join(pages(documents[0])) + "\n"
    path = GOLDEN / f"{name}-{language}.txt"
    if os.environ.get(REGENERATE):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_golden_csv():
    content = adapter.render(FULL)[1].content
    path = GOLDEN / "full-en.csv"
    if os.environ.get(REGENERATE):
        path.write_bytes(content)
    assert content == path.read_bytes()


def test_documents_hold_no_clock_but_the_referral_s():
    reader = open_pdf(adapter.render(FULL)[0])
    assert reader.metadata is not None
    assert str(reader.metadata.creation_date).startswith("2026-03-01 14:10:00")
    assert io.BytesIO(adapter.render(FULL)[0].content).read(5) == b"%PDF-"
