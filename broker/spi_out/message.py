"""The outside of a mail: two addresses, the reference as subject, an id made of the delivery's key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from broker.spi import Issue, Json, Line

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}")


def address_issues(endpoint: Mapping[str, Json]) -> list[Issue]:
    """What is wrong with `address` as the one place a mail goes to."""
    address = endpoint.get("address")
    if isinstance(address, str) and _ADDRESS.fullmatch(address):
        return []
    return [Issue("/address", "address", "must be one plain mail address")]


def outside(line: Line, key: str) -> EmailMessage:
    """A message with its headers and no content yet.

    They hold the reference at most. The Message-ID is made of `key`, so that a second copy could be told
    from a second message.
    """
    sender = str(line.house["from"])
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = sender, str(line.endpoint["address"])
    message["Subject"] = line.reference
    message["Date"] = format_datetime(line.at)
    message["Message-ID"] = f"<{key}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    return message
