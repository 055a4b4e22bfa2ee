"""The log: JSON lines with an allow-list of members; ids, codes, counts and digests, never a value.

A member that is not on the list is dropped and counted, so that a careless call loses information
instead of leaking it. Exceptions are logged by type and code, without message or arguments.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

from broker.errors import BrokerError

ALLOWED = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "actor",
        "at",
        "attempt",
        "case_id",
        "code",
        "count",
        "digest",
        "duration_ms",
        "environment",
        "error",
        "leaf_type",
        "method",
        "partner",
        "position",
        "release",
        "role",
        "route",
        "size",
        "status",
        "trace",
        "version",
        "worker",
    }
)
"""The only members a log line may have. Adding one is a decision: can it ever hold a value of a case?"""


def allow_list(_: Any, __: str, members: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop what is not allowed, keep the number of dropped members."""
    error = members.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        members["error"] = type(error).__name__
        if isinstance(error, BrokerError):
            members["code"] = error.code
    dropped = [name for name in members if name not in ALLOWED]
    for name in dropped:
        del members[name]
    if dropped:
        members["count_dropped"] = len(dropped)
    return members


class _StandardError:
    """Standard error as it is when a line is written: who replaces or closes it breaks no writer."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(log_file: Path | None = None) -> None:
    """Set the log up once for a process."""
    stream: Any = _StandardError() if log_file is None else log_file.open("a", encoding="utf-8", buffering=1)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            allow_list,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


# Safe from the first import on: structlog's own default prints local variables with a traceback.
configure()
log: structlog.stdlib.BoundLogger = structlog.get_logger()
