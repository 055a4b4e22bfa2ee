"""The actions of the matrix legend on structured values: what is left of a value for one recipient.

Each action is a total function of the value and of what the recipient may know of itself. `DROP`
means that nothing is left. An unknown action drops: adding one to a pack without code here can never
disclose.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from broker.core.pseudonym import keyed_hash, pseudonym
from broker.spi import Json

DROP: Final = object()
"""Nothing is left of the value."""


@dataclass(frozen=True, slots=True)
class Self:
    """What an action may know about the recipient: never anything about the case.

    `names` are the recipient's own names, domains and services, `systems` the reference systems that
    are its own; both lower case.
    """

    role: str = ""
    pseudonym_key: bytes = b""
    names: frozenset[str] = frozenset()
    systems: frozenset[str] = frozenset()


Action = Callable[[str, Json, Self], Json]

_BANDS: Mapping[str, str] = MappingProxyType(
    {"0-2": "0-2", "3-6": "3-13", "7-9": "3-13", "10-13": "3-13", "14-15": "14-17", "16-17": "14-17"}
)
_PERSONS = frozenset({"anon", "named", "victim", "relative"})
_PUBLIC = frozenset({"public_report", "self_report_victim"})
_ABUSE_MATERIAL = frozenset({"csam_dissemination", "csam_production", "live_stream"})
_NOT_ABUSE = frozenset({"none", "not_illegal", "non_illegal", "not_csam", "other"})
_INSTANTS = frozenset({"opened_at", "confirmed_at", "at", "start", "end", "expires", "until", "original_at"})


def full(_field: str, value: Json, _me: Self) -> Json:
    """F."""
    return value


def drop(_field: str, _value: Json, _me: Self) -> Json:
    """`-`, `A` (one case has no aggregate) and whatever is not known."""
    return DROP


def aliased(field: str, value: Json, me: Self) -> Json:
    """P: the whole value becomes one pseudonym of this partner."""
    return pseudonym(me.pseudonym_key, field, value)


def hashed(field: str, value: Json, me: Self) -> Json:
    """H: keyed hash; the algorithm of a content hash stays readable beside it."""
    if isinstance(value, list):
        return [_hashed_entry(field, entry, me) for entry in value]
    return keyed_hash(me.pseudonym_key, field, value)


def _hashed_entry(field: str, entry: Json, me: Self) -> Json:
    if isinstance(entry, dict) and "value" in entry and "alg" in entry:
        return {"alg": entry["alg"], "value": keyed_hash(me.pseudonym_key, field, entry["value"])}
    return keyed_hash(me.pseudonym_key, field, entry)


def to_date(_field: str, value: Json, _me: Self) -> Json:
    """G1: every time in the value becomes a date in UTC; zone and clock source go."""
    return _coarser_times(value, 10)


def to_month(_field: str, value: Json, _me: Self) -> Json:
    """G2: as G1, to the month."""
    return _coarser_times(value, 7)


def _coarser_times(value: Json, length: int) -> Json:
    """Only times, their meaning and coded bases survive: what has no coarser form is dropped."""
    if isinstance(value, str):
        return _day(value)[:length]
    if not isinstance(value, dict):
        return DROP
    kept: dict[str, Json] = {}
    for name, child in value.items():
        if isinstance(child, dict) or name in _INSTANTS:
            coarse = _coarser_times(child, length)
            if coarse is not DROP:
                kept[name] = coarse
        elif name in {"meaning", "basis"}:
            kept[name] = child
    return kept or DROP


def _day(text: str) -> str:
    """RFC 3339 date or time → `YYYY-MM-DD`, of the instant in UTC."""
    if len(text) <= 10:
        return text
    return datetime.fromisoformat(text).astimezone(UTC).date().isoformat()


def to_network(_field: str, value: Json, _me: Self) -> Json:
    """G3: IPv4 to /24, IPv6 to /48; an IPv4 address inside an IPv6 one counts as IPv4."""
    address = ipaddress.ip_address(value)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    prefix = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network((address, prefix), strict=False))


def to_band(_field: str, value: Json, _me: Self) -> Json:
    """G5: the three bands of INHOPE."""
    return _BANDS.get(value, DROP)


def to_countries(_field: str, value: Json, _me: Self) -> Json:
    """G6: the countries alone, sorted."""
    return sorted({entry["country"] for entry in value}) or DROP


def bucket(count: int) -> str:
    """G7 of a number: `1`, `2-5`, `6+` (and `0`)."""
    return str(count) if count <= 1 else "2-5" if count <= 5 else "6+"


def to_bucket(_field: str, value: Json, _me: Self) -> Json:
    """G7: the count alone as a bucket; a reference beside it would undo that and is dropped."""
    if isinstance(value, dict):
        return {"of": bucket(value["of"])}
    return bucket(value)


def _own(entry: Json, member: str, me: Self) -> bool:
    return str(entry.get(member, "")).casefold() in me.names


def _coarse_refs(value: Json, me: Self) -> Json:
    own = [entry for entry in value if str(entry["system"]).casefold() in me.systems]
    if me.role == "foreign_police":  # learns which systems know the case, not under which number
        own += [
            {"system": name}
            for name in sorted({e["system"] for e in value if str(e["system"]).casefold() not in me.systems})
        ]
    return own or DROP


def _coarse_labels(value: Json, _me: Self) -> Json:
    return {"csam": any(str(entry["label"]).casefold() not in _NOT_ABUSE for entry in value)}


_COARSE: Mapping[str, Callable[[Json, Self], Json]] = MappingProxyType(
    {
        "F02": lambda value, _: "public" if value in _PUBLIC else "partner",
        "F03": lambda value, _: "child_sexual_abuse_material" if value in _ABUSE_MATERIAL else "other",
        "F09": _coarse_refs,
        "F11": lambda value, _: "person" if value in _PERSONS else "organisation",
        "F23": lambda value, _: {"known": value["status"] == "known"},
        "F26": lambda value, _: {"viewed": value["viewed"]},
        "F58": _coarse_labels,
        "F59": lambda value, _: value if value in {"baseline", "national"} else DROP,
        "F66": lambda value, me: [e for e in value if _own(e, "requested_to", me)] or DROP,
        "F69": lambda value, me: [e for e in value if _own(e, "to", me)] or DROP,
        "F70": lambda value, _: {"another_authority": bool(value)},
        "F73": lambda value, _: {"relation": value["relation"]},
        "F81": lambda value, _: {"hold": value["state"] == "active"},
    }
)
"""G8, field by field (`coarse` in fields.json); a field that is not here has no coarse form."""


def coarse(field: str, value: Json, me: Self) -> Json:
    """G8: coarse class, or the recipient's own entries only."""
    rule = _COARSE.get(field)
    return DROP if rule is None else rule(value, me)


ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "F": full,
        "-": drop,
        "A": drop,
        "P": aliased,
        "H": hashed,
        "G1": to_date,
        "G2": to_month,
        "G3": to_network,
        "G5": to_band,
        "G6": to_countries,
        "G7": to_bucket,
        "G8": coarse,
    }
)
"""Legend → function. `C` is resolved to `F` or a refusal before values are touched (`manifest`); `M`
and `T` need the case's other values or the whole result and are done in `minimise`."""


def apply(action: str, field: str, value: Json, me: Self) -> Json:
    """What this recipient gets of `value`, or `DROP`."""
    return ACTIONS.get(action, drop)(field, value, me)
