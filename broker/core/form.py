"""The canonical case as a form: sections, groups and inputs read off the schema itself, and the way back.

An input's name is the path of its value, with dots: `case.dates.opened_at`, `items.item1.crypto_hash.0.alg`.
A collection is addressed by local id, a list by number. What is typed comes back as a case document with
nothing judged: the schema refuses, this only builds.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, Union

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from broker.core.fields import COLLECTIONS, SECTIONS
from broker.core.schema import CaseDocument
from broker.core.schema_types import Code, Country, Date, Instant, Ip, Line, LocalId, Short, Text, Url
from broker.errors import Issue, Refused
from broker.spi import Json

InputType = Literal[
    "text", "long-text", "code", "yes-no", "number", "instant", "date", "country", "url", "ip", "reference"
]
PREFIXES: Mapping[str, str] = {
    "items": "item", "locations": "loc", "persons": "person", "events": "event", "victims": "victim",
    "links": "link", "contacts": "contact",
}  # fmt: skip
"""collection → how a new local id begins."""
MAX_NAMES = 20_000
MAX_REPEATS = 500
_TYPES: tuple[tuple[Any, InputType], ...] = (
    (Instant, "instant"), (Url, "url"), (Ip, "ip"), (Country, "country"), (Date, "date"),
    (LocalId, "reference"), (Text, "long-text"), (Line, "long-text"), (Short, "text"), (Code, "text"),
)  # fmt: skip
_LOCAL_ID = re.compile(r"[a-z]{1,8}[0-9]{1,6}")
_WHOLE = re.compile(r"-?[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Input:
    """One value to fill in. `path` is its name inside its section or entity, `field` the id it belongs to
    (empty for structure such as `found_at`). `needed` is the schema's: its group is refused without it.
    `many` takes several values of one type."""

    path: str
    field: str
    type: InputType
    codes: tuple[str, ...] = ()
    needed: bool = False
    many: bool = False
    most: int | None = None
    """The longest text, or the largest number."""


@dataclass(frozen=True, slots=True)
class Group:
    """One member of a section or entity: a field with its inputs. `repeats` is a list of such groups."""

    name: str
    field: str
    inputs: tuple[Input, ...]
    repeats: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the case, or with `collection` the form of one of its entities."""

    name: str
    collection: bool
    groups: tuple[Group, ...]


@cache
def sections() -> tuple[Section, ...]:
    """The whole form, in the order of the schema."""
    return tuple(
        Section(name, name in COLLECTIONS, tuple(_groups(name, model))) for name, model in _models().items()
    )


def from_form(typed: Mapping[str, Any], *, synthetic: bool = False) -> dict[str, Json]:
    """A case document out of what was typed; empty inputs are left out.

    A value is a text or a list of texts. `items.item1` alone keeps an entity of which nothing is known yet.
    Raises `Refused` with every name that the form does not have;
    names are not repeated, because whoever made them up may have put a value there.
    """
    if len(typed) > MAX_NAMES:
        raise Refused(
            "form-size", "this is more than a form can hold", (Issue("", "oversize", "is too long"),)
        )
    document: dict[str, Json] = {"schema": "broker-case/1", "synthetic": synthetic}
    unknown = 0
    for name, value in typed.items():
        found = _input(name)
        if _is_entity(name):
            _put(document, [*name.split("."), ""], None)
        elif found is None:
            unknown += 1
        elif (made := _value(found, value)) is not None:
            _put(document, name.split("."), made)
    if unknown:
        raise Refused(
            "form-names", f"{unknown} input(s) are not of this form",
            (Issue("", "unknown-field", "the form has no such input"),),
        )  # fmt: skip
    return {name: _lists(value) for name, value in document.items()}


def to_form(document: Mapping[str, Json]) -> dict[str, Any]:
    """The inputs of a case document: name → text or list of texts. The inverse of `from_form`."""
    made: dict[str, Any] = {}
    for section in document:
        if section in COLLECTIONS:
            made |= {f"{section}.{local_id}": "yes" for local_id in document[section]}
        if section in _models():
            for name, value in _leaves(section, document[section]):
                made[name] = [_text(v) for v in value] if isinstance(value, list | tuple) else _text(value)
    return made


def next_id(document: Mapping[str, Json], collection: str) -> str:
    """The local id of a new entity: the first number that no entity of the case has taken."""
    prefix = PREFIXES[collection]
    taken = {local_id for name in COLLECTIONS for local_id in document.get(name, {})}
    return next(f"{prefix}{n}" for n in range(1, MAX_NAMES) if f"{prefix}{n}" not in taken)


def name_of(pointer: str) -> str:
    """A JSON pointer of an issue as the name of its input."""
    return pointer.removeprefix("/").replace("/", ".")


@cache
def codes() -> frozenset[str]:
    """Every code that an input offers: words of the schema, which tell nothing about anybody."""
    return frozenset(
        code
        for section in sections()
        for group in section.groups
        for each in group.inputs
        for code in each.codes
    )


@cache
def _models() -> Mapping[str, type[BaseModel]]:
    """section or collection → its model."""
    found: dict[str, type[BaseModel]] = {}
    for name, hint in typing.get_type_hints(CaseDocument, include_extras=True).items():
        model = typing.get_args(hint)[1] if typing.get_origin(hint) is dict else hint
        if isinstance(model, type) and issubclass(model, BaseModel):
            found[name] = model
    return found


