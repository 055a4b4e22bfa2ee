"""ICCAM's code lists by version, as tables of facts: number there → word here.

Version `v3` restates what `AbuseIO/SCART-application` (commit 1f8cfd5d, 2024-05-07) knows of API v3.
A number that no table holds is named in a finding and never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Codes:
    """One version of the lists."""

    site_types: Mapping[int, str | None]
    commercialities: Mapping[int, str]
    payment_methods: Mapping[int, str | None]
    classifications: Mapping[int, str]
    ages: Mapping[int, str | None]
    genders: Mapping[int, str | None]
    actions: Mapping[int, str]
    reasons: Mapping[int, str]


_V3 = Codes(
    site_types={
        2: "website",
        3: "file_host",
        4: "image_host",  # image store
        5: "forum",  # image board
        6: "forum",
        7: "website",  # banner site
        8: "website",  # link site
        9: "social",
        10: "other",  # redirector
        11: "other",  # web archive
        18: "other",  # search provider
        20: "image_host",
        22: "website",  # blog
        24: None,  # not applicable
    },
    commercialities={1: "unknown", 2: "commercial", 3: "non_commercial"},
    payment_methods={
        1: None,  # not determined
        2: "amex",
        3: "diners",
        4: "mastercard",
        5: "paypal",
        6: "visa",
        7: "western_union",
        8: "other",
        9: None,  # none
        10: "sms",
        11: "email",
        12: "liberty_reserve",
        13: "bitcoin",
    },
    classifications={1: "baseline", 2: "national", 4: "ignore"},
    ages={1: None, 2: "infant", 3: "pre-pubescent", 4: "pubescent"},
    genders={1: None, 2: "female", 3: "male", 4: "both"},
    actions={
        1: "reported-to-lea",
        2: "reported-to-isp",
        3: "removed",
        4: "unavailable",
        6: "not-illegal",
    },
    reasons={
        1: "other",
        2: "content-not-found",
        3: "referrer-unknown",
        4: "unable-to-access",
        5: "password-protected",
        6: "account-disabled",
        7: "legally-unable-to-access",
        8: "link-expired",
        9: "not-found-or-site-down",
        10: "temporarily-unavailable",
        11: "premium-account-necessary",
        12: "missing-parts",
        13: "removed-before-assessment",
        14: "adults-only",
        15: "not-sexualised",
        16: "below-threshold",
        17: "too-small",
        18: "virtual-material",
        19: "links-not-illegal",
        20: "age-unclear",
        21: "age-over-threshold",
    },
)

VERSIONS: Mapping[str, Codes] = {"v3": _V3}
FINAL = frozenset({"removed", "unavailable", "not-illegal"})
"""Actions after which ICCAM takes no other."""
