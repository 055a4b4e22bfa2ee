"""The graph: accepted by CASE's own validator, found by SPARQL, and nothing in it but the referral."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import rdflib
from case_utils.case_validate import validate

from adapters.case_uco import adapter, mapping
from adapters.case_uco.places import ELEMENTS, FACTS, NEEDS
from broker.conformance import samples
from broker.core.fields import COLLECTIONS, SEALED_APART, SECTIONS
from broker.spi import Document
from tests.adapters.corpus import FULL, corpus, given_values, middling

pytestmark = [
    pytest.mark.filterwarnings(r"ignore:\w+ is deprecated, use Dataset:DeprecationWarning"),
    pytest.mark.filterwarnings(r"ignore:\w+ is deprecated. Use files\(\) instead:DeprecationWarning"),
]
"""rdflib's own reader of JSON-LD, and how case_utils opens its files."""

GOLDEN = Path(__file__).parent / "golden"
REGENERATE = "BROKER_REGENERATE_GOLDEN"
SAMPLES = samples()
PREFIXES = """
PREFIX a: <https://ontology.unifiedcyberontology.org/uco/action/>
PREFIX c: <https://ontology.unifiedcyberontology.org/uco/core/>
PREFIX i: <https://ontology.caseontology.org/case/investigation/>
PREFIX id: <https://ontology.unifiedcyberontology.org/uco/identity/>
PREFIX m: <https://ontology.unifiedcyberontology.org/uco/marking/>
PREFIX o: <https://ontology.unifiedcyberontology.org/uco/observable/>
PREFIX t: <https://ontology.unifiedcyberontology.org/uco/types/>
"""
WORDS = {
    "case-investigation:focus": set(),
    "uco-core:context": {"contact history"},
    "uco-core:definingContext": {"broker-referral/1 element"},
    "uco-core:kindOfRelationship": {
        "Connected_To",
        "Contained_Within",
        "Referred_By",
        "Related_To",
        "Resolved_To",
    },
    "uco-core:name": {"drafted", "preservation"},
    "uco-marking:definitionType": {"statement"},
    "uco-types:hashMethod": {"MD5", "SHA1", "SHA256"},
    "uco-core:isDirectional": {"true"},
}
"""Words of the ontology, or of this adapter, that may stand in the graph beside values."""


def document(referral):
    [made] = adapter.render(referral)
    return made


def nodes(referral):
    return json.loads(document(referral).content)["@graph"]


def literals(referral):
    """(term, text) of every literal."""
    for node in nodes(referral):
        for term, value in node.items():
            for one in value if isinstance(value, list) else [value]:
                if term in {"@id", "@type"} or (isinstance(one, dict) and "@id" in one):
                    continue
                text = one["@value"] if isinstance(one, dict) else one
                yield term, json.dumps(text) if isinstance(text, bool) else str(text)


def ask(referral, query):
    graph = rdflib.Graph().parse(data=document(referral).content, format="json-ld")
    return sorted(tuple(str(cell) for cell in row) for row in graph.query(PREFIXES + query))


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_golden(name):
    golden = GOLDEN / f"case-{name}.jsonld"
    made = document(SAMPLES[name]).content
    if os.environ.get(REGENERATE):
        golden.write_bytes(made)
    assert made == golden.read_bytes()


def accepted(files, version):
    result = validate([str(file) for file in files], case_version=version)
    assert result.conforms, result.text
    assert result.undefined_concepts == set()


@pytest.mark.slow
def test_case_validate_accepts_golden_files_and_twenty_generated(tmp_path):
    files = [GOLDEN / f"case-{name}.jsonld" for name in sorted(SAMPLES)]
    for n, referral in enumerate(middling(20)):
        files.append(tmp_path / f"{n}.jsonld")
        files[-1].write_bytes(document(referral).content)
    accepted(files, "case-1.5.0")


@pytest.mark.slow
def test_case_validate_accepts_them_as_the_version_before(tmp_path):
    accepted([GOLDEN / "case-narrow.jsonld", GOLDEN / "case-grooming.jsonld"], "case-1.4.0")


@pytest.mark.slow
def test_case_validate_would_have_said_no(tmp_path):
    graph = json.loads(document(SAMPLES["empty"]).content)
    for node in graph["@graph"]:
        if node["@type"] == "case-investigation:Investigation":
            node["uco-core:name"] = 42
    path = tmp_path / "bad.jsonld"
    path.write_text(json.dumps(graph))
    assert not validate(str(path), case_version="case-1.5.0").conforms


