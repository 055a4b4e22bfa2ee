"""What stands where: the fields this adapter reads, and the words for those without an element.

Not read: who the reporter is (F11 to F15), the case's own alias (F01), Belgian legal references and bases
(F04, F68), access to media (F21, F22, F28), payment references (F41), series names (F57), Europol's
evaluation (F62), custody (F65), and what is sealed apart.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A value of the case as a whole that is told in words."""

    section: str
    name: str
    field: str
    label: str


SUMMARY = {
    "offence_type": "F03",
    "urgency": "F06",
    "urgency_reason": "F07",
    "dates": "F08",
    "offence_at": "F82",
}
"""Fields of section `case` that decide the incident summary."""

NOTED = (
    Place("case", "offence_type", "F03", "Offence as assessed"),
    Place("case", "kind", "F84", "Kind of case"),
    Place("case", "offence_at", "F82", "Offence period"),
    Place("case", "urgency", "F06", "Urgency (U1 highest)"),
    Place("case", "urgency_reason", "F07", "Reason for the urgency"),
    Place("case", "dates", "F08", "Dates at the hotline"),
    Place("case", "origin_channel", "F02", "Origin"),
    Place("case", "times_reported", "F10", "Times reported"),
    Place("case", "jurisdiction_basis", "F05", "Countries concerned"),
    Place("case", "related_refs", "F09", "Related references"),
    Place("assessment", "confirmations", "F60", "Confirmed by"),
    Place("assessment", "known_gaps", "F63", "Known to be missing"),
    Place("assessment", "narrative", "F64", "Statements"),
    Place("evidence", "preservation", "F66", "Preservation asked"),
    Place("actions", "removal", "F69", "Removal"),
    Place("actions", "hold", "F81", "Police hold on removal"),
    Place("disclosure", "prior_recipients", "F70", "Others informed"),
    Place("handling", "codes", "F67", "Conditions of use"),
)

ITEM = {
    "crypto_hash": "F17",
    "perceptual_hash": "F18",
    "media": "F19",
    "filename": "F20",
    "known_status": "F23",
    "synthetic_flag": "F24",
    "seen": "F25",
    "human_viewed": "F26",
    "viewed_scope": "F80",
    "publicly_available": "F27",
    "labels": "F58",
    "baseline": "F59",
    "self_generated": "F79",
}
LOCATION = {
    "referrer": "F77",
    "site": "F31",
    "access_note": "F32",
    "host": "F33",
    "country": "F34",
    "trace": "F35",
    "last_check": "F36",
    "cdn": "F76",
    "commerce": "F78",
}
PERSON = {
    "account": "F37",
    "handle": "F38",
    "self_declared_name": "F39",
    "contact": "F40",
    "profile": "F42",
    "minor_flag": "F43",
    "child_access": "F44",
    "country_estimate": "F45",
}
EVENT = {"ip": "F46", "port": "F47", "timestamp": "F48", "event": "F49", "ip_role": "F75"}
VICTIM = {
    "ref": "F50",
    "age_band": "F51",
    "sex": "F52",
    "identification": "F53",
    "account_id": "F55",
    "location_clues": "F56",
}

NEEDS = frozenset(
    {
        *SUMMARY.values(),
        *(place.field for place in NOTED),
        *ITEM.values(),
        *LOCATION.values(),
        *PERSON.values(),
        *EVENT.values(),
        *VICTIM.values(),
        "F16",
        "F29",
        "F30",
        "F72",
        "F73",
        "F74",
    }
)
