"""The opening of a seal: recompute the root from a document, redact further, open the withheld.

This is the verifier's half of docs/spec/seal.md: everything here takes what somebody else sent and
raises `NotAuthentic` with one sentence unless it holds exactly.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any, NoReturn

from pybase64 import b64decode

from broker.core import merkle
from broker.core.canonical import b64u, encode_trusted, unb64u
from broker.errors import NotAuthentic, Refused
from broker.spi import Json

OPENING_SCHEMA = "broker-opening/1"
REDACTED_SCHEMA = "broker-redacted/1"
WITHHELD_SCHEMA = "broker-withheld/1"
SALT_SIZE = 16
MIN_DEPTH = 8
MAX_DEPTH = 20

_NAME = re.compile(r"[a-z0-9_]+")
_SALT = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]")
_ELEMENT = re.compile(r"[a-z2-7]{10}")


def unit_leaf(pointer: str, salt: bytes, value: Json) -> bytes:
    """SHA-256(0x00 ‖ salt ‖ canonical([pointer, value]))."""
    return sha256(b"\x00" + salt + encode_trusted([pointer, value])).digest()


def units_of(doc: Json) -> dict[str, Json]:
    """The disclosure units of a `doc`, pointer → value; refuses any other shape of document."""
    if type(doc) is not dict or doc.keys() != {"facts", "entities"}:
        _shape("the document does not have exactly facts and entities")
    found: dict[str, Json] = {}
    for section, fields in _members(doc["facts"], _NAME, top=True):
        for name, value in _members(fields, _NAME):
            found[f"/facts/{section}/{name}"] = value
    for collection, elements in _members(doc["entities"], _NAME, top=True):
        for element, fields in _members(elements, _ELEMENT):
            for name, value in _members(fields, _NAME):
                found[f"/entities/{collection}/{element}/{name}"] = value
    return found


def assemble(units: Mapping[str, Json]) -> dict[str, Any]:
    """The `doc` that has exactly these units: the inverse of `units_of`."""
    doc: dict[str, Any] = {"facts": {}, "entities": {}}
    for pointer, value in units.items():
        first, *inner, last = pointer.split("/")[1:]
        place = doc[first]
        for step in inner:
            place = place.setdefault(step, {})
        place[last] = value
    if units_of(doc).keys() != units.keys():
        _shape("a pointer does not name a disclosure unit")
    return doc


def recompute(doc: Json, opening: Json) -> bytes:
    """The root that `doc` and `opening` lead to; `NotAuthentic` unless the sets are equal."""
    units = units_of(doc)
    lines = _opened_units(opening)
    depth = opening["depth"]
    if [pointer for _, pointer, _ in lines] != sorted(units):
        raise NotAuthentic(
            "seal-set",
            "the document and the opening do not name the same values",
            "A value was added or removed other than by redaction; ask for the original.",
        )
    return merkle.root(_leaves(depth, lines, units, opening["rest"]))


def leaf_at(opening: Json, position: int) -> bytes:
    """The unopened leaf at `position`, out of `rest`."""
    taken = {line[0] for line in _opened_units(opening)}
    if type(position) is not int or not 0 <= position < 1 << opening["depth"] or position in taken:
        _shape("a position that is not an unopened leaf")
    rank = position - sum(1 for other in taken if other < position)
    rest = _bytes(opening["rest"], "the opening's rest")
    return rest[rank * merkle.HASH_SIZE : (rank + 1) * merkle.HASH_SIZE]


def redact(
    seal_jws: str,
    doc: Json,
    opening: Json,
    *,
    keep: Collection[str] | None = None,
    drop: Collection[str] | None = None,
) -> dict[str, Json]:
    """Remove units and keep the seal verifiable: give `keep` or `drop`, pointers of units."""
    units = units_of(doc)
    lines = _opened_units(opening)
    if (keep is None) == (drop is None):
        raise Refused("redact-choice", "say either what to keep or what to drop")
    named = set(keep if keep is not None else drop or ())
    if not named <= units.keys():
        raise Refused("redact-pointer", "a pointer names no value of this referral")
    kept = named if keep is not None else units.keys() - named
    leaves = _leaves(opening["depth"], lines, units, opening["rest"])
    return {
        "schema": REDACTED_SCHEMA,
        "seal": seal_jws,
        "doc": assemble({pointer: units[pointer] for pointer in sorted(kept)}),
        "opening": make_opening(
            opening["release"],
            opening["depth"],
            [line for line in lines if line[1] in kept],
            leaves,
        ),
    }


def verify_withheld(proof: Json, root: bytes, depth: int) -> tuple[str, Json]:
    """(pointer, value) of a withheld unit opened later, proven against the signed root."""
    _exactly(
        proof,
        {"schema", "unit", "index", "size", "path", "position", "salt", "tree_path"},
        WITHHELD_SCHEMA,
        "withheld opening",
    )
    unit = proof["unit"]
    if type(unit) is not list or len(unit) != 3 or type(unit[0]) is not str:
        _shape("the withheld opening does not hold one unit")
    if any(type(proof[name]) is not int for name in ("index", "size", "position")):
        _shape("the withheld opening has a place that is not a number")
    leaf = unit_leaf(unit[0], _bytes(unit[1], "salt", SALT_SIZE), unit[2])
    inner = _follow(leaf, proof["index"], proof["size"], _path(proof["path"]))
    if inner is None:
        _broken()
    cover = merkle.leaf_hash(_bytes(proof["salt"], "salt", SALT_SIZE) + inner)
    path = _path(proof["tree_path"])
    if len(path) != depth or not merkle.verify_inclusion(cover, proof["position"], 1 << depth, path, root):
        _broken()
    return unit[0], unit[2]


def make_opening(
    release: str, depth: int, lines: Sequence[tuple[int, str, bytes]], leaves: Sequence[bytes]
) -> dict[str, Json]:
    taken = {position for position, _, _ in lines}
    return {
        "schema": OPENING_SCHEMA,
        "release": release,
        "depth": depth,
        "units": [[position, pointer, b64u(salt)] for position, pointer, salt in lines],
        "rest": b64u(b"".join([leaf for at, leaf in enumerate(leaves) if at not in taken])),
    }


def _opened_units(opening: Json) -> list[tuple[int, str, bytes]]:
    _exactly(opening, {"schema", "release", "depth", "units", "rest"}, OPENING_SCHEMA, "opening")
    depth, units = opening["depth"], opening["units"]
    if type(depth) is not int or not MIN_DEPTH <= depth <= MAX_DEPTH:
        _shape("the opening's depth is out of range")
    if type(opening["release"]) is not str or type(units) is not list or len(units) > 1 << depth:
        _shape("the opening has a member of the wrong kind")
    lines = [_line(line, 1 << depth) for line in units]
    pointers = [pointer for _, pointer, _ in lines]
    if any(left >= right for left, right in pairwise(pointers)):
        _shape("the opening's units are not sorted by pointer, or one occurs twice")
    if len({position for position, _, _ in lines}) != len(lines):
        _shape("two units of the opening share a position")
    return lines


def _line(line: Json, size: int) -> tuple[int, str, bytes]:
    if type(line) is not list or len(line) != 3:
        _shape("a unit of the opening is not [position, pointer, salt]")
    position, pointer, salt = line
    if type(position) is not int or not 0 <= position < size or type(pointer) is not str:
        _shape("a unit of the opening has no valid position or pointer")
    # 16 bytes are 22 characters, the last with two used bits: this form is the only one there is.
    if type(salt) is not str or not _SALT.fullmatch(salt):
        _shape("a salt of the opening is not 16 bytes of base64url")
    return position, pointer, b64decode(salt + "==", b"-_")


def _leaves(
    depth: int, lines: Sequence[tuple[int, str, bytes]], units: Mapping[str, Json], rest: Json
) -> list[bytes]:
    opened = {
        position: sha256(b"\x00" + salt + encode_trusted([pointer, units[pointer]])).digest()
        for position, pointer, salt in lines
    }
    closed = _bytes(rest, "the opening's rest", ((1 << depth) - len(opened)) * merkle.HASH_SIZE)
    others = iter([closed[at : at + 32] for at in range(0, len(closed), merkle.HASH_SIZE)])
    return [opened.get(position) or next(others) for position in range(1 << depth)]


def _members(value: Json, names: re.Pattern[str], *, top: bool = False) -> list[tuple[str, Json]]:
    if type(value) is not dict or (not value and not top):
        _shape("a section, collection or element of the document is empty or not an object")
    if not all(type(name) is str and names.fullmatch(name) for name in value):
        _shape("a name in the document is not of the permitted form")
    return list(value.items())


def _follow(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an audit path leads to, or None when the path has the wrong length."""
    if not 0 <= index < size:
        return None
    computed, position, last, steps = leaf, index, size - 1, iter(path)
    while last:
        if position & 1 or position < last:
            step = next(steps, None)
            if step is None:
                return None
            computed = merkle.node_hash(step, computed) if position & 1 else merkle.node_hash(computed, step)
        position, last = position >> 1, last >> 1
    return computed if next(steps, None) is None else None


def _path(value: Json) -> list[bytes]:
    if type(value) is not list or len(value) > 64:
        _shape("an audit path is not a list")
    return [_bytes(step, "audit path", merkle.HASH_SIZE) for step in value]


def _exactly(value: Json, members: set[str], schema: str, what: str) -> None:
    if type(value) is not dict or value.keys() != members or value["schema"] != schema:
        _shape(f"the {what} does not have exactly the members of {schema}")


def _bytes(text: Json, what: str, size: int | None = None) -> bytes:
    try:
        data = unb64u(text)
    except Refused:
        _shape(f"{what} is not base64url")
    if size is not None and len(data) != size:
        _shape(f"{what} has the wrong length")
    return data


def _shape(detail: str) -> NoReturn:
    raise NotAuthentic("seal-shape", detail, "The file is damaged or not of this format.")


def _broken() -> NoReturn:
    raise NotAuthentic(
        "seal-withheld",
        "the withheld value does not lead to the sealed root",
        "It was not part of this seal.",
    )