def test_sparql_finds_the_urls():
    found = ask(FULL, "SELECT ?u WHERE { ?n a o:URL ; c:hasFacet/o:fullValue ?u }")
    wanted = {
        v[name]
        for v in FULL.entities["locations"].values()
        for name in ("url", "page_url", "referrer")
        if name in v
    }
    wanted.add(FULL.entities["persons"]["apers2vv4w"]["profile"]["url"])
    assert {row[0] for row in found} == wanted


def test_sparql_finds_the_hashes_of_each_item_and_where_it_stands():
    found = ask(
        FULL,
        """SELECT ?e ?m ?v WHERE {
             ?f a o:File ; c:externalReference/c:externalIdentifier ?e ; c:hasFacet/o:hash ?h .
             ?h t:hashMethod ?m ; t:hashValue ?v }""",
    )
    items = FULL.entities["items"]
    assert {(e, m, v.lower()) for e, m, v in found} == {
        (e, h["alg"].upper(), h["value"]) for e, i in items.items() for h in i["crypto_hash"]
    }
    places = ask(
        FULL,
        """SELECT ?e ?l WHERE {
             ?r c:source/c:externalReference/c:externalIdentifier ?e ;
                c:target/c:externalReference/c:externalIdentifier ?l ;
                c:kindOfRelationship "Contained_Within" }""",
    )
    assert places == sorted((e, where) for e, i in items.items() for where in i["ref"]["found_at"])


def test_sparql_finds_the_accounts_with_their_service():
    found = ask(
        FULL,
        """SELECT ?s ?a ?h WHERE {
             ?n a o:DigitalAccount ; c:hasFacet ?f ; c:hasFacet/o:displayName ?h .
             ?f o:accountIssuer/c:name ?s . OPTIONAL { ?f o:accountIdentifier ?a } }""",
    )
    assert found == [
        ("Chat Service A (synthetic)", "user-000117", "synthetic_person_a"),
        ("Forum B (synthetic)", "None", "second_handle_b"),
    ]


def test_sparql_finds_address_port_and_time_together_with_the_account():
    found = ask(
        FULL,
        """SELECT ?ip ?port ?t ?a WHERE {
             ?n c:hasFacet ?f . ?f o:src/c:hasFacet/o:addressValue ?ip ; o:startTime ?t .
             OPTIONAL { ?f o:sourcePort ?port }
             ?r c:source ?n ; c:target/c:hasFacet/o:accountIdentifier ?a }""",
    )
    assert [
        (ip, port, rdflib.Literal(t, datatype=rdflib.XSD.dateTime).toPython().isoformat(), a)
        for ip, port, t, a in found
    ] == [
        ("198.51.100.23", "51234", "2026-02-28T20:14:05+00:00", "user-000117"),
        ("2001:db8:12:34::9a", "None", "2026-03-01T06:01:59.250000+01:00", "user-000117"),
    ]


def test_sparql_finds_who_did_what_and_how_sure_that_is():
    found = ask(
        FULL,
        """SELECT ?rel ?who ?what ?how WHERE {
             ?r c:kindOfRelationship ?rel ; c:source/c:hasFacet/o:displayName ?who ;
                c:target/c:externalReference/c:externalIdentifier ?what .
             ?n c:object ?r ; c:tag "link.type" ; c:statement ?how }""",
    )
    assert found == [
        ("posted", "synthetic_person_a", "aitem2xk7q", "fact"),
        ("shared", "second_handle_b", "bitem5mw3t", "assessment"),
    ]


def test_sparql_finds_confirmations_and_conditions():
    found = ask(
        FULL,
        """SELECT ?claim ?org ?t WHERE {
             ?s a i:InvestigativeAction ; c:tag "confirmations" ; c:name ?claim ;
                a:performer/c:name ?org ; a:endTime ?t }""",
    )
    assert [row[0] for row in found] == ["content_illegal", "person_linked"]
    marks = ask(
        FULL, "SELECT ?t WHERE { ?n a i:Investigation ; c:objectMarking/m:definition/m:statement ?t }"
    )
    assert [row[0] for row in marks] == sorted(
        entry["text"] for entry in FULL.facts["handling"]["codes"]["conditions"]
    )


def test_every_value_traces_back_to_its_place_in_the_payload():
    doc = json.loads(FULL.payload)["doc"]
    traced = 0
    for node in nodes(FULL):
        tags = node.get("uco-core:tag", [])
        if node["@type"] == "uco-core:Annotation" and len(tags) == 3:
            value = doc
            for step in tags[2].split("/")[1:]:
                value = value[int(step)] if isinstance(value, list) else value[step]
            assert node["uco-core:statement"] == [
                json.dumps(value) if isinstance(value, bool | int) else value
            ]
            traced += 1
    assert traced > 100


