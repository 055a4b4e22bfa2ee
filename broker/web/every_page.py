"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import account, admin, home, inbox, parties, signin

__all__ = ["account", "admin", "home", "inbox", "parties", "signin"]
