"""Column kinds of the store: one short word for each, so that a table reads like its description.

Table classes are rows: they do not validate on construction. Values are checked in `core`; the
database holds what must survive a wrong program (CHECK, foreign key, trigger, policy).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

# Before the first table: otherwise constraints have no name that a later migration could drop.
SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention

Role = Literal["owner", "app", "feed", "integrator", "retention", "sweeper"]
ROLES: tuple[Role, ...] = ("owner", "app", "feed", "integrator", "retention", "sweeper")

LeafType = Literal[
    "approved",
    "published",
    "cancelled",
    "collected",
    "read",
    "receipt",
    "outcome",
    "correction",
    "agreement",
    "key",
    "export",
]
LEAF_TYPES: tuple[LeafType, ...] = (
    "approved",
    "published",
    "cancelled",
    "collected",
    "read",
    "receipt",
    "outcome",
    "correction",
    "agreement",
    "key",
    "export",
)


def role_name(role: Role) -> str:
    """The PostgreSQL role that stands behind a part of the broker."""
    return f"broker_{role}"


def text(**options: Any) -> Any:
    """`text`; SQLModel's own string type would be `varchar`."""
    return Field(sa_type=Text, **options)


def texts(**options: Any) -> Any:
    """`text[]`."""
    return Field(sa_type=ARRAY(Text), **options)


def instant(**options: Any) -> Any:
    """`timestamptz`; every time in the store is one."""
    return Field(sa_type=DateTime(timezone=True), **options)


def octets(**options: Any) -> Any:
    """`bytea`."""
    return Field(sa_type=LargeBinary, **options)


def number(**options: Any) -> Any:
    """`integer`."""
    return Field(sa_type=Integer, **options)


def big(**options: Any) -> Any:
    """`bigint`, for positions, sizes and sequence numbers."""
    return Field(sa_type=BigInteger, **options)


def json(**options: Any) -> Any:
    """`jsonb`."""
    return Field(sa_type=JSONB, **options)


def guid(**options: Any) -> Any:
    """`uuid`."""
    return Field(sa_type=Uuid, **options)


def identity() -> Any:
    """`bigint generated always as identity`: needs no grant on a sequence."""
    return Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))


def one_of(column: str, values: Sequence[str]) -> CheckConstraint:
    """A text enum. A CHECK, because added members of a native enum escape the drift test."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def check(name: str, condition: str) -> CheckConstraint:
    """A named CHECK; the naming convention adds table and prefix."""
    return CheckConstraint(condition, name=name)
