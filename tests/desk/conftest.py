"""Every test of the desk's pages has a synthetic hotline of its own."""

from tests.dbfixtures import cluster, database
from tests.e2e.conftest import founded, house

__all__ = ["cluster", "database", "founded", "house"]
