"""Which leaves of a field are free values, and of what kind: for the deny-list and the taint scan.

Codes, dates, booleans and small numbers are not here: they hold no hidden value, and masking every
"female" or "website" in a text would only hide the sense (ruling 28).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from broker.core.freetext import Kind, Known
from broker.spi import Json

_TEXT = ""
"""Stands for the value itself (or each text of a list)."""

FREE: Mapping[str, Mapping[str, Kind]] = MappingProxyType(
    {
        "F09": {"ref": "code"},
        "F12": {"name": "name", "contact": "code"},
        "F13": {"ip": "code", "user_agent": "code"},
        "F17": {"value": "code"},
        "F18": {"value": "code"},
        "F20": {_TEXT: "code"},
        "F21": {_TEXT: "code"},
        "F22": {"device": "code", "latitude": "code", "longitude": "code"},
        "F26": {"by_org": "code"},
        "F28": {_TEXT: "code"},
        "F29": {_TEXT: "url"},
        "F30": {_TEXT: "url"},
        "F31": {"domain": "code"},
        "F33": {"ip": "code", "asn": "code", "provider": "code"},
        "F35": {"tool_version": "code"},
        "F37": {"service": "code", "account_id": "code"},
        "F38": {_TEXT: "code"},
        "F39": {_TEXT: "name"},
        "F40": {"email": "code", "phone": "number"},
        "F41": {_TEXT: "code"},
        "F42": {"url": "url"},
        "F46": {_TEXT: "code"},
        "F49": {"isp": "code"},
        "F54": {"name": "name", "dob": "code", "school": "place", "address": "place", "contact": "code"},
        "F55": {_TEXT: "code"},
        "F57": {_TEXT: "code"},
        "F60": {"organisation": "code", "analyst": "code"},
        "F61": {_TEXT: "name"},
        "F65": {"hash": "code"},
        "F66": {"requested_to": "code"},
        "F69": {"to": "code"},
        "F74": {"platform": "code"},
        "F76": {"provider": "code"},
        "F77": {_TEXT: "url"},
        "F80": {"by_org": "code"},
        "F81": {"by": "code"},
        "F83": {"username": "code", "password": "code"},
    }
)
"""field → member → kind."""

TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "F07": _TEXT,
        "F14": _TEXT,
        "F20": _TEXT,
        "F32": _TEXT,
        "F42": "bio",
        "F56": _TEXT,
        "F64": "text",
    }
)
"""field → member that is human text."""


def free_values(field_id: str, value: Json) -> Sequence[Known]:
    """The identifying leaves of one field's value."""
    kinds = FREE.get(field_id)
    return () if kinds is None else _walk(value, kinds)


def _walk(value: Json, kinds: Mapping[str, Kind]) -> list[Known]:
    if isinstance(value, str):
        kind = kinds.get(_TEXT)
        return [] if kind is None else [Known(value, kind)]
    if isinstance(value, list):
        return [known for entry in value for known in _walk(entry, kinds)]
    if isinstance(value, dict):
        return [
            Known(leaf, _refined(leaf, name, kind))
            for name, kind in kinds.items()
            if isinstance(leaf := value.get(name), str)
        ]
    return []


def _refined(leaf: str, name: str, kind: Kind) -> Kind:
    """A contact is a number unless it has an @; then its digits are compared in any grouping."""
    return "number" if name == "contact" and "@" not in leaf and any(map(str.isdigit, leaf)) else kind


def human_texts(field_id: str, value: Json) -> list[str]:
    """The human text in a field's value."""
    member = TEXTS.get(field_id)
    if member is None:
        return []
    entries = value if isinstance(value, list) else [value]
    found = [entry if member == _TEXT else entry.get(member) for entry in entries]
    return [text for text in found if isinstance(text, str)]


def leaves(value: Json) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from leaves(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from leaves(child)
