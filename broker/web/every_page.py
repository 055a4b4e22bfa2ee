"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import account, batch, escalate, home, preview, release, signin

__all__ = ["account", "batch", "escalate", "home", "preview", "release", "signin"]
