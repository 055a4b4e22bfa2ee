"""The mail to an abuse contact: the letter, the XARF reports, the exact addresses.

XARF 4 says nothing about mail; this is the shape of XARF 3 over SMTP, an abuse report (RFC 5965) of feedback
type `xarf` with the JSON as its third part. What does not fit into three parts follows them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import EmailMessage, Message
from email.policy import SMTP

from adapters.xarf_notice.letter import TABLES
from broker.spi import Document, Line, Undelivered
from broker.spi_out import outside

REPORT = re.compile(r"notice(-\d{1,4})?\.json")
_LETTER, _LOCATIONS = "notice.txt", "locations.json"


def write(line: Line, documents: Sequence[Document], key: str) -> bytes:
    """The whole message as it goes over the wire: only documents of this adapter, byte for byte.

    Raises `Undelivered` where there is no letter.
    """
    held = {document.name: document for document in documents}
    if _LETTER not in held:
        raise Undelivered("xarf-nothing-to-send", certain=True)
    message = outside(line, key)
    text = held[_LETTER].content.decode()
    if line.reply_url is not None:
        text += f"\n{TABLES[line.language]['reply']}\n{line.reply_url}\n"
    message.set_content(text, cte="quoted-printable")
    reports = [document for name, document in held.items() if REPORT.fullmatch(name)]
    for document in (*reports, *(held[name] for name in (_LOCATIONS,) if name in held)):
        message.add_attachment(
            document.content, maintype="application", subtype="json", filename=document.name
        )
    if reports:
        _as_abuse_report(message)
    return message.as_bytes()


def retraction(line: Line, key: str) -> bytes:
    """Says that the notice is withdrawn: XARF has no recall."""
    message = outside(line, f"{key}.retract")
    withdrawn = TABLES[line.language]["withdrawn"].format(reference=line.reference)
    message.set_content(f"{withdrawn}\n", cte="quoted-printable")
    return message.as_bytes()


def _as_abuse_report(message: EmailMessage) -> None:
    """`multipart/report` (RFC 6522): text, what kind of report it is, the report."""
    message.set_type("multipart/report")
    message.set_param("report-type", "feedback-report")
    kind: Message = Message(policy=SMTP)
    kind["Content-Type"] = "message/feedback-report"
    kind["Content-Disposition"] = "inline"
    kind.set_payload("Feedback-Type: xarf\r\nUser-Agent: referral-broker/1\r\nVersion: 1\r\n")
    parts = message.get_payload()
    if isinstance(parts, list):
        parts.insert(1, kind)
