"""What every adapter must hold to, as checks that anybody can run: `check(adapter)` → findings.

For render adapters: pure and deterministic, no field beyond `needs`, no memory of another referral's
values, media types as declared, names ASCII and silent, on the samples in four languages and on as many
generated referrals as wanted. For ingest adapters: hostile input is refused in time, with field and rule, and
without repeating a value. An empty answer means that nothing was found, not that all is well.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from importlib import resources
from types import MappingProxyType

from broker.conformance import generated
from broker.core.fields import COLLECTIONS, SECTIONS, field_of
from broker.spi import (
    AdapterInfo,
    Document,
    Finding,
    Ingests,
    Json,
    MinimisedReferral,
    Party,
    Refused,
    Renders,
)

CANARY = "canary7f3a9b"
"""Stands in every hostile input; an answer that repeats it has leaked a value."""

MAX_SECONDS = 1.0

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LANGUAGES = ("nl", "fr", "de", "en")


def samples() -> dict[str, MinimisedReferral]:
    """Synthetic referrals: a full one, grooming without items, a narrow one, an empty withdrawal."""
    return {name: referral_from(payload) for name, payload in _sample_payloads().items()}


@cache
def _sample_payloads() -> dict[str, Mapping[str, Json]]:
    text = resources.files("broker").joinpath("conformance_samples.json").read_text(encoding="utf-8")
    found: dict[str, Mapping[str, Json]] = json.loads(text)
    return found


def generate(count: int, seed: int = generated.SEED) -> Iterator[MinimisedReferral]:
    """Synthetic referrals, the same for the same seed; see `generated`."""
    return (referral_from(p) for p in generated.payloads(list(_sample_payloads().values()), count, seed))


def referral_from(payload: Mapping[str, Json]) -> MinimisedReferral:
    """A `MinimisedReferral` from the members of docs/spec/referral.md (without the seal)."""
    doc = payload["doc"]
    pointers = [f"/facts/{s}/{n}" for s, names in doc.get("facts", {}).items() for n in names]
    for collection, elements in doc.get("entities", {}).items():
        pointers += [f"/entities/{collection}/{e}/{n}" for e, names in elements.items() for n in names]
    encoded = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return MinimisedReferral(
        release=payload["release"],
        reference=payload["reference"],
        version=payload["version"],
        kind=payload["kind"],
        supersedes=payload["supersedes"],
        issuer=payload["issuer"],
        addressee=_party(payload["addressee"]),
        carrier=_party(payload["carrier"]),
        language=payload["language"],
        drafted_at=datetime.fromisoformat(payload["drafted_at"]),
        purposes=tuple(payload["purposes"]),
        unconfirmed=payload["unconfirmed"],
        facts=doc.get("facts", {}),
        entities=doc.get("entities", {}),
        withheld=payload["withheld"],
        fields={pointer: field_of(pointer) for pointer in sorted(pointers)},
        payload=encoded,
    )


def check(
    adapter: object,
    referrals: Sequence[MinimisedReferral] = (),
    *,
    count: int = 0,
    step: Callable[[], object] = lambda: None,
) -> list[Finding]:
    """All findings for one adapter; `referrals` are tried beside the built-in samples, and `count`
    generated ones, after each of which `step` is called."""
    info = getattr(adapter, "info", None)
    if not isinstance(info, AdapterInfo):
        return [Finding("conformance-no-info", "block")]
    findings = list(_check_info(info))
    if isinstance(adapter, Renders):
        for referral in (*samples().values(), *referrals):
            findings += _check_render(adapter, referral)
        findings += _check_generated(adapter, count, step)
    if isinstance(adapter, Ingests):
        findings += _check_ingest(adapter)
    return findings


def _check_info(info: AdapterInfo) -> Iterator[Finding]:
    if not _NAME.fullmatch(info.name):
        yield Finding("conformance-adapter-name", "block")
    for field in sorted(info.needs - {f for names in _NAMES.values() for f in names.values()}):
        yield Finding("conformance-unknown-field", "block", params={"field": field})
    if not all((info.title, info.speaks, info.version)):
        yield Finding("conformance-info-incomplete", "block")


def _check_render(adapter: Renders, referral: MinimisedReferral) -> Iterator[Finding]:
    for language in _LANGUAGES:
        one = replace(referral, language=language)  # type: ignore[arg-type]
        read: set[str] = set()
        first = tuple(adapter.render(_recorded(one, read)))
        where = {"release": one.release, "language": language}
        if tuple(adapter.render(one)) != first:
            yield Finding("conformance-not-deterministic", "block", params=where)
        for field in sorted(read - adapter.info.needs):
            yield Finding("conformance-field-beyond-needs", "block", params={**where, "field": field})
        yield from _check_documents(adapter.info, first, where)
        if tuple(adapter.render(_without(one, adapter.info.needs))) != first:
            yield Finding("conformance-depends-beyond-needs", "block", params=where)
        for found in adapter.lint(one, first):
            if found.severity == "block":
                yield Finding(
                    "conformance-lint-blocks", "block", found.pointer, {"code": found.code, **where}
                )


def _check_generated(adapter: Renders, count: int, step: Callable[[], object]) -> Iterator[Finding]:
    """What must hold for any referral. The same one without half of its fields is rendered before and
    after the whole, which carries a mark in what the other does not get: equal bytes and no mark mean that
    nothing of the one recipient's values can come to the other."""
    chance = random.Random(generated.SEED)  # noqa: S311 - synthetic data that has to come again
    for payload in generated.payloads(list(_sample_payloads().values()), count):
        where = {"release": payload["release"], "language": payload["language"]}
        held_back = generated.some_fields(payload, chance)
        whole = referral_from(generated.marked(payload, held_back, CANARY))
        part = referral_from(generated.without(payload, held_back))
        try:
            yield from _check_pair(adapter, whole, part, where)
        except Exception:  # whatever it raises is the finding
            yield Finding("conformance-render-crashes", "block", params=where)
        step()


