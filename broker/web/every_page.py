"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import home, signin

__all__ = ["home", "signin"]
