"""Decisions as values: `Permit` with what it permits, or `Refuse` with coded reasons.

A reason is a code and parameters (ids, field ids, counts); the sentence is made by the page or the
problem document from its message key `reason.<code>`. Nothing here ever holds a value of a case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic, TypeVar

T = TypeVar("T")

_NONE: Mapping[str, str | int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, as a code in kebab-case with parameters that are ids or numbers."""

    code: str
    params: Mapping[str, str | int] = field(default_factory=lambda: _NONE)

    @property
    def key(self) -> str:
        """The message key under which pages find the sentence."""
        return f"reason.{self.code}"

    def __hash__(self) -> int:
        return hash((self.code, tuple(sorted(self.params.items()))))


@dataclass(frozen=True, slots=True)
class Permit(Generic[T]):
    """The rule allows it; `value` is what it allows."""

    value: T


@dataclass(frozen=True, slots=True)
class Refuse:
    """The rule does not allow it, for at least one reason."""

    reasons: tuple[Reason, ...]

    def __post_init__(self) -> None:
        if not self.reasons:
            raise ValueError("a refusal without a reason")

    @property
    def codes(self) -> frozenset[str]:
        """The codes alone, for callers that branch on them."""
        return frozenset(reason.code for reason in self.reasons)


def refuse(code: str, **params: str | int) -> Refuse:
    """A refusal with one reason."""
    return Refuse((Reason(code, MappingProxyType(params)),))
