"""Answers by link, by telephone or in another system's list: the same rows, leaf and clocks."""

from __future__ import annotations

import json
import re
import threading
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlmodel import col, select

from broker.core.answers import PLAIN, Answer
from broker.core.summary import texts
from broker.demo.house import House
from broker.desk import answers, carry, deliver, hold, proof, returns
from broker.errors import Conflict, NotFound, Refused
from broker.jobs import settle
from broker.spi import DeliveryReceipt
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import canaries, full_case
from tests.deliveries import office, post

WHO = answers.Told("Synthetic Person A", "+32 2 555 01 11")


def stored(house: House) -> list[tables.Answer]:
    with unit_of_work(house.desk.db) as session:
        return list(session.exec(select(tables.Answer).order_by(col(tables.Answer.at))))


def leaves(house: House) -> int:
    settle(house.desk)
    with unit_of_work(house.desk.db) as session:
        found = select(tables.Event.id).where(col(tables.Event.leaf_type) == "outcome")
        return len(session.exec(found).all())


def link_of(mailbox: post.Mailbox, raw: bytes) -> str:
    body = mailbox.open(raw).get_body(("plain",))
    assert body is not None
    found = re.search(r"http://127\S+/v1/reply/\S{43}", body.get_content())
    assert found is not None
    return found[0]


def test_the_mail_reply_page_offers_the_six_answers(
    mailed: House, mailbox: post.Mailbox, sink: post.Sink
) -> None:
    document = full_case()
    words = texts("fr")["answers"]
    with build.serving(mailed, worker=False) as (_, served):
        build.released(served, "office", document)
        carry.carry_due(served.desk)
        link = link_of(mailbox, sink.taken[0])
        form = {"said": "case-opened", "reference": "BR.55.99.000001/2026"}
        assert words["plain"]["case-opened"] not in httpx.get(link).text  # first: did it arrive
        assert httpx.post(link + "/answer", data=form).status_code == 409
        page = httpx.post(link + "/received")
        shown = [words["plain"][p.code].replace("'", "&#x27;") for p in PLAIN]
        assert [text for text in shown if text not in page.text] == []
        assert page.headers["cache-control"] == "no-store"
        assert [v for v in canaries(document).values() if isinstance(v, str) and v in page.text] == []
        for _ in range(2):  # the same words twice are one answer
            assert httpx.post(link + "/answer", data=form).status_code == 200
        wrong: list[dict[str, Any]] = [
            {"said": "need-more"},
            {"said": "need-more", "gap": ["Q99"]},
            {"said": "case-opened", "reference": "<script>"},
            {"said": "not-ours", "outcome": "O10"},
            {"said": "something"},
            {},
        ]
        for each in wrong:
            refused = httpx.post(link + "/answer", data=each)
            assert refused.status_code == 400
            assert words["page"]["again"] in refused.text
            assert "<script>" not in refused.text
        assert httpx.post(link + "/answer", data={"said": "x" * 5000}).status_code == 413
        assert httpx.get(link + "/answer").status_code in (404, 405)
        more = {"said": "need-more", "gap": ["Q08", "Q10"], "outcome": "O20"}
        assert httpx.post(link + "/answer", data=more).status_code == 200
        served.desk.clock.ahead = proof.REPLY_LIFE + timedelta(seconds=1)  # type: ignore[attr-defined]
        assert httpx.post(link + "/answer", data={"said": "not-an-offence"}).status_code == 404
    assert [row.body for row in stored(mailed)] == [
        {"outcome": "O10", "caseReference": "BR.55.99.000001/2026", "gaps": []},
        {"outcome": "O20", "gaps": ["Q08", "Q10"]},
    ]
    assert leaves(mailed) == 2


def test_an_answer_by_telephone_proves_arrival_and_ends_the_wait_of_notices(
    mailed: House, sink: post.Sink
) -> None:
    release = office.released(mailed, kind="person_lead")
    desk, analyst = mailed.desk, mailed.people["analyst-1"]
    delivery = office.only(mailed)
    with unit_of_work(desk.db) as session, pytest.raises(Conflict):
        answers.told(desk, session, analyst, str(delivery), Answer("O10"), WHO)  # nothing has left yet
    carry.carry_due(desk)
    data = full_case("person_lead")
    with unit_of_work(desk.db) as session:
        case = session.get_one(tables.Release, release).case_id
        assert hold.waiting(desk, session, case, data) is not None
    for state in ("new", "same"):
        with unit_of_work(desk.db) as session:
            assert answers.told(desk, session, analyst, str(delivery), Answer("O10", "A 1"), WHO) == state
    assert office.state(mailed, delivery) == ("delivered", "call-read-back")
    with unit_of_work(desk.db) as session:
        assert hold.waiting(desk, session, case, data) is None
        rows = session.exec(select(tables.EventRecord)).all()
        assert not any(WHO.answered_by.encode() in row.record for row in rows)
    assert [(row.outcome, row.partner_id) for row in stored(mailed)] == [("O10", mailed.partners["office"])]
    assert leaves(mailed) == 1
    with unit_of_work(desk.db) as session, pytest.raises(Refused):
        answers.told(desk, session, analyst, release, Answer("O20"), WHO)


