"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import account, export, figures, home, keeping, ledger, questions, register, review, signin

__all__ = [
    "account",
    "export",
    "figures",
    "home",
    "keeping",
    "ledger",
    "questions",
    "register",
    "review",
    "signin",
]
