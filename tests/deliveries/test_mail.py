"""A release for a partner without integration: mailed, opened with openssl, answered, then delivered."""

from __future__ import annotations

import base64
import csv
import io
import re
from contextlib import suppress
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from sqlmodel import select

from broker.demo.house import House
from broker.desk import carry, deliver, proof, publish, register
from broker.errors import Conflict, Refused
from broker.jobs import settle
from broker.spi_out import reports
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import canaries, full_case
from tests.deliveries import office, post

CALL = proof.Call("Synthetic Person A", "+32 2 555 01 11", True)


def test_mail_is_delivered_by_the_answer_and_not_by_the_relay(
    mailed: House, mailbox: post.Mailbox, sink: post.Sink, tmp_path: Path
) -> None:
    with build.serving(mailed, worker=False) as (_, served):
        release = office.released(served)
        assert carry.carry_due(served.desk) == 1
        delivery = office.only(served)
        assert office.state(served, delivery) == ("awaiting", "handed-over")
        inner = mailbox.open(sink.taken[0])
        body = inner.get_body(("plain",))
        assert body is not None
        link = re.search(r"http://127\S+/v1/reply/\S{43}", body.get_content())
        assert link is not None
        assert httpx.get(link[0]).status_code == 200
        assert office.state(served, delivery)[0] == "awaiting"  # a scanner that follows links proves nothing
        for _ in range(2):
            assert httpx.post(link[0] + "/received").status_code == 200
        assert office.state(served, delivery) == ("delivered", "received")
        assert httpx.get(link[0][:-1] + ("a" if link[0][-1] != "a" else "b")).status_code == 404
    with unit_of_work(mailed.desk.db) as session:
        kept = session.exec(select(tables.DeliveryEvidence)).all()
        told = {row.proves: deliver.open_evidence(mailed.desk, session, row) for row in kept}
        rows = list(csv.DictReader(io.StringIO("".join(register.to_csv(session)))))
    assert b"250" in told["submission"] or b'"status": 250' in told["submission"]
    assert b'"said":"received"' in told["delivery"]
    assert (rows[0]["channel"], bool(rows[0]["delivered_at"])) == ("secure_mail", True)
    assert carry.carry_due(mailed.desk) == 0
    assert len(sink.taken) == 1
    assert release


def test_what_the_mail_shows_outside_and_inside(
    mailed: House, mailbox: post.Mailbox, sink: post.Sink
) -> None:
    document = full_case("person_lead")
    release = build.released(mailed, "office", document).release
    carry.carry_due(mailed.desk)
    raw = sink.taken[0]
    outer = message_from_bytes(raw, policy=default)
    inner = mailbox.open(raw)
    text = inner.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    attached = {part.get_filename(): part for part in inner.iter_attachments()}
    with unit_of_work(mailed.desk.db) as session:
        released = session.get_one(tables.Release, release)
        reference = session.get_one(tables.Referral, released.referral_id).reference
        signed = {
            d.name: d.content for d in publish.open_record(mailed.desk, session, released).signed_documents
        }
    assert outer["Subject"] == reference
    assert set(attached) == set(signed) - {"message.txt"} >= {"referral.pdf", "referral.csv"}
    for name, part in attached.items():
        assert part.get_payload(decode=True) == signed[str(name)]
    assert signed["referral.csv"].splitlines()[0].startswith(b"url;reason;IP;firstseen;lastseen;")
    assert reference in text
    assert mailed.desk.pack.desk.phone in text
    assert "hxxps://" in text
    assert "://" not in text.replace("hxxps://", "").replace("hxxp://", "").replace(
        mailed.desk.settings.issuer, ""
    )
    open_part = b"".join(raw.partition(b"\r\n\r\n")[:1]).decode() + " ".join(str(n) for n in attached)
    leaked = [pointer for pointer, value in canaries(document).items() if value in open_part]
    assert leaked == []


@pytest.mark.parametrize("kind", ["failed", "delayed"])
def test_bounce_and_delay(mailed: House, sink: post.Sink, kind: str) -> None:
    office.released(mailed)
    carry.carry_due(mailed.desk)
    delivery = office.only(mailed)
    with unit_of_work(mailed.desk.db) as session:
        found = proof.report(mailed.desk, session, "secure_mail", bounce(str(delivery), kind))
    assert found == delivery
    wanted = {"failed": ("failed", "bounce-5-1-1"), "delayed": ("awaiting", "delayed")}[kind]
    assert office.state(mailed, delivery) == wanted
    if kind == "failed":  # looked at by a person, who tries again
        with unit_of_work(mailed.desk.db) as session:
            deliver.retry(mailed.desk, session, mailed.people["releaser"], delivery)
        carry.carry_due(mailed.desk)
        assert office.state(mailed, delivery) == ("awaiting", "handed-over")
        assert len(sink.taken) == 2


