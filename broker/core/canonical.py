"""Canonical JSON: RFC 8785 bytes over the restricted profile of docs/spec/canonical.md.

The profile (no floats, ASCII member names, |n| < 2^53, NFC text, 32 levels) is what makes a plain
sorted-key serialiser produce RFC 8785 bytes. The profile is enforced where data comes in (`check`,
`decode`); what was built from checked parts goes through `encode_trusted`.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import NoReturn

import orjson
import pybase64

from broker.errors import Issue, Refused
from broker.spi import Json

MAX_DEPTH = 32
MAX_INT = 2**53 - 1
_NAMES = frozenset({str})
_SAFE_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-")


def encode(value: Json) -> bytes:
    """The canonical bytes of `value`; raises `Refused` (code `canonical-…`) outside the profile."""
    check(value)
    return encode_trusted(value)


def encode_trusted(value: Json) -> bytes:
    """The same bytes without the check: only for what this process built from checked parts."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def decode(data: bytes, *, max_bytes: int, canonical: bool = False) -> Json:
    """Parse strictly: profile enforced, duplicate members refused, at most `max_bytes` long.

    With `canonical` the bytes must also be the canonical form: one value, one hash.
    """
    if len(data) > max_bytes:
        _refuse("size", "", f"more than {max_bytes} bytes")
    return _decode_canonical(data) if canonical else _decode_any(data)


def decode_trusted(data: bytes) -> Json:
    """Parse what this process itself encoded, or what an authenticated digest says it encoded."""
    return orjson.loads(data)


def check(value: Json) -> None:
    """Raise `Refused` outside the profile. The issue names the place, never the value."""
    if not _within(value, 1):
        _check(value, "", 1)


def sha256_hex(data: bytes) -> str:
    """Lower-case hex SHA-256, as digests stand in our JSON."""
    return sha256(data).hexdigest()


def b64u(data: bytes) -> str:
    """base64url without padding."""
    return pybase64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64u(text: str) -> bytes:
    """Strict inverse of `b64u`: one text for one byte string, everything else is refused."""
    if not isinstance(text, str) or not text.isascii():
        _refuse("base64url", "", "not ASCII text")
    raw = text.encode("ascii")
    if b"+" in raw or b"/" in raw:
        _refuse("base64url", "", "not the base64url alphabet")
    try:
        data = pybase64.b64decode(raw + b"=" * (-len(raw) % 4), b"-_", validate=True)
    except ValueError:
        data = b""
    # Writing it again is the check that counts: padding and unused bits of the last character.
    if pybase64.urlsafe_b64encode(data).rstrip(b"=") != raw:
        _refuse("base64url", "", "not canonical unpadded base64url")
    return data


def _decode_canonical(data: bytes) -> Json:
    # Re-serialising and comparing catches duplicates, order, spacing and escapes in one step.
    try:
        value = orjson.loads(data)
    except ValueError:
        _refuse("syntax", "", "not JSON")
    check(value)
    if encode_trusted(value) != data:
        _refuse("form", "", "not the canonical form")
    return value


def _decode_any(data: bytes) -> Json:
    # Most of what comes in is canonical already; then one comparison stands for every strict rule.
    with suppress(ValueError, TypeError):
        value = orjson.loads(data)
        if encode_trusted(value) == data and _within(value, 1):
            return value
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_members,
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_small_int,
        )
    except (ValueError, RecursionError):
        _refuse("syntax", "", "not JSON, or nested too deep")
    check(value)
    return value


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        _refuse("duplicate", "", "a member name occurs twice")
    return members


def _no_float(_text: str) -> NoReturn:
    _refuse("float", "", "a number that is not an integer")


def _small_int(text: str) -> int:
    if len(text) > 17 or text == "-0":
        _refuse("integer", "", "an integer of 2^53 or more, or minus zero")
    return int(text)


def _within(value: Json, depth: int) -> bool:
    """The profile as yes or no: eight times faster than `_check`, which says where and why."""
    kind = type(value)
    if kind is str:
        inside: bool = value.isascii() or _is_text(value)
    elif kind is int:
        inside = -MAX_INT <= value <= MAX_INT
    elif kind is dict or kind is list or kind is tuple:
        inside = depth <= MAX_DEPTH
        if inside and kind is dict:
            inside = set(map(type, value)) <= _NAMES and "".join(value).isascii()
        if inside:
            for member in value.values() if kind is dict else value:
                # Most members are plain text: decided here, without a call.
                plain = type(member) is str and member.isascii()
                if not plain and not _within(member, depth + 1):
                    return False
    else:
        inside = value is None or kind is bool
    return inside


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return unicodedata.is_normalized("NFC", text)


def _check(value: Json, pointer: str, depth: int) -> None:
    kind = type(value)
    if kind is str:
        _check_text(value, pointer)
    elif kind is int:
        if not -MAX_INT <= value <= MAX_INT:
            _refuse("integer", pointer, "an integer of 2^53 or more")
    elif kind is dict:
        if depth > MAX_DEPTH:
            _refuse("depth", pointer, f"nested deeper than {MAX_DEPTH}")
        for name, member in value.items():
            if type(name) is not str or not name.isascii():
                _refuse("name", pointer, "a member name that is not ASCII text")
            _check(member, f"{pointer}/{_shown(name)}", depth + 1)
    elif kind is list or kind is tuple:
        if depth > MAX_DEPTH:
            _refuse("depth", pointer, f"nested deeper than {MAX_DEPTH}")
        for index, member in enumerate(value):
            _check(member, f"{pointer}/{index}", depth + 1)
    elif kind is float:
        _refuse("float", pointer, "a number that is not an integer")
    elif not (value is None or kind is bool):
        _refuse("type", pointer, "not a JSON value")


def _check_text(text: str, pointer: str) -> None:
    if not _is_text(text):
        if unicodedata.is_normalized("NFC", text):
            _refuse("surrogate", pointer, "a lone surrogate")
        _refuse("nfc", pointer, "text that is not in NFC")


def _shown(name: str) -> str:
    # A member name of hostile input can itself be personal data; only plain names are repeated.
    return name if len(name) <= 64 and _SAFE_NAME.issuperset(name) else "*"


def _refuse(rule: str, pointer: str, detail: str) -> NoReturn:
    code = f"canonical-{rule}"
    raise Refused(code, f"not canonical JSON of the profile: {detail}", (Issue(pointer, code, detail),))


def same(left: Mapping[str, Json], right: Mapping[str, Json]) -> bool:
    """Equal as canonical JSON. Plain `==` would take `True` for `1`."""
    return encode_trusted(left) == encode_trusted(right)
