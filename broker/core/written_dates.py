"""How people write a date: a child's date of birth is in a text as `3/4/2015` or `3 april 2015`, not as the
case holds it."""

from __future__ import annotations

import re
from itertools import product

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_MONTHS = (
    "januari janvier januar january",
    "februari fevrier februar february",
    "maart mars marz maerz march",
    "april avril",
    "mei mai may",
    "juni juin june",
    "juli juillet july",
    "augustus aout august",
    "september septembre",
    "oktober octobre october",
    "november novembre",
    "december decembre dezember",
)
"""Folded, in Dutch, French, German and English."""


def written(value: str) -> list[str]:
    """The squeezed forms of an ISO date other than its own; none for any other value. Day before month
    where both are numbers, as in the countries of these languages."""
    found = _DATE.fullmatch(value)
    if found is None or not 1 <= int(found[2]) <= 12:
        return []
    year, month, day = found[1], found[2], found[3]
    days, months = {day, day.lstrip("0")}, {month, month.lstrip("0")}
    named = _MONTHS[int(month) - 1].split()
    forms = [d + m + year for d, m in product(days, (*months, *named))]
    forms += [name + d + year for name, d in product(named, days)]
    return [*forms, *(f"1er{name}{year}" for name in named if day == "01")]
