"""Minimisation of whole cases: non-interference, canaries, references, minors, texts, the payload."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from broker.core import canonical
from broker.core.explain import why
from broker.core.fields import BROKER_COMPUTED, COLLECTIONS, MINOR_RULE, SECTIONS, field_of
from broker.core.minimise import Minimised
from broker.core.referral import Header, build_payload, seal_tree
from broker.core.seal import units_of
from broker.errors import Refused
from tests.cases import AT, KINDS, canaries, cases, confirmed, full_case, urgent_case
from tests.core.minimising import (
    changed,
    disclosed,
    grounds_for,
    pack,
    pairs,
    recipient,
    run,
    terms,
)

SEED = b"s" * 32
EVERYTHING = {"BEP", "BEM", "STA", "CMP"}


def payload(minimised: Minimised) -> bytes:
    """The payload under a fixed header; the seal root is left out, its depth is not."""
    scope = minimised.view.scope
    who = recipient(scope.recipient_class).party
    header = Header(
        release="a" * 26,
        issuer="https://broker.example",
        addressee=who,
        carrier=who,
        reference="CF-2026-000123-7",
        version=1,
        kind="new",
        supersedes=None,
        drafted_at=datetime(2026, 3, 2, 9, tzinfo=UTC),
        language="en",
        purposes=scope.purposes,
        unconfirmed=scope.urgent,
    )
    tree = seal_tree(minimised, SEED)
    return build_payload(minimised, header, b"\0" * 32, tree.depth)[0]


# --- non-interference (ruling 1) ---------------------------------------------------------------------

DRIVERS = {"F06", "F31", "F33", "F34", "F37", "F43", "F45", "F49", "F53"}
"""Fields that decide about rows or clauses; changing them may lawfully change what is sent."""


def other(value: Any) -> Any:
    """Another value of the same shape: every word of a canary backwards, every number moved."""
    if isinstance(value, str):
        if re.fullmatch(r"[0-9a-f]{32,}", value):
            return value[::-1]
        value = re.sub(r"\b(203\.0\.113|198\.51\.100|192\.0\.2)\.\d+", r"\1.222", value)
        return re.sub(r"[a-z]{12}", lambda found: found.group()[::-1], value)
    if isinstance(value, int):
        return not value if isinstance(value, bool) else value + 1
    if isinstance(value, list):
        return [other(entry) for entry in value]
    if isinstance(value, dict):
        return {name: other(child) for name, child in value.items()}
    return value


def disturb(document: dict[str, Any], minimised: Minimised, remove: bool) -> dict[str, Any]:
    """Change, or take away, every withheld value; add entities that are nobody's and speak of them."""
    document = changed(document)
    for unit in minimised.withheld:
        parts = unit.pointer.split("/")[2:]
        kept_row = parts[1] in minimised.element_ids if parts[0] in COLLECTIONS else True
        if parts[0] in ("links", "contacts") or unit.field in DRIVERS:
            continue
        if kept_row and minimised.view.decisions[unit.field].state != "withheld":
            continue  # the recipient gets something of it
        parent = document
        for part in parts[:-1]:
            parent = parent[part]
        required = parts[-1] in ("origin_channel", "offence_type", "dates", "kind", "times_reported")
        if parts[-1] not in parent:
            continue
        if remove and not required:
            del parent[parts[-1]]
        else:
            parent[parts[-1]] = other(parent[parts[-1]])
    if minimised.view.scope.recipient_class not in EVERYTHING:
        add_strangers(document)
    return document


def add_strangers(document: dict[str, Any]) -> None:
    """Entities of a third country that no recipient here is competent for, and entries about them."""
    about = ["item77", "loc77"]
    document["locations"]["loc77"] = {"url": "https://stranger.example/qqqqqq", "country": "SE"}
    document["items"]["item77"] = {"found_at": ["loc77"], "filename": "stranger-qqqqqq.jpg"}
    document["persons"]["person77"] = {
        "handle": "stranger-handle",
        "country_estimate": {"country": "SE", "confidence": "high"},
    }
    document["events"]["event77"] = {"ip": "203.0.113.77", "country": "SE", "event": {"type": "login"}}
    document["case"].setdefault("jurisdiction_basis", []).append(
        {"country": "SE", "reason": "host", "confidence": "high", "about": ["loc77"]}
    )
    document["evidence"].setdefault("custody", []).append(
        {"actor_role": "crawler", "action": "observed", "at": AT, "about": about}
    )
    document["actions"].setdefault("removal", []).append(
        {"to": "stranger-host.example", "at": AT, "status": "removed", "about": ["loc77"]}
    )
    document["evidence"].setdefault("preservation", []).append(
        {"requested_to": "everybody.example", "at": AT}
    )