def _groups(section: str, model: type[BaseModel]) -> Iterator[Group]:
    fields: Mapping[str, str] = (COLLECTIONS if section in COLLECTIONS else SECTIONS)[section]
    whole = next(iter(fields.values())) if section in ("links", "contacts") else ""
    for name, hint in typing.get_type_hints(model, include_extras=True).items():
        field = fields.get(name, whole)
        inner, many = _unwrap(hint)
        nested = isinstance(inner, type) and issubclass(inner, BaseModel)
        needed = model.model_fields[name].is_required()
        inputs = tuple(_inputs(name, field, inner, needed, many and not nested))
        yield Group(name, field, inputs, many and nested)


def _inputs(path: str, field: str, hint: Any, needed: bool, many: bool) -> Iterator[Input]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        for name, child in typing.get_type_hints(hint, include_extras=True).items():
            inner, several = _unwrap(child)
            yield from _inputs(
                f"{path}.{name}", field, inner, hint.model_fields[name].is_required(), several or many
            )
    else:
        yield replace(_leaf(path, field, hint), needed=needed, many=many)


def _unwrap(hint: Any) -> tuple[Any, bool]:
    """(the type of one value, whether there may be several): optional, tuple and field notes taken off."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _unwrap(next(each for each in arguments if each is not type(None)))
    if origin is tuple:
        return _unwrap(arguments[0])[0], True
    return hint, False


def _leaf(path: str, field: str, hint: Any) -> Input:
    notes = typing.get_args(hint)[1:] if typing.get_origin(hint) is typing.Annotated else ()
    base = typing.get_args(hint)[0] if notes else hint
    if typing.get_origin(base) is Literal:
        return Input(path, field, "code", codes=tuple(str(each) for each in typing.get_args(base)))
    if base is bool:
        return Input(path, field, "yes-no")
    if base is int:
        return Input(path, field, "number", most=_limit(notes, "le"))
    for alias, kind in _TYPES:
        wanted = typing.get_args(alias)[1:]
        if notes[: len(wanted)] == wanted:
            return Input(path, field, kind, most=_limit(notes, "max_length"))
    return Input(path, field, "text", most=_limit(notes, "max_length"))


def _limit(notes: tuple[Any, ...], name: str) -> int | None:
    for note in notes:
        for each in note.metadata if isinstance(note, FieldInfo) else (note,):
            if getattr(each, name, None) is not None:
                return int(getattr(each, name))
    return None


@cache
def _by_shape() -> Mapping[str, Input]:
    """The inputs by their name with `*` for local ids and numbers."""
    found: dict[str, Input] = {}
    for section in sections():
        start = f"{section.name}.*." if section.collection else f"{section.name}."
        for group in section.groups:
            for each in group.inputs:
                path = (
                    each.path.replace(f"{group.name}.", f"{group.name}.*.", 1) if group.repeats else each.path
                )
                found[start + path] = each
    return found


def _input(name: str) -> Input | None:
    parts = name.split(".")
    if parts[0] in COLLECTIONS and (len(parts) < 3 or not _LOCAL_ID.fullmatch(parts[1])):
        return None
    if any(part.isdigit() and int(part) >= MAX_REPEATS for part in parts):
        return None
    shape = [
        "*" if part.isdigit() or (n == 1 and parts[0] in COLLECTIONS) else part
        for n, part in enumerate(parts)
    ]
    return _by_shape().get(".".join(shape))


def _is_entity(name: str) -> bool:
    collection, _, local_id = name.partition(".")
    return collection in COLLECTIONS and _LOCAL_ID.fullmatch(local_id) is not None


def _value(found: Input, typed: Any) -> Json:
    """What was typed as the schema wants it; what cannot be converted stays text for the schema to refuse."""
    if found.many:
        several = [typed] if isinstance(typed, str) else list(typed)
        kept = [each for each in (_one(found, str(v)) for v in several) if each is not None]
        return kept or None
    return _one(found, typed if isinstance(typed, str) else str(typed[-1]) if typed else "")


def _one(found: Input, typed: str) -> Json:
    text = typed.strip()
    if not text:
        return None
    if found.type == "yes-no" and text in ("yes", "no"):
        return text == "yes"
    if found.type == "number" and _WHOLE.fullmatch(text):
        return int(text)
    return text


def _put(document: dict[str, Json], path: list[str], value: Json) -> None:
    place: Any = document
    for part in path[:-1]:
        place = place.setdefault(part, {})
    place[path[-1]] = value


def _lists(value: Json) -> Json:
    """Members that are all numbers become a list in their order, so that a removed row leaves no hole."""
    if not isinstance(value, dict):
        return value
    made = {name: _lists(child) for name, child in value.items() if name}
    if made and all(name.isdigit() for name in made):
        return [made[name] for name in sorted(made, key=int)]
    return made


def _leaves(path: str, value: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _leaves(f"{path}.{name}", child)
    elif isinstance(value, list | tuple) and any(isinstance(each, dict) for each in value):
        for n, child in enumerate(value):
            yield from _leaves(f"{path}.{n}", child)
    elif value not in (None, [], ()):
        yield path, value


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
