"""Delivering to the CyberTipline, against a fake server that holds to the rules that were learnt.

Every fault ends in one of: delivered with evidence, or a coded error and nothing finished twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import httpx
import pytest

from adapters.ncmec import adapter
from adapters.ncmec.schema import SCHEMA
from adapters.ncmec.session import NcmecSession
from adapters.ncmec.transport import Wire, checked_base
from adapters.ncmec.tree import read, write
from broker.conformance import samples
from broker.spi import Connects, Delivers, Document, Line, Undelivered
from tests.adapters.outbound import to
from tests.adapters.reference import optional, reference
from tests.fakes import ncmec_server as server

FULL = to(samples()["full"], "NCM")
DOCUMENTS = tuple(adapter.render(FULL))
XSD = optional("ncmec/cyber_tipline.xsd")


@dataclass
class Memory:
    """The progress of one delivery, that survives the session object as a database would."""

    history: list = field(default_factory=list)

    def load(self):
        return self.history[-1] if self.history else {}

    def save(self, values):
        assert all(isinstance(v, str) for v in values.values())
        self.history.append(dict(values))


@pytest.fixture
def world():
    with server.serving(XSD) as (url, fake):
        yield url, fake


def session(url, memory=None, *, sheets=True, password=server.PASSWORD):
    return NcmecSession(Wire(url, server.USER, password), memory or Memory(), sheets=sheets)


def refused(call):
    with pytest.raises(Undelivered) as caught:
        call()
    assert caught.value.__cause__ is None
    return caught.value


def test_it_delivers_and_keeps_the_receipt_to_the_letter(world):
    url, fake = world
    memory = Memory()
    made = session(url, memory)
    assert isinstance(made, Delivers)
    receipt = made.send(DOCUMENTS, key="k1")
    [filed] = fake.finished
    assert fake.calls == [
        "/ispws/submit",
        *["/ispws/upload", "/ispws/fileinfo"] * 2,
        "/ispws/finish",
    ]
    assert filed.report == DOCUMENTS[0].content
    assert list(filed.files.values()) == [DOCUMENTS[1].content, DOCUMENTS[3].content]
    root = read(receipt.evidence)
    assert root.name == "reportDoneResponse"
    assert receipt.evidence.startswith(server.HEAD.encode())
    assert root.texts("reportId") == [receipt.remote_reference]
    assert root.texts("files", "fileId") == list(filed.files)
    assert receipt.media_type == "text/xml"
    for file_id, details in filed.details.items():
        assert read(details).texts("fileId") == [file_id]
        assert read(details).texts("reportId") == [receipt.remote_reference]


def test_without_the_flag_only_the_report_goes(world):
    url, fake = world
    session(url, sheets=False).send(DOCUMENTS, key="k1")
    assert fake.calls == ["/ispws/submit", "/ispws/finish"]


def test_the_same_key_never_delivers_twice(world):
    url, fake = world
    memory = Memory()
    first = session(url, memory).send(DOCUMENTS, key="k1")
    calls = list(fake.calls)
    assert session(url, memory).send(DOCUMENTS, key="k1") == first
    assert fake.calls == calls


def test_a_delivery_stands_for_one_set_of_documents(world):
    url, _ = world
    memory = Memory()
    session(url, memory).send(DOCUMENTS, key="k1")
    other = adapter.render(replace(FULL, reference="CF-2026-000999-1"))
    assert refused(lambda: session(url, memory).send(other, key="k1")).code == "ncmec-other-documents"


STEPS = ["submit", "upload", "fileinfo", "finish"]


@pytest.mark.parametrize("fault", ["refuse", "cut", "bare", 1000])
@pytest.mark.parametrize("step", STEPS)
def test_a_fault_at_any_step_is_told_and_the_next_try_delivers_once(world, step, fault):
    url, fake = world
    memory = Memory()
    fake.fault(f"/ispws/{step}", fault)
    failed = refused(lambda: session(url, memory).send(DOCUMENTS, key="k1"))
    assert failed.again
    assert failed.certain == (step != "finish")
    receipt = session(url, memory).send(DOCUMENTS, key="k1")
    [filed] = fake.finished
    assert len(filed.files) == len(filed.details) == 2
    assert fake.reports[receipt.remote_reference] is filed
    assert receipt.evidence


@pytest.mark.parametrize("always_ok", [False, True])
def test_a_finish_whose_answer_was_lost_is_proven_by_already_finished(world, always_ok):
    url, fake = world
    fake.always_ok = always_ok
    memory = Memory()
    fake.fault("/ispws/finish", "cut")
    refused(lambda: session(url, memory).send(DOCUMENTS, key="k1"))
    receipt = session(url, memory).send(DOCUMENTS, key="k1")
    assert read(receipt.evidence).texts("responseCode") == ["5102"]
    assert fake.calls.count("/ispws/submit") == 1


def test_a_doubtful_upload_is_retracted_and_the_report_begun_anew(world):
    url, fake = world
    memory = Memory()
    fake.fault("/ispws/upload", "cut")
    refused(lambda: session(url, memory).send(DOCUMENTS, key="k1"))
    session(url, memory).send(DOCUMENTS, key="k1")
    assert [filed.state for filed in fake.reports.values()] == ["retracted", "finished"]


def test_a_process_killed_after_any_save_delivers_once_when_it_comes_back(world):
    url, fake = world
    whole = Memory()
    session(url, whole).send(DOCUMENTS, key="k1")
    points = len(whole.history)
    assert points > 6
    for stop in range(points):
        fake.reports.clear()

        @dataclass
        class Dying(Memory):
            left: int = stop

            def save(self, values):
                if not self.left:
                    raise SystemExit
                self.left -= 1
                super().save(values)

        memory = Dying()
        with pytest.raises(SystemExit):
            session(url, memory).send(DOCUMENTS, key="k1")
        survived = Memory(memory.history)
        receipt = session(url, survived).send(DOCUMENTS, key="k1")
        assert len(fake.finished) == 1
        assert fake.reports[receipt.remote_reference].state == "finished"
        assert len(fake.finished[0].files) == 2


def test_an_open_report_that_expired_is_begun_anew(world):
    url, fake = world
    memory = Memory()
    fake.fault("/ispws/fileinfo", 1000)
    fake.fault("/ispws/finish", 2000)
    refused(lambda: session(url, memory).send(DOCUMENTS, key="k1"))
    assert not refused(lambda: session(url, memory).send(DOCUMENTS, key="k1")).again
    fake.reports.clear()
    assert refused(lambda: session(url, memory).send(DOCUMENTS, key="k1")).code == "ncmec-report-expired"
    session(url, memory).send(DOCUMENTS, key="k1")
    assert len(fake.finished) == 1


def test_a_doubtful_finish_of_a_report_that_is_gone_is_never_sent_again(world):
    url, fake = world
    memory = Memory()
    fake.fault("/ispws/finish", "cut")
    refused(lambda: session(url, memory).send(DOCUMENTS, key="k1"))
    fake.reports.clear()
    for _ in range(2):
        failed = refused(lambda: session(url, memory).send(DOCUMENTS, key="k1"))
        assert (failed.code, failed.certain, failed.again) == ("ncmec-finish-unknown", False, False)
    assert fake.calls.count("/ispws/submit") == 1


def test_a_refused_report_is_coded_and_not_tried_again_by_itself(world):
    url, fake = world
    broken = Document("report.xml", "text/xml", DOCUMENTS[0].content.replace(b"desk@hotline.example", b""))
    failed = refused(lambda: session(url, sheets=False).send([broken], key="k1"))
    assert (failed.code, failed.again) == ("ncmec-validation-failed", False)
    assert failed.certain
    assert "hotline" not in str(failed)
    assert b"<responseCode>4100" in failed.answer.evidence
    assert len(failed.answer.remote_reference) == 16  # NCMEC's Request-ID, which its support asks for
    assert fake.reports == {}


def test_an_order_that_is_not_the_schemas_is_refused_by_the_schema():
    with server.serving(reference("ncmec/cyber_tipline.xsd").read_bytes()) as (url, _):
        root = read(DOCUMENTS[0].content)
        swapped = Document("report.xml", "text/xml", write(replace(root, children=root.children[::-1])))
        failed = refused(lambda: session(url, sheets=False).send([swapped], key="k1"))
        assert failed.code == "ncmec-validation-failed"


def test_bad_credentials(world):
    url, _ = world
    failed = refused(lambda: session(url, password="wrong").status())
    assert (failed.code, failed.again) == ("ncmec-authentication-required", False)


def test_status_and_the_schema_that_is_served(world):
    url, fake = world
    assert session(url).status().code == 0
    if fake.schema is None:
        assert refused(lambda: session(url).schema_sha256()).code == "ncmec-unexpected-answer"
    else:
        assert session(url).schema_sha256() == SCHEMA.xsd_sha256


def test_retract_before_finish_and_not_after(world):
    url, fake = world
    memory = Memory()
    number = session(url).wire.xml("/submit", DOCUMENTS[0].content).text("reportId")
    first = session(url, memory).retract(number, key="r1")
    assert first.proves == "retraction"
    assert read(first.evidence).texts("responseCode") == ["0"]
    assert session(url, memory).retract(number, key="r1") == first
    assert fake.calls.count("/ispws/retract") == 1
    again = session(url).retract(number, key="r2")
    assert read(again.evidence).texts("responseCode") == ["5101"]
    done = session(url).send(DOCUMENTS, key="k1").remote_reference
    failed = refused(lambda: session(url).retract(done, key="r3"))
    assert (failed.code, failed.again) == ("ncmec-already-finished", False)
    assert refused(lambda: session(url).retract("1", key="r4")).code == "ncmec-no-such-report"


def test_a_server_that_stored_another_file_is_noticed(world, monkeypatch):
    url, fake = world
    monkeypatch.setattr(fake, "upload", lambda n, c: type(fake).upload(fake, n, c + b" "))
    assert refused(lambda: session(url).send(DOCUMENTS, key="k1")).code == "ncmec-file-differs"
    assert fake.finished == []


@pytest.mark.parametrize(
    "document",
    [
        Document("item-1.txt", "text/plain", b"\x89PNG\r\n\x1a\n"),
        Document("item-1.txt", "text/plain", b"abc\x00"),
        Document("item-1.txt", "image/png", b"text"),
        Document("item-1.txt", "text/plain", b"x" * (256 * 1024 + 1)),
    ],
)
def test_only_text_is_ever_sent(world, document):
    url, fake = world
    others = [d for d in DOCUMENTS if d.name != "item-1.txt"]
    assert refused(lambda: session(url).send([*others, document], key="k")).code == "ncmec-text-only"
    assert fake.calls == []


@pytest.mark.parametrize("missing", ["report.xml", "filedetails-1.xml"])
def test_an_incomplete_set_is_not_begun(world, missing):
    url, fake = world
    left = [d for d in DOCUMENTS if d.name != missing]
    refused(lambda: session(url).send(left, key="k1"))
    assert fake.calls == []


@pytest.mark.parametrize(
    "url",
    [
        "http://report.cybertip.org/ispws",
        "https://report.cybertip.org.evil.example/ispws",
        "https://report.cybertip.org@evil.example/ispws",
        "https://user:secret@report.cybertip.org/ispws",
        "https://report.cybertip.org:8443/ispws",
        "https://report.cybertip.org/ispws?x=1",
        "https://internal.cybertip.org/ispws",
        "https://evil-cybertip.org/ispws",
        "https://169.254.169.254/ispws",
        "http://localhost/ispws",
        "http://10.0.0.1/ispws",
        "http://[::ffff:169.254.169.254]/ispws",
        "file:///etc/hostname",
        "ftp://127.0.0.1/",
        "https://[oops/ispws",
        "",
    ],
)
def test_a_base_url_that_could_lead_elsewhere_is_refused(url):
    failed = refused(lambda: checked_base(url))
    assert (failed.code, failed.again) == ("ncmec-base-url", False)
    assert "evil" not in str(failed)


@pytest.mark.parametrize(
    "url",
    ["https://report.cybertip.org/ispws/", "https://exttest.cybertip.org/ispws", "http://127.0.0.1:9/ispws"],
)
def test_the_known_hosts_and_loopback_are_allowed(url):
    assert checked_base(url) == url.rstrip("/")


def answering(*responses):
    """A session over canned responses: for answers no honest server gives."""
    left = list(responses)
    wire = Wire("https://exttest.cybertip.org/ispws", "u", "p", httpx.MockTransport(lambda _: left.pop(0)))
    return NcmecSession(wire, Memory())


@pytest.mark.parametrize(
    ("response", "code", "retry"),
    [
        (httpx.Response(302, headers={"Location": "http://10.0.0.1/"}), "ncmec-unexpected-answer", False),
        (httpx.Response(503, content=b"down"), "ncmec-unexpected-answer", True),
        (httpx.Response(200, content=b"<a/>"), "ncmec-unexpected-answer", False),
        (httpx.Response(401, content=b""), "ncmec-authentication-required", False),
        (httpx.Response(200, content=b"x" * (1 << 20) + b"x"), "ncmec-answer-too-big", True),
        (
            httpx.Response(200, content=b"<r><responseCode>4999</responseCode></r>"),
            "ncmec-unknown-code",
            False,
        ),
        (
            httpx.Response(
                200, content=b'<!DOCTYPE r [<!ENTITY x "0">]><r><responseCode>&x;</responseCode></r>'
            ),
            "ncmec-unexpected-answer",
            False,
        ),
    ],
)
def test_dishonest_answers(response, code, retry):
    failed = refused(lambda: answering(response).send(DOCUMENTS, key="k1"))
    assert (failed.code, failed.again) == (code, retry)


def test_an_answer_without_a_report_number_opens_nothing():
    empty = httpx.Response(200, content=server.answer())
    assert refused(lambda: answering(empty).send(DOCUMENTS, key="k1")).code == "ncmec-unexpected-answer"


def test_the_password_is_not_in_its_words():
    assert "synthetic password" not in repr(session("http://127.0.0.1:9/ispws"))


def line(house):
    return Line({}, house, "CF-2026-000123-7", "en", datetime(2026, 3, 1, tzinfo=UTC), Memory())


def test_it_is_connected_by_the_operators_file(world, tmp_path):
    url, fake = world
    (tmp_path / "secret").write_text(f"{server.PASSWORD}\n")
    house = {"base_url": url, "username": server.USER, "password_file": str(tmp_path / "secret")}
    assert isinstance(adapter, Connects)
    assert [issue.rule for issue in adapter.endpoint_issues({"address": "x"})] == ["unknown-member"]
    assert not adapter.endpoint_issues({})
    adapter.connect(line(house)).send(DOCUMENTS, key="k1")
    adapter.connect(line({**house, "sheets": True})).send(DOCUMENTS, key="k2")
    assert [len(filed.files) for filed in fake.finished] == [0, 2]
    for missing in house:
        left = {name: value for name, value in house.items() if name != missing}
        failed = refused(lambda left=left: adapter.connect(line(left)))
        assert (failed.code, failed.certain, failed.again) == ("ncmec-not-configured", True, False)


def test_other_documents_of_the_release_stay_at_home(world):
    url, fake = world
    others = (Document("referral.pdf", "application/pdf", b"%PDF-1.7"), Document("a.csv", "text/csv", b"x"))
    session(url).send([*others, *DOCUMENTS], key="k1")
    [filed] = fake.finished
    assert sorted(filed.files.values()) == sorted((DOCUMENTS[1].content, DOCUMENTS[3].content))


def test_a_withdrawal_is_a_letter_and_not_sent(world):
    url, fake = world
    letter = adapter.render(replace(FULL, kind="withdraw"))
    failed = refused(lambda: session(url).send(letter, key="k1"))
    assert (failed.code, failed.certain, failed.again) == ("ncmec-withdrawal-by-letter", True, False)
    assert fake.calls == []


def test_after_a_doubtful_finish_nothing_is_certain_any_more(world):
    url, fake = world
    memory = Memory()
    fake.fault("/ispws/finish", "cut", 2000)
    assert not refused(lambda: session(url, memory).send(DOCUMENTS, key="k1")).certain
    later = refused(lambda: session(url, memory).send(DOCUMENTS, key="k1"))
    assert (later.code, later.certain) == ("ncmec-authentication-required", False)
    receipt = session(url, memory).send(DOCUMENTS, key="k1")
    assert read(receipt.evidence).texts("responseCode") == ["5102"]
    assert len(fake.finished) == 1


def test_a_receipt_that_is_not_utf8_is_kept_to_the_byte():
    head = b'<?xml version="1.0" encoding="ISO-8859-1"?>'
    done = head + b"<reportDoneResponse><responseCode>0</responseCode><x>\xe9</x></reportDoneResponse>"
    memory = Memory()
    memory.save({"report_id": "1", "finishing": "yes"})
    made = answering(httpx.Response(200, content=done, headers={"Content-Type": "text/xml"}))
    made = replace(made, progress=memory)
    assert made.send(DOCUMENTS, key="k1").evidence == done
    assert made.send(DOCUMENTS, key="k1").evidence == done