def test_ids_depend_on_release_and_place_only():
    made = [node["@id"] for node in nodes(FULL)]
    assert all(UUID(one.removeprefix("urn:uuid:")).version == 5 for one in made)
    changed = replace(FULL, issuer="https://other.example", language="nl")
    assert [node["@id"] for node in nodes(changed)] == made
    other = {node["@id"] for node in nodes(replace(FULL, release="z" * 26))}
    assert not other & set(made)


def test_places_are_those_of_the_schema():
    for mine, theirs in ((FACTS, SECTIONS), (ELEMENTS, COLLECTIONS)):
        assert mine.keys() == theirs.keys()
        for group, names in mine.items():
            assert names.items() <= theirs[group].items()
            assert {f for n, f in theirs[group].items() if n not in names} <= SEALED_APART | {"F13", "F83"}
    assert len(NEEDS) == 79


def test_thousand_generated_hold_nothing_but_the_referral():
    for referral in corpus():
        allowed = given_values(referral)
        for term, text in literals(referral):
            if term == "uco-core:tag":
                continue  # field ids, paths and pointers: checked above, names of the schema only
            assert text in allowed or text in WORDS.get(term, ()), (term, referral.release)


def test_thousand_generated_lose_nothing():
    for referral in corpus():
        said = {text.lower() for _, text in literals(referral)}
        kept = {
            pointer
            for pointer, field in referral.fields.items()
            if field in NEEDS
            and field
            not in {"F16", "F49", "F67", "F73", "F74", "F60", "F65", "F66", "F69", "F05", "F17", "F18"}
        }
        for pointer in kept:
            value = referral.facts if pointer.startswith("/facts/") else referral.entities
            for step in pointer.split("/")[2:]:
                value = value[step]
            for text in _scalars(value):
                assert text.lower() in said, (pointer, referral.release)


def _scalars(value):
    if isinstance(value, dict):
        return [text for child in value.values() for text in _scalars(child)]
    if isinstance(value, list):
        return [text for child in value for text in _scalars(child)]
    return [json.dumps(value) if isinstance(value, bool) else str(value)]


def test_thousand_generated_are_the_same_twice_and_clean():
    for referral in corpus():
        documents = adapter.render(referral)
        assert adapter.render(referral) == documents
        assert [f.code for f in adapter.lint(referral, documents) if f.severity == "block"] == []


def _broken(change):
    graph = json.loads(document(FULL).content)
    change(graph)
    return [Document("referral.jsonld", "application/ld+json", json.dumps(graph).encode())]


def _first(graph, kind):
    return next(node for node in graph["@graph"] if node["@type"] == kind)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda g: g["@context"].update(kb="http://kb.example/"), "case-context"),
        (lambda g: g["@graph"][0].update({"@id": "kb:1"}), "case-node-id"),
        (lambda g: g["@graph"].append(dict(g["@graph"][0])), "case-node-id"),
        (lambda g: _first(g, "uco-types:Hash").pop("uco-types:hashMethod"), "case-incomplete-node"),
        (lambda g: _first(g, "uco-core:Relationship").pop("uco-core:target"), "case-incomplete-node"),
        (lambda g: g["@graph"].remove(_first(g, "uco-types:Hash")), "case-dangling-reference"),
        (
            lambda g: _first(g, "uco-types:Hash")["uco-types:hashValue"].update({"@value": "xy"}),
            "case-ill-typed",
        ),
        (lambda g: _first(g, "uco-observable:URLFacet").pop("uco-observable:fullValue"), "case-url-missing"),
        (lambda g: g.pop("@graph"), "case-unreadable"),
    ],
)
def test_lint_blocks(change, code):
    assert code in {f.code for f in adapter.lint(FULL, _broken(change)) if f.severity == "block"}


def test_lint_blocks_an_absent_document_and_takes_milliseconds():
    import time

    assert [f.code for f in adapter.lint(FULL, [])] == ["case-document-missing"]
    documents = adapter.render(FULL)
    begin = time.process_time()
    assert adapter.lint(FULL, documents) == []
    assert time.process_time() - begin < 0.1


def test_nothing_is_made_of_nothing():
    kinds = {node["@type"] for node in nodes(SAMPLES["empty"])}
    assert "uco-observable:URL" not in kinds
    assert mapping.compose(SAMPLES["empty"]).encode() == document(SAMPLES["empty"]).content
