"""Legal references by offence date: which statute stood when it happened (REQ-02, F04).

The article for the same subject moved twice; the border of the last move is announced, not certain,
and is therefore a date of the pack (`Pack.with_switch`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from types import MappingProxyType
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


def refs_seen(pack: Pack, seen: Mapping[str, Json], drafted: date) -> tuple[LegalRef, ...]:
    """References by what one recipient sees of a case: `seen` is its section `case`, minimised.

    By F82; without one by the day the case was opened, the latest the offence can be, read in the
    operator's time zone; without either by the day of the draft. From the case itself they would tell
    the offence and its time to who gets neither (ruling 1).
    """
    offence = seen.get("offence_type")
    if offence is None:
        return ()
    offence = _COARSE.get(offence, offence)
    if when := seen.get("offence_at"):
        return refs(pack, offence, *_days(when["start"], when.get("end", when["start"])))
    if opened := seen.get("dates", {}).get("opened_at"):
        return refs(pack, offence, *_days(opened, opened, ZoneInfo(pack.timezone)))
    return refs(pack, offence, drafted)


_COARSE: Mapping[str, str] = MappingProxyType({"child_sexual_abuse_material": "csam_dissemination"})
"""F03 as G8: who sees no more than that it is such material is told of its dissemination."""


def _days(start: str, end: str, zone: tzinfo = UTC) -> tuple[date, date]:
    """The days of a period whose ends are times, days or (G2) months."""
    return _day(start, "01", zone), _day(end, "28", zone)


def _day(text: str, of_month: str, zone: tzinfo) -> date:
    if len(text) > 10:
        return datetime.fromisoformat(text).astimezone(zone).date()
    return date.fromisoformat(text if len(text) == 10 else f"{text}-{of_month}")


def _in_force(period: StatutePeriod, first: date, last: date) -> bool:
    return period.start <= last and (period.end is None or first < period.end)
