"""The mail around the documents: inside everything, outside a reference and two addresses."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP

from adapters.secure_mail import envelope
from adapters.secure_mail.body import NAME
from adapters.secure_mail.words import WORDS
from broker.spi import Document, Line
from broker.spi_out import outside


def write(line: Line, documents: Sequence[Document], key: str) -> bytes:
    """The whole message as it goes over the wire, encrypted to the pinned certificate.

    Subject, headers and outer file name hold the reference at most.
    """
    text = next((d.content.decode() for d in documents if d.name == NAME), "")
    inner = EmailMessage(policy=SMTP)
    inner.set_content(text + _reply(line), cte="quoted-printable")
    for document in documents:
        if document.name != NAME:
            main, _, sub = document.media_type.partition("/")
            inner.add_attachment(document.content, maintype=main, subtype=sub, filename=document.name)
    return around(line, inner, key)


def retraction(line: Line, key: str) -> bytes:
    """Asks the addressee to delete; proves nothing by itself."""
    inner = EmailMessage(policy=SMTP)
    inner.set_content(f"{WORDS[line.language]['retract']}\n\n{line.reference}\n", cte="quoted-printable")
    return around(line, inner, f"{key}.retract")


def around(line: Line, inner: EmailMessage, key: str) -> bytes:
    """The S/MIME envelope (RFC 8551) around a message."""
    outer = outside(line, key)
    outer.set_content(
        envelope.seal(inner.as_bytes(), str(line.endpoint["certificate"])),
        maintype="application",
        subtype="pkcs7-mime",
        params={"smime-type": "enveloped-data", "name": "smime.p7m"},
        filename="smime.p7m",
    )
    return outer.as_bytes()


def _reply(line: Line) -> str:
    say = WORDS[line.language]
    if line.reply_url is None:
        return ""
    return f"\n{say['reply']}:\n{line.reply_url}\n{say['call']}\n"
