"""The house of the end-to-end tests, with an office that is reached by mail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.demo.house import House
from broker.desk.endpoints import Endpoint
from tests.deliveries import office, post
from tests.e2e.conftest import cluster, founded, house

__all__ = ["cluster", "founded", "house", "mailbox", "mailed", "sink"]


@pytest.fixture
def mailbox(tmp_path: Path) -> post.Mailbox:
    return post.mailbox(tmp_path / "mailbox")


@pytest.fixture
def sink() -> Iterator[post.Sink]:
    with post.sink() as made:
        yield made


@pytest.fixture
def mailed(house: House, mailbox: post.Mailbox, sink: post.Sink, tmp_path: Path) -> House:
    """A police service that is reached by mail, and a relay that takes everything."""
    opened = office.with_office(house, tmp_path)
    office.channel(opened, "secure_mail", office.relay(sink.port))
    config = {"address": office.ADDRESS, "certificate": mailbox.certificate}
    return office.add_mailed(opened, Endpoint("referral", "mail", "secure_mail", config))
