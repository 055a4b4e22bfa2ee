"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import account, batch, escalate, follow, home, preview, release, signin, urgent

__all__ = ["account", "batch", "escalate", "follow", "home", "preview", "release", "signin", "urgent"]
