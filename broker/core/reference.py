"""The sayable reference of a referral (F71), such as `CF-2026-000123-7`.

The last digit is ISO 7064 MOD 11,10 over year and number: it catches every single wrong digit and
nearly every swap of neighbours, which is what goes wrong on the telephone.
"""

from __future__ import annotations

import re

_FORM = re.compile(r"([A-Z]{2,4})-(\d{4})-(\d{6})-(\d)")


def check_digit(digits: str) -> int:
    """ISO 7064 MOD 11,10 check digit of a string of decimal digits."""
    product = 10
    for digit in digits:
        total = (int(digit) + product) % 10 or 10
        product = (2 * total) % 11
    return (11 - product) % 10


def make(prefix: str, year: int, number: int) -> str:
    """The reference for `number` (0 … 999,999) of `year`."""
    digits = f"{year:04d}{number:06d}"
    return f"{prefix}-{digits[:4]}-{digits[4:]}-{check_digit(digits)}"


def is_valid(text: str) -> bool:
    """Whether the form and the check digit hold."""
    match = _FORM.fullmatch(text)
    return match is not None and check_digit(match[2] + match[3]) == int(match[4])
