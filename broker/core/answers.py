"""The six plain answers that people see in front, the outcome codes behind them, and an answer's body.

Pages, mail replies, the command line and the API give the same answers; what is stored is the outcome
code (domain.md §9), so that a word on a page can improve and the record stays.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from broker.core.outcomes import NEEDS_GAPS, OUTCOMES
from broker.core.summary import texts
from broker.errors import Issue
from broker.spi import Json, Language

Asks = Literal["reference", "gaps", "country"]


@dataclass(frozen=True, slots=True)
class PlainAnswer:
    """One of the six. The first of `outcomes` is meant when nobody says which; `asks` goes with it."""

    code: str
    outcomes: tuple[str, ...]
    asks: Asks | None = None


PLAIN: tuple[PlainAnswer, ...] = (
    PlainAnswer("case-opened", ("O10",), "reference"),
    PlainAnswer("already-known", ("O11", "O30", "O73"), "reference"),
    PlainAnswer("need-more", ("O20", "O71"), "gaps"),
    PlainAnswer("not-ours", ("O72", "O12"), "country"),
    PlainAnswer("not-an-offence", ("O70",)),
    PlainAnswer("nothing-to-pursue", ("O75", "O74", "O76", "O77")),
)
"""In the order in which people read them."""

BY_CODE: Mapping[str, PlainAnswer] = MappingProxyType({plain.code: plain for plain in PLAIN})

HELP = f"One of {', '.join(BY_CODE)}; or a code of docs/partners, such as O10."
"""What a command line asks for."""

_REFERENCE = re.compile(r"[A-Za-z0-9./_ -]{1,64}")
_COUNTRY = re.compile(r"[A-Z]{2,3}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a partner said became of a referral; the members are those of the partner API."""

    outcome: str
    case_reference: str | None = None
    gaps: tuple[str, ...] = ()
    suggest: str | None = None

    def issues(self, checks: Collection[str]) -> tuple[Issue, ...]:
        """What is wrong with it; `checks` are the ids a gap may name (`Q01` …)."""
        found = []
        if self.outcome not in OUTCOMES:
            found.append(Issue("/outcome", "code", "is not a code"))
        if self.outcome in NEEDS_GAPS and not self.gaps:
            found.append(Issue("/gaps", "required", "say which checks were not met (Q01 … Q30)"))
        if not set(self.gaps) <= set(checks):
            found.append(Issue("/gaps", "code", "is not the id of a check"))
        if self.case_reference is not None and not _REFERENCE.fullmatch(self.case_reference):
            found.append(Issue("/caseReference", "format", "is letters, digits, blanks and . / _ - up to 64"))
        if self.suggest is not None and not _COUNTRY.fullmatch(self.suggest):
            found.append(Issue("/suggest", "format", "is a country or a class in two or three capitals"))
        return tuple(found)

    def body(self) -> dict[str, Json]:
        """As it is stored, and as `PUT …/answers/{id}` stores it."""
        body: dict[str, Json] = {"outcome": self.outcome, "gaps": list(self.gaps)}
        if self.case_reference is not None:
            body["caseReference"] = self.case_reference
        if self.suggest is not None:
            body["suggest"] = self.suggest
        return body


def outcome_of(said: str) -> str | None:
    """The outcome code of what somebody said: a code as it is, a plain answer by its first."""
    if said in OUTCOMES:
        return said
    plain = BY_CODE.get(said)
    return None if plain is None else plain.outcomes[0]


def label(said: str, language: Language) -> str:
    """A plain answer or an outcome code in words."""
    words: Mapping[str, Mapping[str, str]] = texts(language)["answers"]
    return words["plain"][said] if said in BY_CODE else words["outcomes"][said]
