"""What a person is asked about a case: each claim, what it is about, who outside confirmed it already.

Nobody sees another person's verdict on a claim before giving their own (ruling 2): until then a
question says nothing of whether somebody answered, and how.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlmodel import Session

from broker.auth import Actor
from broker.core.case import Case
from broker.core.confirmation import Claim, House, judge
from broker.core.decision import Permit
from broker.desk import confirm
from broker.desk.confirm import CLAIM_COLLECTION
from broker.desk.context import Desk
from broker.spi import Json

Standing = Literal["", "confirmed", "waiting", "denied"]
"""How a claim stands, for who may know: empty is not to be shown."""


@dataclass(frozen=True, slots=True)
class Question:
    """One claim. `own` is this person's verdict, None while not given; `imported` are entries of F60
    that speak of everything the claim is about."""

    kind: str
    about: tuple[str, ...]
    own: bool | None
    standing: Standing
    imported: tuple[Mapping[str, Json], ...]

    @property
    def open(self) -> bool:
        """Whether this person may still answer."""
        return self.own is None


def claims_for(case: Case) -> list[str]:
    """What can be said of a case: of its content, its persons, a child."""
    held = [("content_illegal", "items"), ("person_linked", "persons")]
    claims = [claim for claim, collection in held if case.data.get(collection)]
    return claims + (["child_in_danger"] if case.kind == "danger" else [])


def questions(
    desk: Desk, session: Session, actor: Actor, case_id: UUID, case: Case, version: int
) -> tuple[Question, ...]:
    """The questions of a case for this person: what its kind asks, then what somebody claimed beyond it."""
    actor.needs("analyst", "releaser")
    claims = confirm.claims_of(session, case_id, version)
    asked = [(kind, tuple(sorted(case.data.get(CLAIM_COLLECTION[kind], {})))) for kind in claims_for(case)]
    given = {(claim.kind, claim.about): claim for claim in claims}
    places = list(dict.fromkeys([*asked, *sorted(given)]))
    house = House(name=desk.pack.desk.organisation)
    return tuple(
        _question(actor, case, kind, about, given.get((kind, about)), claims, house)  # type: ignore[arg-type]
        for kind, about in places
    )


def _question(
    actor: Actor,
    case: Case,
    kind: str,
    about: tuple[str, ...],
    claim: Claim | None,
    claims: tuple[Claim, ...],
    house: House,
) -> Question:
    verdicts = () if claim is None else claim.verdicts
    own = next((v.says for v in verdicts if v.analyst == actor.id), None)
    # Who will never give a verdict may know how it stands; who may still give one, only afterwards.
    may_know = own is not None or "analyst" not in actor.roles
    standing = _standing(case, claim, claims, house) if may_know else ""
    return Question(kind, about, own, standing, tuple(_imported(case, kind, about)))


def _standing(case: Case, claim: Claim | None, claims: tuple[Claim, ...], house: House) -> Standing:
    if claim is None:
        return "waiting"
    decision = judge(case, claim, claims, house)
    if isinstance(decision, Permit):
        return "confirmed"
    return "denied" if any(r.code == "disagreement" for r in decision.reasons) else "waiting"


def _imported(case: Case, kind: str, about: tuple[str, ...]) -> Iterator[Mapping[str, Json]]:
    for entry in case.data.get("assessment", {}).get("confirmations", ()):
        if entry["claim"] == kind and set(about) <= set(entry.get("about", ())):
            yield entry
