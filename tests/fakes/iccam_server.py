"""A FAKE of ICCAM API v3, written from what SCART does: it proves our side of the rules, not ICCAM's.

Mutual TLS, bearer and refresh, unique references, only the assigned country acts, final actions are
final, no action type twice. `breaks` names a step at which it misbehaves.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FINAL = {3, 4, 6}


@dataclass
class Fake:
    """What the fake knows. `breaks`: step → how often it still breaks, as `cut`, `400`, `500`, `cut-after`,
    `hang` and `hang-after` (no answer, before and after it was done), or `twice` (done again by something
    between us, whose second answer arrives)."""

    url: str = ""
    reports: dict[int, dict[str, Any]] = field(default_factory=dict)
    contents: dict[int, dict[str, Any]] = field(default_factory=dict)
    breaks: dict[str, tuple[str, int]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    reached: threading.Event = field(default_factory=threading.Event)
    """Set when it hangs."""
    stop: threading.Event = field(default_factory=threading.Event)

    def step(self, name: str) -> str:
        """How this step breaks now; empty when it does not."""
        how, left = self.breaks.get(name, ("", 0))
        if left <= 0:
            return ""
        self.breaks[name] = (how, left - 1)
        return how

    def add(self, report: dict[str, Any]) -> tuple[int, Any]:
        """Take a report: unique references only."""
        taken = {r["hotlineReference"] for r in self.reports.values()}
        if report["hotlineReference"] in taken:
            return 400, {"errors": {"HotlineReference": ["must be unique"]}}
        if not report["urls"] or not report.get("reportingAnalystName"):
            return 400, {"errors": {"Urls": ["required"]}}
        number = 1000 + len(self.reports)
        self.reports[number] = report
        for url in report["urls"]:
            self.contents[5000 + len(self.contents)] = {
                "report": number, "urlString": url["urlString"], "actions": list(url["actions"]),
                "assignedCountryCode": url["hostingCountryCode"], "assessments": [url["assessment"]],
            }  # fmt: skip
        return 200, number

    def act(self, content: int, action: dict[str, Any], caller: str) -> tuple[int, Any]:
        """The learnt rules."""
        found = self.contents[content]
        done = [a["actionType"] for a in found["actions"]]
        if found["assignedCountryCode"] != caller:
            return 403, {"errors": {"Country": ["not assigned"]}}
        if action["actionType"] in done or set(done) & FINAL:
            return 400, {"errors": {"Action": ["repeated or after a final one"]}}
        if action["actionType"] > 3 and not action.get("reasonId"):
            return 400, {"errors": {"ReasonId": ["required"]}}
        found["actions"].append(action)
        return 200, {}


def _handler(fake: Fake, country: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def _go(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            with fake.lock:
                name = f"{self.command} {parts.path.strip('/')}"
                fake.calls.append(name)
                how = fake.step(name)
                if how == "cut":
                    self.close_connection = True
                    self.connection.close()
                    return
                if how in ("400", "500"):
                    self._say(int(how), {"errors": {}})
                    return
                if how == "hang":
                    status = 0
                else:
                    steps = parts.path.strip("/").split("/")
                    for _ in range(2 if how == "twice" else 1):
                        status, answer = self._answer(steps, parse_qs(parts.query), body)
                if how == "cut-after":
                    self.close_connection = True
                    self.connection.close()
                    return
            if how in ("hang", "hang-after"):
                fake.reached.set()
                fake.stop.wait(20)
                self.close_connection = True
                return
            self._say(status, answer)

        do_GET = do_POST = do_PUT = _go  # noqa: N815

        def _answer(self, path: list[str], query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
            if path[0] == "Authentication":
                if path[1:] == [] and body.get("password") != "synthetic":
                    return 401, {"errors": {}}
                token = f"bearer-{len(fake.calls)}"
                fake.tokens.add(token)
                return 200, {"bearerToken": token, "refreshToken": "r", "bearerTokenExpiresIn": 1800}
            if self.headers.get("authorization", "").removeprefix("Bearer ") not in fake.tokens:
                return 401, {"errors": {}}
            match [self.command, *path[1:]]:
                case ["POST", "reports"]:
                    return fake.add(body)
                case ["GET", "Reports", number]:
                    found = [
                        {"contentId": c, "urlString": v["urlString"]}
                        for c, v in fake.contents.items()
                        if v["report"] == int(number)
                    ]
                    return 200, {"reportContents": found}
                case ["GET", "Content", number]:
                    return 200, fake.contents[int(number)]
                case ["POST", "Content", number, "actions"]:
                    return fake.act(int(number), body, country)
                case ["PUT", "Content", number, "assessment"]:
                    fake.contents[int(number)]["assessments"].append(body)
                    return 200, {}
                case ["PUT", "Content", number, "url", "hosting"]:
                    return 200, {}
                case ["PUT", "Content", number, "assigned-country"]:
                    fake.contents[int(number)]["assignedCountryCode"] = query["newCountryCode"][0]
                    return 200, {}
                case ["PUT", "Content", number, "hotline-reference"]:
                    fake.contents[int(number)]["reference"] = query["reference"][0]
                    return 200, {}
            return 404, {"errors": {}}

        def _say(self, status: int, answer: Any) -> None:
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    return Handler


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None: ...


@contextmanager
def serving(folder: Path, country: str = "BE") -> Iterator[tuple[Fake, dict[str, Any]]]:
    """(the fake, the operator's file for it). The caller's country is the fake's idea of who we are."""
    folder.mkdir(exist_ok=True)
    make_pki(folder)
    fake = Fake()
    server = _Quiet(("127.0.0.1", 0), _handler(fake, country))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    fake.url = f"https://127.0.0.1:{server.server_address[1]}/"
    (folder / "password").write_text("synthetic\n")
    house = {
        "base_url": fake.url, "ca_file": str(folder / "ca.pem"),
        "client_certificate": str(folder / "client.pem"),
        "username": "api.synthetic", "password_file": str(folder / "password"), "analyst": "api.synthetic",
        "country": country, "pace": 0, "after_login": 0, "timeout": 2,
    }  # fmt: skip
    try:
        yield fake, house
    finally:
        fake.stop.set()
        server.shutdown()
        server.server_close()


def make_pki(folder: Path) -> None:
    """A CA, a server and a client certificate, each with its key in one file."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("Synthetic CA", ca_key, "Synthetic CA", ca_key, ca=True)
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    for name in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(f"Synthetic {name}", key, "Synthetic CA", ca_key, ca=False)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.pem").write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, by: str, by_key: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("hook.example")]
            ),
            critical=False,
        )
        .sign(by_key, hashes.SHA256())
    )
