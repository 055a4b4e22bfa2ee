"""Where each of the 84 fields stands in a case and in a referral, and what kind of field it is.

The ids, the matrix and the purposes are data of the pack (`broker/packs/*/fields.json`); this module
holds what cannot differ between countries: the place of a field in the document. A name here is part
of the wire format (docs/spec/case.md, docs/spec/referral.md): it is never renamed or reused.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

SECTIONS: MappingProxyType[str, MappingProxyType[str, str]] = MappingProxyType(
    {
        "case": MappingProxyType(
            {
                "case_ref": "F01",
                "origin_channel": "F02",
                "offence_type": "F03",
                "legal_refs": "F04",
                "jurisdiction_basis": "F05",
                "urgency": "F06",
                "urgency_reason": "F07",
                "dates": "F08",
                "related_refs": "F09",
                "times_reported": "F10",
                "offence_at": "F82",
                "kind": "F84",
            }
        ),
        "reporter": MappingProxyType(
            {
                "type": "F11",
                "identity": "F12",
                "submission_meta": "F13",
                "statement": "F14",
                "consent_to_contact": "F15",
            }
        ),
        "assessment": MappingProxyType(
            {
                "confirmations": "F60",
                "analyst_identity": "F61",
                "known_gaps": "F63",
                "narrative": "F64",
            }
        ),
        "evidence": MappingProxyType({"custody": "F65", "preservation": "F66"}),
        "actions": MappingProxyType({"removal": "F69", "hold": "F81"}),
        "disclosure": MappingProxyType({"prior_recipients": "F70"}),
        "handling": MappingProxyType({"codes": "F67"}),
        "legal": MappingProxyType({"basis": "F68"}),
        "referral": MappingProxyType({"reference": "F71"}),
        "operator": MappingProxyType({"desk": "F72"}),
    }
)
"""section → field name → field id, for values that concern the case as a whole."""

COLLECTIONS: MappingProxyType[str, MappingProxyType[str, str]] = MappingProxyType(
    {
        "items": MappingProxyType(
            {
                "ref": "F16",
                "crypto_hash": "F17",
                "perceptual_hash": "F18",
                "media": "F19",
                "filename": "F20",
                "media_pointer": "F21",
                "exif": "F22",
                "known_status": "F23",
                "synthetic_flag": "F24",
                "seen": "F25",
                "human_viewed": "F26",
                "publicly_available": "F27",
                "orb_ref": "F28",
                "labels": "F58",
                "baseline": "F59",
                "evaluation": "F62",
                "self_generated": "F79",
                "viewed_scope": "F80",
            }
        ),
        "locations": MappingProxyType(
            {
                "url": "F29",
                "page_url": "F30",
                "site": "F31",
                "access_note": "F32",
                "host": "F33",
                "country": "F34",
                "trace": "F35",
                "last_check": "F36",
                "cdn": "F76",
                "referrer": "F77",
                "commerce": "F78",
                "credentials": "F83",
            }
        ),
        "persons": MappingProxyType(
            {
                "account": "F37",
                "handle": "F38",
                "self_declared_name": "F39",
                "contact": "F40",
                "payment_ref": "F41",
                "profile": "F42",
                "minor_flag": "F43",
                "child_access": "F44",
                "country_estimate": "F45",
                "evaluation": "F62",
            }
        ),
        "events": MappingProxyType(
            {
                "ip": "F46",
                "port": "F47",
                "timestamp": "F48",
                "event": "F49",
                "ip_role": "F75",
                "evaluation": "F62",
            }
        ),
        "victims": MappingProxyType(
            {
                "ref": "F50",
                "age_band": "F51",
                "sex": "F52",
                "identification": "F53",
                "identity": "F54",
                "account_id": "F55",
                "location_clues": "F56",
                "series_ref": "F57",
            }
        ),
        "links": MappingProxyType({"link": "F73"}),
        "contacts": MappingProxyType({"history": "F74"}),
    }
)
"""collection → field name → field id, for values of one entity."""

SEALED_APART = frozenset({"F12", "F54", "F61"})
"""Unopened leaves in the main opening; a JWE of their own (ruling 22)."""

PERSONAL_INDEX_BAN = frozenset(
    {"F12", "F22", "F37", "F38", "F39", "F40", "F41", "F42", "F46", "F48", "F54", "F55", "F73"}
)
"""Nothing queries, indexes or matches across cases on these (ruling 17)."""

MINOR_RULE = frozenset(
    {
        "F37",
        "F38",
        "F39",
        "F40",
        "F41",
        "F42",
        "F44",
        "F45",
        "F46",
        "F47",
        "F48",
        "F49",
        "F73",
        "F75",
    }
)
"""Where a person's F43 is `minor`, F becomes C for these fields of that person (fields.json, F43)."""

BROKER_COMPUTED = frozenset({"F01", "F04", "F63", "F67", "F68", "F70", "F71", "F72"})
"""Never taken from an intake document: the broker fills them when it drafts."""

KEPT_ROWS_ONLY = frozenset({"F05", "F50", "F60", "F63", "F65", "F66", "F69", "F70", "F73", "F74", "F81"})
"""Case-level values computed from the rows this recipient keeps (ruling 1)."""


def places() -> Iterator[tuple[str, str, str]]:
    """Every place a field may stand: (section or collection, field name, field id)."""
    for group, names in (*SECTIONS.items(), *COLLECTIONS.items()):
        for name, field_id in names.items():
            yield group, name, field_id


FIELD_IDS: tuple[str, ...] = tuple(sorted({field_id for _, _, field_id in places()}))
"""The 84 ids, F01 … F84."""


def field_of(pointer: str) -> str:
    """The field id a unit's pointer stands for; `""` for generated text.

    Raises `KeyError` for a pointer that is no place of the schema.
    """
    parts = pointer.split("/")
    if pointer.startswith("/facts/summary/"):
        return ""
    if len(parts) == 4 and parts[1] == "facts":
        return SECTIONS[parts[2]][parts[3]]
    if len(parts) == 5 and parts[1] == "entities":
        return COLLECTIONS[parts[2]][parts[4]]
    raise KeyError("not a unit pointer")
