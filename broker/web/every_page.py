"""Imports every module that declares pages, so that the registry is whole."""

from broker.web import account, cases, confirming, home, imports, report, signin, work

__all__ = ["account", "cases", "confirming", "home", "imports", "report", "signin", "work"]
