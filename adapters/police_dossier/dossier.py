"""The dossier as plain values: what stands on the page, in which order, made of leaves.

Reads the referral only through the places of `plan`; everything else it shows are facts about the
referral itself (reference, addressee, release id) and the generated summary.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from adapters.police_dossier import moments, plan
from adapters.police_dossier.leaves import Leaf, Line, Reader
from adapters.police_dossier.names import number
from adapters.police_dossier.words import Words
from broker.spi import Json, MinimisedReferral, Party


@dataclass(frozen=True, slots=True)
class Row:
    """A label and its lines."""

    label: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Group:
    """An element of a collection, or a part of the case; `name` is empty for the latter."""

    name: str
    element: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Section:
    """A headed table; `record` is its name in the CSV."""

    record: str
    title: str
    groups: list[Group]


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything both documents show."""

    words: Words
    reference: str
    release: str
    kind: str
    unconfirmed: bool
    for_prosecutor: bool
    addressee: str
    carrier: str
    payload_sha256: str
    front: Mapping[str, list[Line]]
    """First-page units by field id, and `summary`."""
    sections: list[Section]
    withheld: Mapping[str, str]
    """Sentences about what is not here or changed (ruling 15)."""
    names: Mapping[str, str] = field(default_factory=dict)

    def leaves(self) -> Iterator[tuple[str, str, Leaf]]:
        """(record, element id, leaf) of everything, in reading order."""
        for lines in self.front.values():
            yield from (("front", "", leaf) for line in lines for leaf in line)
        for section in self.sections:
            for group in section.groups:
                for row in group.rows:
                    yield from ((section.record, group.element, leaf) for line in row.lines for leaf in line)


def compose(referral: MinimisedReferral) -> Dossier:
    """The whole dossier. Deterministic: elements by number, fields by plan, members by name."""
    words = Words(referral.language)
    names = number(referral, words)
    reader = Reader(words, names)
    return Dossier(
        words=words,
        reference=referral.reference,
        release=referral.release,
        kind=referral.kind,
        unconfirmed=referral.unconfirmed,
        for_prosecutor=_is_for_prosecutor(referral),
        addressee=_party(referral.addressee, words),
        carrier=_party(referral.carrier, words),
        payload_sha256=hashlib.sha256(referral.payload).hexdigest(),
        front=_front(referral, reader),
        sections=_ordered(referral, [s for s in _sections(referral, reader) if s.groups]),
        withheld=_withheld(referral, words),
        names=names,
    )


def _front(referral: MinimisedReferral, reader: Reader) -> dict[str, list[Line]]:
    front = {
        place.field: reader.lines(place.field, _pointer(place), value)
        for place in plan.FRONT
        if (value := _fact(referral, place)) is not None
    }
    summary = referral.facts.get("summary", {}).get("text")
    if summary is not None:
        front["summary"] = reader.lines("", "/facts/summary/text", summary)
    return front


def _sections(referral: MinimisedReferral, reader: Reader) -> Iterator[Section]:
    say = reader.words.say
    yield Section("referral", say("ui.referral"), [_referral_group(referral, reader)])
    yield _facts(referral, reader, "case", say("ui.case"), plan.CASE)
    yield _facts(referral, reader, "reporter", say("ui.reporter"), plan.REPORTER)
    yield _facts(referral, reader, "narrative", say("ui.narrative"), plan.NARRATIVE)
    for collection in plan.COLLECTIONS:
        yield Section(collection, say(f"col.{collection}"), _elements(referral, reader, collection))
    yield _facts(referral, reader, "assessment", say("ui.assessment"), plan.ASSESSMENT)
    yield _facts(referral, reader, "actions", say("ui.actions"), plan.ACTIONS)
    yield _facts(referral, reader, "legal", say("ui.legal"), plan.LEGAL)


def _ordered(referral: MinimisedReferral, sections: list[Section]) -> list[Section]:
    order = plan.PROSECUTOR if _is_for_prosecutor(referral) else plan.SECTIONS
    return sorted(sections, key=lambda section: order.index(section.record))


def _is_for_prosecutor(referral: MinimisedReferral) -> bool:
    """By class in the Belgian pack, by purpose in any."""
    return referral.addressee.recipient_class == "BEM" or "P7" in referral.purposes


def _facts(
    referral: MinimisedReferral, reader: Reader, record: str, title: str, places: Iterable[plan.Place]
) -> Section:
    rows = [
        Row(reader.words.field(place.field), reader.lines(place.field, _pointer(place), value))
        for place in places
        if (value := _fact(referral, place)) is not None
    ]
    return Section(record, title, [Group("", "", rows)] if rows else [])


