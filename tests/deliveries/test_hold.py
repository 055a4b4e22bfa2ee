"""Police holds: no notice for the URL on any path, ended by time, renewed by police alone; and the wait."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from broker.cli.preview import preview_words
from broker.demo.house import House
from broker.demo.steps import confirm_all
from broker.desk import carry, draft, hold, intake, publish, route
from broker.errors import BrokerError, Conflict, Forbidden, NotFound, Refused
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case
from tests.deliveries import office, post
from tests.deliveries.providers import keyed_provider, office_endpoint, provider_case, with_provider


def held(house: House, url: str) -> UUID:
    with unit_of_work(house.desk.db) as session:
        return hold.place(house.desk, session, house.people["analyst-1"], url, house.partners["police"])


def places(house: House, data: Any) -> set[str]:
    with unit_of_work(house.desk.db) as session:
        return set(hold.held_places(house.desk, session, data))


def test_a_hold_is_found_by_the_same_address_only_and_tells_no_url(mailed: House) -> None:
    data = {"locations": {"a": {"url": "https://Host.example:443/x?y#z"}, "b": {"url": "https://host.example/X"},
                          "c": {"page_url": "https://host.example/x?y"}}}  # fmt: skip
    held(mailed, "https://host.example/x?y")
    assert places(mailed, data) == {"a", "c"}
    with mailed.desk.db.connect("app") as conn:
        assert "host.example" not in str(conn.execute("select * from police_hold").fetchall())
        row = conn.execute("select url_hmac from police_hold").fetchone()
    assert row is not None
    assert row[0] != hashlib.sha256(b"https://host.example/x?y").digest()


SPELLINGS = (
    "http://host.example/x%3F?b=2&a=1", "https://HOST.example.:443/x%3f/?a=1&b=2#top",
    "https://u@host.example:80//./x%3F?a=%31&b=2",
)  # fmt: skip


def test_a_hold_is_met_in_every_spelling_of_its_address(mailed: House) -> None:
    held(mailed, "https://host.example/x%3F?a=1&b=2")
    data = {"locations": {str(n): {"url": url} for n, url in enumerate(SPELLINGS)}}
    assert places(mailed, data) == {"0", "1", "2"}
    assert places(mailed, {"locations": {"a": {"url": "https://host.example/x%3F?a=1"}}}) == set()


def test_a_hold_kept_in_the_form_of_before_still_runs(mailed: House) -> None:
    """Rows of an earlier version of the broker hold another mark of the same address."""
    desk = mailed.desk
    made = held(mailed, "https://elsewhere.example/")
    key = desk.vault().lasting("hold")
    formerly = hmac.new(key, b"https://host.example/x?y", hashlib.sha256).digest()
    with unit_of_work(desk.db) as session:
        kept = session.get_one(tables.PoliceHold, made)
        row = tables.PoliceHold(
            id=desk.uuid(), url_hmac=formerly, created_by=kept.created_by, starts_at=kept.starts_at
        )
        session.add(row)
        session.flush()
        hold._term(
            desk, session, mailed.people["analyst-1"], row.id, mailed.partners["police"], "set",
            desk.now() + timedelta(days=1),
        )  # fmt: skip
    assert places(mailed, {"locations": {"a": {"url": "https://Host.example:443/x?y#z"}}}) == {"a"}


def test_an_address_with_a_port_that_cannot_be_keeps_no_case_from_the_police(mailed: House) -> None:
    document = provider_case()
    next(iter(document["locations"].values()))["url"] = "http://host.example:99999/a"
    case_id = build.confirmed(mailed, document)
    with unit_of_work(mailed.desk.db) as session:
        routes = route.describe(mailed.desk, session, case_id)["routes"]
    assert "BEP" in {found["class"] for found in routes}
    held(mailed, "http://host.example:99999/a")
    assert len(places(mailed, document)) == 1


def test_only_the_police_renews_and_a_hold_ends_by_itself(mailed: House) -> None:
    desk, analyst = mailed.desk, mailed.people["analyst-1"]
    clock: Any = desk.clock
    made = held(mailed, "https://host.example/")
    data = {"locations": {"a": {"url": "https://host.example/"}}}
    for partner in ("prosecutor", "hotline"):
        with pytest.raises(Forbidden), unit_of_work(desk.db) as session:
            hold.renew(desk, session, analyst, made, mailed.partners[partner])
    clock.ahead = timedelta(days=29)
    with unit_of_work(desk.db) as session:
        hold.renew(desk, session, analyst, made, mailed.partners["police"])
    clock.ahead = timedelta(days=58)
    assert places(mailed, data) == {"a"}
    clock.ahead = timedelta(days=60)
    assert places(mailed, data) == set()
    with pytest.raises(Conflict), unit_of_work(desk.db) as session:
        hold.renew(desk, session, analyst, made, mailed.partners["police"])
    second = held(mailed, "https://host.example/")
    with unit_of_work(desk.db) as session:
        hold.end(desk, session, analyst, second, mailed.partners["police"])
        assert [row["running"] for row in hold.listing(desk, session)] == [False, False]
    assert places(mailed, data) == set()


def test_who_may_not_act_sets_no_hold(mailed: House) -> None:
    with pytest.raises(Forbidden), unit_of_work(mailed.desk.db) as session:
        hold.place(
            mailed.desk,
            session,
            mailed.people["administrator"],
            "https://host.example/",
            mailed.partners["police"],
        )
    with pytest.raises(Refused), unit_of_work(mailed.desk.db) as session:
        hold.place(mailed.desk, session, mailed.people["analyst-1"], "no url", mailed.partners["police"])


def reasons(house: House, case_id: UUID) -> set[str]:
    """Why the provider hears nothing."""
    with unit_of_work(house.desk.db) as session:
        described = route.describe(house.desk, session, case_id)
    return {code for r in described["refusals"] if r["class"] == "HSP" for code in r["reasons"]}


@pytest.mark.parametrize("held_at", ["routing", "release", "sending", "never"])
def test_a_hold_is_looked_for_at_routing_at_release_and_at_sending(
    mailed: House, sink: post.Sink, held_at: str
) -> None:
    house = with_provider(mailed, office_endpoint(mailed))
    document = provider_case()
    url = next(place["url"] for place in document["locations"].values() if "url" in place)
    case_id = build.confirmed(house, document)
    if held_at == "routing":
        held(house, url)
        assert "police-hold" in reasons(house, case_id)
        with pytest.raises(Refused, match="no-route"):
            build.drafted(house, case_id, "host")
        return
    made = build.drafted(house, case_id, "host")
    if held_at == "release":
        held(house, url)
    build.approve(house, made)
    build.settle(house.desk)
    if held_at == "release":
        with unit_of_work(house.desk.db) as session:
            assert session.get_one(tables.DraftRefusal, made.release).code == "police-hold"
        return
    if held_at == "sending":
        held(house, url)
    carry.carry_due(house.desk)
    wanted = ("failed", "police-hold") if held_at == "sending" else ("awaiting", "handed-over")
    assert office.state(house, office.only(house)) == wanted
    assert len(sink.taken) == (0 if held_at == "sending" else 1)


def test_a_hold_meets_the_address_that_was_sent_though_the_case_has_another_now(
    mailed: House, sink: post.Sink
) -> None:
    house = with_provider(mailed, office_endpoint(mailed))
    document = provider_case()
    place = next(place for place in document["locations"].values() if "url" in place)
    url = place["url"]
    case_id = build.confirmed(house, document)
    build.approve(house, build.drafted(house, case_id, "host"))
    build.settle(house.desk)
    place["url"] = "https://corrected.example/item"
    with unit_of_work(house.desk.db) as session:
        intake.amend(house.desk, session, house.people["analyst-1"], case_id, json.dumps(document).encode())
    confirm_all(house, [case_id])
    held(house, url)
    carry.carry_due(house.desk)
    assert office.state(house, office.only(house)) == ("failed", "police-hold")
    assert sink.taken == []


def test_a_provider_that_pulls_gets_nothing_under_a_hold_and_learns_of_none(house: House) -> None:
    opened = keyed_provider(house)
    document = provider_case()
    url = next(place["url"] for place in document["locations"].values() if "url" in place)
    made = build.released(opened, "host", document)
    with build.serving(opened, worker=False) as (issuer, served):
        hold_id = held(served, url)
        with build.partner_api(served, issuer, "host") as api:
            with pytest.raises(NotFound) as kept:
                api.collect(made.release)
            with pytest.raises(NotFound) as absent:
                api.collect("a" * 26)
            assert (kept.value.code, kept.value.message) == (absent.value.code, absent.value.message)
            with unit_of_work(served.desk.db) as session:
                police = served.partners["police"]
                hold.end(served.desk, session, served.people["analyst-1"], hold_id, police)
            assert api.collect(made.release)


def test_a_release_to_the_police_that_was_called_back_told_nobody(mailed: House) -> None:
    settings = mailed.desk.settings.model_copy(update={"regret_seconds": 3600})
    house = replace(mailed, desk=replace(mailed.desk, settings=settings))
    document = full_case("person_lead")
    case_id = build.confirmed(house, document)
    made = build.drafted(house, case_id, "police")
    build.approve(house, made)
    build.settle(house.desk)
    with unit_of_work(house.desk.db) as session:
        publish.cancel(house.desk, session, house.people["releaser"], made.release)
        told = hold.waiting(house.desk, session, case_id, document)
    assert told is not None
    assert told.until is None


def test_notices_wait_for_the_police_or_the_agreed_hours(mailed: House) -> None:
    desk = mailed.desk
    clock: Any = desk.clock
    document = full_case("person_lead")
    case_id = build.confirmed(mailed, document)
    with unit_of_work(desk.db) as session:
        before = hold.notices(desk, session, case_id, document)
        seen = draft.preview(
            desk, session, mailed.people["analyst-1"], draft.Request(case_id, mailed.partners["office"])
        )
    assert before["waiting"]["until"] is None
    words, shown = preview_words(desk, seen)
    assert "Notices to providers wait for the police answer" in words
    assert shown["channel"] == "secure_mail"
    made = build.drafted(mailed, case_id, "police")
    build.approve(mailed, made)
    build.settle(desk)
    with unit_of_work(desk.db) as session:
        told = hold.waiting(desk, session, case_id, document)
    assert told is not None
    assert told.until is not None
    with unit_of_work(desk.db) as session:
        session.add(
            tables.Answer(
                id=desk.uuid(), partner_id=mailed.partners["police"], release_id=made.release, outcome="O10",
                body={}, at=desk.now(),
            )
        )  # fmt: skip
        session.flush()
        assert hold.waiting(desk, session, case_id, document) is None
        session.rollback()
    clock.ahead = timedelta(hours=25)
    with unit_of_work(desk.db) as session:
        assert hold.waiting(desk, session, case_id, document) is None
        plain = {"case": {"kind": "content_report", "urgency": "U4"}}
        assert hold.waiting(desk, session, case_id, plain) is None


def test_errors_of_a_hold_repeat_no_url(mailed: House) -> None:
    with pytest.raises(BrokerError) as refused, unit_of_work(mailed.desk.db) as session:
        hold.place(
            mailed.desk, session, mailed.people["analyst-1"], "canary7f3a9b", mailed.partners["police"]
        )
    assert "canary" not in str(refused.value)
