"""What a Europol package may hold, by name, and the words of Regulation (EU) 2016/794 around it.

Left out by construction, whatever the referral holds: everything of the reporter but the coarse
type, pointers to kept material, series names, references of other systems' platforms, credentials.
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
            kind="F84",
            offence_type="F03",
            offence_at="F82",
            urgency="F06",
            urgency_reason="F07",
            dates="F08",
            jurisdiction_basis="F05",
            legal_refs="F04",
            origin_channel="F02",
            times_reported="F10",
            related_refs="F09",
        ),
        "reporter": _names(type="F11"),
        "assessment": _names(confirmations="F60", known_gaps="F63", narrative="F64"),
        "evidence": _names(custody="F65", preservation="F66"),
        "actions": _names(removal="F69", hold="F81"),
        "disclosure": _names(prior_recipients="F70"),
        "legal": _names(basis="F68"),
        "operator": _names(desk="F72"),
    }
)

ELEMENTS: MappingProxyType[str, Names] = MappingProxyType(
    {
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
        ),
        "events": _names(ip="F46", port="F47", timestamp="F48", event="F49", ip_role="F75"),
        "items": _names(
            ref="F16",
            crypto_hash="F17",
            perceptual_hash="F18",
            media="F19",
            filename="F20",
            exif="F22",
            known_status="F23",
            baseline="F59",
            labels="F58",
            synthetic_flag="F24",
            self_generated="F79",
            seen="F25",
            publicly_available="F27",
            human_viewed="F26",
            viewed_scope="F80",
        ),
        "locations": _names(
            url="F29",
            page_url="F30",
            referrer="F77",
            site="F31",
            access_note="F32",
            host="F33",
            country="F34",
            cdn="F76",
            trace="F35",
            last_check="F36",
            commerce="F78",
        ),
        "victims": _names(
            ref="F50", age_band="F51", sex="F52", identification="F53", account_id="F55", location_clues="F56"
        ),
        "links": _names(link="F73"),
        "contacts": _names(history="F74"),
    }
)

EVALUATED = ("persons", "events", "items")
"""Collections whose every element carries a 4x4 evaluation (Art. 29)."""
ARTICLE_30 = ("victims", "contacts")
"""Collections whose elements concern victims: only where strictly necessary and proportionate."""

NEEDS = frozenset(
    {field for group in (*FACTS.values(), *ELEMENTS.values()) for field in group.values()}
    | {"F62", "F67", "F71"}
)

BASIS = "Regulation (EU) 2016/794, Article 26b"

LETTERS: MappingProxyType[str, str] = MappingProxyType({"P1": "d", "P2": "c", "P3": "a", "P4": "c"})
"""Purpose of the referral → letter of Art. 18(2). Another purpose has none and blocks if alone."""

PURPOSES: MappingProxyType[str, str] = MappingProxyType(
    {
        "a": "cross-checking to identify connections between information on suspects and offences",
        "c": "operational analyses",
        "d": "facilitating the exchange of information between Member States, Europol and others",
    }
)

HANDLING: MappingProxyType[str, str] = MappingProxyType(
    {
        "H0": "only to prevent and combat crime, under the Europol Regulation",
        "H1": "not to be disclosed in judicial proceedings without the provider's permission",
        "H2": "not to be disseminated without the provider's permission",
        "H3": "other restrictions and comments",
    }
)

SOURCE: MappingProxyType[str, str] = MappingProxyType(
    {
        "A": "no doubt as to the source",
        "B": "source mostly reliable",
        "C": "source mostly unreliable",
        "X": "source cannot be assessed",
    }
)
INFORMATION: MappingProxyType[str, str] = MappingProxyType(
    {
        "1": "accuracy not in doubt",
        "2": "known personally to the source, not to the reporting official",
        "3": "not known personally to the source, but corroborated",
        "4": "not known personally to the source, cannot be corroborated",
    }
)
UNASSESSED = ("X", "4")
"""What unassessed data count as (Art. 29)."""
