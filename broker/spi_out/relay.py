"""Hand a message to the house's mail relay, and know at every step whether it can have taken it.

Up to the end of the text nothing was taken; between the last byte and the answer nobody knows; the
answer decides. An acceptance says that the relay will pass it on, not that anybody got it.
"""

from __future__ import annotations

import json
import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from broker.spi import DeliveryReceipt, Json, Undelivered

TIMEOUT = 30.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def hand_over(house: Mapping[str, Json], to: str, message: bytes, envelope_id: str) -> DeliveryReceipt:
    """Returns the relay's acceptance. Raises `Undelivered`."""
    with _open(house) as smtp:
        _command(smtp.mail, str(house["from"]), _options(smtp, envelope_id), code="sender-refused")
        wanted = ["NOTIFY=FAILURE,DELAY"] if smtp.has_extn("dsn") else []
        _command(smtp.rcpt, to, wanted, code="recipient-refused")
        _command(smtp.docmd, "data", code="relay-refused", good=354)
        try:
            smtp.send(smtplib._quote_periods(_crlf(message)) + b".\r\n")  # type: ignore[attr-defined]
            status, answer = smtp.getreply()
        except (OSError, smtplib.SMTPException):
            raise Undelivered("cut-off", certain=False) from None
    taken = _answer(house, status, answer, envelope_id, "submission")
    if status != 250:
        raise Undelivered(f"relay-{status}", certain=True, again=400 <= status < 500, answer=taken)
    return taken


@contextmanager
def _open(house: Mapping[str, Json]) -> Iterator[smtplib.SMTP]:
    try:
        smtp = _connect(house)
    except smtplib.SMTPAuthenticationError:
        raise Undelivered("relay-login", certain=True) from None
    except ssl.SSLCertVerificationError:
        raise Undelivered("relay-certificate", certain=True) from None
    except (OSError, smtplib.SMTPException):
        raise Undelivered("relay-unreachable", certain=True, again=True) from None
    try:
        yield smtp
    finally:
        smtp.close()


def _connect(house: Mapping[str, Json]) -> smtplib.SMTP:
    host, port, security = str(house["host"]), int(house["port"]), house.get("security", "starttls")
    if security not in ("tls", "starttls") and host not in _LOOPBACK:
        raise Undelivered("relay-not-encrypted", certain=True)
    context = ssl.create_default_context(cafile=house.get("ca_file"))
    timeout = float(house.get("timeout", TIMEOUT))
    smtp: smtplib.SMTP
    if security == "tls":
        smtp = smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
    else:
        smtp = smtplib.SMTP(host, port, timeout=timeout)
    try:
        if security == "starttls":
            smtp.starttls(context=context)
        smtp.ehlo_or_helo_if_needed()
        if "user" in house:
            smtp.login(str(house["user"]), Path(str(house["password_file"])).read_text().strip())
    except BaseException:
        smtp.close()
        raise
    return smtp


def _options(smtp: smtplib.SMTP, envelope_id: str) -> list[str]:
    return ["RET=HDRS", f"ENVID={envelope_id}"] if smtp.has_extn("dsn") else []


def _command(command: Json, *args: Json, code: str, good: int = 250) -> None:
    """One step before the text: whatever goes wrong, nothing was taken."""
    try:
        status, _ = command(*args)
    except (OSError, smtplib.SMTPException):
        raise Undelivered("relay-gone", certain=True, again=True) from None
    if status != good and not (good == 250 and status == 251):
        raise Undelivered(code, certain=True, again=400 <= status < 500)


def _crlf(message: bytes) -> bytes:
    return message if message.endswith(b"\r\n") else message + b"\r\n"


def _answer(
    house: Mapping[str, Json], status: int, answer: bytes, envelope_id: str, proves: str
) -> DeliveryReceipt:
    said = {
        "relay": str(house["host"]),
        "status": status,
        "answer": answer.decode("utf-8", "replace"),
        "envelope": envelope_id,
    }
    body = json.dumps(said, sort_keys=True).encode()
    return DeliveryReceipt(body, "application/json", envelope_id, proves)  # type: ignore[arg-type]