@pytest.mark.parametrize(("recipient_class", "purpose"), pairs())
@settings(max_examples=12, deadline=None)
@given(document=cases(), remove=st.booleans())
def test_non_interference(recipient_class: str, purpose: str, document: Any, remove: bool) -> None:
    assume(document["items"] or document["persons"] or document["victims"])
    before = run(confirmed(document), recipient_class, purpose)
    after = run(confirmed(disturb(document, before, remove)), recipient_class, purpose)
    assert payload(before) == payload(after)
    assert before.manifest == after.manifest
    assert before.apart == after.apart
    one, two = seal_tree(before, SEED), seal_tree(after, SEED)
    assert one.disclosed == two.disclosed  # positions and salts do not move either


@pytest.mark.parametrize(("recipient_class", "purpose"), [p for p in pairs() if p[0] not in EVERYTHING])
def test_non_interference_on_a_whole_case(recipient_class: str, purpose: str) -> None:
    for kind in KINDS:
        document = full_case(kind)
        before = run(confirmed(document), recipient_class, purpose)
        for remove in (True, False):
            after = run(confirmed(disturb(document, before, remove)), recipient_class, purpose)
            assert payload(before) == payload(after)
            assert before.withheld != after.withheld  # the cases do differ


# --- canaries (domain.md §5.3, 11) -------------------------------------------------------------------


def expected(pointer: str, document: dict[str, Any], minimised: Minimised) -> bool | None:
    """Whether the value at this place goes in full; None where it may go in part (masked text)."""
    parts = pointer.split("/")[1:]
    decisions = minimised.view.decisions
    if parts[0] in COLLECTIONS:
        field_id = COLLECTIONS[parts[0]][{"links": "link", "contacts": "history"}.get(parts[0], parts[2])]
        row = minimised.rows[parts[1]].kept
    else:
        field_id = SECTIONS[parts[0]][parts[1]]
        row = True
        if isinstance(entries := document[parts[0]][parts[1]], list) and "about" in entries[int(parts[2])]:
            row = all(minimised.rows[i].kept for i in entries[int(parts[2])]["about"])
    action = decisions[field_id].action
    if field_id == "F60" and parts[-1] == "analyst":
        return False  # always under a pseudonym
    if action == "M" and row:
        return None
    if field_id in ("F66", "F69", "F09") and action == "G8":
        return False  # nothing in the full case is the recipient's own
    return row and action == "F"


@pytest.mark.parametrize("with_grounds", [False, True])
@pytest.mark.parametrize(("recipient_class", "purpose"), pairs())
def test_a_canary_shows_exactly_where_rows_and_matrix_let_it(
    recipient_class: str, purpose: str, with_grounds: bool
) -> None:
    document = full_case("person_lead")
    document["actions"]["hold"].pop("about")
    grounds = grounds_for(recipient_class) if with_grounds else {}
    minimised = run(confirmed(document), recipient_class, purpose, grounds=grounds)
    text = disclosed(minimised)
    wrong = []
    for pointer, value in canaries(document).items():
        shown = expected(pointer, document, minimised)
        if shown is not None and shown is not (value in text):
            wrong.append((pointer, shown))
    assert not wrong


def test_the_canaries_are_found_at_all() -> None:
    document = full_case("person_lead")
    text = disclosed(run(confirmed(document), "BEP", "P2", grounds=grounds_for("BEP")))
    shown = [pointer for pointer, value in canaries(document).items() if value in text]
    assert len(shown) > 100


