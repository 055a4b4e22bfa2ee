"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import export, figures, home, keeping, ledger, questions, register, review, signin

__all__ = ["export", "figures", "home", "keeping", "ledger", "questions", "register", "review", "signin"]
