"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import account, admin, help, home, inbox, parties, signin

__all__ = ["account", "admin", "help", "home", "inbox", "parties", "signin"]
