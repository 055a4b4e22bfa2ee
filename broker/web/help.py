"""Help inside: what fields and words mean, what each recipient class may get, keys, a tour of the demo.

What a class may get is read from the pack on every visit: this page and the minimisation cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broker.core.fields import FIELD_IDS
from broker.core.pack import Pack
from broker.desk import directory
from broker.errors import NotFound
from broker.web.page import EVERYBODY, Answer, Show, Visit, inbox_page, page, pages
from broker.web.words import Words

DROPPED = "-"


@dataclass(frozen=True, slots=True)
class Group:
    """The fields that one action of the matrix is for."""

    action: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the tour. `path` is empty where the visitor's work does not lead there."""

    name: str
    does: str
    path: str


def steps(words: Words) -> Sequence[tuple[str, str, str]]:
    """The main job in its order: the page, its name, what to do there."""
    work = words("See what waits for you: U1 is on top, then what is late.")
    taken = words("Take an export in: look at the dry run first, then store it.")
    case = words("Open a case: what is missing stands beside the form.")
    claim = words("Give your verdict on a claim. The second person cannot see it.")
    draft = words("From a confirmed case: see who may get it and why, look at each preview, draft.")
    sign = words("Somebody else looks at the draft as it will be sent, and signs for exactly that.")
    answer = words(
        "The partner opens the referral on a ground, and answers. The demo prints a link for the police."
    )
    who = words("See who received what, on which ground, and what was withheld and why.")
    proof = words("Have the ledger checked, and fetch the proof of authenticity of one referral.")
    agreed = words("See each partner's keys and agreements. A new version of an agreement takes two people.")
    return (
        ("/work", words("My work"), work),
        ("/import", words("Import"), taken),
        ("/cases", words("Cases"), case),
        ("/confirm", words("Confirm"), claim),
        ("/cases", words("Escalate"), draft),
        ("/release", words("Release"), sign),
        ("/referrals", words("Inbox"), answer),
        ("/register", words("Register"), who),
        ("/ledger", words("Ledger"), proof),
        ("/admin/partners", words("Partners"), agreed),
    )


def tour(visit: Visit) -> tuple[Step, ...]:
    """Every step, with links only to what admits the visitor; in the inbox its own steps alone."""
    admitted = {p.path for p in pages(visit.house) if "GET" in p.methods and p.admits(visit.visitor)}
    return tuple(
        Step(name, does, f"/{visit.house}{path}" if path in admitted else "")
        for path, name, does in steps(visit.words)
        if visit.house == "desk" or path in admitted
    )


def groups(pack: Pack, recipient_class: str) -> tuple[Group, ...]:
    """The column of a class by action, in the order of the pack's legend, what is dropped last."""
    column: Mapping[str, str] = {field: pack.action(field, recipient_class) for field in FIELD_IDS}
    order = [action for action in pack.actions if action != DROPPED] + [DROPPED]
    found = (Group(action, tuple(f for f in FIELD_IDS if column[f] == action)) for action in order)
    return tuple(group for group in found if group.fields)


def carrier(pack: Pack, recipient_class: str) -> str | None:
    """The class that carries for this one by default."""
    by_role = pack.routes.carriers.get(pack.classes[recipient_class])
    return None if by_role is None else pack.roles[by_role]


def own_class(visit: Visit) -> str | None:
    """The class of the partner whose inbox this is; staff have none. `OWN` is no column of the matrix."""
    if visit.house == "desk":
        return None
    found = directory.partner_line(visit.session, visit.partner).recipient_class
    return found if found in visit.desk.pack.classes else None


def _index(visit: Visit) -> Answer:
    own = own_class(visit)
    classes = sorted(visit.desk.pack.classes) if visit.house == "desk" else [own] if own else []
    return Show("help/index.html", {"classes": classes, "steps": tour(visit)})


def _fields(visit: Visit) -> Answer:
    pack = visit.desk.pack
    return Show("help/fields.html", {"fields": FIELD_IDS, "core": pack.core, "groups": pack.c_groups})


def _words(visit: Visit) -> Answer:
    return Show("help/words.html")


def _recipient(visit: Visit) -> Answer:
    """A partner reads its own column; what others may get is no business of an inbox."""
    pack, wanted = visit.desk.pack, visit.params["class"]
    if wanted not in pack.classes or (visit.house == "inbox" and wanted != own_class(visit)):
        raise NotFound("class")
    values = {
        "wanted": wanted,
        "groups": groups(pack, wanted),
        "purposes": sorted(purpose for one, purpose in pack.pairs if one == wanted),
        "rows": pack.competence.get(wanted, ()),
        "carrier": carrier(pack, wanted),
        "pack": pack,
    }
    return Show("help/recipient.html", values)


for path, handler in (
    ("/help", _index),
    ("/help/fields", _fields),
    ("/help/words", _words),
    ("/help/recipients/{class}", _recipient),
):
    page(path, *EVERYBODY)(handler)
    inbox_page(path)(handler)
