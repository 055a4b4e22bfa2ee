"""ICCAM against the fake: reported once however it breaks, and the rules SCART learnt are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from adapters.iccam import client
from adapters.iccam.client import Iccam
from broker.demo.house import House
from broker.desk import carry, deliver
from broker.desk.endpoints import Endpoint
from broker.spi import Undelivered
from broker.store import tables
from broker.store.engine import unit_of_work
from tests.cases import full_case
from tests.deliveries import office
from tests.fakes import iccam_server
from tests.fakes.iccam_server import Fake

AT = "2026-09-02T08:00:00Z"


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[tuple[Fake, dict[str, Any]]]:
    with iccam_server.serving(tmp_path / "iccam") as made:
        yield made


@pytest.fixture
def iccam(fake: tuple[Fake, dict[str, Any]]) -> Iterator[Iccam]:
    with Iccam.open(fake[1]) as opened:
        yield opened


def body(reference: str = "CF-2026-000001-1.1", country: str = "BE") -> dict[str, Any]:
    url = {
        "urlString": "https://host.example/1", "hotlineReference": reference + ".1", "actions": [],
        "hostingCountryCode": country, "assessment": None,
    }  # fmt: skip
    return {"hotlineReference": reference, "reportingAnalystName": "api.synthetic", "urls": [url]}


def test_the_rules_are_kept_before_iccam_has_to(fake: tuple[Fake, dict[str, Any]], iccam: Iccam) -> None:
    with Iccam.open(fake[1]) as reporting:
        reporting.report(body())
        with pytest.raises(Undelivered, match="iccam-too-soon"):
            reporting.act(5000, "reported_to_police", "api.synthetic", AT)
    (content,) = fake[0].contents
    iccam.assess(content, {"classification": 1})
    iccam.act(content, "reported_to_police", "api.synthetic", AT)
    for action, reason, code in (
        ("reported_to_police", None, "iccam-action-repeated"),
        ("unavailable", None, "iccam-reason-missing"),
        ("unavailable", (99, "x"), "iccam-reason-missing"),
    ):
        with pytest.raises(Undelivered) as refused:
            iccam.act(content, action, "api.synthetic", AT, reason)
        assert refused.value.code == code
    iccam.act(content, "unavailable", "api.synthetic", AT, (8, "LinkExpired"))
    with pytest.raises(Undelivered, match="iccam-action-after-final"):
        iccam.act(content, "reported_to_provider", "api.synthetic", AT)
    iccam.acknowledge(content, "CF-1")
    iccam.move(content, "192.0.2.9", "NL")
    with pytest.raises(Undelivered, match="iccam-other-country"):
        iccam.assess(content, {"classification": 2})
    assert [a["actionType"] for a in fake[0].contents[content]["actions"]] == [1, 4]


def test_an_old_bearer_is_refreshed_and_a_stranger_is_not_let_in(
    fake: tuple[Fake, dict[str, Any]], iccam: Iccam, tmp_path: Path
) -> None:
    iccam.report(body("A"))
    fake[0].tokens.clear()
    iccam.report(body("B"))
    assert "POST Authentication/refresh" in fake[0].calls
    with pytest.raises(Undelivered, match="duplicate-reference"):
        iccam.report(body("B"))
    (tmp_path / "iccam" / "password").write_text("wrong")
    with Iccam.open(fake[1]) as stranger, pytest.raises(Undelivered, match="iccam-login") as refused:
        stranger.report(body("C"))
    assert refused.value.certain


def test_one_call_at_a_time_and_paced(fake: tuple[Fake, dict[str, Any]], iccam: Iccam) -> None:
    waited: list[float] = []
    iccam.pause, iccam.pace, iccam.after_login = waited.append, 1.0, 2.0
    iccam.report(body())
    iccam.read_report("1000")
    assert waited == [2.0, 1.0, 1.0]


def test_an_answer_without_end_is_not_taken_in(fake: tuple[Fake, dict[str, Any]], iccam: Iccam) -> None:
    iccam.report(body())
    (content,) = fake[0].contents
    fake[0].contents[content]["urlString"] = "x" * client.LIMIT
    with pytest.raises(Undelivered, match="iccam-answer"):
        iccam.content(content)


@pytest.fixture
def hotline(house: House, fake: tuple[Fake, dict[str, Any]], tmp_path: Path) -> House:
    opened = office.with_office(house, tmp_path)
    office.channel(opened, "iccam", fake[1])
    return office.add_mailed(
        opened, Endpoint("referral", "push", "iccam", {}), name="network", recipient_class="BEP"
    )


@pytest.mark.parametrize(
    ("breaks", "state", "code", "reports"),
    [
        ({}, "delivered", "accepted", 1),
        ({"POST Authentication": ("cut", 1)}, "delivered", "accepted", 1),
        ({"POST Authentication": ("500", 2)}, "delivered", "accepted", 1),
        ({"POST rest/reports": ("500", 1)}, "delivered", "accepted", 1),
        ({"POST rest/reports": ("cut", 1)}, "delivered", "accepted", 1),
        ({"POST rest/reports": ("cut-after", 1)}, "failed", "duplicate-reference", 1),
        ({"GET rest/Reports/1000": ("cut", 1)}, "delivered", "accepted", 1),
        ({"POST rest/reports": ("500", 99)}, "failed", "gave-up", 0),
    ],
)
def test_however_it_breaks_there_is_one_report_and_an_honest_state(
    hotline: House, fake: tuple[Fake, dict[str, Any]], breaks: Any, state: str, code: str, reports: int
) -> None:
    office.released(hotline, "network")
    fake[0].breaks = dict(breaks)
    delivery = office.only(hotline)
    for _ in range(len(carry.BACKOFF) + 2):
        carry.carry_due(hotline.desk)
        clock: Any = hotline.desk.clock
        clock.ahead = (clock.ahead or timedelta()) + timedelta(hours=9)
    assert office.state(hotline, delivery) == (state, code)
    assert len(fake[0].reports) == reports
    if state == "delivered":
        with unit_of_work(hotline.desk.db) as session:
            (row,) = session.exec(
                select(tables.DeliveryEvidence).where(tables.DeliveryEvidence.proves == "delivery")
            ).all()
            assert row.remote_reference == "1000"
            assert json.loads(deliver.open_evidence(hotline.desk, session, row))["report"] == "1000"


def test_only_what_the_recipient_gets_is_reported(hotline: House, fake: tuple[Fake, dict[str, Any]]) -> None:
    document = full_case("content_report")
    office.released(hotline, "network")
    carry.carry_due(hotline.desk)
    report = fake[0].reports[1000]
    assert report["reportingAnalystName"] == "api.synthetic"
    assert {u["urlString"] for u in report["urls"]} <= {
        place.get("url") for place in document["locations"].values()
    }
