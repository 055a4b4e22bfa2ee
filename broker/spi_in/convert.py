"""One cell's text to one value of the case: strict, so that what a row gives will pass intake too."""

from __future__ import annotations

import base64
import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from broker.spi_in.members import INSTANT, PATH_NAME
from broker.spi_in.moments import NAIVE, instant
from broker.spi_in.refusal import Fault
from broker.spi_in.screen import is_formula, screen_marking, screen_text

Json = Any
Kind = Literal[
    "text", "code", "label", "url", "ip", "country", "asn", "instant", "moment", "date",
    "hash", "whole", "flag", "file_name", "media_type", "count_names",
]  # fmt: skip

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_MIME = re.compile(r"(image|video|audio|text|application)/[a-z0-9.+-]{1,60}")
_DIGITS: Mapping[str, int] = {"sha256": 64, "sha1": 40, "md5": 32}
_TRUE = frozenset({"true", "yes", "y", "1", "ja", "oui", "j", "o"})
_FALSE = frozenset({"false", "no", "n", "0", "nee", "nein", "non"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a column may become: its kind and the bounds of that kind."""

    kind: Kind
    allowed: tuple[str, ...] = ()
    longest: int = 200
    least: int = 0
    most: int = 2**53 - 1
    alg: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """How one column is read. The words are those of docs/adapters/tabular.md."""

    header: str
    target: str
    required: bool = False
    optional: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)
    form: str | None = None
    zone: str | None = None
    meaning: str = ""
    clock: str = "unknown"
    base32: bool = False
    broken: bool = False
    separator: str = ";"


def convert(text: str, target: Target, column: Column) -> Json:
    """The value of a cell that is not empty. Raises `Fault`."""
    if is_formula(text):
        raise Fault("formula", "starts like a formula; save the file with values only")
    broken = screen_text(text) or screen_marking(text)
    if broken is not None:
        raise Fault(*broken)
    text = unicodedata.normalize("NFC", text.strip())
    if column.codes:
        if text not in column.codes:
            raise Fault("code", "is not one of the words the mapping knows")
        text = column.codes[text]
    return _KINDS[target.kind](text, target, column)


def _text(text: str, target: Target, _: Column) -> str:
    if len(text) > target.longest:
        raise Fault("oversize", f"is longer than {target.longest} characters")
    return text


def _code(text: str, target: Target, _: Column) -> str:
    if text not in target.allowed:
        raise Fault("code", "is not one of the allowed codes")
    return text


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[str, Target, Column], str]:
    def read(text: str, _target: Target, _column: Column) -> str:
        if not pattern.fullmatch(text):
            raise Fault("format", f"must be {what}")
        return text

    return read


def _url(text: str, _target: Target, column: Column) -> str:
    if column.broken:
        text = re.sub(r"^hxxp", "http", text, flags=re.IGNORECASE)
        text = re.sub(r"\[\.\]|\(\.\)|\[dot\]", ".", text, flags=re.IGNORECASE).replace("[:]", ":")
    if len(text) > 4096:
        raise Fault("oversize", "is longer than 4096 characters")
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        raise Fault("url", "cannot be read as a URL") from None
    web = parts.scheme in {"http", "https", "ftp"}
    if not (web and host) and parts.scheme not in {"magnet", "ipfs"}:
        raise Fault("url", "must be an absolute http, https, ftp, magnet or ipfs URL")
    if re.search(r"\s", text) or len(text) < 4:
        raise Fault("url", "contains white space or is too short")
    return text


def _ip(text: str, _target: Target, _column: Column) -> str:
    try:
        if "%" in text:  # a zone index means something on one machine only
            raise ValueError
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise Fault("ip-address", "is no IPv4 or IPv6 address") from None


def _asn(text: str, _target: Target, _column: Column) -> str:
    found = re.fullmatch(r"(?:AS)?(\d{1,10})", text, re.IGNORECASE)
    if found is None:
        raise Fault("format", "must be AS and a number")
    return f"AS{int(found[1])}"


def _instant(text: str, _target: Target, column: Column) -> str:
    return instant(text, column.form, column.zone)


def _moment(text: str, target: Target, column: Column) -> dict[str, Json]:
    moment = {"at": _instant(text, target, column), "meaning": column.meaning, "clock": column.clock}
    if column.zone is not None and not INSTANT.fullmatch(text):
        moment["zone"] = column.zone
    return moment


def _date(text: str, _target: Target, column: Column) -> str:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text).isoformat()
        if NAIVE.fullmatch(text) and "00:00" in text:  # what a workbook makes of a date
            return datetime.fromisoformat(text).date().isoformat()
        if column.form is not None:
            return datetime.strptime(text, column.form).date().isoformat()  # noqa: DTZ007
    except ValueError:
        pass
    raise Fault("date", "is no date in the form of the mapping")


def _hash(text: str, target: Target, column: Column) -> dict[str, str]:
    digits = _DIGITS[target.alg]
    value = text
    if column.base32:
        try:
            value = base64.b32decode(text.upper()).hex()
        except ValueError:
            raise Fault("format", "must be base32") from None
    if not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", value):
        raise Fault("format", f"must be a {target.alg} of {digits} hexadecimal digits")
    return {"alg": target.alg, "value": value.lower()}


def _whole(text: str, target: Target, _: Column) -> int:
    if not re.fullmatch(r"[0-9]{1,16}", text):
        raise Fault("type", "must be a whole number")
    if not target.least <= int(text) <= target.most:
        raise Fault("range", "is outside the allowed range")
    return int(text)


def _flag(text: str, _target: Target, _column: Column) -> bool:
    word = text.casefold()
    if word not in _TRUE | _FALSE:
        raise Fault("type", "must be a yes or a no")
    return word in _TRUE


def _file_name(text: str, target: Target, column: Column) -> str:
    if PATH_NAME.search(text):
        raise Fault("path-name", "must be a file name without a path")
    return _text(text, target, column)


def _count_names(text: str, target: Target, column: Column) -> int:
    """How many different names a list has, or the number itself: the names are not kept."""
    if re.fullmatch(r"[0-9]{1,16}", text):
        return _whole(text, target, column)
    names = {name.strip().casefold() for name in text.split(column.separator) if name.strip()}
    if not target.least <= len(names) <= target.most:
        raise Fault("range", "is outside the allowed range")
    return len(names)


_KINDS: Mapping[str, Callable[[str, Target, Column], Json]] = {
    "text": _text,
    "code": _code,
    "label": _matching(_LABEL, "a code of letters, digits and . _ : / -"),
    "url": _url,
    "ip": _ip,
    "country": _matching(re.compile("[A-Z]{2}"), "a two-letter country code"),
    "asn": _asn,
    "instant": _instant,
    "moment": _moment,
    "date": _date,
    "hash": _hash,
    "whole": _whole,
    "flag": _flag,
    "file_name": _file_name,
    "media_type": _matching(_MIME, "a media type such as video/mp4"),
    "count_names": _count_names,
}