@pytest.mark.parametrize(("recipient_class", "purpose"), pairs())
@settings(max_examples=10, deadline=None)
@given(document=cases())
def test_nothing_is_lost_without_being_counted(recipient_class: str, purpose: str, document: Any) -> None:
    assume(document["items"] or document["persons"] or document["victims"])
    released = confirmed(document)
    minimised = run(released, recipient_class, purpose)
    shown = {u.pointer for u in minimised.units} | {u.pointer for u in minimised.apart}
    hidden = {u.pointer for u in minimised.withheld}
    for collection, local_id, entity in released.case.entities():
        names = {"links": ["link"], "contacts": ["history"]}.get(collection, entity)
        for name in names:
            if name in COLLECTIONS[collection] and entity.get(name, True) not in ([], {}):
                element = minimised.element_ids.get(local_id, "-")
                here = f"/entities/{collection}/{element}/{name}"
                assert here in shown or f"/entities/{collection}/{local_id}/{name}" in hidden
    for section in ("case", "reporter", "assessment", "evidence", "actions"):
        for name, value in released.case.data.get(section, {}).items():
            if name in SECTIONS[section] and value not in ([], ()):
                assert f"/facts/{section}/{name}" in shown | hidden


# --- shape ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("recipient_class", "purpose"), pairs())
@settings(max_examples=10, deadline=None)
@given(document=cases())
def test_the_document_has_the_form_of_the_specification(
    recipient_class: str, purpose: str, document: Any
) -> None:
    assume(document["items"] or document["persons"] or document["victims"])
    minimised = run(confirmed(document), recipient_class, purpose)
    doc = {"facts": minimised.facts, "entities": minimised.entities}
    assert units_of(doc) == {unit.pointer: unit.value for unit in minimised.units}
    assert [u.pointer for u in minimised.units] == sorted(u.pointer for u in minimised.units)
    present = {e for elements in minimised.entities.values() for e in elements}
    for unit in minimised.units:
        assert field_of(unit.pointer) == unit.field
        assert unit.value not in (None, [], {})
        assert minimised.view.decisions.get(unit.field) is None or (
            minimised.view.decisions[unit.field].state in ("passed", "transformed")
        )
    assert references(doc) <= present
    assert not local_ids(doc)
    sent = json.loads(payload(minimised))
    assert sent["doc"] == json.loads(canonical.encode(doc))
    assert payload(minimised) == canonical.encode(sent)


def references(value: Any) -> set[str]:
    names = {"about", "account_of", "found_at", "subject", "item", "event", "person", "victims"}
    found: set[str] = set()
    if isinstance(value, dict):
        for name, child in value.items():
            if name in names and isinstance(child, str):
                found.add(child)
            elif name in names and isinstance(child, list):
                found.update(child)
            elif not (name == "victims" and isinstance(child, dict)):
                found |= references(child)
        if "victims" in value and isinstance(value["victims"], dict):
            found |= references(value["victims"])
    elif isinstance(value, list):
        for child in value:
            found |= references(child)
    return found


def local_ids(value: Any) -> list[str]:
    found = re.findall(r'"((?:item|loc|person|event|victim|link|contact)\d+)"', json.dumps(value))
    return sorted(set(found))


def test_numbers_do_not_show_what_was_dropped() -> None:
    minimised = run(confirmed(full_case()), "FLE", "P2")
    (item,) = minimised.entities["items"].values()
    (victim,) = minimised.entities["victims"].values()
    assert item["ref"]["ref"] == "item 1"
    assert victim["ref"] == {"ref": "victim 1", "of": 1}
    every = run(confirmed(full_case()), "BEP", "P2").entities["items"]
    assert [every[element]["ref"]["ref"] for element in sorted(every)] == ["item 1", "item 2", "item 3"]
    assert "3 items" not in minimised.facts["summary"]["text"]


def test_values_that_the_broker_supplies() -> None:
    minimised = run(
        confirmed(full_case()),
        "BEP",
        "P2",
        prior_recipients=({"partner_type": "EUR", "at": AT, "about": ["item1"]},),
    )
    facts = minimised.facts
    assert facts["case"]["case_ref"] == "a" * 26
    assert facts["referral"]["reference"] == "CF-2026-000123-7"
    assert facts["disclosure"]["prior_recipients"] == [{"partner_type": "EUR", "at": AT}]
    made = {u.field for u in minimised.units} & BROKER_COMPUTED
    assert made >= {"F01", "F04", "F67", "F68", "F70", "F71", "F72"}
    abroad = run(
        confirmed(full_case()), "FLE", "P2", prior_recipients=({"partner_type": "EUR", "about": ["item1"]},)
    )
    assert abroad.facts["disclosure"]["prior_recipients"] == {"another_authority": False}


