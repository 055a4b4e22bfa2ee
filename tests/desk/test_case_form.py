"""The form is the schema, the way back loses nothing, and what is missing has a place to jump to."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from broker.core import case as core_case
from broker.core import form
from broker.core.checks import DOCUMENT
from broker.core.fields import BROKER_COMPUTED, FIELD_IDS, PERSONAL_INDEX_BAN
from broker.core.pack import load_pack
from broker.core.pack_types import KINDS
from broker.desk import case_form
from broker.desk.context import Desk
from broker.errors import NotFound, Refused
from tests.cases import cases, full_case, minimal_case
from tests.house import open_desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return open_desk(None, tmp_path_factory.mktemp("desk"))  # type: ignore[arg-type]


def test_every_field_that_a_person_gives_has_an_input() -> None:
    offered = {group.field for section in form.sections() for group in section.groups if group.inputs}
    # F16 and F50 are the entities themselves: element ids, given when a referral is made
    assert set(FIELD_IDS) - BROKER_COMPUTED - {"F16", "F50"} == offered - {""}
    assert offered.issuperset(PERSONAL_INDEX_BAN)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_a_case_comes_back_from_its_form(document: dict[str, Any]) -> None:
    case = core_case.from_json(document)
    typed = form.to_form(case.data)
    assert all(isinstance(v, str) or all(isinstance(each, str) for each in v) for v in typed.values())
    back = core_case.from_json(form.from_form(typed, synthetic=True))
    assert told(back.data) == told(case.data)


def told(value: Any, depth: int = 0) -> Any:
    """Without objects that say nothing; an entity stays (it is two levels down)."""
    if not isinstance(value, dict):
        return value
    made = {name: told(child, depth + 1) for name, child in value.items()}
    return {name: child for name, child in made.items() if child != {} or depth == 1}


def test_a_removed_row_leaves_no_hole() -> None:
    typed = {"items.item1.crypto_hash.0.alg": "", "items.item1.crypto_hash.3.alg": "md5",
             "items.item1.crypto_hash.3.value": "0" * 32, "items.item1.crypto_hash.12.alg": "sha1",
             "items.item1.crypto_hash.12.value": "1" * 40}  # fmt: skip
    made = form.from_form(typed)
    assert [each["alg"] for each in made["items"]["item1"]["crypto_hash"]] == ["md5", "sha1"]


@pytest.mark.parametrize(
    "name",
    ["case.nothing", "items.x y.filename", "items.item1.crypto_hash.999999.alg", "a" * 99,
     "__proto__.x", "case.dates", "schema", "disclosure.prior_recipients"],
)  # fmt: skip
def test_names_that_the_form_does_not_have_are_refused_unnamed(name: str) -> None:
    with pytest.raises(Refused) as refused:
        form.from_form({name: "canary-value"})
    assert name not in str(refused.value.issues) + refused.value.message
    assert "canary" not in str(refused.value.issues)


def test_what_cannot_be_converted_is_left_to_the_schema(desk: Desk) -> None:
    typed = {**form.to_form(core_case.from_json(minimal_case("danger")).data), "events.event1.port": "eighty",
             "events.event1.ip": "not an address", "case.times_reported": "many"}  # fmt: skip
    found = case_form.missing(desk, form.from_form(typed, synthetic=True))
    refused = {each.input: each.code for each in found if each.level == "refused"}
    assert refused == {
        "events.event1.port": "type",
        "events.event1.ip": "ip-address",
        "case.times_reported": "type",
    }
    assert {each.field for each in found if each.input == "events.event1.port"} == {"F47"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_of_a_kind_says_what_asks_for_what(desk: Desk, kind: str) -> None:
    made = case_form.of_kind(desk, kind)
    by_place = {f"{s.name}.{f.name}": f for s in made.sections for f in s.fields}
    assert by_place["assessment.minor_check"].blocks == ("Q06",)
    asked = {check for f in by_place.values() for check in f.warns}
    pack = load_pack("be")
    wanted = {
        c.id for c in pack.checks.values()
        if c.scope == "document" and c.level == "warn" and kind in c.kinds and "BEP" in c.classes
    }  # fmt: skip
    assert asked == wanted
    for section in made.sections:
        free = [f.free for f in section.fields]
        assert free == sorted(free), "structured first, free text last"
    with pytest.raises(NotFound):
        case_form.of_kind(desk, "other")


def test_what_is_missing_has_a_place(desk: Desk) -> None:
    document = full_case("content_report")
    del document["items"]["item2"]["crypto_hash"]
    del document["locations"]["loc3"]["trace"]
    del document["case"]["urgency_reason"]
    del document["assessment"]["minor_check"]
    document["persons"]["person2"].pop("evaluation")
    found = {each.code: each for each in case_form.missing(desk, document)}
    assert (found["no-hash"].input, found["no-hash"].field) == ("items.item2.crypto_hash", "F17")
    assert found["no-host-trace"].input.startswith("locations.loc")
    assert found["urgency-unreasoned"].input == "case.urgency_reason"
    blocked = found["minor-check-missing"]
    assert (blocked.level, blocked.input, blocked.check) == ("block", "assessment.minor_check", "Q06")
    assert next(iter(found)) == "minor-check-missing"
    document["case"]["kind"] = "person_lead"
    found = {each.code: each for each in case_form.missing(desk, document)}
    assert found["no-evaluation"].input == "persons.person2.evaluation"


@pytest.mark.parametrize("kind", KINDS)
def test_every_gap_of_an_empty_case_leads_to_an_input(desk: Desk, kind: str) -> None:
    document = minimal_case(kind)
    for name in ("items", "locations", "persons", "events", "victims", "links", "contacts"):
        document.pop(name, None)
    for each in case_form.missing(desk, document):
        assert each.input, each
        if each.level != "refused":
            section = each.input.split(".")[0]
            groups = next(s.groups for s in form.sections() if s.name == section)
            assert each.field in {g.field for g in groups} | {""}


def test_a_value_that_no_check_can_read_does_not_stop_the_list(desk: Desk) -> None:
    document = copy.deepcopy(full_case("content_report"))
    document["locations"]["loc1"]["last_check"]["at"] = "yesterday evening, perhaps"
    document["evidence"]["custody"] = "none"
    found = case_form.missing(desk, document)
    assert {"timestamp", "type"} <= {each.code for each in found if each.level == "refused"}


def test_a_new_entity_takes_a_free_id() -> None:
    assert form.next_id({"items": {"item1": {}, "item3": {}}}, "items") == "item2"
    assert form.next_id({"locations": {"item1": {}}}, "items") == "item2"
    assert len(DOCUMENT) == 21
