"""The synthetic cases themselves: valid, complete, and with canaries that occur once."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel

from broker.core.fields import BROKER_COMPUTED, COLLECTIONS, SECTIONS
from broker.core.schema import CaseDocument
from broker.core.schema_types import Country, Date, Instant, LocalId
from broker.errors import Refused
from tests.cases import KINDS, accepted, canaries, cases, confirmed, full_case, minimal_case, urgent_case

FLAT = {"link": "links", "history": "contacts"}
GIVEN_BY_STRUCTURE = {"ref"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_case_has_every_field_that_is_not_computed(kind: str) -> None:
    data = accepted(full_case(kind)).data
    for section, names in SECTIONS.items():
        for name, field_id in names.items():
            if field_id not in BROKER_COMPUTED:
                assert section == "disclosure" or name in data[section], field_id
    for collection, names in COLLECTIONS.items():
        for name in names:
            if name not in FLAT and name not in GIVEN_BY_STRUCTURE:
                assert any(name in entity for entity in data[collection].values()), (collection, name)


NO_CANARY = {
    "asn": "a number with two letters before it",
    "type": "a media type; the places of the same name are enumerations",
    "zone": "the name of a time zone",
    "system": "tells whose reference it is: the receiving system has to know its own",
    "version": "of a list of labels; travels with the label, which has one",
}
"""Free by its type in the schema and still without a canary, with the reason."""


def _free_members(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[str]:
    """Names of members that may hold any text: every string type but dates, countries, ids and enums."""
    if model in seen:
        return set()
    seen.add(model)
    found = set()
    hints = get_type_hints(model, include_extras=True)
    for name in model.model_fields:
        waiting: list[Any] = [hints[name]]
        while waiting:
            kind = waiting.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found |= _free_members(kind, seen)
            elif kind is str or (get_args(kind)[:1] == (str,) and kind not in FIXED):
                found.add(name)
            elif get_origin(kind) is not Literal and kind not in FIXED:
                waiting += [arg for arg in get_args(kind) if isinstance(arg, type) or get_args(arg)]
    return found


FIXED = (Country, Date, Instant, LocalId)


def test_every_free_text_of_the_schema_has_a_canary() -> None:
    """A member added to the schema joins the canaries, or says why it needs none."""
    free = _free_members(CaseDocument, set())
    assert len(free) > 45
    held = {name for pointer in canaries(full_case()) for name in _names(pointer)}
    assert free - held == set(NO_CANARY)


def _names(pointer: str) -> list[str]:
    """The member's name; in a list of plain texts that of the list."""
    return [part for part in pointer.split("/") if not part.isdigit()][-1:]


@pytest.mark.parametrize("kind", KINDS)
def test_canaries_occur_once_and_survive_intake(kind: str) -> None:
    document = full_case(kind)
    found = canaries(document)
    text = json.dumps(document)
    assert len(found) > 100
    for pointer, value in found.items():
        assert len(value) >= 6, pointer
        assert text.count(json.dumps(value)) == 1, pointer
    assert found.items() <= canaries(accepted(document).data).items()


@pytest.mark.parametrize("kind", KINDS)
def test_another_salt_changes_every_canary_and_nothing_else(kind: str) -> None:
    one, other = full_case(kind, "a"), full_case(kind, "b")
    first, second = canaries(one), canaries(other)
    assert first.keys() == second.keys()
    same = {pointer for pointer in first if first[pointer] == second[pointer]}
    assert not same, same
    text, target = json.dumps(one), json.dumps(other)
    for pointer, value in sorted(first.items(), key=lambda entry: -len(entry[1])):
        text = text.replace(json.dumps(value), json.dumps(second[pointer]))
    assert text == target


@pytest.mark.parametrize("kind", KINDS)
def test_minimal_cases_can_be_confirmed_and_sent_urgently(kind: str) -> None:
    assert confirmed(minimal_case(kind)).rows
    assert urgent_case(minimal_case(kind)).rows


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(cases())
def test_random_cases_are_valid(document: dict[str, object]) -> None:
    case = accepted(document)
    found = canaries(document)
    assert len(set(found.values())) == len(found)
    assert case.data["schema"] == "broker-case/1"


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00"])
def test_a_moment_has_a_date_in_every_zone(moment: str) -> None:
    """A page or a document that says it in local time would break, for as long as the case is held."""
    document = minimal_case("danger")
    document["case"]["dates"]["opened_at"] = moment
    with pytest.raises(Refused) as refused:
        accepted(document)
    assert [(issue.field, issue.rule) for issue in refused.value.issues] == [
        ("/case/dates/opened_at", "timestamp")
    ]
