"""Sampled review over its pages: two people who had no hand in it, half an hour, masked, logged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from broker.demo.house import House
from broker.desk import casefile
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case
from tests.dbfixtures import Cluster
from tests.web.officer import Browser, browsers, plain, values_of, with_second_officer
from tests.web.test_register import kept

PERIOD = {"since": "2020-01-01", "until": "2099-12-31"}


class Clock:
    """The house's clock, moved by a test."""

    def __init__(self) -> None:
        self.ahead = timedelta(minutes=1)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture(scope="module")
def reviewed(cluster: Cluster, founded: tuple[House, str]) -> Iterator[tuple[House, Clock, str]]:
    with kept(cluster, founded) as house:
        release = build.released(house, "police", full_case()).release
        clock = Clock()
        moved = replace(house, desk=replace(house.desk, clock=clock))
        yield with_second_officer(moved), clock, release


@pytest.fixture(scope="module")
def open_as(reviewed: tuple[House, Clock, str]) -> Browser:
    return browsers(reviewed[0])


@pytest.fixture
def house(reviewed: tuple[House, Clock, str]) -> House:
    return reviewed[0]


def draw(open_as: Browser, **more: str) -> str:
    answer = open_as("officer").post("/desk/review", data={**PERIOD, "size": "5", **more})
    assert answer.status_code == 303
    return str(answer.headers["location"])


def ask(open_as: Browser, drawn: str, release: str, login: str = "officer") -> str:
    """Ask for the release of a draw; gives the ticket."""
    assert open_as(login).post(f"{drawn}/ask", data={"release": release}).status_code == 303
    found = re.search(r'name="ticket" value="([0-9a-f-]+)"', open_as("officer-2").get(drawn).text)
    assert found is not None
    return found[1]


def actions(house: House) -> list[str]:
    with house.desk.db.connect("app") as conn:
        rows = conn.execute("select action from event where action like 'review:%' order by at, id")
        return [row[0] for row in rows.fetchall()]


def test_a_draw_shows_its_seed_and_can_be_drawn_again(open_as: Browser) -> None:
    first = plain(open_as("officer").get(draw(open_as)).text)
    seed = re.search(r"Seed ([0-9a-f]{32})", first)
    assert seed is not None
    again = plain(open_as("officer").get(draw(open_as, seed=seed[1])).text)
    assert seed[1] in again
    assert first.split("Tickets")[1] == again.split("Tickets")[1]
    assert "1 of 1" in again


@pytest.mark.parametrize(
    "wrong", [{"size": "many"}, {"seed": "short"}, {"since": ""}, {"since": "then"}, {"until": "2020-02-01"}]
)
def test_a_draw_that_is_refused_keeps_what_was_typed(open_as: Browser, wrong: dict[str, str]) -> None:
    typed = {**PERIOD, "size": "7", "seed": "", **wrong}
    answer = open_as("officer").post("/desk/review", data=typed)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    for name, value in typed.items():
        assert re.search(rf'name="{name}"[^>]*value="{value}"', answer.text)


def test_two_people_half_an_hour_and_verdicts(reviewed: tuple[House, Clock, str], open_as: Browser) -> None:
    house, clock, release = reviewed
    drawn = draw(open_as)
    ticket = ask(open_as, drawn, release)
    page = f"/desk/review/ticket/{ticket}"
    assert open_as("officer").get(page).status_code == 409  # nobody granted it yet
    own = open_as("officer").post(f"{drawn}/grant", data={"ticket": ticket})
    assert own.status_code == 409
    assert "another person has to grant it" in own.text
    hand = open_as("releaser").post(f"{drawn}/grant", data={"ticket": ticket})
    assert hand.status_code == 409  # approved this very release
    assert "You drafted or approved this release" in hand.text
    assert open_as("officer-2").post(f"{drawn}/grant", data={"ticket": ticket}).status_code == 303
    assert open_as("officer-2").get(page).status_code == 403  # granted it, and may not look
    opened = open_as("officer").get(page)
    assert opened.status_code == 200
    kept = open_as("officer").post(page, data={"v.F29": "necessary", "v.F64": "excessive"})
    assert kept.status_code == 303
    results = plain(open_as("officer").get(drawn).text)
    assert re.search(r"F29 URL 1 0 0", results)
    assert re.search(r"F64 \S.* 0 1 0", results)
    twice = open_as("officer").post(page, data={"v.F29": "wrong", "v.F31": "wrong"})
    assert twice.status_code == 409
    assert "F31" in twice.text  # what was chosen is shown, to give it again
    nothing = open_as("officer").post(page, data={"v.F99": "wrong"})
    assert nothing.status_code == 400
    clock.ahead += timedelta(minutes=31)
    try:
        fresh = browsers(house)  # the session of before is over as well
        assert fresh("officer").get(page).status_code == 409
        late = fresh("officer").post(page, data={"v.F30": "excessive"})
        assert late.status_code == 409
        assert "F30" in late.text
    finally:
        clock.ahead -= timedelta(minutes=31)
    logged = actions(house)
    assert logged.count("review:opened") >= 1
    assert {"review:drawn", "review:asked", "review:granted", "review:verdict"} <= set(logged)


def test_no_identity_and_no_live_link_on_the_opened_page(
    reviewed: tuple[House, Clock, str], open_as: Browser
) -> None:
    house, _, release = reviewed
    drawn = draw(open_as)
    ticket = ask(open_as, drawn, release)
    open_as("officer-2").post(f"{drawn}/grant", data={"ticket": ticket})
    text = open_as("officer").get(f"/desk/review/ticket/{ticket}").text
    with unit_of_work(house.desk.db) as session:
        case_id = session.get_one(tables.Release, release).case_id
        case = casefile.read_version(house.desk, session, case_id)[0].data
    for person in case["persons"].values():
        for name in ("account", "contact", "self_declared_name"):
            for value in values_of(person.get(name, {})):
                assert value not in text
    assert "masked" in text
    assert "hxxps://" in text
    assert not re.search(r'href="https?://', text)
    assert "<img" not in text
    unfolded = re.sub(r"<details.*?</details>", "", text, flags=re.DOTALL)
    prose = [each["text"] for each in case["assessment"]["narrative"]]
    assert [
        each for each in prose if each.replace(".", "") in unfolded.replace("[.]", "").replace(".", "")
    ] == []
    assert prose[0].rstrip(".") in text


def test_only_an_officer_opens(reviewed: tuple[House, Clock, str], open_as: Browser) -> None:
    drawn = draw(open_as)
    for login in ("releaser", "analyst-1", "administrator", "custodian"):
        assert open_as(login).post(f"{drawn}/ask", data={"release": reviewed[2]}).status_code == 403
        assert (
            open_as(login).get("/desk/review/ticket/00000000-0000-0000-0000-000000000000").status_code == 403
        )
    assert open_as("officer").get("/desk/review/ticket/none").status_code == 404
    assert open_as("officer").post(f"{drawn}/grant").status_code == 404
    assert open_as("officer").post(f"{drawn}/ask").status_code == 404
