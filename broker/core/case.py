"""Intake of a canonical case: bytes in, a validated `Case` or a list of broken rules out.

What is refused is refused whole, with the field and the rule, never the value. What is accepted is
kept as the normalised document: plain JSON, ready to be hashed, encrypted and minimised without
another parse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from pydantic import ValidationError

from broker.core import canonical
from broker.core.fields import COLLECTIONS
from broker.core.schema import CaseDocument
from broker.core.schema_types import references
from broker.errors import Issue, Refused
from broker.spi import Json

MAX_BYTES = 2 * 1024 * 1024
MAX_ISSUES = 50

_BIOMETRIC = re.compile(
    r"(face|facial|voice|iris|retina|fingerprint|palm|gait|biometric)[_-]?(print|template|embedding|vector"
    r"|encoding|match|id|hash|scan|recognition)?$|^(embedding|embeddings|face_template)$",
    re.IGNORECASE,
)
_MEDIA_MEMBER = re.compile(
    r"^(image|images|thumbnail|thumb|preview|screenshot|media|video|picture|content|file|data|blob)"
    r"(_?(data|bytes|base64|b64|blob|content))?$",
    re.IGNORECASE,
)
_LOCAL_ID = re.compile(r"[a-z]{1,8}[0-9]{1,6}")

_RULES: Mapping[str, tuple[str, str]] = {
    "extra_forbidden": ("unknown-field", "the canonical case has no such field"),
    "missing": ("required", "is required"),
    "literal_error": ("code", "is not one of the allowed codes"),
    "string_type": ("type", "must be a string"),
    "int_type": ("type", "must be a whole number"),
    "bool_type": ("type", "must be true or false"),
    "tuple_type": ("type", "must be a list"),
    "dict_type": ("type", "must be an object"),
    "model_type": ("type", "must be an object"),
    "model_attributes_type": ("type", "must be an object"),
    "string_too_long": ("oversize", "is longer than allowed"),
    "string_too_short": ("empty", "is empty"),
    "string_pattern_mismatch": ("format", "does not have the required form"),
    "greater_than_equal": ("range", "is below the allowed range"),
    "less_than_equal": ("range", "is above the allowed range"),
    "less_than": ("range", "is above the allowed range"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """An accepted case. `data` is the normalised document, `encoded` its canonical bytes.

    `digest` is the SHA-256 (hex) of `encoded` and identifies this version of the case.
    """

    data: Mapping[str, Json]
    encoded: bytes
    digest: str

    @property
    def kind(self) -> str:
        """F84."""
        return str(self.data["case"]["kind"])

    @property
    def urgency(self) -> str | None:
        """F06, or None while nobody set it."""
        value = self.data["case"].get("urgency")
        return None if value is None else str(value)

    def entities(self) -> Iterator[tuple[str, str, Mapping[str, Json]]]:
        """(collection, local id, entity) for every entity, in the document's sorted order."""
        for collection in COLLECTIONS:
            for local_id, entity in self.data.get(collection, {}).items():
                yield collection, local_id, entity


def from_bytes(raw: bytes) -> Case:
    """Parse, check and normalise an intake document. Raises `Refused` with every issue found."""
    if len(raw) > MAX_BYTES:
        raise Refused("case-refused", "the case was not taken in", (_oversize(),))
    return from_json(canonical.decode(raw, max_bytes=MAX_BYTES))


def from_json(document: Json) -> Case:
    """As `from_bytes`, for a document that is already parsed (an adapter's draft)."""
    issues = list(_forbidden_members(document, ""))
    try:
        model = CaseDocument.model_validate_json(canonical.encode(document))
    except ValidationError as error:
        issues += [
            _issue(e["loc"], e["type"], str(e["msg"]))
            for e in error.errors(include_input=False, include_context=False, include_url=False)
        ]
        raise _refused(issues) from None
    data = _normalise(model)
    issues += _broken_references(data)
    if issues:
        raise _refused(issues)
    return trusted(data)


def trusted(data: Mapping[str, Json]) -> Case:
    """Wrap a document that was accepted before (it comes out of the vault)."""
    encoded = canonical.encode(data)
    return Case(data, encoded, canonical.sha256_hex(encoded))


def json_schema() -> dict[str, Json]:
    """The JSON Schema (2020-12) of an intake document, for `broker case schema`."""
    schema = CaseDocument.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["$id"] = "urn:referral-broker:case:1"
    return schema


def _normalise(model: CaseDocument) -> dict[str, Json]:
    data = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: value for key, value in data.items() if value not in ({}, [])}


def _forbidden_members(value: Json, pointer: str) -> Iterator[Issue]:
    """Members that would carry media or biometrics get a rule of their own, wherever they stand."""
    if isinstance(value, dict):
        for name, child in value.items():
            here = f"{pointer}/{_safe(name)}"
            if _BIOMETRIC.search(str(name)):
                yield Issue(here, "biometric", "biometric identification data are not allowed here")
            elif _MEDIA_MEMBER.match(str(name)) and isinstance(child, str):
                yield Issue(here, "media", "the broker takes locators, hashes and words, never media")
            else:
                yield from _forbidden_members(child, here)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _forbidden_members(child, f"{pointer}/{index}")


def _broken_references(data: Mapping[str, Json]) -> list[Issue]:
    issues: list[Issue] = []
    known: set[str] = set()
    for collection in COLLECTIONS:
        for local_id in data.get(collection, {}):
            if local_id in known:
                issues.append(
                    Issue(
                        f"/{collection}/{local_id}",
                        "duplicate-id",
                        "an id names one entity of the case",
                    )
                )
            known.add(local_id)
    for top, value in data.items():
        if isinstance(value, dict | list) and not references(value) <= known:
            issues.append(Issue(f"/{top}", "reference", "refers to an entity that is not in the case"))
    return issues


def _issue(location: tuple[int | str, ...], kind: str, message: str) -> Issue:
    pointer = "".join(f"/{_safe(part)}" for part in location if part != "[key]")
    if kind in _RULES:
        rule, detail = _RULES[kind]
    elif re.fullmatch(r"[a-z-]+", kind):  # our own rules, whose messages hold no input
        rule, detail = kind, message
    else:
        rule, detail = "type", "does not have the required type"
    return Issue(pointer, rule, detail)


def _safe(part: int | str) -> str:
    """A path segment that may be shown: an index, a name of the schema, a local id.

    A member that the schema does not know is not named: whoever wrote it may have put a value there.
    """
    known = isinstance(part, int) or part in _names() or _LOCAL_ID.fullmatch(part)
    return str(part) if known else "(member)"


@cache
def _names() -> frozenset[str]:
    """Every member name of the schema."""
    schema = CaseDocument.model_json_schema(by_alias=True)
    models = [schema, *schema["$defs"].values()]
    return frozenset(name for model in models for name in model.get("properties", ()))


def _oversize() -> Issue:
    return Issue("", "oversize", f"a case is at most {MAX_BYTES // 1024} KiB")


def _refused(issues: list[Issue]) -> Refused:
    unique = tuple(dict.fromkeys(issues))[:MAX_ISSUES]
    return Refused(
        "case-refused",
        f"the case was not taken in: {len(unique)} rule(s) broken",
        unique,
        hint="nothing was stored; correct the fields named and send it again",
    )
