"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import (
    account,
    admin,
    cases,
    confirming,
    home,
    imports,
    inbox,
    parties,
    report,
    signin,
    work,
)

__all__ = [
    "account",
    "admin",
    "cases",
    "confirming",
    "home",
    "imports",
    "inbox",
    "parties",
    "report",
    "signin",
    "work",
]
