"""Delivery status notifications (RFC 3464): which delivery they are about, and whether it failed or waits."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import Message
from itertools import islice
from typing import Literal

from broker.spi import Issue, Refused, Report

MAX_BYTES = 2 * 1024 * 1024
MAX_PARTS = 50
MAX_LINE = 4096
"""Octets of a line and what continues it. The parser's time grows with the square of a header field."""
MAX_FIELD = 300
MAX_KEPT = 16 * 1024
_KEY = re.compile(r"\b([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
_FIELDS = (
    "Reporting-MTA", "Original-Envelope-Id", "Arrival-Date", "Received-From-MTA",
    "Original-Recipient", "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code",
    "Last-Attempt-Date", "Final-Log-ID", "Will-Retry-Until",
)  # fmt: skip
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


def read(content: bytes) -> Report:
    """Raises `Refused` when it is no report, is about nothing of ours, or reports success (no proof)."""
    if len(content) > MAX_BYTES:
        raise _refused("size", "is too large")
    _check_lines(content)
    try:  # in the old, plain way: the parser of structured headers fails on hostile ones
        parts: list[Message] = list(islice(message_from_bytes(content).walk(), MAX_PARTS))
    except RecursionError:
        raise _refused("depth", "has parts within parts without end") from None
    fields = [field for part in parts for field in _status_fields(part)]
    actions = {str(f.get("Action", "")).strip().lower() for f in fields}
    if not actions & {"failed", "delayed"}:
        raise _refused("action", "reports neither a failure nor a delay")
    kind: Literal["failed", "delayed"] = "failed" if "failed" in actions else "delayed"
    return Report(_key(parts, fields), kind, _code(fields, kind), _kept(fields))


def _kept(fields: list[Message]) -> bytes:
    """The fields of RFC 3464 alone, each on a line and no longer than one; a report may have anything else
    attached, pictures too."""
    groups = []
    for field in fields:
        said = ((name, " ".join(str(field[name]).split())[:MAX_FIELD]) for name in _FIELDS if name in field)
        groups.append("".join(f"{name}: {value}\n" for name, value in said))
    return "\n".join(group for group in groups if group).encode("utf-8", "replace")[:MAX_KEPT]


def _check_lines(content: bytes) -> None:
    size = 0
    for line in content.splitlines():
        size = len(line) + (size if line[:1] in (b" ", b"\t") else 0)
        if size > MAX_LINE:
            raise _refused("field", f"has a line of more than {MAX_LINE} octets")


def _status_fields(part: Message) -> list[Message]:
    if part.get_content_type() != "message/delivery-status":
        return []
    inner = part.get_payload()
    return [f for f in inner if isinstance(f, Message)] if isinstance(inner, list) else []


def _key(parts: list[Message], fields: list[Message]) -> str:
    """From the envelope id, or from the Message-ID of the returned headers."""
    said = [str(f.get("Original-Envelope-Id", "")) for f in fields]
    for part in parts[1:]:
        said.append(str(part.get("Message-ID", "")))
        if part.get_content_type() == "text/rfc822-headers":
            text = part.get_payload(decode=True)
            found = message_from_bytes(text if isinstance(text, bytes) else b"")
            said.append(str(found.get("Message-ID", "")))
    keys = {match[1] for text in said if (match := _KEY.search(text.lower()))}
    if len(keys) != 1:
        raise _refused("key", "names no delivery, or more than one")
    return keys.pop()


def _code(fields: list[Message], kind: str) -> str:
    for field in fields:
        match = _STATUS.search(str(field.get("Status", "")))
        if match:
            return f"bounce-{match[0].replace('.', '-')}" if kind == "failed" else "delayed"
    return "bounce" if kind == "failed" else "delayed"


def _refused(rule: str, detail: str) -> Refused:
    return Refused("report-refused", "this is no report about a delivery", (Issue("", rule, detail),))
