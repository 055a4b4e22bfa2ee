"""What no text of an export may hold: media in disguise, control characters, formulas, markings."""

from __future__ import annotations

import re

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{600,}={0,2}")
_DATA_URI = re.compile(r"\bdata:[a-z0-9.+-]*+/?+[a-z0-9.+-]*+[;,]", re.IGNORECASE)  # never backtracks
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_EUCI = re.compile(
    r"\b(RESTREINT\s+UE|EU\s+RESTRICTED|R-UE/EU-R|CONFIDENTIEL\s+UE|EU\s+CONFIDENTIAL|SECRET\s+UE"
    r"|EU\s+SECRET|TR[EÈ]S\s+SECRET\s+UE|EU\s+TOP\s+SECRET)\b",
    re.IGNORECASE,
)
_MEDIA_MEMBER = re.compile(
    r"(image|images|thumbnail|thumb|preview|screenshot|media|video|picture|content|file|data|blob)"
    r"(_?(data|bytes|base64|b64|blob|content))?|embedding|embeddings|face_?(print|template|vector)",
    re.IGNORECASE,
)
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_FORMULA_LEAD = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_NO_FORMULA = re.compile(r"[+-][\d .,()/-]*|@[\w.-]{1,100}")
"""A telephone number, a negative number, a dash for none, a handle."""


def screen_text(text: str) -> tuple[str, str] | None:
    """(rule, detail) of the first rule a text breaks, or None."""
    if _CONTROL.search(text):
        return "control-character", "holds a control character"
    if _SURROGATE.search(text):
        return "encoding", "holds an unpaired surrogate"
    if _DATA_URI.search(text) or (len(text) >= 600 and _BASE64.search(text)):
        return "media", "holds an embedded or encoded object; the broker never takes media"
    return None


def screen_marking(text: str) -> tuple[str, str] | None:
    """As the case's own intake does: this system is not accredited for EU-classified information."""
    if _EUCI.search(text):
        return "eu-classified", "bears an EU classification marking; this system is not accredited"
    return None


def is_formula(text: str) -> bool:
    """Whether a spreadsheet program would run the cell instead of showing it."""
    bare = text.strip()
    if text[:1] in {"\t", "\r"} and bare:
        return True
    return bare.startswith(_FORMULA_LEAD) and not _NO_FORMULA.fullmatch(bare)


def is_media_member(name: str) -> bool:
    """Whether a JSON member is named like something that would carry media or biometrics."""
    return _MEDIA_MEMBER.fullmatch(name) is not None


def safe_name(name: str) -> str:
    """A member name that may be shown; anything unusual could itself be a value."""
    return name if _PLAIN_NAME.fullmatch(name) else "(member)"
