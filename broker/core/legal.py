"""Legal references by offence date: which statute stood when it happened (REQ-02, F04).

The article for the same subject moved twice; the border of the last move is announced, not certain,
and is therefore a date of the pack (`Pack.with_switch`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from broker.core.pack import Pack
from broker.core.pack_types import StatutePeriod
from broker.spi import Json


@dataclass(frozen=True, slots=True)
class LegalRef:
    """One entry of F04. `version_date` is the first day of the version that applies."""

    statute: str
    article: str
    version_date: date
    subject: str

    def as_json(self) -> dict[str, Json]:
        """As it stands in the referral."""
        return {
            "statute": self.statute,
            "article": self.article,
            "version_date": self.version_date.isoformat(),
        }


def refs(pack: Pack, offence_type: str, start: date, end: date | None = None) -> tuple[LegalRef, ...]:
    """References for an offence on a day or over a period; a period over a border gets both laws.

    A subject that a statute does not know gives no reference; an unknown offence type is `other`.
    """
    last = start if end is None else max(start, end)
    offences = pack.statutes.offences
    subjects = offences.get(offence_type, offences.get("other", ()))
    found: dict[tuple[str, str], LegalRef] = {}
    for period in pack.statutes.periods:
        if _in_force(period, start, last):
            for subject in subjects:
                article = period.articles.get(subject)
                if article is not None:
                    ref = LegalRef(period.statute, article, period.start, subject)
                    found.setdefault((period.statute, article), ref)
    return tuple(found.values())


def refs_of_case(pack: Pack, data: Mapping[str, Json]) -> tuple[LegalRef, ...]:
    """References of a case document, by F82; without one by the day the case was opened.

    The day it was opened is the latest the offence can be, read in the operator's time zone.
    """
    facts = data["case"]
    when = facts.get("offence_at")
    if when is None:
        opened = datetime.fromisoformat(facts["dates"]["opened_at"])
        return refs(pack, facts["offence_type"], opened.astimezone(ZoneInfo(pack.timezone)).date())
    end = when.get("end")
    return refs(
        pack,
        facts["offence_type"],
        date.fromisoformat(when["start"]),
        None if end is None else date.fromisoformat(end),
    )


def _in_force(period: StatutePeriod, first: date, last: date) -> bool:
    return period.start <= last and (period.end is None or first < period.end)
