"""Passwords as argon2id hashes with the library's parameters (t=3, 64 MiB, p=4)."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from broker.errors import Forbidden

AT_ONCE = 4
"""Passwords that one process checks at the same time: a quarter of a gigabyte."""
_hasher = PasswordHasher()
_turns = threading.BoundedSemaphore(AT_ONCE)


@contextmanager
def turn() -> Iterator[None]:
    """A turn to check a password. Raises `Forbidden("busy")` when all are taken.

    Nobody waits for one: whoever waits holds a thread, and those serve the people who are signed in.
    """
    if not _turns.acquire(blocking=False):
        raise Forbidden("busy", "too many people sign in at this moment; try again")
    try:
        yield
    finally:
        _turns.release()


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
