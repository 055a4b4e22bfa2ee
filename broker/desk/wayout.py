"""The operator's side of a way out: one private file for each adapter, and one for notices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from broker.desk.context import Desk
from broker.errors import Misconfigured
from broker.sealing import keyfiles
from broker.spi import Json


def house_side(desk: Desk, adapter: str) -> Mapping[str, Json]:
    """The operator's file for an adapter: relay, user name, paths of secrets. Mode 0600."""
    path = desk.settings.channels / f"{adapter}.json"
    if not path.exists():
        raise Misconfigured(
            "no-channel", f"there is no channel file {adapter}.json", "see docs/operators/deliveries.md"
        )
    try:
        found = json.loads(keyfiles.read_private(path))
    except ValueError:
        raise Misconfigured("channel-file", f"the channel file {adapter}.json is no JSON") from None
    return cast(Mapping[str, Json], found)
