"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import (
    account,
    admin,
    export,
    figures,
    home,
    inbox,
    keeping,
    ledger,
    parties,
    questions,
    register,
    review,
    signin,
)

__all__ = [
    "account",
    "admin",
    "export",
    "figures",
    "home",
    "inbox",
    "keeping",
    "ledger",
    "parties",
    "questions",
    "register",
    "review",
    "signin",
]