def test_confirmations_name_nobody_and_differ_between_partners() -> None:
    one = run(confirmed(full_case()), "BEP", "P2").facts["assessment"]["confirmations"]
    two = run(confirmed(full_case()), "BEP", "P2", pseudonym_key=b"q" * 32).facts["assessment"][
        "confirmations"
    ]
    assert {entry["analyst"] for entry in one}.isdisjoint({entry["analyst"] for entry in two})
    assert "st_analyst" not in json.dumps([one, two])
    assert len({e["analyst"] for e in one if e["claim"] == "person_linked"}) == 2


def test_a_hold_reaches_whoever_keeps_one_of_its_rows() -> None:
    document = full_case()
    document["actions"]["hold"].update(about=["loc1", "loc2"], state="active")
    minimised = run(confirmed(document), "FLE", "P2")
    assert len(minimised.facts["actions"]["hold"]["about"]) == 1
    document["actions"]["hold"]["about"] = ["loc1"]
    assert "hold" not in run(confirmed(document), "FLE", "P2").facts.get("actions", {})


# --- minors (F43) ------------------------------------------------------------------------------------


def minor_case() -> dict[str, Any]:
    document = full_case("person_lead")
    document["persons"]["person1"]["minor_flag"] = "minor"
    return document


def test_of_a_minor_f_becomes_c() -> None:
    minimised = run(confirmed(minor_case()), "BEP", "P2")
    person = minimised.entities["persons"][minimised.element_ids["person1"]]
    assert set(person) == {"minor_flag", "evaluation"}
    adult = minimised.entities["persons"][minimised.element_ids["person2"]]
    assert "handle" in adult
    event = minimised.entities["events"][minimised.element_ids["event1"]]
    assert set(event) == {"evaluation"}
    assert minimised.element_ids["link1"] not in minimised.entities["links"]
    hidden = {u.field for u in minimised.withheld if "person1" in u.pointer or "event1" in u.pointer}
    assert hidden == MINOR_RULE - {"F73"}
    assert "F73" in {u.field for u in minimised.withheld if "link1" in u.pointer}


def test_a_ground_opens_a_minors_field_and_the_manifest_does_not_tell_of_minors() -> None:
    grounds = {"F38": "minor-among-reported"}
    minimised = run(confirmed(minor_case()), "BEP", "P2", grounds=grounds)
    person = minimised.entities["persons"][minimised.element_ids["person1"]]
    assert set(person) == {"minor_flag", "evaluation", "handle"}
    adults = run(confirmed(full_case("person_lead")), "BEP", "P2", grounds=grounds)
    assert minimised.manifest == adults.manifest


# --- texts ------------------------------------------------------------------------------------------


def named_case() -> dict[str, Any]:
    document = full_case("danger")
    name = document["persons"]["person2"]["self_declared_name"]
    handle = document["persons"]["person2"]["handle"]
    hidden = document["persons"]["person1"]["handle"]
    document["case"]["urgency_reason"] = f"{name} alias {handle} and {hidden} spoke today"
    return document


def test_masks_hide_what_this_recipient_does_not_get_and_nothing_else() -> None:
    document = named_case()
    minimised = run(confirmed(document), "FLE", "P1")
    reason = minimised.facts["case"]["urgency_reason"]
    assert document["persons"]["person2"]["handle"] in reason  # it stands beside the text
    assert document["persons"]["person1"]["handle"] not in reason
    assert document["persons"]["person2"]["self_declared_name"].split()[-1] not in reason
    assert reason.endswith("spoke today")
    pointer = "/facts/case/urgency_reason"
    assert minimised.masked[pointer][:2] == (document["case"]["urgency_reason"], reason)
    assert ("text-leak", "block", pointer) in {(f.code, f.severity, f.pointer) for f in minimised.findings}


def test_a_cleared_text_goes_as_it_was_cleared() -> None:
    pointer = "/facts/case/urgency_reason"
    minimised = run(confirmed(named_case()), "FLE", "P1", clearances={pointer: "Cleared by a person."})
    assert minimised.facts["case"]["urgency_reason"] == "Cleared by a person."
    assert pointer not in {finding.pointer for finding in minimised.findings}


