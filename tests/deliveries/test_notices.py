"""Notices to providers: one mail that an abuse desk's parser reads, and nothing once a fact has changed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import xarf
from sqlmodel import select

from broker.core.pack import load_pack
from broker.demo.house import House
from broker.desk import carry, deliver, hold, overdue, proof, publish
from broker.errors import Misconfigured
from broker.hosting import HostFolder
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import canaries
from tests.deliveries import office, post, providers
from tests.deliveries.test_mail import bounce

LIVE = re.compile(r"\b(?:https?|ftps?)://\S+")


def parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def attached(message: EmailMessage) -> dict[str, bytes]:
    """Name → bytes of every JSON part, in order."""
    return {
        str(part.get_filename()): part.get_payload(decode=True)  # type: ignore[misc]
        for part in message.walk()
        if part.get_content_type() == "application/json"
    }


def released(house: House, document: Any) -> str:
    made = build.drafted(house, build.confirmed(house, document), "host")
    build.approve(house, made)
    build.settle(house.desk)
    return made.release


@pytest.mark.parametrize("adapter", ["xarf_notice", "xarf_notice_cdn", "xarf_notice_registrar"])
def test_an_abuse_desk_reads_it(house: House, sink: post.Sink, tmp_path: Path, adapter: str) -> None:
    opened = providers.by_mail(house, tmp_path, sink.port, adapter)
    document = providers.provider_case()
    release = released(opened, document)
    assert carry.carry_due(opened.desk) == 1
    assert office.state(opened, office.only(opened)) == ("awaiting", "handed-over")
    message = parsed(sink.taken[0])
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "feedback-report"
    assert kinds[:3] == ["text/plain", "message/feedback-report", "application/json"]
    assert b"Feedback-Type: xarf" in sink.taken[0]
    files = attached(message)
    reports = [json.loads(body) for name, body in files.items() if name.startswith("notice")]
    exact = {place["url"] for place in document["locations"].values()}
    assert reports
    for report in reports:
        read = xarf.parse(report)
        assert (read.errors, read.warnings) == ([], [])
        assert report["url"] in exact
    assert {place["url"] for place in json.loads(files["locations.json"])["locations"]} <= exact
    with unit_of_work(opened.desk.db) as session:
        row = session.get_one(tables.Release, release)
        signed = {d.name: d.content for d in publish.open_record(opened.desk, session, row).signed_documents}
    assert files == {name: signed[name] for name in files}
    assert set(signed) == {"notice.txt", *files}


def test_the_letter_has_no_live_address_but_ours(house: House, sink: post.Sink, tmp_path: Path) -> None:
    opened = providers.by_mail(house, tmp_path, sink.port)
    document = providers.provider_case()
    released(opened, document)
    carry.carry_due(opened.desk)
    message = parsed(sink.taken[0])
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    links = LIVE.findall(text)
    assert [link.startswith(opened.desk.settings.issuer + "/v1/reply/") for link in links] == [True]
    token = links[0].rpartition("/")[2]
    outside = sink.taken[0].partition(b"\r\n\r\n")[0].decode()
    assert [pointer for pointer, value in canaries(document).items() if value in outside] == []
    with unit_of_work(opened.desk.db) as session:
        proof.reply(opened.desk, session, token, "received")
    assert office.state(opened, office.only(opened)) == ("delivered", "received")


def test_a_bounce_is_seen(house: House, sink: post.Sink, tmp_path: Path) -> None:
    opened = providers.by_mail(house, tmp_path, sink.port)
    released(opened, providers.provider_case())
    carry.carry_due(opened.desk)
    delivery = office.only(opened)
    with unit_of_work(opened.desk.db) as session:
        proof.report(opened.desk, session, "xarf_notice", bounce(str(delivery), "failed"))
    assert office.state(opened, delivery) == ("failed", "bounce-5-1-1")


def test_a_country_that_is_no_longer_open_gets_nothing(house: House, sink: post.Sink, tmp_path: Path) -> None:
    """Released while a clause opened the country, and the clause is gone: the Belgian pack opens none."""
    opened = providers.by_mail(house, tmp_path, sink.port)
    released(opened, providers.provider_case())
    shut = replace(opened, desk=replace(opened.desk, pack=load_pack("be")))
    assert shut.desk.pack.routes.notices_opened == {}
    carry.carry_due(shut.desk)
    assert office.state(shut, office.only(shut)) == ("failed", "provider-notices-off")
    assert sink.taken == []


@pytest.mark.parametrize(
    ("changes", "ends", "kept"),
    [
        ({}, ("awaiting", "handed-over"), []),
        ({"provider": "Host Two (synthetic)"}, ("failed", "host-changed"), ["host.provider"]),
        ({"country": "ZY"}, ("failed", "host-moved"), ["country"]),
        ({"gone": "yes"}, ("queued", "host-unresolved"), ["state"]),
    ],
)
def test_the_host_is_looked_up_again_just_before(
    house: House, sink: post.Sink, tmp_path: Path, changes: dict[str, str], ends: Any, kept: list[str]
) -> None:
    document = providers.provider_case()
    opened = providers.by_mail(house, tmp_path, sink.port)
    opened = providers.seeing(opened, providers.network(document, **changes))
    released(opened, document)
    carry.carry_due(opened.desk)
    delivery = office.only(opened)
    assert office.state(opened, delivery) == ends
    assert len(sink.taken) == (ends[0] == "awaiting")
    with unit_of_work(opened.desk.db) as session:
        rows = session.exec(
            select(tables.DeliveryEvidence).where(tables.DeliveryEvidence.proves == "host")
        ).all()
        checks = [json.loads(deliver.open_evidence(opened.desk, session, row)) for row in rows]
        anew = [late.kind for late in overdue.overdue(opened.desk, session)]
        body = bytes(rows[0].body)
    assert [c["member"] for place in checks[0]["places"] for c in place["changes"]] == kept
    assert all(place["lookups"] for place in checks[0]["places"])
    assert b"host" not in body
    assert anew == (["draft-anew"] if ends[0] == "failed" else [])
    if ends[0] == "failed":  # trying again does not help: only another draft does
        with unit_of_work(opened.desk.db) as session:
            deliver.retry(opened.desk, session, opened.people["releaser"], delivery)
        carry.carry_due(opened.desk)
        assert office.state(opened, delivery) == ends
        assert sink.taken == []
    if ends[0] == "queued":  # the name is back
        clock: Any = opened.desk.clock
        clock.ahead = timedelta(minutes=2)
        carry.carry_due(providers.seeing(opened, providers.network(document)).desk)
        assert office.state(opened, delivery) == ("awaiting", "handed-over")


def test_what_was_sent_back_is_drafted_anew_and_leaves(house: House, sink: post.Sink, tmp_path: Path) -> None:
    document = providers.provider_case()
    opened = providers.by_mail(house, tmp_path, sink.port)
    case_id = build.confirmed(opened, document)
    for kind, hosts in (
        ("new", providers.network(document, country="ZY")),
        ("correct", providers.network(document)),
    ):
        clock: Any = opened.desk.clock
        clock.ahead = (clock.ahead or timedelta()) + timedelta(minutes=1)
        made = build.drafted(opened, case_id, "host", kind=kind)
        build.approve(opened, made)
        build.settle(opened.desk)
        carry.carry_due(providers.seeing(opened, hosts).desk)
    with unit_of_work(opened.desk.db) as session:
        assert sorted(row["code"] for row in deliver.listing(session)) == ["handed-over", "host-moved"]
        assert overdue.overdue(opened.desk, session) == []
    assert len(sink.taken) == 1


def test_a_hold_that_comes_during_the_look_wins(house: House, sink: post.Sink, tmp_path: Path) -> None:
    document = providers.provider_case()
    opened = providers.by_mail(house, tmp_path, sink.port)
    elsewhere = providers.network(document, country="ZY")

    def look() -> Any:
        with unit_of_work(opened.desk.db) as session:
            url = document["locations"]["loc1"]["url"]
            hold.place(opened.desk, session, opened.people["analyst-1"], url, opened.partners["police"])
        return elsewhere

    released(opened, document)
    carry.carry_due(replace(opened.desk, hosts=look))
    assert office.state(opened, office.only(opened)) == ("failed", "police-hold")
    assert sink.taken == []


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (Misconfigured("hosting-data", "line 3 of a data file is wrong"), ("failed", "hosting-data")),
        (ValueError("no address"), ("queued", "host-check-broke")),
    ],
)
def test_a_look_that_breaks_lets_nothing_out(
    house: House, sink: post.Sink, tmp_path: Path, error: Exception, ends: tuple[str, str]
) -> None:
    def look() -> Any:
        raise error

    opened = providers.by_mail(house, tmp_path, sink.port)
    released(opened, providers.provider_case())
    carry.carry_due(replace(opened.desk, hosts=look))
    assert office.state(opened, office.only(opened)) == ends
    assert sink.taken == []


def test_nobody_but_a_provider_is_looked_up(mailed: House, sink: post.Sink) -> None:
    def look() -> Any:
        raise AssertionError("a referral to the police does not wait for a look-up")

    office.released(mailed)
    carry.carry_due(replace(mailed.desk, hosts=look))
    assert len(sink.taken) == 1


def test_the_operators_folder_is_read_again_when_it_changes(tmp_path: Path) -> None:
    hosts = HostFolder(tmp_path)
    with pytest.raises(Misconfigured, match="networks"):
        hosts()
    table = tmp_path / "networks.csv"
    table.write_text("network,country,asn,organisation\n192.0.2.0/24,BE,AS64500,Host One\n")
    first = hosts()
    assert hosts() is first
    (tmp_path / "cdns.csv").write_text("match,value,provider\nasn,AS64510,CDN One\n")
    assert hosts() is not first
    table.write_text("network,country\n")
    with pytest.raises(Misconfigured, match="header"):
        hosts()


def test_endpoints_are_one_plain_address(house: House) -> None:
    adapter = house.desk.adapters["xarf_notice"]
    assert not adapter.endpoint_issues({"address": providers.ABUSE})
    for wrong in ({}, {"address": "a@b.example, c@d.example"}, {"address": providers.ABUSE, "cc": "x"}):
        assert adapter.endpoint_issues(wrong)
