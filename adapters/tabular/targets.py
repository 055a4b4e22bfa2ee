"""What a column of a table may become: the names of docs/adapters/tabular.md.

Who reported and who the child is are not among them: what is sealed apart does not come by
spreadsheet.
"""

from __future__ import annotations

from collections.abc import Mapping

from broker.spi_in import Target

SITES = (
    "website",
    "image_host",
    "forum",
    "file_host",
    "social",
    "messaging",
    "chat",
    "p2p",
    "onion",
    "other",
)

TARGETS: Mapping[str, Target] = {
    "case.kind": Target("code", ("content_report", "person_lead", "grooming_or_extortion", "danger")),
    "case.origin_channel": Target(
        "code", ("public_report", "arachnid", "iccam_in", "partner", "self_report_victim")
    ),
    "case.offence_type": Target(
        "code",
        (
            "csam_dissemination",
            "csam_production",
            "live_stream",
            "grooming",
            "sextortion",
            "abuse_manual",
            "exploitation",
            "other",
        ),
    ),
    "case.urgency": Target("code", ("U1", "U2", "U3", "U4")),
    "case.urgency_reason": Target("text", longest=500),
    "case.opened_at": Target("instant"),
    "case.times_reported": Target("whole", least=1, most=1_000_000),
    "case.reference": Target("text"),
    "case.offence_on": Target("date"),
    "reporter.type": Target("code", ("anon", "named", "victim", "relative", "organisation", "crawler")),
    "reporter.statement": Target("text", longest=8000),
    "location.url": Target("url"),
    "location.page_url": Target("url"),
    "location.referrer": Target("url"),
    "location.site": Target("code", SITES),
    "location.access_note": Target("text", longest=500),
    "location.ip": Target("ip"),
    "location.asn": Target("asn"),
    "location.provider": Target("text"),
    "location.country": Target("country"),
    "location.traced_at": Target("instant"),
    "location.is_cdn": Target("flag"),
    "location.online": Target("flag"),
    "location.online_at": Target("instant"),
    "item.sha256": Target("hash", alg="sha256"),
    "item.sha1": Target("hash", alg="sha1"),
    "item.md5": Target("hash", alg="md5"),
    "item.filename": Target("file_name"),
    "item.media_type": Target("media_type"),
    "item.size": Target("whole"),
    "item.first_seen": Target("moment"),
    "item.last_seen": Target("moment"),
    "item.publicly_available": Target("code", ("open", "login", "paid", "onion", "private")),
    "item.human_viewed": Target("flag"),
    "item.baseline": Target("code", ("baseline", "national", "not_illegal")),
    "item.synthetic": Target("code", ("real", "suspected_ai", "ai", "drawn", "unknown")),
    "item.orb_ref": Target("label"),
    "person.service": Target("text"),
    "person.account_id": Target("text"),
    "person.handle": Target("text"),
    "person.profile_url": Target("url"),
    "person.email": Target("text"),
    "person.phone": Target("text"),
    "event.ip": Target("ip"),
    "event.port": Target("whole", least=1, most=65535),
    "event.at": Target("moment"),
    "event.type": Target("code", ("upload", "login", "registration", "message", "other")),
    "event.isp": Target("text"),
}

REQUIRED = ("case.kind", "case.offence_type", "case.opened_at")
"""Without these there is no case; each comes from a column, a constant or an option."""