def test_generated_text_stands_beside_and_instead_of_the_narrative() -> None:
    assert "narrative" in run(confirmed(full_case()), "BEP", "P2").facts["assessment"]
    abroad = run(confirmed(full_case()), "INH", "P5")
    assert "narrative" not in abroad.facts["assessment"]
    assert abroad.facts["summary"]["text"]
    assert abroad.manifest["fields"]["F64"] == {"state": "transformed", "how": "T"}
    no_narrative = full_case()
    del no_narrative["assessment"]["narrative"]
    assert run(confirmed(no_narrative), "INH", "P5").facts["summary"] == abroad.facts["summary"]


# --- sealed apart, urgency --------------------------------------------------------------------------


def test_identities_go_apart_and_only_by_ground() -> None:
    document = full_case()
    plain = run(confirmed(document), "BEP", "P1")
    assert not plain.apart
    grounds = {"F12": "protect-child", "F54": "protect-child"}
    opened = run(confirmed(document), "BEP", "P1", grounds=grounds)
    assert {u.field for u in opened.apart} == {"F12", "F54"}
    assert opened.units == plain.units
    assert opened.manifest["fields"]["F54"] == {"state": "apart"}
    assert "/facts/reporter/identity" in {u.pointer for u in opened.apart}


def test_the_reporter_goes_by_consent_order_or_vital_interest_only() -> None:
    document = full_case()
    document["reporter"]["consent_to_contact"] = False
    grounds = {"F12": "protect-child"}
    refused = run(confirmed(document), "BEP", "P1", grounds=grounds)
    assert not refused.apart
    assert ("consent-missing", "block") in {(f.code, f.severity) for f in refused.findings}
    document["reporter"]["type"] = "victim"
    document["case"]["urgency"] = "U2"
    assert not run(confirmed(document), "BEP", "P1", grounds=grounds).apart
    document["case"]["urgency"] = "U1"
    assert run(confirmed(document), "BEP", "P1", grounds=grounds).apart


def test_an_urgent_case_says_so_and_goes_home_only() -> None:
    released = urgent_case(full_case("danger"))
    minimised = run(released, "BEP", "P1")
    assert json.loads(payload(minimised))["unconfirmed"] is True
    with pytest.raises(Refused, match="urgent-domestic-only"):
        run(released, "FLE", "P1")


# --- gaps, reasons, headers -------------------------------------------------------------------------


def test_gaps_speak_only_of_what_the_recipient_gets() -> None:
    document = full_case("person_lead")
    for event in document["events"].values():
        event.pop("port")
    police = run(confirmed(document), "BEP", "P2").facts["assessment"].get("known_gaps", [])
    assert police
    without = (
        run(confirmed(document), "BEP", "P2", terms=terms("BEP", ("P2",), data__fields_removed=["F47"]))
        .facts["assessment"]
        .get("known_gaps", [])
    )
    assert set(without) < set(police)


def test_why_names_row_field_purpose_and_clause() -> None:
    minimised = run(confirmed(full_case()), "FLE", "P2")
    element = minimised.element_ids["loc2"]
    answer = why(minimised, f"/entities/locations/{element}/url")
    assert answer.row is not None
    assert (answer.row.reason, answer.decision.action, answer.purposes) == ("hosted_in_country", "F", ("P2",))
    dropped = why(minimised, "/entities/locations/loc1/url")
    assert dropped.row is not None
    assert dropped.row.reason == "no_competence"
    assert why(minimised, "F54").decision.clause == "matrix:-"


def test_a_header_of_another_recipient_is_refused() -> None:
    minimised = run(confirmed(full_case()), "FLE", "P2")
    who = recipient("BEP").party
    header = Header(
        release="a" * 26,
        issuer="https://broker.example",
        addressee=who,
        carrier=who,
        reference="r",
        version=1,
        kind="new",
        supersedes=None,
        drafted_at=datetime(2026, 3, 2, tzinfo=UTC),
        language="en",
        purposes=("P2",),
    )
    with pytest.raises(Refused, match="header-mismatch"):
        build_payload(minimised, header, b"", 8)


def test_the_input_is_never_edited() -> None:
    released = confirmed(full_case())
    before = canonical.encode(released.case.data)
    for recipient_class, purpose in pairs():
        run(released, recipient_class, purpose)
    assert canonical.encode(released.case.data) == before
    assert pack().name == "be"
