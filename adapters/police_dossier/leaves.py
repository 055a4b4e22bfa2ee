"""One disclosure unit as printed lines of leaves; PDF and CSV are both made of these leaves only.

A leaf is a single value with its pointer and label: `value` exact for machines, `text` in words,
`shown` as it stands on the page (locators broken). That both documents come from the same leaves
is what makes their content equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.police_dossier import moments
from adapters.police_dossier.locators import defang, defang_host, printable
from adapters.police_dossier.plan import ORDER, REFERENCES, UNLABELLED
from adapters.police_dossier.words import Words
from broker.spi import Json

_NUMBERED = re.compile(r"(item|victim) (\d{1,6})")
_HOSTS = frozenset({"domain"})
_EXACT = frozenset({"F17", "F18", "F28", "F29", "F30", "F41", "F46", "F77"})
_EXACT_MEMBERS = frozenset({"ip", "hash", "account_id", "url", "domain", "email", "code"})
_NO_LABEL = frozenset({"meaning", "clock", "code"})

NEXT, LIST, CLOSE = " · ", ", ", " "
"""What stands before a leaf that is not the first of its line."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A single value. `label` is empty where the field's own label says enough.

    `exact` asks for the fixed-width font; `tacit` leaves it out of the page: an empty member, or the
    zone of a time that is already shown in that zone.
    """

    field: str
    pointer: str
    label: str
    value: str
    text: str
    exact: bool = False
    host: bool = False
    glue: str = NEXT
    tacit: bool = False

    @property
    def shown(self) -> str:
        """As it stands on the page."""
        return printable(defang_host(self.text) if self.host else defang(self.text))


Line = list[Leaf]


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns values into lines: the words, and the names of the elements that values refer to."""

    words: Words
    names: Mapping[str, str]

    def lines(self, field: str, pointer: str, value: Json) -> list[Line]:
        """One line for each entry of a list and each object inside an object, one for the rest."""
        if isinstance(value, list) and value:
            return [line for i, v in enumerate(value) for line in self.lines(field, f"{pointer}/{i}", v)]
        if isinstance(value, Mapping) and value:
            return list(self._object_lines(field, pointer, value))
        return [[self._leaf(field, pointer, "", "", value)]]

    def member_lines(self, field: str, pointer: str, value: Json) -> list[tuple[str, Line]]:
        """An object as (member label, line) pairs: for an element that holds nothing else."""
        if not isinstance(value, Mapping) or not value:
            return [(self.words.field(field), line) for line in self.lines(field, pointer, value)]
        return [
            (self.words.member(name), list(self._leaves(field, f"{pointer}/{name}", name, value[name], "")))
            for name in ordered(field, value)
        ]

    def _object_lines(self, field: str, pointer: str, value: Mapping[str, Json]) -> Iterator[Line]:
        line: Line = []
        for name in ordered(field, value):
            child, here = value[name], f"{pointer}/{name}"
            if isinstance(child, Mapping) and child:
                yield list(self._object(field, here, child, self._label(field, name, value)))
            elif isinstance(child, list) and child and isinstance(child[0], Mapping | list):
                yield from self.lines(field, here, child)
            else:
                line += self._member(field, here, name, value, "")
        if line:
            yield line

    def _leaves(self, field: str, pointer: str, member: str, value: Json, label: str) -> Iterator[Leaf]:
        if isinstance(value, Mapping) and value:
            yield from self._object(field, pointer, value, label)
        elif isinstance(value, list) and value:
            for i, entry in enumerate(value):
                for leaf in self._leaves(field, f"{pointer}/{i}", member, entry, "" if i else label):
                    yield replace(leaf, glue=LIST) if i and not isinstance(entry, Mapping) else leaf
        else:
            yield self._leaf(field, pointer, member, label, value)

    def _object(self, field: str, pointer: str, value: Mapping[str, Json], label: str) -> Iterator[Leaf]:
        for i, name in enumerate(ordered(field, value)):
            yield from self._member(field, f"{pointer}/{name}", name, value, "" if i else label)

    def _member(
        self, field: str, pointer: str, name: str, value: Mapping[str, Json], before: str
    ) -> Iterator[Leaf]:
        child = value[name]
        label = " ".join(part for part in (before, self._label(field, name, value)) if part)
        zone = value.get("zone")
        if name == "at" and isinstance(child, str) and isinstance(zone, str):
            yield self._leaf(field, pointer, name, label, child, zone=zone)
        elif child is None or child in ([], {}, ""):
            yield replace(self._leaf(field, pointer, name, label, child), text="", tacit=True)
        elif name == "zone" and isinstance(child, str) and moments.is_instant(str(value.get("at"))):
            yield replace(self._leaf(field, pointer, name, label, child), tacit=moments.known(child))
        elif name == "code" and self.words.code(field, name, str(child)) == value.get("text"):
            # the words for the code stand beside it already
            yield replace(self._leaf(field, pointer, name, label, child), tacit=True)
        else:
            yield from self._leaves(field, pointer, name, child, label)

    def _label(self, field: str, name: str, value: Mapping[str, Json]) -> str:
        """No label where the value speaks for itself: a time's meaning, a hash, a sentence."""
        tacit = name in _NO_LABEL or (name == "at" and "meaning" in value) or (field, name) in UNLABELLED
        if tacit or self.words.unit(field, name, value[name]) is not None:
            return ""
        return self.words.member(name)

    def _leaf(
        self, field: str, pointer: str, member: str, label: str, value: Json, *, zone: str | None = None
    ) -> Leaf:
        exact = (field in _EXACT and member != "alg") or member in _EXACT_MEMBERS
        return Leaf(
            field,
            pointer,
            label,
            plain(value),
            self._text(field, member, value, zone),
            exact,
            host=member in _HOSTS,
            glue=CLOSE if (field, member) in _CLOSE else NEXT,
        )

    def _text(self, field: str, member: str, value: Json, zone: str | None) -> str:
        if value is None or (isinstance(value, str | list | Mapping) and not value):
            return self.words.say("ui.none")
        if isinstance(value, bool):
            return self.words.say("ui.yes" if value else "ui.no")
        if (counted := self.words.unit(field, member, value)) is not None:
            return counted
        if not isinstance(value, str):
            return plain(value)
        if member in REFERENCES and value in self.names:
            return self.names[value]
        numbered = _NUMBERED.fullmatch(value) if field in {"F16", "F50"} else None
        if numbered:
            return f"{self.words.say(f'one.{numbered[1]}s')} {numbered[2]}"
        return self.words.code(field, member, value) or moments.show(value, zone)


_CLOSE = frozenset(
    {("F17", "value"), ("F18", "value"), ("F67", "text"), ("F73", "relation"), ("F73", "item")}
)
"""Leaves that belong to the one before them: a hash to its algorithm, words to their code."""


def ordered(field: str, value: Mapping[str, Json]) -> Sequence[str]:
    """The members in reading order; `meaning` and `clock` follow their time, `about` comes last."""
    rank = {"at": 50, "meaning": 51, "clock": 52, "zone": 53, "about": 99}
    rank |= {name: i for i, name in enumerate(ORDER.get(field, ()))}
    return sorted(value, key=lambda name: (rank.get(name, 49), name))


def plain(value: Json) -> str:
    """The exact value as text: `true`, `12`, a string as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or isinstance(value, list | Mapping) else str(value)
