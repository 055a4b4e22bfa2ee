"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import export, home, keeping, ledger, questions, register, signin

__all__ = ["export", "home", "keeping", "ledger", "questions", "register", "signin"]
