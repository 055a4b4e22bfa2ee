"""The saved column mapping: which column of somebody's table becomes what, as a small JSON document.

Its format is ours and documented in docs/adapters/tabular.md; an adapter says which targets it has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from broker.spi_in.convert import Column, Json, Target, convert
from broker.spi_in.csv_reading import DELIMITERS, ENCODINGS
from broker.spi_in.json_reading import Bounds, read_json
from broker.spi_in.members import Members
from broker.spi_in.refusal import Fault, Refuse

SCHEMA = "broker-mapping/1"
MEANINGS = ("observed", "uploaded", "detected", "reported", "sent", "login", "registered", "taken")
CLOCKS = ("hotline", "provider", "platform", "device", "unknown")

_BOUNDS = Bounds(octets=128 * 1024, depth=6, values=5_000)
_FORM = re.compile(r"(?:%[YymdHMSfz]|[ .,:/TZ-])+")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(?:/[A-Za-z0-9_+-]{1,30}){0,2}")
_TIMES = frozenset({"instant", "moment"})


@dataclass(frozen=True, slots=True)
class TableMapping:
    """A mapping that was read and checked. `constants` are values for every row, converted."""

    columns: tuple[Column, ...]
    constants: Mapping[str, Json] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    case_by: str | None = None
    header_row: int = 1
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    backslash: bool = False
    ragged: bool = False
    """Whether a row may have fewer cells than the header; otherwise it is taken for a cut one."""

    @property
    def gives(self) -> frozenset[str]:
        """Targets that some column or constant gives."""
        return frozenset(self.constants) | {column.target for column in self.columns}


class _Members(Members):
    source = "mapping"


def zone_or_none(name: str) -> str | None:
    """The name where it is a time zone of this system, else None."""
    if not _ZONE.fullmatch(name):
        return None
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
    return name


def read_mapping(text: str, targets: Mapping[str, Target], *, zone: str | None = None) -> TableMapping:
    """Reads and checks a mapping. `zone` (an option of the import) wins over the mapping's own.

    Raises `Refused` with code `mapping-refused`.
    """
    refuse = Refuse("mapping")
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        refuse("", "encoding", "holds an unpaired surrogate")
    members = _Members(read_json(raw, refuse, _BOUNDS), "")
    if members.text("mapping") != SCHEMA:
        refuse("/mapping", "schema", f"must be {SCHEMA}")
    members.text("name")
    own = members.text("zone")
    zone = zone or own
    if zone is not None and zone_or_none(zone) is None:
        refuse("/zone", "zone", "is no time zone known here, such as Europe/Brussels")
    columns, ignored = _columns(members, targets, zone)
    mapping = TableMapping(
        columns=columns,
        constants=_constants(members, targets),
        ignored=ignored,
        case_by=members.text("case_by"),
        header_row=members.whole("header_row", 1, 100) or 1,
        sheet=members.text("sheet"),
        encoding=members.code("encoding", ENCODINGS),
        delimiter=members.code("delimiter", DELIMITERS),
        backslash=members.flag("backslash") or False,
        ragged=members.flag("ragged") or False,
    )
    _no_more(members)
    return mapping


def _columns(
    members: Members, targets: Mapping[str, Target], zone: str | None
) -> tuple[tuple[Column, ...], frozenset[str]]:
    given = members.child("columns")
    if given is None or not given.names():
        members.refuse("/columns", "required", "is required: at least one column")
    columns: list[Column] = []
    ignored: set[str] = set()
    for i, header in enumerate(given.names()):
        spec = _Members(given.raw(header), f"/columns/{i}")  # a header may be anything: by position
        if spec.flag("ignore"):
            ignored.add(header)
        else:
            columns.append(_column(header, spec, targets, zone))
        _no_more(spec)
    names = [column.target for column in columns]
    for i, name in enumerate(names):
        if name in names[:i]:
            members.refuse(f"/columns/{i}/to", "duplicate", "two columns become the same")
    return tuple(columns), frozenset(ignored)


def _column(header: str, spec: Members, targets: Mapping[str, Target], zone: str | None) -> Column:
    name = spec.text("to")
    if name is None or name not in targets:
        spec.refuse(spec.at("to"), "target", "is no target of this adapter")
    own = spec.text("zone")
    if own is not None and zone_or_none(own) is None:
        spec.refuse(spec.at("zone"), "zone", "is no time zone known here, such as Europe/Brussels")
    kind = targets[name].kind
    meaning = spec.code("meaning", MEANINGS)
    if kind == "moment" and meaning is None:
        spec.refuse(spec.at("meaning"), "required", "is required: what the time is the time of")
    codes = spec.child("codes")
    words = {word: codes.text(word) or "" for word in codes.names()} if codes else {}
    return Column(
        header=header,
        target=name,
        required=spec.flag("required") or False,
        optional=spec.flag("optional") or False,
        codes=words,
        form=spec.matching("form", _FORM, "made of %Y %m %d %H %M %S %f %z and separators"),
        zone=(own or zone) if kind in _TIMES else None,
        meaning=meaning or "",
        clock=spec.code("clock", CLOCKS) or "unknown",
        base32=spec.code("encoding", ("hex", "base32")) == "base32",
        broken=spec.flag("broken") or False,
        separator=spec.text("separator", 3) or ";",
    )


def _constants(members: Members, targets: Mapping[str, Target]) -> dict[str, Json]:
    given = members.child("constants")
    values: dict[str, Json] = {}
    for i, name in enumerate(given.names() if given else ()):
        where = f"/constants/{name if name in targets else i}"
        if name not in targets or targets[name].kind == "moment":
            members.refuse(where, "target", "is no target that may be constant")
        text = given.text(name, 8000) if given else None
        try:
            values[name] = convert(text or "", targets[name], Column("", name))
        except Fault as fault:
            members.refuse(where, fault.rule, fault.detail)
    return values


def _no_more(members: Members) -> None:
    """A mapping is ours: a member nobody knows is a mistake, not news from another system."""
    for finding in members.ignored():
        members.refuse(finding.pointer, "unknown-member", "a mapping has no such member")
