"""Every (recipient, purpose) pair of the pack renders each of its formats, from really minimised cases."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from broker.core import handling, taint
from broker.core.pack import load_pack
from broker.core.referral import Header, build_payload, seal_tree
from broker.desk import compose
from broker.errors import NotFound
from broker.runtime import adapters
from broker.sealing.encrypt import MAX_DOCUMENT
from broker.spi import AdapterInfo, Document, Renders
from tests.cases import KINDS, confirmed, full_case, minimal_case
from tests.core.minimising import grounds_for, pairs, request, run

PACK = load_pack("be")
ADAPTERS = adapters()
DESK = SimpleNamespace(pack=PACK, adapters=ADAPTERS)


def minimised_for(released, recipient_class, purpose):
    """The minimised case and the referral of it."""
    conditions = handling.as_json(handling.default(PACK, recipient_class), PACK, "en")
    house = {name: getattr(PACK.desk, name) for name in ("organisation", "phone", "mail", "hours")}
    house["languages"] = list(PACK.desk.languages)
    changes = {"handling": conditions, "grounds": grounds_for(recipient_class), "desk": house}
    minimised = run(released, recipient_class, purpose, **changes)
    party = request(recipient_class, purpose).recipient.party
    header = Header(
        release="a2b3c4d5e6f7g2h3i4j5k6l7m2",
        issuer="https://broker.hotline.example",
        addressee=party,
        carrier=party,
        reference="CF-2026-000123-7",
        version=1,
        kind="new",
        supersedes=None,
        drafted_at=datetime(2026, 3, 1, 14, 10, tzinfo=UTC),
        language="en",
        purposes=(purpose,),
        unconfirmed=False,
    )
    tree = seal_tree(minimised, b"s" * 32)
    return minimised, *build_payload(minimised, header, tree.root, tree.depth)


def rendered(referral, desk=DESK):
    return compose._render(desk, referral, None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("recipient_class", "purpose"), pairs())
def test_every_pair_renders_each_of_its_formats(recipient_class, purpose, kind):
    minimised, payload, referral = minimised_for(confirmed(full_case(kind)), recipient_class, purpose)
    documents, findings = rendered(referral)
    assert [f.code for f in findings if f.severity == "block"] == []
    formats = PACK.formats[recipient_class]
    wanted = [d.name for name in formats for d in ADAPTERS[name].render(referral)]
    assert [d.name for d in documents] == wanted
    assert len(set(wanted)) == len(wanted)
    parts = compose.plain_parts(payload, documents)
    found = taint.scan(taint.subjects(minimised), parts, taint.locators(minimised))
    assert [f.pointer for f in found if f.severity == "block"] == []


@pytest.mark.parametrize(("recipient_class", "purpose"), pairs())
def test_so_does_the_least_that_makes_sense(recipient_class, purpose):
    _, _, referral = minimised_for(confirmed(minimal_case("person_lead")), recipient_class, purpose)
    _, findings = rendered(referral)
    assert [f.code for f in findings if f.severity == "block"] == []


def test_the_pack_names_adapters_that_are_there_and_render():
    named = {name for formats in PACK.formats.values() for name in formats}
    assert named == {"police_dossier", "case_uco", "europol", "interpol", "ncmec"}
    assert all(isinstance(ADAPTERS[name], Renders) for name in named)
    assert PACK.formats["EUR"][0] == "europol"
    assert PACK.formats["INT"][0] == "interpol"
    assert PACK.formats["HSP"] == PACK.formats["STA"] == ()


def test_interpol_gets_no_suspect_of_a_full_case():
    _, _, referral = minimised_for(confirmed(full_case("person_lead")), "INT", "P4")
    documents, _ = rendered(referral)
    assert [d.name for d in documents][:2] == ["interpol.json", "icse.csv"]
    made = json.loads(documents[0].content)
    assert made["items"]
    assert made["victims"]
    assert len(documents[1].content.splitlines()) == 1 + len(made["items"])
    case = full_case("person_lead")
    told = b"".join(d.content for d in documents[:2]).decode()
    for person in case["persons"].values():
        assert person["account"]["account_id"] not in told
        assert person["handle"] not in told


def test_europol_gets_proposed_codes_and_a_letter():
    _, _, referral = minimised_for(confirmed(full_case("person_lead")), "EUR", "P3")
    made = json.loads(rendered(referral)[0][0].content)
    assert made["handling"]["codes"] == ["H0"]
    assert [p["letter"] for p in made["purposes"]] == ["a"]


class Other:
    """An adapter that writes one document of a given name and content, or fails."""

    def __init__(self, name, content=b"x"):
        self.content = content
        self.info = AdapterInfo("other", "Other", "text", "1", False, media_types=("text/plain",))
        self.name = name

    def render(self, referral):
        if not self.name:
            raise ValueError(referral.reference)
        return [Document(self.name, "text/plain", self.content)]

    def lint(self, referral, documents):
        return []


def with_other(name, content=b"x"):
    pack = replace(PACK, formats={**PACK.formats, "BEP": ("case_uco", "other")})
    return SimpleNamespace(pack=pack, adapters={**ADAPTERS, "other": Other(name, content)})


@pytest.mark.parametrize("name", ["referral.jsonld", "referral.json"])
def test_a_name_that_is_taken_blocks(name):
    _, _, referral = minimised_for(confirmed(full_case()), "BEP", "P2")
    documents, findings = rendered(referral, with_other(name))
    assert [d.name for d in documents] == ["referral.jsonld"]
    [found] = [f for f in findings if f.severity == "block"]
    assert (found.code, found.params) == ("document-name-taken", {"adapter": "other"})


def test_a_document_that_could_not_be_sealed_blocks_before_anybody_approves_it():
    _, _, referral = minimised_for(confirmed(full_case()), "BEP", "P2")
    documents, findings = rendered(referral, with_other("other.txt", b"x" * MAX_DOCUMENT))
    assert [d.name for d in documents] == ["referral.jsonld"]
    assert [(f.code, f.params) for f in findings if f.severity == "block"] == [
        ("document-too-large", {"adapter": "other"})
    ]


def test_an_adapter_that_fails_blocks_and_the_others_still_render():
    _, _, referral = minimised_for(confirmed(full_case()), "BEP", "P2")
    documents, findings = rendered(referral, with_other(""))
    assert [d.name for d in documents] == ["referral.jsonld"]
    assert [(f.code, f.params) for f in findings if f.severity == "block"] == [
        ("adapter-failed", {"adapter": "other"})
    ]


def test_an_adapter_that_is_not_installed_is_named():
    _, _, referral = minimised_for(confirmed(full_case()), "BEP", "P2")
    desk = SimpleNamespace(pack=PACK, adapters={})
    with pytest.raises(NotFound, match="police_dossier"):
        rendered(referral, desk)
