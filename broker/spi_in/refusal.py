"""How an ingest adapter says no: to a document at once, to a row so that the others are still read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from broker.errors import Issue, Refused

HINT = "nothing was stored; correct the field named and send it again"


@dataclass(frozen=True, slots=True)
class Refuse:
    """The one way out of an ingest adapter: field and rule, no value, no cause."""

    source: str

    def __call__(self, field: str, rule: str, detail: str) -> NoReturn:
        """Refuses the whole document for one reason."""
        self.all((Issue(field, rule, detail),))

    def all(self, issues: tuple[Issue, ...]) -> NoReturn:
        """Refuses the whole document for several."""
        first = issues[0]
        more = f" and {len(issues) - 1} more" if len(issues) > 1 else ""
        raise Refused(
            f"{self.source}-refused",
            f"the export was not taken in: {first.rule} at {first.field or 'the document'}{more}",
            issues,
            hint=HINT,
        ) from None


class Fault(Exception):
    """One cell or row breaks a rule; the reader turns it into an `Issue` with the row's number."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.detail = detail