def _check_pair(
    adapter: Renders, whole: MinimisedReferral, part: MinimisedReferral, where: Mapping[str, str]
) -> Iterator[Finding]:
    read: set[str] = set()
    before = tuple(adapter.render(part))
    documents = tuple(adapter.render(_recorded(whole, read)))
    if tuple(adapter.render(_without(whole, adapter.info.needs))) != documents:
        yield Finding("conformance-depends-beyond-needs", "block", params=where)
    after = tuple(adapter.render(part))
    if after != before:
        yield Finding("conformance-not-deterministic", "block", params=where)
    if any(CANARY.encode() in d.content or CANARY in d.name for d in (*before, *after)):
        yield Finding("conformance-withheld-value", "block", params=where)
    for field in sorted(read - adapter.info.needs):
        yield Finding("conformance-field-beyond-needs", "block", params={**where, "field": field})
    yield from _check_documents(adapter.info, documents, where)
    adapter.lint(whole, documents)


def _check_documents(
    info: AdapterInfo, documents: Sequence[Document], where: Mapping[str, str]
) -> Iterator[Finding]:
    names = [document.name for document in documents]
    if len(set(names)) != len(names) or not names:
        yield Finding("conformance-document-names", "block", params=where)
    for document in documents:
        if not _NAME.fullmatch(document.name):
            yield Finding("conformance-name-not-ascii", "block", params=where)
        if document.media_type not in info.media_types:
            yield Finding("conformance-media-type", "block", params={**where, "name": document.name})
        if not isinstance(document.content, bytes) or not document.content:
            yield Finding("conformance-empty-document", "block", params={**where, "name": document.name})
        if document.sign == "pades" and document.media_type != "application/pdf":
            yield Finding("conformance-sign", "block", params={**where, "name": document.name})


