"""Hostile bytes to plain JSON, in bounded time and memory; the value refused is never repeated.

Size, depth, duplicate members, numbers and embedded media are decided here, before a single field
is looked at. Depth and the number of values are counted over the bytes, before the parser builds
anything.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from broker.spi_in.refusal import Refuse
from broker.spi_in.screen import is_media_member, safe_name, screen_text

Json = Any

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)
"""A whole text, or one mark. Possessive, and a quote that nothing closes is a mark of its own: otherwise a
text costs memory by its length, and one that is not closed is looked at again from every quote in it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a document may be. `media_members` names members that only look like media."""

    octets: int = 1024 * 1024
    depth: int = 12
    values: int = 50_000
    media_members: frozenset[str] = frozenset()


class Number(str):
    """A JSON number with a fraction or exponent, kept as text: never a float, never an integer."""

    __slots__ = ()


def read_json(content: bytes, refuse: Refuse, bounds: Bounds) -> Json:
    """Parses and screens. Raises `Refused`."""
    if len(content) > bounds.octets:
        refuse("", "oversize", f"an export is at most {bounds.octets // 1024} KiB")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        refuse("", "encoding", "must be UTF-8")
    _check_shape(content, refuse, bounds)
    try:
        value = json.loads(
            text,
            object_pairs_hook=lambda pairs: _members(pairs, refuse),
            parse_float=Number,
            parse_int=lambda digits: _whole(digits, refuse),
            parse_constant=lambda _: refuse("", "number", "NaN and Infinity are not JSON"),
        )
    except (json.JSONDecodeError, RecursionError):
        refuse("", "json", "is not JSON")
    _screen(value, refuse, bounds.media_members)
    return value


def _check_shape(content: bytes, refuse: Refuse, bounds: Bounds) -> None:
    depth = values = 0
    for token in _TOKEN.finditer(content):
        mark = content[token.start()]
        if mark == 0x22:
            if token.end() - token.start() == 1:
                refuse("", "json", "is not JSON")
        elif mark in b"[{":
            depth += 1
            if depth > bounds.depth:
                refuse("", "depth", f"is nested more than {bounds.depth} deep")
        elif mark in b"]}":
            depth -= 1
        elif mark == 0x2C:
            values += 1
            if values > bounds.values:
                refuse("", "oversize", f"has more than {bounds.values} values")


def _members(pairs: list[tuple[str, Json]], refuse: Refuse) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                refuse(f"/{safe_name(name)}", "duplicate", "stands twice in the same object")
            seen.add(name)
    return members


def _whole(text: str, refuse: Refuse) -> int:
    if len(text) > 16 or abs(int(text)) >= 2**53:
        refuse("", "number", "a whole number is below 2^53")
    return int(text)


def _screen(value: Json, refuse: Refuse, excused: frozenset[str]) -> None:
    """No media, no control characters, anywhere: also not in members that are ignored later."""
    stack: list[tuple[str, Json]] = [("", value)]
    while stack:
        pointer, node = stack.pop()
        if isinstance(node, dict):
            for name, child in node.items():
                here = f"{pointer}/{safe_name(name)}"
                _text(here, name, refuse)
                if is_media_member(name) and name not in excused and isinstance(child, str | list):
                    refuse(here, "media", "the broker takes locators, hashes and words, never media")
                stack.append((here, child))
        elif isinstance(node, list):
            stack += [(f"{pointer}/{i}", child) for i, child in enumerate(node)]
        elif isinstance(node, str) and not isinstance(node, Number):
            _text(pointer, node, refuse)


def _text(pointer: str, text: str, refuse: Refuse) -> None:
    broken = screen_text(text)
    if broken is not None:
        refuse(pointer, *broken)
