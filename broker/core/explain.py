"""Why a recipient got a value or did not, and what another agreement or purpose would change.

Both answers come from the same decisions that minimised, not from a second account of the rules. The
space is finite (84 fields), so a what-if is exact: every field is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from broker.core.fields import FIELD_IDS, field_of
from broker.core.manifest import Decision, View, compile_view
from broker.core.minimise import Minimised
from broker.core.rows import RowDecision
from broker.spi import Json, Unit


@dataclass(frozen=True, slots=True)
class Why:
    """The reasons for one field, and for one entity where a pointer names it.

    `purposes` are those of this release that need the field (`core` where it always travels), `clause`
    why it is withheld, `agreement` the version that was in force, `ground` the coded necessity.
    """

    decision: Decision
    row: RowDecision | None
    purposes: tuple[str, ...]
    agreement: int | None
    ground: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """A field that two views treat differently."""

    field: str
    before: Decision
    after: Decision

    @property
    def widens(self) -> bool:
        """Whether something goes that did not go before."""
        return self.before.state == "withheld" and self.after.state != "withheld"


def why(minimised: Minimised, subject: str) -> Why:
    """`subject` is a field id or a pointer, with element ids (disclosed) or local ids (withheld).

    Raises `KeyError` for what is no place of the schema.
    """
    if not subject.startswith("/"):
        return why_field(minimised.view, subject)
    field_id = field_of(subject)
    if not field_id:  # generated text is F64 under action T, made for whoever gets anything at all
        field_id = "F64"
    return why_field(minimised.view, field_id, _row(minimised, subject))


def why_field(view: View, field_id: str, row: RowDecision | None = None) -> Why:
    """As `why`, for a field and an optional row."""
    scope = view.scope
    needed = [p for p in scope.purposes if field_id in scope.pack.purpose_fields((p,)) - scope.pack.core]
    purposes = ("core",) if field_id in scope.pack.core else tuple(needed)
    return Why(
        decision=view.decisions[field_id],
        row=row,
        purposes=purposes,
        agreement=None if scope.terms is None else scope.terms.version,
        ground=dict(scope.grounds).get(field_id),
    )


def _row(minimised: Minimised, pointer: str) -> RowDecision | None:
    parts = pointer.split("/")
    if parts[1] != "entities":
        return None
    local = {element: local_id for local_id, element in minimised.element_ids.items()}
    return minimised.rows.get(local.get(parts[3], parts[3]))


def what_if(before: View, after: View) -> tuple[Change, ...]:
    """Every field that the two views treat differently: exact, because all fields are compared."""
    return tuple(
        Change(field_id, before.decisions[field_id], after.decisions[field_id])
        for field_id in FIELD_IDS
        if before.decisions[field_id] != after.decisions[field_id]
    )


def alternative(
    view: View, *, purposes: tuple[str, ...] | None = None, grounds: Mapping[str, str] | None = None
) -> tuple[Change, ...]:
    """What other purposes or grounds would change, field by field: exact. Raises `Refused` when there is
    no lawful view of that kind."""
    scope = view.scope
    other = replace(
        scope,
        purposes=scope.purposes if purposes is None else tuple(sorted(set(purposes))),
        grounds=scope.grounds if grounds is None else tuple(sorted(grounds.items())),
    )
    return what_if(view, compile_view(other))


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that two versions for the same recipient say differently; None where it is absent."""

    field: str
    pointer: str
    before: Json
    after: Json


def differences(before: Sequence[Unit], after: Sequence[Unit]) -> tuple[Difference, ...]:
    """Two packages of one referral, value by value: element ids stay the same over versions (ruling 21)."""
    old, new = ({u.pointer: u for u in units} for units in (before, after))
    return tuple(
        Difference(
            (new.get(pointer) or old[pointer]).field,
            pointer,
            old[pointer].value if pointer in old else None,
            new[pointer].value if pointer in new else None,
        )
        for pointer in sorted(old.keys() | new.keys())
        if pointer not in old or pointer not in new or old[pointer].value != new[pointer].value
    )
