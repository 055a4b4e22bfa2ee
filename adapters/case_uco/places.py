"""Which fields the graph takes, and which of them the ontology has a place for.

A field that is not in `NATIVE` goes as annotations: one for each value inside it, tagged with its
path, so that nothing is lost and everything can be asked for. Not taken: what is sealed apart (F12,
F54, F61), what nobody gets (F13), and F83, which is for a hotline exchange.
"""

from __future__ import annotations

from types import MappingProxyType

Names = MappingProxyType[str, str]


def _names(**names: str) -> Names:
    return MappingProxyType(names)


FACTS: MappingProxyType[str, Names] = MappingProxyType(
    {
        "case": _names(
            case_ref="F01",
            origin_channel="F02",
            offence_type="F03",
            legal_refs="F04",
            jurisdiction_basis="F05",
            urgency="F06",
            urgency_reason="F07",
            dates="F08",
            related_refs="F09",
            times_reported="F10",
            offence_at="F82",
            kind="F84",
        ),
        "reporter": _names(type="F11", statement="F14", consent_to_contact="F15"),
        "assessment": _names(confirmations="F60", known_gaps="F63", narrative="F64"),
        "evidence": _names(custody="F65", preservation="F66"),
        "actions": _names(removal="F69", hold="F81"),
        "disclosure": _names(prior_recipients="F70"),
        "handling": _names(codes="F67"),
        "legal": _names(basis="F68"),
        "referral": _names(reference="F71"),
        "operator": _names(desk="F72"),
    }
)

ELEMENTS: MappingProxyType[str, Names] = MappingProxyType(
    {
        "items": _names(
            ref="F16",
            crypto_hash="F17",
            perceptual_hash="F18",
            media="F19",
            filename="F20",
            media_pointer="F21",
            exif="F22",
            known_status="F23",
            synthetic_flag="F24",
            seen="F25",
            human_viewed="F26",
            publicly_available="F27",
            orb_ref="F28",
            labels="F58",
            baseline="F59",
            evaluation="F62",
            self_generated="F79",
            viewed_scope="F80",
        ),
        "locations": _names(
            url="F29",
            page_url="F30",
            site="F31",
            access_note="F32",
            host="F33",
            country="F34",
            trace="F35",
            last_check="F36",
            cdn="F76",
            referrer="F77",
            commerce="F78",
        ),
        "persons": _names(
            account="F37",
            handle="F38",
            self_declared_name="F39",
            contact="F40",
            payment_ref="F41",
            profile="F42",
            minor_flag="F43",
            child_access="F44",
            country_estimate="F45",
            evaluation="F62",
        ),
        "events": _names(ip="F46", port="F47", timestamp="F48", event="F49", ip_role="F75", evaluation="F62"),
        "victims": _names(
            ref="F50",
            age_band="F51",
            sex="F52",
            identification="F53",
            account_id="F55",
            location_clues="F56",
            series_ref="F57",
        ),
        "links": _names(link="F73"),
        "contacts": _names(history="F74"),
    }
)

NEEDS = frozenset(field for group in (*FACTS.values(), *ELEMENTS.values()) for field in group.values())
