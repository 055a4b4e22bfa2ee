"""FAKE CyberTipline server for tests. Not NCMEC's, not endorsed by it, and never tried against it.

It enforces what was learnt of the real one: HTTP Basic, the order of calls, the XSD (where the reference
folder is at hand), the documented rules beyond it, response codes, and that nothing can be added to or
taken from a finished report. It keeps everything in memory and serves loopback only. Faults can be asked
for by path: `cut` (the request is done, the answer never comes), `refuse` (nothing is done), `hang` and
`hang-after` (no answer and no end, before and after it was done), `twice` (done again by something between
us, whose second answer arrives), `bare` (an error page), or a response code.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from lxml import etree

USER, PASSWORD = "synthetic-esp", "synthetic password"
MEDIA = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"PK\x03\x04", b"%PDF", b"\x00\x00\x00\x18ftyp")


@dataclass
class Filed:
    """A report as the server knows it."""

    report: bytes
    state: str = "open"
    files: dict[str, bytes] = field(default_factory=dict)
    details: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Refusal(Exception):
    status: int
    code: int
    words: str


class Fake:
    """The state, apart from HTTP."""

    def __init__(self, schema: bytes | None) -> None:
        self.schema = schema
        self.xsd = None if schema is None else etree.XMLSchema(etree.fromstring(schema))
        self.reports: dict[str, Filed] = {}
        self.calls: list[str] = []
        self.types: list[str] = []
        self.faults: dict[str, deque[str | int]] = {}
        self.always_ok = False
        """HTTP 200 whatever the response code says, as older recordings of the real server have it."""
        self.lock = threading.Lock()
        self.reached = threading.Event()
        """Set when it hangs."""
        self.stop = threading.Event()

    def fault(self, path: str, *kinds: str | int) -> None:
        """The next calls of a path fail in these ways, one each."""
        self.faults.setdefault(path, deque()).extend(kinds)

    @property
    def finished(self) -> list[Filed]:
        return [filed for filed in self.reports.values() if filed.state == "finished"]

    # what each call does

    def submit(self, body: bytes) -> bytes:
        root = self._document(body, "report")
        self._rules_of_report(root)
        number = str(4_564_654 + len(self.reports))
        self.reports[number] = Filed(body)
        return answer(number)

    def upload(self, number: str, content: bytes) -> bytes:
        filed = self._open(number)
        if not content or content.startswith(MEDIA):
            raise Refusal(400, 4200, "Malformed file")
        file_id = secrets.token_hex(16)
        filed.files[file_id] = content
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return answer(number, f"<fileId>{file_id}</fileId><hash>{digest}</hash>")

    def fileinfo(self, body: bytes) -> bytes:
        root = self._document(body, "fileDetails")
        number, file_id = root.findtext("reportId", ""), root.findtext("fileId", "")
        filed = self._open(number)
        if file_id not in filed.files:
            raise Refusal(404, 5002, "File does not exist")
        if root.findtext("exifViewedByEsp") == "true" != root.findtext("fileViewedByEsp"):
            raise Refusal(400, 4100, "exif viewed, file not")
        supplemental = root.findtext("fileRelevance") == "Supplemental Reported"
        if supplemental and root.find("industryClassification") is not None:
            raise Refusal(400, 4100, "supplemental files are not classified")
        filed.details[file_id] = body
        return answer(number)

    def finish(self, number: str) -> bytes:
        filed = self._open(number)
        filed.state = "finished"
        files = "".join(f"<fileId>{f}</fileId>" for f in filed.files)
        body = f"<responseCode>0</responseCode><reportId>{number}</reportId><files>{files}</files>"
        return f"{HEAD}<reportDoneResponse>{body}</reportDoneResponse>".encode()

    def retract(self, number: str) -> bytes:
        self._open(number).state = "retracted"
        return answer(number)

    # rules

    def _open(self, number: str) -> Filed:
        filed = self.reports.get(number)
        if filed is None:
            raise Refusal(404, 5001, "Report does not exist")
        if filed.state == "retracted":
            raise Refusal(409, 5101, "Report already retracted")
        if filed.state == "finished":
            raise Refusal(409, 5102, "Report already finished")
        return filed

    def _document(self, body: bytes, name: str) -> Any:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            root = etree.fromstring(body, parser)
        except etree.XMLSyntaxError:
            raise Refusal(400, 4110, "Malformed XML") from None
        if root.tag != name:
            raise Refusal(400, 4000, "Invalid request")
        if self.xsd is not None and not self.xsd.validate(root):
            raise Refusal(400, 4100, "XSD")
        return root

    def _rules_of_report(self, root: Any) -> None:
        if not [e for e in root.findall("reporter/reportingPerson/email") if (e.text or "").strip()]:
            raise Refusal(400, 4100, "reporter e-mail")
        if len(root.findall("personOrUserReported")) > 1:
            raise Refusal(400, 4100, "one suspect")
        escalation = root.find("incidentSummary/escalateToHighPriority")
        if escalation is not None and not (escalation.text or "").strip():
            raise Refusal(400, 4100, "blank escalation")
        for path in ("incidentSummary/incidentDateTime", ".//ipCaptureEvent/dateTime"):
            for found in root.findall(path):
                at = datetime.fromisoformat((found.text or "").strip())
                if at.tzinfo is None or at > datetime.now(UTC):
                    raise Refusal(400, 4100, "date without zone, or in the future")
        for found in root.findall(".//url"):
            if not re.fullmatch(r"(?i)(https?|ftp)://\S{1,2070}", found.text or ""):
                raise Refusal(400, 4100, "URL")


HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'


def answer(number: str = "", more: str = "", code: int = 0, words: str = "Success") -> bytes:
    report = f"<reportId>{number}</reportId>" if number else ""
    body = f"<responseCode>{code}</responseCode><responseDescription>{words}</responseDescription>"
    return f"{HEAD}<reportResponse>{body}{report}{more}</reportResponse>".encode()


class Handler(BaseHTTPRequestHandler):
    """HTTP around one `Fake`."""

    protocol_version = "HTTP/1.1"
    fake: Fake

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _serve(self, body: bytes) -> None:
        path = self.path
        with self.fake.lock:
            self.fake.calls.append(path)
            self.fake.types.append(self.headers.get("Content-Type", "").partition(";")[0])
            faults = self.fake.faults.get(path)
            fault = faults.popleft() if faults else None
            if fault == "refuse":
                self.close_connection = True
                return
            try:
                if isinstance(fault, int):
                    raise Refusal(500 if fault < 2000 else 400, fault, "asked for by the test")
                for _ in range({"hang": 0, "twice": 2}.get(str(fault), 1)):
                    status, content = 200, self._answer(path, body)
            except Refusal as refusal:
                status = 200 if self.fake.always_ok else refusal.status
                content = answer("", "", refusal.code, refusal.words)
        if fault in ("hang", "hang-after"):
            self.fake.reached.set()
            self.fake.stop.wait(20)
        if fault in ("cut", "hang", "hang-after"):
            self.close_connection = True
            return
        self._write(500 if fault == "bare" else status, b"<html>no</html>" if fault == "bare" else content)

    def _answer(self, path: str, body: bytes) -> bytes:
        known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {known}":
            raise Refusal(401, 2000, "Authentication required")
        if (self.command, path) == ("GET", "/ispws/status"):
            return answer(words=f"Remote User : {USER}, Remote Ip : 127.0.0.1")
        if (self.command, path) == ("GET", "/ispws/xsd") and self.fake.schema is not None:
            return self.fake.schema
        if self.command != "POST":
            raise Refusal(404, 1210, "Resource not found")
        if path == "/ispws/submit":
            return self.fake.submit(body)
        if path == "/ispws/fileinfo":
            return self.fake.fileinfo(body)
        form = self._form(body)
        number = form.get("id", b"").decode()
        if path == "/ispws/upload":
            return self.fake.upload(number, form.get("file", b""))
        if path == "/ispws/finish":
            return self.fake.finish(number)
        if path == "/ispws/retract":
            return self.fake.retract(number)
        raise Refusal(404, 1210, "Resource not found")

    def _form(self, body: bytes) -> dict[str, bytes]:
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("application/x-www-form-urlencoded"):
            return {name: values[0].encode() for name, values in parse_qs(body.decode()).items()}
        whole = b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body
        message = BytesParser(policy=HTTP).parsebytes(whole)
        if not message.is_multipart():
            raise Refusal(400, 4000, "Invalid request")
        found = {}
        for part in message.iter_parts():
            name = part.get_param("name", header="content-disposition")
            found[str(name)] = part.get_payload(decode=True) or b""
        return found

    def _write(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/xml;charset=UTF-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Request-ID", secrets.token_hex(8))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: requests hold case data."""


@contextmanager
def serving(schema: bytes | None) -> Iterator[tuple[str, Fake]]:
    """(base URL on loopback, the fake)."""
    fake = Fake(schema)
    handler = type("Bound", (Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/ispws", fake
    finally:
        fake.stop.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
