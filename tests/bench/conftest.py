"""Counts need the same databases as the store's tests."""

from tests.dbfixtures import cluster, database

__all__ = ["cluster", "database"]
