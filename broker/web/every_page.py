"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import escalate, home, preview, signin

__all__ = ["escalate", "home", "preview", "signin"]
