"""Agreements: fourteen items, narrowing only, every broken rule named."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from broker.core import agreement
from broker.core.agreement import ITEMS
from broker.errors import Refused
from tests.core.minimising import body

FLE = ("FLE", ("P1", "P2"))


def refused(document: dict[str, Any]) -> set[tuple[str, str]]:
    with pytest.raises(Refused) as caught:
        agreement.compile(document)
    return {(issue.field, issue.rule) for issue in caught.value.issues}


def test_a_whole_agreement_compiles() -> None:
    terms = agreement.compile(body(*FLE, data__fields_removed=["F22"], data__jurisdictions=["FR"]))
    assert terms.fields_removed == {"F22"}
    assert terms.jurisdictions == {"FR"}
    assert terms.purposes == {"P1", "P2"}
    assert terms.legal_bases["P1"] == {"S": "basis-P1", "V": "basis-P1"}
    assert terms.transfer_mechanism == "art46"
    assert terms.digest == agreement.digest(
        body(*FLE, data__fields_removed=["F22"], data__jurisdictions=["FR"])
    )


@pytest.mark.parametrize("item", ITEMS)
def test_every_item_is_required(item: str) -> None:
    document = body(*FLE)
    del document[item]
    assert (f"/{item}", "required") in refused(document)


@pytest.mark.parametrize("name", ["fields_added", "actions", "rows_added", "grants", "Synthetic Name!"])
def test_nothing_can_widen(name: str) -> None:
    found = refused({**body(*FLE), name: ["F12"]})
    assert {rule for _, rule in found} == {"unknown-member"}
    assert "Synthetic Name!" not in str(found)
    inner = body(*FLE)
    inner["data"]["fields_added"] = ["F12"]
    assert refused(inner) == {("/data", "unknown-member")}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 0),
        ("version", True),
        ("recipient_class", "police"),
        ("purposes", []),
        ("purposes", ["P10"]),
        ("parties", []),
        ("dpos", [{"party": "x"}]),
        ("data__categories", ["X"]),
        ("data__fields_removed", ["F99"]),
        ("data__fields_removed", ["F67"]),
        ("data__rows_removed", ["secrets"]),
        ("data__jurisdictions", ["France"]),
        ("communication__retrieval_window_days", 0),
        ("proportionality__onward_rule", "anybody"),
        ("proportionality__grounds", ["x"]),
        ("legal_bases", [{"purpose": "P1"}]),
        ("duration__valid_from", "2026-02-30"),
        ("duration__valid_to", "2025-01-01"),
        ("duration__valid_to", "9999-12-31"),
        ("transfer", {"mechanism": "x"}),
        ("sanctions", " "),
        ("schema", "broker-agreement/2"),
    ],
)
def test_each_rule_names_its_member(path: str, value: Any) -> None:
    fields = {field for field, _ in refused(body(*FLE, **{path: value}))}
    assert fields == {"/" + path.replace("__", "/")}


def test_validity_includes_both_days() -> None:
    terms = agreement.compile(body(*FLE))
    assert terms.in_force(date(2026, 1, 1))
    assert terms.in_force(date(2027, 12, 31))
    assert not terms.in_force(date(2028, 1, 1))
    assert not terms.in_force(date(2025, 12, 31))


def test_any_change_changes_the_digest() -> None:
    assert agreement.digest(body(*FLE)) != agreement.digest(body(*FLE, sanctions="other"))