def test_who_corrects_an_answer_and_comes_back_to_it_is_heard(mailed: House, sink: post.Sink) -> None:
    """Case opened; by mistake: not ours; no, opened after all. What stands last is what they said last."""
    release = office.released(mailed)
    desk, analyst = mailed.desk, mailed.people["analyst-1"]
    clock: Any = desk.clock
    carry.carry_due(desk)
    opened, mistake = Answer("O10", "A 1"), Answer("O72", suggest="FR")
    states = []
    for minute, said in enumerate((opened, opened, mistake, opened, opened, mistake)):
        clock.ahead = timedelta(minutes=minute)
        with unit_of_work(desk.db) as session:
            states.append(answers.told(desk, session, analyst, release, said, WHO))
    assert states == ["new", "same", "new", "new", "same", "new"]
    assert [row.outcome for row in stored(mailed)] == ["O10", "O72", "O10", "O72"]
    assert leaves(mailed) == 4


def test_what_was_never_collected_has_no_answer(house: House) -> None:
    release = build.released(house, "police").release
    with unit_of_work(house.desk.db) as session, pytest.raises(Conflict):
        answers.told(house.desk, session, house.people["analyst-1"], release, Answer("O10"), WHO)
    for nothing in ("zzzz", "12345678-1234-1234-1234-123456789012"):
        with unit_of_work(house.desk.db) as session, pytest.raises(NotFound):
            answers.told(house.desk, session, house.people["analyst-1"], nothing, Answer("O10"), WHO)
    assert stored(house) == []


def test_two_at_once_are_one(mailed: House, sink: post.Sink) -> None:
    release = office.released(mailed)
    carry.carry_due(mailed.desk)
    said: list[str] = []

    def tell() -> None:
        with unit_of_work(mailed.desk.db) as session:
            row = session.get_one(tables.Release, release)
            said.append(answers.record(mailed.desk, session, row, Answer("O70"), via="call", by="st_x"))

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["new", "same", "same", "same"]


def envelope(*contents: dict[str, Any], report: int = 4711, items: tuple[int, ...] = (1, 2)) -> bytes:
    named = [{"contentId": n} for n in items]
    return json.dumps(
        {"iccam": "v3", "reports": [{"reportId": report, "reportContents": named}], "contents": contents}
    ).encode()


def item(number: int, *actions: int, country: str = "NL") -> dict[str, Any]:
    acts = [{"actionType": a, "actionDate": "2026-03-02T10:00:00Z"} for a in actions]
    return {"contentId": number, "assignedCountryCode": country, "actions": acts}


def sent_to_iccam(house: House) -> None:
    """A release that ICCAM took as report 4711; another one that mail took under the same number."""
    for adapter in ("iccam", "secure_mail"):
        release = build.released(house, "police").release
        with unit_of_work(house.desk.db) as session:
            row = session.get_one(tables.Release, release)
            made = tables.Delivery(
                id=house.desk.uuid(), release_id=release, partner_id=row.carrier, channel="push",
                adapter=adapter, not_before=row.due_at, deadline=None, created_at=house.desk.now(),
            )  # fmt: skip
            session.add(made)
            session.flush()
            deliver.keep(house.desk, session, made, "delivery", DeliveryReceipt(b"{}", "text/plain", "4711"))


def take(house: House, content: bytes, **options: str) -> returns.Taken:
    with unit_of_work(house.desk.db) as session:
        return returns.take(house.desk, session, house.people["analyst-1"], "iccam_in", content, options)


def test_actions_in_iccam_come_back_on_the_release_that_was_reported(house: House) -> None:
    sent_to_iccam(house)
    first = envelope(item(1, 2, 3), item(2, 1))
    assert take(house, first) == returns.Taken(1, 0, 0)  # one item removed is not the report removed
    assert take(house, first) == returns.Taken(0, 1, 0)
    done = envelope(item(1, 3), item(2, 1, 4, country="FR"))
    assert take(house, done, before=first.decode()) == returns.Taken(3, 1, 0)
    assert take(house, envelope(item(1, 6), items=(1,), report=99)) == returns.Taken(0, 0, 1)
    rows = stored(house)
    assert sorted(row.outcome for row in rows) == ["O12", "O60", "O64", "O74"]
    with unit_of_work(house.desk.db) as session:
        carriers = {session.get_one(tables.Delivery, d).adapter for d in _deliveries(session, rows)}
    assert carriers == {"iccam"}
    assert leaves(house) == 4
    with pytest.raises(Refused):
        take(house, b'{"iccam":"v3","reports":[]}')
    with pytest.raises(NotFound), unit_of_work(house.desk.db) as session:
        returns.take(house.desk, session, house.people["analyst-1"], "tabular", b"{}", {})


def _deliveries(session: Any, rows: list[tables.Answer]) -> list[Any]:
    ids = [row.release_id for row in rows]
    return list(session.exec(select(tables.Delivery.id).where(col(tables.Delivery.release_id).in_(ids))))
