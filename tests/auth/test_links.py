"""One-time sign-in links: once, for a while, and only where all data is synthetic."""

from __future__ import annotations

import pytest

from broker import auth
from broker.errors import Misconfigured
from tests.auth.conftest import Office
from tests.auth.test_passkeys import refused


def test_a_link_signs_in_once(desk: Office) -> None:
    for account in (desk.ann, desk.reader):
        token = desk.do(auth.links.make, account, desk.now, synthetic=True)
        assert desk.do(auth.links.use, token, desk.now, synthetic=True) == account
        refused("link", lambda t=token: desk.do(auth.links.use, t, desk.now, synthetic=True))


def test_a_link_ends(desk: Office) -> None:
    token = desk.do(auth.links.make, desk.ann, desk.now, synthetic=True)
    desk.later(hours=12)
    refused("link", lambda: desk.do(auth.links.use, token, desk.now, synthetic=True))
    refused("link", lambda: desk.do(auth.links.use, "else", desk.now, synthetic=True))


def test_production_has_no_links(desk: Office) -> None:
    with pytest.raises(Misconfigured, match="links-in-production"):
        desk.do(auth.links.make, desk.ann, desk.now, synthetic=False)
    token = desk.do(auth.links.make, desk.ann, desk.now, synthetic=True)
    refused("link", lambda: desk.do(auth.links.use, token, desk.now, synthetic=False))


def test_a_link_is_no_way_past_vetting(desk: Office) -> None:
    token = desk.do(auth.links.make, desk.ann, desk.now, synthetic=True)
    desk.do(auth.disable, desk.ann, desk.now)
    account_id = desk.do(auth.links.use, token, desk.now, synthetic=True)
    refused("account", desk.do, auth.open_session, account_id, "link", desk.now)
