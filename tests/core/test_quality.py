"""Thirty checks: each fails when its input is missing, none tells what a recipient does not get."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from broker.core.checks import Process
from broker.core.fields import COLLECTIONS, FIELD_IDS, SECTIONS
from broker.core.pack import load_pack
from broker.core.quality import (
    Quality,
    as_document,
    assess,
    minor_check_needed,
    named_gaps,
    priority,
    texts,
)
from tests.cases import KINDS, accepted, cases, full_case, minimal_case

PACK = load_pack("be")
XX = load_pack(Path(__file__).parents[1] / "packs" / "xx")
NOW = datetime.fromisoformat("2026-03-01T18:00:00+01:00")
ALL = frozenset(FIELD_IDS)
Change = Callable[[dict[str, Any]], object]


def look(
    document: dict[str, Any],
    recipient_class: str = "BEP",
    *,
    mask: frozenset[str] = ALL,
    process: Process | None = None,
    now: datetime = NOW,
) -> Quality:
    facts, entities = as_document(accepted(document).data)
    return assess(
        facts,
        entities,
        pack=PACK,
        recipient_class=recipient_class,
        kind=document["case"]["kind"],
        mask=mask,
        now=now,
        process=process or Process(),
    )


def gaps(document: dict[str, Any], recipient_class: str = "BEP", **more: Any) -> tuple[str, ...]:
    facts, entities = as_document(accepted(document).data)
    return named_gaps(
        facts,
        entities,
        pack=PACK,
        recipient_class=recipient_class,
        kind=document["case"]["kind"],
        mask=more.pop("mask", ALL),
        **more,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("recipient_class", ["BEP", "BEM", "FLE", "INH", "EUR", "INT", "NCM", "HSP"])
def test_a_full_case_is_complete_for_everyone(kind: str, recipient_class: str) -> None:
    quality = look(full_case(kind), recipient_class)
    assert quality.gaps == ()
    assert quality.blocks == ()
    assert quality.score == 100


def each(collection: str, change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda document: [change(entity) for entity in document[collection].values()]


CHANGES: list[tuple[str, str, Change]] = [
    ("content_report", "url-not-exact", each("locations", lambda e: e.pop("url"))),
    (
        "content_report",
        "url-not-exact",
        lambda d: d["locations"]["loc1"].update(url="https://x.example/a?PHPSESSID=1"),
    ),
    ("content_report", "url-not-exact", lambda d: d["locations"]["loc2"].update(url="https://bit.ly/a")),
    ("content_report", "url-not-exact", lambda d: (d.pop("locations"), _unplace(d))),
    ("content_report", "stale-online-check", lambda d: d["locations"]["loc2"].pop("last_check")),
    ("content_report", "no-host-trace", lambda d: d["locations"]["loc2"].pop("trace")),
    ("content_report", "no-host-trace", lambda d: d["locations"]["loc2"]["host"].pop("ip")),
    ("content_report", "no-hash", lambda d: d["items"]["item2"].pop("crypto_hash")),
    (
        "content_report",
        "timestamp-ambiguous",
        lambda d: d["items"]["item1"]["seen"]["first"].update(clock="unknown"),
    ),
    ("person_lead", "timestamp-ambiguous", lambda d: d["events"]["event1"]["timestamp"].pop("clock")),
    ("person_lead", "ip-without-port-or-tz", lambda d: d["events"]["event1"].pop("port")),
    ("person_lead", "ip-role-unknown", lambda d: d["events"]["event1"].update(ip_role="unknown")),
    (
        "person_lead",
        "no-suspect-identifier",
        each("persons", lambda e: (e.pop("account"), e["contact"].update(verified=False))),
    ),
    ("content_report", "wrong-or-unknown-jurisdiction", lambda d: d["case"].pop("jurisdiction_basis")),
    ("content_report", "urgency-unreasoned", lambda d: d["case"].update(urgency_reason="soon")),
    ("content_report", "urgency-unreasoned", lambda d: d["case"].pop("urgency")),
    ("danger", "no-risk-indicator", lambda d: d["persons"]["person1"].pop("child_access")),
    ("content_report", "novelty-unknown", lambda d: d["items"]["item1"].pop("known_status")),
    ("content_report", "human-review-unknown", lambda d: d["items"]["item1"]["human_viewed"].pop("by_org")),
    ("content_report", "ai-status-unknown", lambda d: d["items"]["item1"].update(synthetic_flag="unknown")),
    ("content_report", "classification-incomplete", lambda d: d["items"]["item1"].pop("labels")),
    ("content_report", "fact-assessment-mixed", lambda d: d["assessment"]["narrative"][0].pop("source")),
    ("person_lead", "no-evaluation", lambda d: d["persons"]["person1"].pop("evaluation")),
    ("grooming_or_extortion", "no-context", lambda d: d["contacts"]["contact1"].pop("count")),
    ("grooming_or_extortion", "no-context", lambda d: d.pop("contacts")),
    ("person_lead", "no-preservation", lambda d: d["evidence"].pop("preservation")),
    ("content_report", "custody-gap", lambda d: d["evidence"].pop("custody")),
    (
        "content_report",
        "custody-gap",
        lambda d: d["evidence"].update(custody=[d["evidence"]["custody"][2]]),
    ),
    ("content_report", "removal-state-unknown", lambda d: d["actions"].pop("removal")),
]


def _unplace(document: dict[str, Any]) -> None:
    for item in document["items"].values():
        item["found_at"] = []
    for section, member in (("evidence", "custody"), ("actions", "removal")):
        for entry in document[section][member]:
            entry["about"] = []
    document["case"]["jurisdiction_basis"][1]["about"] = []
    document["actions"]["hold"]["about"] = []


@pytest.mark.parametrize(
    ("kind", "gap", "change"), CHANGES, ids=[f"{i}-{gap}" for i, (_, gap, _) in enumerate(CHANGES)]
)
def test_each_check_names_its_gap(kind: str, gap: str, change: Change) -> None:
    document = full_case(kind)
    change(document)
    quality = look(document)
    assert gap in quality.gaps
    assert quality.score < 100
    assert quality.blocks == ()
    assert gap in gaps(document)


def test_every_document_gap_is_covered() -> None:
    wanted = {g for check in PACK.checks.values() if check.scope == "document" for g in check.gaps}
    assert {gap for _, gap, _ in CHANGES} == wanted


@pytest.mark.parametrize(
    ("process", "gap", "blocks"),
    [
        (Process(confirmed=False), "not-confirmed", True),
        (Process(legal_basis=False), "no-legal-basis", True),
        (Process(agreement_in_force=False), "agreement-expired", True),
        (Process(handling_present=False), "no-handling", True),
        (Process(handling_compatible=False), "code-conflict", True),
        (Process(payload_clean=False), "forbidden-payload", True),
        (Process(text_cleared=False), "text-leak", True),
        (Process(minor_check_needed=True, minor_check_done=False), "minor-check-missing", True),
        (Process(recipients_stated=False), "no-deconfliction", False),
        (Process(other_open_referral=True), "duplicate", False),
    ],
)
def test_process_checks(process: Process, gap: str, blocks: bool) -> None:
    quality = look(full_case(), process=process)
    assert quality.gaps == (gap,)
    assert quality.blocks == ((gap,) if blocks else ())
    assert (quality.score < 100) != blocks


def test_language_is_asked_of_whom_it_concerns() -> None:
    assert look(full_case(), "BEM", process=Process(language_available=False)).gaps == ("language",)
    assert look(full_case(), "BEP", process=Process(language_available=False)).gaps == ()


def test_urgent_and_statutory_drafts_are_not_held_up() -> None:
    urgent = Process(confirmed=False, urgent=True, minor_check_needed=True, minor_check_done=False)
    assert look(full_case("danger"), process=urgent).blocks == ()
    assert look(full_case(), process=Process(agreement_in_force=False, statutory=True)).blocks == ()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_nothing_in_a_document_ever_blocks(document: dict[str, Any]) -> None:
    """Ruling 6: however empty the case, only process gates stop it."""
    quality = look(document)
    assert quality.blocks == ()
    assert 0 <= quality.score <= 100
    assert 0 <= quality.priority <= 100
    assert not set(quality.gaps) - set(PACK.gap_texts)


def test_a_bare_statutory_case_scores_low_and_passes() -> None:
    quality = look(minimal_case())
    assert quality.score < 40
    assert quality.blocks == ()


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_case_decides_which_checks_apply(kind: str) -> None:
    missing = look(minimal_case(kind)).gaps
    assert ("no-context" in missing) is False or kind == "grooming_or_extortion"
    assert ("no-hash" in missing) is False or kind == "content_report"
    assert ("no-suspect-identifier" in missing) == (kind == "danger")
    assert ("removal-state-unknown" in missing) == (kind == "content_report")


def test_freshness_depends_on_urgency() -> None:
    document = full_case()
    later = datetime.fromisoformat("2026-03-03T12:00:00+01:00")
    assert "stale-online-check" in look(document, now=later).gaps
    document["case"]["urgency"] = "U3"
    assert "stale-online-check" not in look(document, now=later).gaps
    assert "stale-online-check" in look(document, now=datetime.fromisoformat("2026-03-09T00:00:00Z")).gaps
    assert "stale-online-check" not in gaps(document)
    assert "stale-online-check" in gaps(document, at=datetime.fromisoformat("2026-03-09T00:00:00Z"))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_a_gap_is_named_only_where_all_inputs_go(document: dict[str, Any]) -> None:
    for check in PACK.checks.values():
        if check.scope != "document":
            continue
        for field_id in check.inputs:
            others = {g for c in PACK.checks.values() if c.id != check.id for g in c.gaps}
            found = gaps(document, mask=ALL - {field_id}) if check.classes & {"BEP"} else ()
            assert not (set(check.gaps) - others) & set(found)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_gaps_depend_on_nothing_the_recipient_does_not_get(document: dict[str, Any]) -> None:
    """Two cases that differ only outside the recipient's column name the same gaps."""
    facts, entities = as_document(accepted(document).data)
    for recipient_class in ("FLE", "INH", "HSP", "INT"):
        mask = frozenset(f for f in FIELD_IDS if PACK.action(f, recipient_class) not in {"-", "C"})
        seen_facts, seen_entities = _only(facts, SECTIONS, mask), _inside(entities, mask)
        kind = document["case"]["kind"]
        arguments = {"pack": PACK, "recipient_class": recipient_class, "kind": kind, "mask": mask}
        assert named_gaps(facts, entities, **arguments) == named_gaps(  # type: ignore[arg-type]
            seen_facts,
            seen_entities,
            **arguments,  # type: ignore[arg-type]
        )