def _elements(referral: MinimisedReferral, reader: Reader, collection: str) -> list[Group]:
    groups: list[Group] = []
    elements = referral.entities.get(collection, {})
    for element in sorted(elements, key=lambda e: (int(reader.names[e].rsplit(" ", 1)[1]), e)):
        rows: list[Row] = []
        columns = plan.COLLECTIONS[collection]
        for column in columns:
            value = elements[element].get(column.name)
            if value is None:
                continue
            pointer = f"/entities/{collection}/{element}/{column.name}"
            if collection == "contacts":
                members = reader.member_lines(column.field, pointer, value)
                rows += [Row(label, [line]) for label, line in members]
            else:
                lines = reader.lines(column.field, pointer, value)
                rows.append(Row(reader.words.field(column.field), lines))
        if rows:
            groups.append(Group(reader.names[element], element, rows))
    return groups


def _referral_group(referral: MinimisedReferral, reader: Reader) -> Group:
    """Facts about the referral itself; they have no field id and no unit."""
    words = reader.words
    rows = [
        Row(words.say(f"env.{name}"), [[Leaf("", f"/{name}", "", value, text, exact)]])
        for name, value, text, exact in _envelope(referral, words)
    ]
    units = _facts(referral, reader, "referral", "", plan.REFERRAL).groups
    return Group("", "", [*(row for group in units for row in group.rows), *rows])


def _envelope(referral: MinimisedReferral, words: Words) -> Iterator[tuple[str, str, str, bool]]:
    drafted = referral.drafted_at.isoformat()
    if referral.facts.get("referral", {}).get("reference") != referral.reference:
        yield "reference", referral.reference, referral.reference, True
    yield "version", str(referral.version), str(referral.version), False
    yield "kind", referral.kind, words.code("env.kind", "", referral.kind) or referral.kind, False
    if referral.supersedes is not None:
        yield "supersedes", referral.supersedes, referral.supersedes, True
    yield "release", referral.release, referral.release, True
    yield "issuer", referral.issuer, referral.issuer, True
    yield "drafted_at", moments.utc(drafted), moments.show_at(referral.drafted_at), False
    yield "addressee", referral.addressee.partner, _party(referral.addressee, words), False
    yield "carrier", referral.carrier.partner, _party(referral.carrier, words), False
    spoken = [words.code("", "purposes", p) for p in referral.purposes]
    text = ", ".join(w or p for w, p in zip(spoken, referral.purposes, strict=True))
    yield "purposes", ",".join(referral.purposes), text, False
    state = "true" if referral.unconfirmed else "false"
    yield "unconfirmed", state, words.say(f"code.env.unconfirmed.{state}"), False
    yield "basis", *_basis(referral, words), False


def _basis(referral: MinimisedReferral, words: Words) -> tuple[str, str]:
    agreement = referral.withheld.get("agreement")
    if not isinstance(agreement, Mapping):
        return "statutory", words.say("ui.statutory")
    version = str(agreement.get("version", ""))
    return f"agreement {version}", words.say("ui.agreement", version=version)


def _party(party: Party, words: Words) -> str:
    role = words.code("class", "", party.recipient_class)
    known = ", ".join(part for part in (role, party.country) if part)
    return f"{party.name} ({known})" if known else party.name


def _withheld(referral: MinimisedReferral, words: Words) -> dict[str, str]:
    """One sentence each for what can be asked for, what is sealed apart and what was changed."""
    fields: Mapping[str, Json] = referral.withheld.get("fields") or {}
    asked = [f for f in referral.withheld.get("can_be_asked_for") or () if isinstance(f, str)]
    states = {f: s.get("state") for f, s in fields.items() if isinstance(s, Mapping)}
    groups = {
        "ask": asked,
        "apart": [f for f, state in states.items() if state == "apart"],
        "transformed": [f for f, state in states.items() if state == "transformed"],
    }
    return {
        key: words.say(f"ui.{key}", names=", ".join(_plain(words.field(f)) for f in sorted(found)))
        for key, found in groups.items()
        if found
    }


def _plain(label: str) -> str:
    """A label inside a sentence, without the remark in brackets."""
    return re.sub(r" \(.*?\)$", "", label)


def _fact(referral: MinimisedReferral, place: plan.Place) -> Json:
    return referral.facts.get(place.section, {}).get(place.name)


def _pointer(place: plan.Place) -> str:
    return f"/facts/{place.section}/{place.name}"
