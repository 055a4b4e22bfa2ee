"""Conditions and codes on a referral (F67): compose to the most restrictive, tighten only.

H codes (Europol) are set by a national unit; what a hotline writes is `proposed` (ruling 4). TLP and
PAP come from an agreement alone. EU-classified markings are refused: this system is not accredited.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal, get_args

from pydantic_core import PydanticCustomError

from broker.core.decision import Permit, Reason, Refuse, refuse
from broker.core.pack import Pack
from broker.core.schema_types import clean_text
from broker.spi import Json

Status = Literal["proposed", "set"]
Tlp = Literal["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]
Pap = Literal["CLEAR", "GREEN", "AMBER", "RED"]

_TLP: tuple[str, ...] = get_args(Tlp)
_PAP: tuple[str, ...] = get_args(Pap)
_RESTRICTING = frozenset({"H1", "H2", "H3"})
# Police have no clients, and personal data is never for a community (domain.md §4).
_TLP_NEVER = frozenset({"CLEAR", "GREEN", "AMBER"})


@dataclass(frozen=True, slots=True)
class Handling:
    """The restrictions on one referral.

    `europol` is empty where the Europol profile does not apply, else H0 alone or any of H1-H3; H3
    needs `h3_text`. `status` concerns the H codes. `conditions` are ids of the pack.
    """

    europol: frozenset[str] = frozenset()
    h3_text: tuple[str, ...] = ()
    tlp: str | None = None
    pap: str | None = None
    status: Status = "set"
    conditions: frozenset[str] = frozenset()

    def covers(self, other: Handling) -> bool:
        """Whether this is at least as restrictive as `other`; who set the codes does not matter here."""
        return replace(compose([self, other]), status=self.status) == self


def parse(
    *,
    europol: Iterable[str] = (),
    h3_text: Iterable[str] = (),
    tlp: str | None = None,
    pap: str | None = None,
    status: Status = "set",
    conditions: Iterable[str] = (),
) -> Permit[Handling] | Refuse:
    """Codes as somebody gave them, or why they cannot stand."""
    codes, texts = frozenset(europol), tuple(sorted(set(h3_text)))
    words = [*codes, *texts, *(code for code in (tlp, pap) if code is not None)]
    if any(_is_eu_classified(word) for word in words):
        return refuse("eu-classified")
    faults = []
    if not codes <= _RESTRICTING | {"H0"} or ("H0" in codes and len(codes) > 1):
        faults.append(Reason("unknown-code", {"scheme": "europol"}))
    if ("H3" in codes) != bool(texts):
        faults.append(Reason("h3-without-text"))
    if tlp is not None and tlp not in _TLP:
        faults.append(Reason("unknown-code", {"scheme": "tlp"}))
    elif tlp in _TLP_NEVER:
        faults.append(Reason("too-open-for-personal-data", {"scheme": "tlp"}))
    if pap is not None and pap not in _PAP:
        faults.append(Reason("unknown-code", {"scheme": "pap"}))
    if faults:
        return Refuse(tuple(faults))
    return Permit(Handling(codes, texts, tlp, pap, status, frozenset(conditions)))


def compose(parts: Iterable[Handling]) -> Handling:
    """The most restrictive of all: union of H codes and conditions, highest TLP and PAP.

    Associative, commutative, idempotent; `Handling()` is its neutral element.
    """
    return reduce(_join, parts, Handling())


def tighten(base: Handling, wanted: Handling) -> Permit[Handling] | Refuse:
    """A recipient, a carrier or an analyst may add restrictions and never take one away."""
    return Permit(wanted) if wanted.covers(base) else refuse("handling-loosened")


def default(pack: Pack, recipient_class: str) -> Handling:
    """What a class starts with: words for the domestic authorities, proposed H codes for Europol."""
    rule = pack.handling[recipient_class]
    return Handling(frozenset(rule.europol), (), rule.tlp, rule.pap, rule.status, frozenset(rule.conditions))


def for_role(handling: Handling, role: str) -> Permit[Handling] | Refuse:
    """Codes against what the recipient is: H1 bars a prosecutor unless the provider consented."""
    if "H1" in handling.europol and role == "prosecutor":
        return refuse("h1-bars-proceedings")
    return Permit(handling)


def as_json(handling: Handling, pack: Pack, language: str) -> dict[str, Json]:
    """F67: codes for machines, conditions in words for people; absent schemes are absent."""
    value: dict[str, Json] = {
        "conditions": [
            {"code": code, "text": pack.conditions[code][language]} for code in sorted(handling.conditions)
        ]
    }
    if handling.europol:
        value["europol"] = {"codes": sorted(handling.europol), "status": handling.status}
        if handling.h3_text:
            value["europol"]["h3"] = list(handling.h3_text)
    schemes = {"tlp": handling.tlp, "pap": handling.pap}
    return value | {scheme: code for scheme, code in schemes.items() if code is not None}


def _join(one: Handling, other: Handling) -> Handling:
    codes = one.europol | other.europol
    return Handling(
        europol=codes - {"H0"} if codes & _RESTRICTING else codes,
        h3_text=tuple(sorted({*one.h3_text, *other.h3_text})),
        tlp=_highest(_TLP, one.tlp, other.tlp),
        pap=_highest(_PAP, one.pap, other.pap),
        status="proposed" if "proposed" in {one.status, other.status} else "set",
        conditions=one.conditions | other.conditions,
    )


def _highest(order: tuple[str, ...], *codes: str | None) -> str | None:
    given = [code for code in codes if code is not None]
    return max(given, key=order.index) if given else None


def _is_eu_classified(word: str) -> bool:
    try:
        clean_text(word)
    except PydanticCustomError as error:
        return error.type == "eu-classified"
    return False
