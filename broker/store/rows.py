"""Insert rows of several tables in few round trips: one statement for each table, in the order given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TypeVar

import psycopg
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel

K = TypeVar("K")

_OF_A_ROW = (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.RaiseException)
"""A constraint, a type or a guard. That the server is gone is not among them: it concerns every row."""


def insert(session: Session, rows: Iterable[SQLModel]) -> None:
    """Tables in the order in which they first come, so that what is pointed at stands first."""
    session.flush()
    tables: dict[type[SQLModel], list[SQLModel]] = {}
    for row in rows:
        tables.setdefault(type(row), []).append(row)
    for kind, group in tables.items():
        columns = inspect(kind).local_table
        values = [{c.name: getattr(row, c.name) for c in columns.columns} for row in group]
        session.connection().execute(columns.insert(), values)


def insert_each(session: Session, groups: Mapping[K, Sequence[SQLModel]]) -> frozenset[K]:
    """Each group whole or not at all. Returns those that the database refused; they cost the others nothing.

    All together first; only where that fails, one by one.
    """
    if not groups or _inserted(session, chain.from_iterable(groups.values())):
        return frozenset()
    return frozenset(key for key, group in groups.items() if not _inserted(session, group))


def _inserted(session: Session, rows: Iterable[SQLModel]) -> bool:
    try:
        with session.begin_nested():
            insert(session, rows)
    except DBAPIError as error:
        if isinstance(error.orig, _OF_A_ROW):
            return False
        raise
    return True
