"""What an analyst chose on the pages of one escalation, carried in the form itself from page to page.

Nothing of it is stored before the draft and nothing stands in an address: a cleared text is a value of
the case. Names of fields are `kind.<partner>…`, so that a page shows its own and carries the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from broker.core.clearing import MaskedLine, resolved
from broker.core.rows import ADD_REASONS
from broker.desk.draft import Request
from broker.desk.escalate import Escalation, Ground, Recipient, expand
from broker.errors import NotFound
from broker.web.forms import Form
from broker.web.page import Visit

KINDS = ("new", "supplement", "correct")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was chosen for one recipient."""

    partner: str
    kind: str
    purposes: tuple[str, ...]
    grounds: Mapping[str, str]
    """group → code"""
    singly: frozenset[str]
    hide: Mapping[str, Mapping[int, bool]]
    """pointer → place → whether it is hidden"""
    own: Mapping[str, str]
    """pointer → text the analyst wrote instead of the proposal"""
    rows: Mapping[str, str]
    """local id → why it is added though this recipient is not competent for it"""

    def request(
        self, case_id: UUID, offered: Sequence[Ground] = (), texts: Iterable[MaskedLine] = ()
    ) -> Request:
        """For the desk. Without what is offered no ground counts; without the texts only own ones do."""
        clear = {text.pointer: done for text in texts if (done := self.cleared(text)) is not None}
        return Request(
            case_id=case_id,
            addressee=self.partner,
            purposes=self.purposes,
            kind=self.kind,
            grounds=expand(offered, self.grounds, self.singly),
            clear=clear,
            add_rows=self.rows,
        )

    def cleared(self, text: MaskedLine) -> str | None:
        """How a text goes, or None while somebody still has to decide."""
        if text.pointer in self.own:
            return self.own[text.pointer]
        if not text.spans and text.pointer not in self.hide:
            return None
        return resolved(text, self.hide.get(text.pointer, {}))


def case_of(visit: Visit) -> UUID:
    """The case in the address. Raises `NotFound` for what is no id."""
    try:
        return UUID(visit.params["case"])
    except ValueError:
        raise NotFound("case") from None


def chosen(form: Form, escalation: Escalation) -> tuple[str, ...]:
    """The recipients that are to get it: those ticked, or on a first visit those routing proposes."""
    known = [each.route.addressee for each in escalation.recipients]
    if "chosen" not in form:
        return tuple(e.route.addressee for e in escalation.recipients if e.open)
    ticked = set(form.all("to"))
    return tuple(partner for partner in known if partner in ticked)


def wanted(form: Form, recipient: Recipient) -> Wanted:
    """What the form says about one recipient; routing's own proposal where it says nothing."""
    partner = recipient.route.addressee
    purposes = tuple(p for p in recipient.purposes if p in form.all(f"purpose.{partner}"))
    kind = form.get(f"kind.{partner}")
    return Wanted(
        partner=partner,
        kind=kind if kind in KINDS else "new" if recipient.version is None else "supplement",
        purposes=purposes or recipient.route.purposes,
        grounds=form.under(f"ground.{partner}."),
        singly=frozenset(form.all(f"singly.{partner}")),
        hide=_places(form, partner),
        own={
            pointer: form.get(f"own.{partner}.{pointer}")
            for pointer in form.under(f"use.{partner}.")
            if form.get(f"own.{partner}.{pointer}")
        },
        rows={row: why for row, why in form.under(f"row.{partner}.").items() if why in ADD_REASONS},
    )


def carried(form: Form, *, but: str) -> Iterator[tuple[str, str]]:
    """Fields of the other recipients, to go along unseen."""
    for name, value in form.pairs:
        parts = name.split(".")
        if len(parts) > 1 and parts[1] != but and parts[0] in _CARRIED and value.strip():
            yield name, value


_CARRIED = frozenset({"purpose", "kind", "ground", "singly", "hide", "own", "use", "row"})


def _places(form: Form, partner: str) -> dict[str, dict[int, bool]]:
    found: dict[str, dict[int, bool]] = {}
    for rest, value in form.under(f"hide.{partner}.").items():
        pointer, _, number = rest.rpartition(".")
        if number == "all" and value == "read":
            found.setdefault(pointer, {})
        elif number.isdigit() and value in ("hide", "keep"):
            found.setdefault(pointer, {})[int(number)] = value == "hide"
    return found
