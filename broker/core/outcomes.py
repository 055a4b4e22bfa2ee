"""Words that come back from partners, and the coded reasons of the desk (domain.md §9).

Codes are part of the partner API and are never reused. `FINAL` ones close the clock of a referral.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "O10": "accepted, case opened",
        "O11": "linked to an existing case",
        "O12": "referred onward",
        "O20": "more information requested",
        "O21": "preservation or production ordered",
        "O22": "hold on removal",
        "O30": "reported person already known",
        "O40": "reported person identified",
        "O41": "arrest",
        "O42": "prosecution",
        "O43": "conviction",
        "O50": "child identified",
        "O51": "child safeguarded",
        "O60": "content removed",
        "O61": "content disabled",
        "O62": "provider refused",
        "O63": "removal impossible",
        "O64": "content moved to another host",
        "O70": "not an offence here",
        "O71": "insufficient information",
        "O72": "not ours",
        "O73": "duplicate",
        "O74": "stale or offline",
        "O75": "no capacity",
        "O76": "drawn or generated, not pursued",
        "O77": "minor peers, welfare route",
        "O80": "correction applied",
        "O81": "erased",
        "O82": "cannot be erased: judicial file",
        "O90": "misuse or security incident",
    }
)
"""code → meaning in English, for documents; pages translate by code."""

FINAL = frozenset(
    {"O43", "O51", "O60", "O70", "O71", "O72", "O73", "O74", "O75", "O76", "O77", "O80", "O81", "O82"}
)
NEEDS_GAPS = frozenset({"O20", "O71"})
"""These say which checks were not met, by id (`Q01` … `Q30`)."""

WITHDRAW_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "wrong-recipient": "it went to somebody it should not have gone to",
        "incorrect": "something in it is wrong; a correction follows",
        "unlawful": "it should not have been disclosed",
        "superseded": "another referral replaces it",
        "not-confirmed": "the confirmation did not stand",
    }
)
"""Why a release is withdrawn."""
