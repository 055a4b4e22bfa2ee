"""A cursor holds under the filter it was made with; under another it would skip rows in silence."""

from __future__ import annotations

import pytest

from broker.demo.house import House
from broker.errors import Refused
from tests import house as build


def test_a_filtered_cursor_is_refused_without_its_filter(house: House) -> None:
    build.released(house, "police")
    with build.serving(house) as (url, served), build.partner_api(served, url, "police") as api:
        page = api.feed()
        (row,) = page.items
        assert not api.feed(row.position, urgency="U2").items
        with pytest.raises(Refused) as refused:
            api._get(f"/v1/referrals?after={row.position}&urgency=U2", 1 << 20)
        assert refused.value.issues[0].field == "/query/after"
        with pytest.raises(Refused):
            api._get(f"/v1/referrals?after={row.position}.U2", 1 << 20)
