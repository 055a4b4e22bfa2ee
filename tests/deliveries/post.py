"""A local mail sink, and relays that break at each step: what stands in for the house's mail relay."""

from __future__ import annotations

import datetime as dt
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

BREAKS = (
    "refused", "silent", "helo-500", "mail-451", "rcpt-550", "rcpt-451", "data-500",
    "cut-in-text", "cut-after-text", "text-451", "text-554", "silent-after-text",
)  # fmt: skip
"""Where a relay breaks. `silent` ones never answer; the client's patience ends. Beside these, `twice` takes
the text and answers two times."""


@dataclass
class Sink:
    """Everything a relay took."""

    port: int = 0
    taken: list[bytes] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)
    """Set when a silent relay has fallen silent."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.taken.append(envelope.content)
        return "250 queued as SYNTHETIC"


@contextmanager
def sink() -> Iterator[Sink]:
    """A relay that takes everything."""
    made = Sink()
    controller = Controller(made, hostname="127.0.0.1", port=0)
    controller.port = made.port = free_port()
    controller.start()
    try:
        yield made
    finally:
        controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def broken_relay(where: str) -> Iterator[Sink]:
    """A relay that breaks at one step, every time. `taken` are texts it had in full and did not refuse."""
    made = Sink()
    if where == "refused":
        made.port = free_port()
        yield made
        return
    server = socket.create_server(("127.0.0.1", 0))
    made.port = server.getsockname()[1]
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                conn, _ = server.accept()
            except OSError:
                return
            with conn:
                try:
                    _talk(conn, where, made, stop)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # closing alone does not wake who waits for a connection
        server.close()
        thread.join(timeout=5)


def _talk(conn: socket.socket, where: str, made: Sink, stop: threading.Event) -> None:
    if where == "silent":
        made.reached.set()
        stop.wait(20)
        return
    reader = conn.makefile("rb")

    def say(text: str) -> None:
        conn.sendall(text.encode() + b"\r\n")

    say("220 synthetic relay")
    while line := reader.readline():
        word = line[:4].upper()
        if word in (b"EHLO", b"HELO"):
            say("500 no" if where == "helo-500" else "250 synthetic")
        elif word == b"MAIL":
            say("451 later" if where == "mail-451" else "250 ok")
        elif word == b"RCPT":
            say({"rcpt-550": "550 unknown", "rcpt-451": "451 later"}.get(where, "250 ok"))
        elif word == b"DATA":
            if where == "data-500":
                say("500 no")
                continue
            say("354 go on")
            if where == "cut-in-text":
                reader.readline()
                return
            text = b""
            while (row := reader.readline()) != b".\r\n":
                text += row
            if not _answered(text, where, made, stop, say):
                return
        else:
            say("250 ok")


def _answered(text: bytes, where: str, made: Sink, stop: threading.Event, say: Callable[[str], None]) -> bool:
    """What the relay says of a whole text; False where it hangs up instead."""
    refusals = {"text-451": "451 later", "text-554": "554 no"}
    if where in refusals:
        say(refusals[where])
        return True
    made.taken.append(text)
    if where == "silent-after-text":
        made.reached.set()
        stop.wait(20)
    if where in ("silent-after-text", "cut-after-text"):
        return False
    for _ in range(2 if where == "twice" else 1):
        say("250 queued")
    return True


@dataclass(frozen=True)
class Mailbox:
    """The addressee's key and certificate."""

    folder: Path
    certificate: str

    def open(self, message: bytes) -> EmailMessage:
        """Decrypt with `openssl cms`, as any mail program would, and parse what was inside."""
        outer = message_from_bytes(message, policy=default)
        assert outer.get_content_type() == "application/pkcs7-mime"
        (self.folder / "message.p7m").write_bytes(outer.get_payload(decode=True))  # type: ignore[arg-type]
        done = subprocess.run(
            ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", "message.p7m",
             "-recip", "cert.pem", "-inkey", "key.pem"],
            cwd=self.folder, capture_output=True, check=True,
        )  # fmt: skip
        inner = message_from_bytes(done.stdout, policy=default)
        assert isinstance(inner, EmailMessage)
        return inner


def mailbox(folder: Path, kind: str = "ec", days: int = 3) -> Mailbox:
    """A synthetic addressee."""
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 3072)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Synthetic Service (example)")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=10))
        .not_valid_after(now + dt.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return Mailbox(folder, pem.decode())
