"""The facts of a case as a whole for one recipient: what the case holds and what the broker supplies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from broker.core.actions import DROP, Self, apply
from broker.core.casewide import (
    Kept,
    confirmations,
    entire,
    hold,
    jurisdiction,
    prior_recipients,
)
from broker.core.confirmation import Released
from broker.core.fields import SECTIONS
from broker.core.legal import refs_seen
from broker.core.manifest import View
from broker.core.pack import Pack
from broker.core.projection import APART, Document, Pending, plan_of
from broker.core.request import MinimiseRequest
from broker.spi import Finding, Json, Unit

JUDICIAL_ORDER = "judicial-order"


@dataclass(slots=True)
class FactsPass:
    """The values of the case as a whole."""

    released: Released
    pack: Pack
    request: MinimiseRequest
    view: View
    me: Self
    kept: Kept
    out: Document

    def run(self) -> None:
        data, plan = self.released.case.data, plan_of(self.view.scope)
        for section in ("case", "reporter", "assessment", "evidence", "actions"):
            rules = plan[section]
            for name, value in data.get(section, {}).items():
                if name in rules and value not in ([], {}):
                    self._place(section, name, *rules[name], value)
        for field_id, value in self._made().items():
            section, name = _PLACE[field_id]
            action = plan[section][name][1]
            # An alias is a pseudonym already: random, and another one for each recipient.
            left = value if field_id == "F01" and action == "P" else apply(action, field_id, value, self.me)
            if left is not DROP and left not in ([], {}):
                self.out.facts.setdefault(section, {})[name] = left

    def _made(self) -> dict[str, Json]:
        """Values that the broker itself supplies when it drafts."""
        request = self.request
        return {
            "F01": request.case_alias,
            "F04": [ref.as_json() for ref in refs_seen(self.pack, self._seen(), request.day)],
            "F60": confirmations(self.released.claims, self.kept, request.pseudonym_key),
            "F67": request.handling,
            "F68": request.legal_basis,
            "F70": prior_recipients(request.prior_recipients, self.kept),
            "F71": request.reference,
            "F72": request.desk,
        }

    def _seen(self) -> Mapping[str, Json]:
        """What this recipient gets of the case as such; placed before anything is made of it."""
        return self.out.facts.get("case", {})

    def _place(self, section: str, name: str, field_id: str, action: str, value: Json) -> None:
        pointer = f"/facts/{section}/{name}"
        out = self.out
        if action == APART:
            sealed = field_id != "F12" or self._reporter_may_go()
            (out.apart if sealed else out.withheld).append(Unit(field_id, pointer, value))
            if not sealed:
                out.findings.append(Finding("consent-missing", "block", pointer))
            return
        mine = self._mine(field_id, value)
        if action == "M":
            target = out.facts.setdefault(section, {})
            target[name] = None
            out.pending.append(Pending(target, name, field_id, pointer, pointer, value))
            left: Json = DROP
        else:
            left = DROP if mine in (None, []) else apply(action, field_id, mine, self.me)
        if left is not DROP:
            out.facts.setdefault(section, {})[name] = left
        if not _same_extent(left, value, action):
            out.withheld.append(Unit(field_id, pointer, value))

    def _mine(self, field_id: str, value: Json) -> Json:
        """The part of a case-level value that concerns the kept rows (`fields.KEPT_ROWS_ONLY`)."""
        if field_id == "F05":
            return jurisdiction(value, self.kept, self.released.case.data)
        if field_id in ("F65", "F66", "F69"):
            return entire(value, self.kept)
        if field_id == "F81":
            return hold(value, self.kept)
        return None if field_id == "F60" else value  # F60 is made from the confirmed claims

    def _reporter_may_go(self) -> bool:
        """F12: consent, an order, or the vital interest of a reporter who is the child (ruling 3)."""
        case = self.released.case
        reporter = case.data.get("reporter", {})
        vital = (
            "F12" in self.pack.vital_interest and case.urgency == "U1" and reporter.get("type") == "victim"
        )
        ordered = self.request.grounds.get("F12") == JUDICIAL_ORDER
        return bool(reporter.get("consent_to_contact")) or vital or ordered


def _same_extent(left: Json, value: Json, action: str) -> bool:
    """Whether nothing of the value was lost but the local ids in it."""
    if left is value:
        return True
    return action == "F" and left is not DROP and (isinstance(left, dict) or len(left) == len(value))


_PLACE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {f: (section, name) for section, names in SECTIONS.items() for name, f in names.items()}
)
