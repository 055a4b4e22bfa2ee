"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import account, escalate, home, preview, signin

__all__ = ["account", "escalate", "home", "preview", "signin"]
