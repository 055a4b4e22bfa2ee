"""What stands where: the fields this adapter reads, and those it tells in words.

Not read: the case's own alias (F01), who the reporter is (F12, F13), access to media (F21), legal bases and
custody (F65, F68), Europol's evaluation (F62), credentials (F83), and what is sealed apart.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A value of the case as a whole that is told in words."""

    section: str
    name: str
    field: str
    label: str


NOTED = (
    Place("case", "urgency", "F06", "Urgency (U1 highest)"),
    Place("case", "urgency_reason", "F07", "Reason for the urgency"),
    Place("case", "offence_type", "F03", "Offence as assessed"),
    Place("case", "kind", "F84", "Kind of case"),
    Place("case", "offence_at", "F82", "Offence period"),
    Place("case", "dates", "F08", "Dates at the hotline"),
    Place("case", "legal_refs", "F04", "Legal references"),
    Place("case", "origin_channel", "F02", "Origin"),
    Place("case", "times_reported", "F10", "Times reported"),
    Place("case", "jurisdiction_basis", "F05", "Countries concerned"),
    Place("case", "related_refs", "F09", "Related references"),
    Place("reporter", "type", "F11", "Reporter"),
    Place("reporter", "consent_to_contact", "F15", "Reporter may be contacted"),
    Place("reporter", "statement", "F14", "Statement of the reporter"),
    Place("assessment", "narrative", "F64", "Statements"),
    Place("assessment", "confirmations", "F60", "Confirmed by"),
    Place("assessment", "known_gaps", "F63", "Known to be missing"),
    Place("evidence", "preservation", "F66", "Preservation asked"),
    Place("actions", "removal", "F69", "Removal"),
    Place("actions", "hold", "F81", "Police hold on removal"),
    Place("disclosure", "prior_recipients", "F70", "Others informed"),
    Place("handling", "codes", "F67", "Conditions of use"),
    Place("operator", "desk", "F72", "Desk of the hotline"),
)
ITEM = {
    "crypto_hash": "F17",
    "perceptual_hash": "F18",
    "media": "F19",
    "exif": "F22",
    "known_status": "F23",
    "synthetic_flag": "F24",
    "seen": "F25",
    "human_viewed": "F26",
    "viewed_scope": "F80",
    "publicly_available": "F27",
    "orb_ref": "F28",
    "labels": "F58",
    "baseline": "F59",
    "self_generated": "F79",
}
"""Columns of an item told in words beside `uploadedFiles`; its name is F20."""
LOCATION = {
    "access_note": "F32",
    "host": "F33",
    "country": "F34",
    "cdn": "F76",
    "last_check": "F36",
    "trace": "F35",
    "commerce": "F78",
    "referrer": "F77",
}
PERSON = {
    "account": "F37",
    "self_declared_name": "F39",
    "payment_ref": "F41",
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
    "series_ref": "F57",
}

NEEDS = frozenset(
    {
        *(place.field for place in NOTED),
        *ITEM.values(),
        *LOCATION.values(),
        *PERSON.values(),
        *EVENT.values(),
        *VICTIM.values(),
        *("F16", "F20", "F29", "F30", "F31", "F38", "F40", "F73", "F74"),
    }
)
