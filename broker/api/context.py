"""What the routes share in one API process: settings, two pools, clock, randomness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from broker.desk.context import Desk
from broker.settings import Settings


@dataclass(frozen=True, slots=True)
class Api:
    """One API process. `feed` logs in as broker_feed and sees one partner at a time; `app` as broker_app."""

    settings: Settings
    desk: Desk
    feed: Any
    app: Any
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]
    keep_records: timedelta

    def now(self) -> datetime:
        """UTC, whole seconds."""
        return self.clock().astimezone(UTC).replace(microsecond=0)

    def uuid(self) -> UUID:
        """A random UUID."""
        return UUID(bytes=self.random(16), version=4)
