"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import account, home, inbox, signin

__all__ = ["account", "home", "inbox", "signin"]
