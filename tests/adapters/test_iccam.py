"""The body for ICCAM says what the case says, in its codes: times, virtual or real, how it was paid."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.iccam import adapter
from adapters.iccam.codes import codes
from tests.adapters.outbound import minimised_for
from tests.cases import confirmed, full_case

CODES = Path(__file__).parent / "golden" / "iccam-v3-codes.csv"


def told(**item: Any) -> tuple[dict[str, Any], set[str]]:
    """(the report, codes of what lint says) of a case whose items all are so."""
    document = full_case("content_report")
    for each in document["items"].values():
        each.update(item)
    for place in document["locations"].values():
        place["commerce"] = {"commerciality": "commercial", "payment_methods": ["card", "voucher", "visa"]}
    _, referral = minimised_for(confirmed(document), "INH", "P5")
    documents = adapter.render(referral)
    return json.loads(documents[0].content), {f.code for f in adapter.lint(referral, documents)}


def test_it_was_received_when_the_hotline_got_it_and_not_when_it_was_written() -> None:
    report, _ = told()
    assert full_case()["case"]["dates"]["opened_at"] == "2026-03-01T10:00:00+01:00"
    assert report["hotlineReceivedDate"] == "2026-03-01T09:00:00Z"


@pytest.mark.parametrize(
    ("flag", "virtual", "unsure"),
    [
        ("ai", 1, False),
        ("drawn", 1, False),
        ("real", 0, False),
        ("unknown", 0, False),
        ("suspected_ai", 0, True),
    ],
)
def test_what_no_child_was_before_is_not_reported_as_one(flag: str, virtual: int, unsure: bool) -> None:
    report, found = told(synthetic_flag=flag)
    said = {url["assessment"]["virtualContentCategorization"] for url in report["urls"]}
    assert said == {virtual}
    assert ("iccam-virtual-as-real" in found) == unsure


@pytest.mark.parametrize(("own", "posed"), [("yes", "no"), ("no", "yes"), ("unknown", "unknown")])
def test_self_generated_and_posed_are_told_apart(own: str, posed: str) -> None:
    report, _ = told(self_generated={"self_generated": own, "modelling": posed})
    for url in report["urls"]:
        assert url["assessment"]["userGeneratedContentCategorization"] == int(own == "yes")
        assert url["assessment"]["childModelingCategorization"] == int(posed == "yes")


def test_a_method_of_payment_stands_once() -> None:
    assert told()[0]["sourceUrlPaymentMethods"] == [8, 6]


def test_every_number_is_one_of_iccams_lists() -> None:
    with CODES.open() as file:
        known = {(row[0], int(row[1])) for row in csv.reader(file) if row[1].isdigit()}
    names = {
        "site_type": "sourceUrlSiteType", "commerciality": "sourceUrlCommerciality",
        "payment_method": "sourceUrlPaymentMethods", "classification": "classification",
        "age": "ageCategorization", "gender": "genderCategorization",
    }  # fmt: skip
    ours = {
        (names[n], number) for n, words in codes().lists.items() if n in names for number in words.values()
    }
    assert ours <= known
