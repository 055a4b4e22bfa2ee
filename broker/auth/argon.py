"""Passwords as argon2id hashes with the library's parameters (t=3, 64 MiB, p=4)."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

_hasher = PasswordHasher()


def hashed(password: str) -> str:
    """What is stored of a password."""
    return _hasher.hash(password)


def fits(stored: str | None, password: str) -> bool:
    """Whether it is the password; None (no such account) costs as much and fits nothing."""
    try:
        _hasher.verify(_dummy() if stored is None else stored, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    return stored is not None


@cache
def _dummy() -> str:
    """A hash nobody's password fits."""
    return _hasher.hash(secrets.token_urlsafe(16))
