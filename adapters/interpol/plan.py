"""What a victim-identification package may hold, by name and member.

By construction nothing here reads an account, a person but for the estimated country, an event, a
link, a contact, a URL, a file name, a domain (a personal one names its owner) or a free text.
"""

from __future__ import annotations

from types import MappingProxyType

Names = MappingProxyType[str, str]


def _names(**names: str) -> Names:
    return MappingProxyType(names)


FACTS: MappingProxyType[str, Names] = MappingProxyType(
    {
        "case": _names(
            kind="F84", offence_type="F03", offence_at="F82", urgency="F06", dates="F08", related_refs="F09"
        ),
        "assessment": _names(known_gaps="F63"),
        "handling": _names(codes="F67"),
        "legal": _names(basis="F68"),
        "operator": _names(desk="F72"),
    }
)

ELEMENTS: MappingProxyType[str, Names] = MappingProxyType(
    {
        "items": _names(
            crypto_hash="F17",
            perceptual_hash="F18",
            media="F19",
            known_status="F23",
            baseline="F59",
            labels="F58",
            synthetic_flag="F24",
            self_generated="F79",
            seen="F25",
            human_viewed="F26",
            viewed_scope="F80",
        ),
        "victims": _names(ref="F50", age_band="F51", sex="F52", identification="F53", series_ref="F57"),
        "locations": _names(country="F34"),
    }
)

NEEDS = frozenset(
    {field for group in (*FACTS.values(), *ELEMENTS.values()) for field in group.values()}
    | {"F05", "F16", "F31", "F45", "F60"}
)
"""Also: countries without reasons, where an item was found, the type of a site, claims."""

CLAIMS = frozenset({"content_illegal", "child_in_danger"})
"""Claims about content and children; that a person is linked is nobody's business here."""

MEMBERS = frozenset(
    {
        "schema",
        "purpose",
        "addressee",
        "relay",
        "reference",
        "release",
        "version",
        "kind",
        "supersedes",
        "issuer",
        "drafted_at",
        "unconfirmed",
        "facts",
        "countries",
        "country_estimates",
        "confirmations",
        "items",
        "victims",
        "locations",
    }
)
"""The members of the package; `checks` refuses any other."""
