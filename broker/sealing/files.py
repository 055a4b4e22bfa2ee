"""Read the files of a referral's folder with limits, and say by name which of them is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from broker.core.canonical import decode
from broker.errors import NotAuthentic, Refused
from broker.sealing.jose import parse
from broker.sealing.package import MAX_JSON
from broker.spi import Json


def read(folder: Path, name: str, limit: int) -> bytes:
    """The bytes of a file that has to be there; `NotAuthentic` when it is not, or too large."""
    path = folder / name
    if not folder.is_dir():
        fail("package-missing", "there is no such folder")
    if not path.is_file():
        fail("package-missing", f"the folder has no {name}")
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        fail("package-size", f"{name} is larger than such a file can be")
    return data


def text(folder: Path, name: str, encoding: str = "ascii") -> str:
    """A text file."""
    try:
        return read(folder, name, 2 * MAX_JSON).decode(encoding)
    except UnicodeDecodeError:
        fail("package-form", f"{name} is not the text it should be")


def payload(token: str, typ: str) -> dict[str, Json]:
    """What a signed object says; its signature is checked elsewhere."""
    value = canonical_json(parse(token, require_typ=typ).payload, typ)
    if type(value) is not dict:
        fail("package-form", "a signed object is not a JSON object")
    return value


def canonical_json(data: bytes, name: str) -> Json:
    """A value in its one text."""
    try:
        return decode(data, max_bytes=MAX_JSON, canonical=True)
    except Refused:
        fail("package-form", f"{name} is not canonical JSON")


def fail(code: str, message: str) -> NoReturn:
    """The verification ends here, with one sentence."""
    raise NotAuthentic(code, message, "Do not use it; ask the broker for the original.")