class _Recorder(dict[str, Json]):
    """A section or an element that notes which of its fields were read, however they were read."""

    def __init__(self, values: Mapping[str, Json], names: Mapping[str, str], read: set[str]) -> None:
        super().__init__(values)
        self._names = names
        self._read = read

    def __getitem__(self, name: str) -> Json:
        self._note(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Json = None) -> Json:
        self._note(name)
        return super().get(name, default)

    def __iter__(self) -> Iterator[str]:
        for name in list(super().__iter__()):
            self._note(name)
            yield name

    def items(self) -> Json:
        return [(name, self[name]) for name in self]

    def values(self) -> Json:
        return [self[name] for name in self]

    def keys(self) -> Json:
        return list(self)

    def _note(self, name: str) -> None:
        if self._names.get(name):
            self._read.add(self._names[name])


_NAMES: dict[str, Mapping[str, str]] = {**SECTIONS, **COLLECTIONS}


def _recorded(referral: MinimisedReferral, read: set[str]) -> MinimisedReferral:
    facts = {s: _Recorder(values, _NAMES.get(s, {}), read) for s, values in referral.facts.items()}
    entities = {
        c: {e: _Recorder(values, _NAMES.get(c, {}), read) for e, values in elements.items()}
        for c, elements in referral.entities.items()
    }
    return replace(referral, facts=MappingProxyType(facts), entities=MappingProxyType(entities))


def _without(referral: MinimisedReferral, needs: frozenset[str]) -> MinimisedReferral:
    """The referral without what the adapter says it does not need; the payload stays as it is."""

    def keep(group: str, values: Mapping[str, Json]) -> dict[str, Json]:
        names = _NAMES.get(group, {})
        return {n: v for n, v in values.items() if n not in names or names[n] in needs}

    facts = {s: keep(s, values) for s, values in referral.facts.items()}
    entities = {
        c: {e: keep(c, values) for e, values in elements.items()} for c, elements in referral.entities.items()
    }
    return replace(referral, facts=facts, entities=entities)


def hostile() -> dict[str, bytes]:
    """Inputs no ingest adapter may take, each with the canary in it."""
    word = CANARY.encode()
    return {
        "empty": b"",
        "not-utf8": b"\xff\xfe\x00" + word,
        "not-structured": b"\x00\x01" + word,
        "deep": b'{"a":' * 200_000 + b'"' + word + b'"',
        "deep-list": b"[" * 200_000 + b'"' + word + b'"',
        "huge": b'{"a":"' + word + b" " * 50_000_000 + b'"}',
        "number": b'{"' + word + b'":' + b"9" * 500_000 + b"}",
        "nan": b'{"' + word + b'":NaN}',
        "duplicate": b'{"a":"' + word + b'","a":"' + word + b'"}',
        "cut": b'{"' + word + b'":"',
    }


def _check_ingest(adapter: Ingests) -> Iterator[Finding]:
    for name, content in hostile().items():
        where = {"input": name}
        begin = time.thread_time()  # its own work: that the machine is busy is not its fault
        yield from _refusal(partial(adapter.ingest, content, options={}), where)
        if time.thread_time() - begin > MAX_SECONDS:
            yield Finding("conformance-slow-refusal", "block", params=where)


def _refusal(attempt: Callable[[], object], where: Mapping[str, str]) -> Iterator[Finding]:
    try:
        attempt()
    except Refused as refused:
        told = f"{refused} {refused.hint} {refused.issues}"
        if not refused.issues:
            yield Finding("conformance-refusal-without-rule", "block", params=where)
        if CANARY in told or refused.__cause__ is not None:
            yield Finding("conformance-refusal-leaks", "block", params=where)
    except Exception:  # whatever else it raises is the finding
        yield Finding("conformance-hostile-input-crashes", "block", params=where)
    else:
        yield Finding("conformance-hostile-input-taken", "block", params=where)


def _party(party: Mapping[str, str]) -> Party:
    return Party(party["partner"], party["class"], party["country"], party["name"])
