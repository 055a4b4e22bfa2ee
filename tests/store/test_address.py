"""The address of the database: one that cannot be read is said so, and not repeated."""

from __future__ import annotations

import pytest

from broker.errors import Misconfigured
from broker.store.engine import Database


@pytest.mark.parametrize("address", ["", "canary-7731", "postgresql://u:canary-7731@db.example:port/x"])
def test_an_address_that_cannot_be_read_is_not_repeated(address: str) -> None:
    with pytest.raises(Misconfigured) as error:
        Database.from_url(address)
    assert error.value.code == "database-url"
    assert "canary" not in f"{error.value} {error.value.hint}"
