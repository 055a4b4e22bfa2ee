"""What was sent, with the identities in it replaced: enough to judge a field, too little to know a person.

A value of the fields that nothing may match on (ruling 17) becomes its field and a class of length. The
same value is also taken out of every other text, locators included; free text that names somebody in
other words still does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from broker.core import form
from broker.core.fields import PERSONAL_INDEX_BAN
from broker.desk.record import Record
from broker.spi import Json, Unit

SHORTEST = 4
"""Shorter values would tear holes in texts that have nothing to do with them."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One unit of what was sent. `field` is empty for generated text; `hidden` says that it is masked."""

    field: str
    pointer: str
    value: Json
    hidden: bool
    apart: bool


def masked(record: Record) -> tuple[Shown, ...]:
    """Every unit that the recipient got, in the order of the document."""
    units = [(unit, False) for unit in record.units] + [(unit, True) for unit in record.apart]
    needles = _needles([unit for unit, _ in units])
    return tuple(
        Shown(
            field=unit.field,
            pointer=unit.pointer,
            value=_hide(unit) if unit.field in PERSONAL_INDEX_BAN else _without(unit.value, needles),
            hidden=unit.field in PERSONAL_INDEX_BAN,
            apart=apart,
        )
        for unit, apart in units
    )


def length_class(value: str) -> str:
    """How long, roughly: an exact length could tell two people apart."""
    for most, name in ((8, "up to 8"), (16, "9 to 16"), (32, "17 to 32"), (128, "33 to 128")):
        if len(value) <= most:
            return f"{name} characters"
    return "more than 128 characters"


def _hide(unit: Unit) -> Json:
    """The shape stays, so that one sees what was there; every value goes."""
    return _shape(unit.value, unit.field)


def _shape(value: Json, field: str) -> Json:
    if isinstance(value, dict):
        return {name: _shape(child, field) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [_shape(child, field) for child in value]
    if isinstance(value, bool) or value is None:
        return value
    return f"‹{field}: {length_class(str(value))}›"


def _needles(units: Sequence[Unit]) -> list[tuple[str, str]]:
    """(value, what stands for it), the longest first, so that no part of a value is left over."""
    found = {
        text: f"‹{unit.field}: {length_class(text)}›"
        for unit in units
        if unit.field in PERSONAL_INDEX_BAN
        for text in _texts(unit.value)
        if len(text) >= SHORTEST and text not in form.codes()
    }
    return sorted(found.items(), key=lambda pair: (-len(pair[0]), pair[0]))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from _texts(child)


def _without(value: Json, needles: list[tuple[str, str]]) -> Json:
    if isinstance(value, dict):
        return {name: _without(child, needles) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [_without(child, needles) for child in value]
    if not isinstance(value, str):
        return value
    for needle, label in needles:
        at = value.casefold().find(needle.casefold())
        while at >= 0 and len(value.casefold()) == len(value):
            value = value[:at] + label + value[at + len(needle) :]
            at = value.casefold().find(needle.casefold(), at + len(label))
    return value