def test_what_is_attached_to_a_report_is_not_kept(mailed: House) -> None:
    """Anybody can write a report; the broker holds no picture, whoever sends it (architecture.md)."""
    office.released(mailed)
    carry.carry_due(mailed.desk)
    delivery = office.only(mailed)
    report = message_from_bytes(bounce(str(delivery), "failed"), policy=default)
    picture = base64.b64encode(b"\x89PNG synthetic, no picture " * 40).decode()
    status = report.get_payload()[1].get_payload()[1]
    status["Diagnostic-Code"] = f"smtp; 550 5.1.1 unknown {picture}"
    status["X-Attached"] = picture
    report.make_mixed()
    report.add_attachment(base64.b64decode(picture), maintype="image", subtype="png", filename="a.png")
    with unit_of_work(mailed.desk.db) as session:
        proof.report(mailed.desk, session, "secure_mail", report.as_bytes())
    assert office.state(mailed, delivery) == ("failed", "bounce-5-1-1")
    with unit_of_work(mailed.desk.db) as session:
        failure = tables.DeliveryEvidence.proves == "failure"
        kept = session.exec(select(tables.DeliveryEvidence).where(failure)).one()
        told = deliver.open_evidence(mailed.desk, session, kept)
    assert b"Diagnostic-Code: smtp; 550 5.1.1 unknown" in told
    assert str(delivery).encode() in told
    assert b"PNG" not in told
    assert base64.b64encode(b"\x89PNG synthetic, no picture " * 20)[:400] not in told
    assert b"X-Attached" not in told


@pytest.mark.parametrize("content", [b"", b"Subject: hello\n\nno report", b"\xff" * 100])
def test_a_report_about_nothing_of_ours_is_refused(mailed: House, content: bytes) -> None:
    stranger = bounce("12345678-1234-1234-1234-123456789012", "failed")
    for report in (content, stranger):
        with pytest.raises(Refused), unit_of_work(mailed.desk.db) as session:
            proof.report(mailed.desk, session, "secure_mail", report)


DEEP = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3000))


@pytest.mark.parametrize(
    ("hostile", "rule"),
    [
        (b"Content-Type: multipart/b" + b";" * 1_000_000, "field"),
        (b"Content-Type: multipart/b;\r\n" + b" ;;;;;;;;;;;;;;;\r\n" * 60_000, "field"),
        (b"Message-ID: " + b"(" * 3000, "action"),
        (b"Message-ID: <" + b"<" * 3000, "action"),
        (DEEP, "depth"),
    ],
    ids=["header", "folded header", "comments", "brackets", "parts within parts"],
)
def test_a_hostile_report_is_refused_and_nothing_else_breaks(hostile: bytes, rule: str) -> None:
    """A long header would keep the library's parser for minutes, one of comments ends its stack."""
    with pytest.raises(Refused) as refused:
        reports.read(hostile)
    assert refused.value.issues[0].rule == rule
    good = bounce("12345678-1234-1234-1234-123456789012", "failed")
    assert reports.read(good).kind == "failed"
    with suppress(Refused):  # a hostile part beside good ones may be passed over
        reports.read(good.replace(b"--b\r\nContent-Type: text/plain", b"--b\r\n" + hostile))


def test_a_call_proves_it_and_a_call_takes_it_back(mailed: House) -> None:
    office.released(mailed)
    delivery = office.only(mailed)
    desk, analyst = mailed.desk, mailed.people["analyst-1"]
    with pytest.raises(Conflict), unit_of_work(desk.db) as session:
        proof.call(desk, session, analyst, delivery, CALL)  # nothing was sent yet
    carry.carry_due(desk)
    with unit_of_work(desk.db) as session:
        assert proof.call(desk, session, analyst, delivery, CALL) == "delivered"
    with unit_of_work(desk.db) as session:
        proof.retracted(desk, session, mailed.people["releaser"], delivery, CALL)
    assert office.steps(mailed, delivery) == ["queued", "sending", "awaiting", "delivered", "retracted"]
    with desk.db.connect("app") as conn:
        stored = str(conn.execute("select * from delivery_evidence").fetchall()).encode()
        stored += str(conn.execute("select * from delivery_event").fetchall()).encode()
    assert b"Synthetic Person A" not in stored


