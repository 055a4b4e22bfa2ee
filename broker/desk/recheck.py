"""What a notice to a provider passes once more just before it leaves: hold, clause, host.

A police hold wins over everything else. A host fact that is no longer as the case has it sends the
referral back to be drafted anew (ruling 10); that is asked where the operator configured a look-up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from broker.core import canonical
from broker.desk import casefile, confirm, events, hold, route
from broker.desk.context import Desk
from broker.desk.record import Record
from broker.errors import BrokerError
from broker.hosting import HostLookup, Recheck
from broker.spi import DeliveryReceipt, Json
from broker.store import tables
from broker.store.engine import unit_of_work

CHANGED = frozenset({"host-changed", "host-moved"})
"""Codes that send a referral back to draft; `host-moved`: another country is concerned now."""
_LOCATORS = frozenset({"F29", "F30"})


@dataclass(frozen=True, slots=True)
class Look:
    """What came of it: `code` is None where every host is as it was; the evidence is kept either way."""

    code: str | None
    evidence: DeliveryReceipt

    @property
    def again(self) -> bool:
        """A name that does not resolve now may do so later; what changed stays changed."""
        return self.code is not None and self.code not in CHANGED


def barred(desk: Desk, session: Session, released: tables.Release) -> str | None:
    """Why this notice may not leave now, as a code; None for everybody who is no provider."""
    if desk.pack.role(released.addressee_class) != "provider":
        return None
    code = hold.bars_release(desk, session, released.case_id, released.addressee, sent=released.case_version)
    if code is not None:
        return code
    case = confirm.released_case(desk, session, released.case_id)
    proposal = route.routes(desk, session, released.case_id, case, desk.now())
    if any(found.addressee == released.addressee for found in proposal.routes):
        return None
    codes = {
        reason.code
        for refused in proposal.refusals
        if refused.recipient_class == released.addressee_class
        for reason in refused.reasons
    }
    return codes.pop() if len(codes) == 1 else "notice-not-routed"


def kept_from(desk: Desk, addressee_class: str, release: str) -> bool:
    """Whether a provider that fetches its notice itself may not have it now: asked in the same words as just
    before a mail. Closed where that cannot be asked: without the keys of cases, of a case that was erased."""
    if desk.pack.role(addressee_class) != "provider":
        return False
    with unit_of_work(desk.db) as session:
        released = session.get(tables.Release, release)
        try:
            return released is not None and barred(desk, session, released) is not None
        except BrokerError:
            return True


def places(
    desk: Desk, session: Session, released: tables.Release, record: Record
) -> tuple[Mapping[str, Json], ...]:
    """The locations that this notice names, with the host facts that were known when it was drafted."""
    if desk.pack.role(released.addressee_class) != "provider":
        return ()
    named = {unit.value for unit in record.units if unit.field in _LOCATORS}
    case, _ = casefile.read_version(desk, session, released.case_id, released.case_version)
    return tuple(
        place
        for _, place in sorted(case.data.get("locations", {}).items())
        if {place.get("url"), place.get("page_url")} & named
    )


def look(hosts: HostLookup, named: Sequence[Mapping[str, Json]], now: datetime) -> Look:
    """Look every one of them up again."""
    found = [hosts.recheck(place, now) for place in named]
    body = {
        "schema": "broker-host-check/1",
        "at": events.stamp(now),
        "places": [
            {
                "state": each.facts.state,
                "changes": [{"member": c.member, "before": c.before, "after": c.after} for c in each.changes],
                "notes": list(each.facts.notes),
                "lookups": [lookup.record() for lookup in each.facts.lookups],
            }
            for each in found
        ],
    }
    return Look(_code(found), DeliveryReceipt(canonical.encode_trusted(body), "application/json", ""))


def _code(found: Sequence[Recheck]) -> str | None:
    if any(each.moved for each in found):
        return "host-moved"
    if any(each.changes and each.facts.state != "unresolved" for each in found):
        return "host-changed"
    return None if all(each.same for each in found) else "host-unresolved"
