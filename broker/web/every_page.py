"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import account, home, signin

__all__ = ["account", "home", "signin"]