def _only(groups: Any, places: Any, mask: frozenset[str]) -> Any:
    return {g: {n: v for n, v in e.items() if places[g].get(n) in mask} for g, e in groups.items()}


def _inside(entities: Any, mask: frozenset[str]) -> Any:
    return {
        collection: {
            local_id: {n: v for n, v in entity.items() if COLLECTIONS[collection].get(n) in mask}
            for local_id, entity in group.items()
        }
        for collection, group in entities.items()
    }


def test_process_gaps_are_never_named_outward() -> None:
    assert not {g for c in PACK.checks.values() if c.scope == "process" for g in c.gaps} & set(
        gaps(minimal_case())
    )


def test_priority_is_not_completeness() -> None:
    bare, full = minimal_case("danger"), full_case("content_report")
    full["case"]["urgency"] = "U4"
    for person in full["persons"].values():
        person["child_access"] = "none"
    for item in full["items"].values():
        item["known_status"]["status"] = "known"
    assert look(bare).score < look(full).score
    assert look(bare).priority > look(full).priority


@pytest.mark.parametrize(
    ("change", "more"),
    [
        (lambda f, e: f["case"].update(urgency="U1"), 15),
        (lambda f, e: e["persons"]["person1"].update(child_access="confirmed"), 10),
        (lambda f, e: f["case"].update(offence_type="csam_production"), 15),
    ],
)
def test_what_raises_priority(change: Callable[[Any, Any], object], more: int) -> None:
    facts, entities = as_document(copy.deepcopy(dict(accepted(full_case("person_lead")).data)))
    before = priority(facts, entities)
    change(facts, entities)
    assert priority(facts, entities) == before + more


def test_gaps_have_words_in_every_language() -> None:
    for language in PACK.languages:
        words = texts(PACK, tuple(PACK.gap_texts), language)
        assert all(words)
        assert len(set(words)) == len(words)


def test_the_minor_check_is_asked_where_somebody_is_reported() -> None:
    data = accepted(full_case()).data
    assert minor_check_needed({"person1"}, data)
    assert not minor_check_needed({"item1", "loc1"}, data)
    own = full_case()
    own["items"]["item1"]["self_generated"]["self_generated"] = "unknown"
    assert minor_check_needed({"item1"}, accepted(own).data)


def test_another_country_checks_by_its_own_folder() -> None:
    facts, entities = as_document(accepted(minimal_case()).data)
    arguments = {"pack": XX, "kind": "content_report", "mask": ALL}
    assert "url-not-exact" not in named_gaps(facts, entities, recipient_class="XPO", **arguments)  # type: ignore[arg-type]
    assert "stale-online-check" in named_gaps(facts, entities, recipient_class="XPO", **arguments)  # type: ignore[arg-type]
    assert named_gaps(facts, entities, recipient_class="BEP", **arguments) == ()  # type: ignore[arg-type]
