"""Every test of the store gets its own database."""

from tests.dbfixtures import cluster, database, empty_database

__all__ = ["cluster", "database", "empty_database"]
