"""The CSV layouts that SCART writes: the raw lists of its notices and its quoted exports.

Facts read in `AbuseIO/SCART-application` (commit 1f8cfd5d, 2024-05-07): the notice lists are written
without any quoting, the exports with backslash escapes and a delimiter at the end of each line; times
have no zone.
"""

from __future__ import annotations

from collections.abc import Mapping

from broker.spi_in import Target

POLICE = "url;reason;IP;firstseen;lastseen"
PROVIDER = "url;IP;firstseen;lastseen;note"

TARGETS: Mapping[str, Target] = {
    "url": Target("url"),
    "ip": Target("ip"),
    "reason": Target("text", longest=4000),
    "first_seen": Target("instant"),
    "last_seen": Target("instant"),
    "received": Target("instant"),
    "reference": Target("text"),
    "provider": Target("text"),
    "country": Target("country"),
    "classification": Target("code", ("illegal", "not_illegal", "ignore", "unset")),
    "notice_type": Target("text"),
    "notice_status": Target("text"),
    "notice_at": Target("instant"),
    "notice_to": Target("text"),
}

EXPORTS: Mapping[str, str] = {
    "url": "url",
    "IP": "ip",
    "first seen": "first_seen",
    "last seen": "last_seen",
    "received": "received",
    "filenumber": "reference",
    "NTD filenumber": "reference",
    "hoster owner": "provider",
    "hoster country": "country",
    "classification": "classification",
    "abuse type": "notice_type",
    "NTD status": "notice_status",
    "NTD status time": "notice_at",
    "abuse owner": "notice_to",
}
"""Header of an export → what it is; every other column is ignored with a finding."""