def test_no_answer_becomes_overdue_and_a_late_answer_still_counts(mailed: House) -> None:
    office.released(mailed)
    carry.carry_due(mailed.desk)
    delivery = office.only(mailed)
    assert proof.mark_overdue(mailed.desk) == 0
    mailed.desk.clock.ahead = timedelta(days=30)  # type: ignore[attr-defined]
    assert proof.mark_overdue(mailed.desk) == 1
    assert proof.mark_overdue(mailed.desk) == 0
    assert office.state(mailed, delivery) == ("overdue", "no-answer")
    with unit_of_work(mailed.desk.db) as session:
        assert [r["state"] for r in deliver.listing(session, open_only=True)] == ["overdue"]
        proof.call(mailed.desk, session, mailed.people["analyst-1"], delivery, CALL)
    assert office.state(mailed, delivery) == ("delivered", "call-read-back")


def test_many_that_are_late_at_once_are_called_late_in_turns(mailed: House) -> None:
    """One transaction for all would ask for more locks than the database has, and call nothing late."""
    for _ in range(5):
        office.released(mailed)
    clock: Any = mailed.desk.clock
    clock.ahead = timedelta(days=30)
    assert proof.mark_overdue(mailed.desk, many=2) == 5
    assert proof.mark_overdue(mailed.desk, many=2) == 0
    with mailed.desk.db.connect("app") as conn:
        query = "select count(*), count(distinct xmin::text) from delivery_event where state = 'overdue'"
        assert conn.execute(query).fetchone() == (5, 3)


def test_what_was_called_back_never_leaves(mailed: House, sink: post.Sink) -> None:
    desk = mailed.desk
    made = build.released(mailed, "office")
    with unit_of_work(desk.db) as session:
        publish.withdraw(desk, session, mailed.people["releaser"], made.release, "incorrect")
    settle(desk)
    carry.carry_due(desk)
    assert office.state(mailed, office.only(mailed)) == ("failed", "withdrawn")
    assert sink.taken == []


def test_nothing_leaves_before_it_is_in_the_ledger(mailed: House, sink: post.Sink) -> None:
    from broker.desk import release as desk_release

    made = build.drafted(mailed, build.confirmed(mailed, full_case()), "office")
    build.approve(mailed, made)
    assert desk_release.sign_approved(mailed.desk) == 1
    assert carry.carry_due(mailed.desk) == 0
    assert sink.taken == []
    settle(mailed.desk)
    assert carry.carry_due(mailed.desk) == 1
    assert len(sink.taken) == 1


def test_an_expired_certificate_gets_nothing(mailed: House, sink: post.Sink) -> None:
    office.released(mailed)
    mailed.desk.clock.ahead = timedelta(days=5)  # type: ignore[attr-defined]
    carry.carry_due(mailed.desk)
    assert office.state(mailed, office.only(mailed)) == ("failed", "certificate-expired")
    assert sink.taken == []


@pytest.mark.parametrize("where", post.BREAKS)
def test_a_relay_that_breaks_ends_honestly_and_never_sends_twice(mailed: House, where: str) -> None:
    office.released(mailed)
    desk, delivery = mailed.desk, office.only(mailed)
    with post.broken_relay(where) as broken:
        office.channel(mailed, "secure_mail", office.relay(broken.port))
        for _ in range(len(carry.BACKOFF) + 3):
            carry.carry_due(desk)
            desk.clock.ahead = (desk.clock.ahead or timedelta()) + timedelta(hours=9)  # type: ignore[attr-defined]
            if where.startswith("silent"):
                break
    state, code = office.state(mailed, delivery)
    again = where in ("refused", "mail-451", "rcpt-451", "text-451", "helo-500", "silent")
    if where == "silent":
        assert (state, code) == ("queued", "relay-unreachable")
    elif again:
        assert (state, code) == ("failed", "certificate-expired" if code.startswith("cert") else "gave-up")
    else:
        assert state == "failed"
    if where in ("cut-in-text", "cut-after-text", "silent-after-text"):
        assert code == "outcome-unknown"
        assert len(broken.taken) <= 1


def bounce(key: str, action: str) -> bytes:
    status = "5.1.1" if action == "failed" else "4.4.1"
    return (
        "From: MAILER-DAEMON@relay.example\r\nTo: out@hotline.example\r\nSubject: Report\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; relay.example\r\nOriginal-Envelope-Id: {key}\r\n\r\n"
        f"Final-Recipient: rfc822; desk@police.example\r\nAction: {action}\r\nStatus: {status}\r\n"
        "--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
        f"Message-ID: <{key}@hotline.example>\r\nSubject: x\r\n--b--\r\n"
    ).encode()
