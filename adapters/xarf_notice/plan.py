"""The fields a notice to a provider reads: what and where, never who.

No account, person, event, victim, reporter or police field is among them, so that nothing personal can be
in a notice; a URL may still hold a name, and has to be exact.
"""

from __future__ import annotations

NEEDS = frozenset(
    {
        "F03",  # kind of content
        "F04",  # legal references
        "F16",  # which item stands where
        "F17",  # content hashes
        "F19",  # media type
        "F23",  # known
        "F26",  # viewed by a human
        "F29",  # URL
        "F30",  # page
        "F33",  # host
        "F34",  # its country
        "F36",  # last check
        "F59",  # baseline or national
        "F67",  # conditions
        "F71",  # reference (read from the referral itself)
        "F72",  # the hotline's desk
        "F76",  # CDN
    }
)
PROVIDER = "HSP"
"""The only recipient class that gets a notice."""

WITHDRAWALS = frozenset({"withdraw", "erase"})
