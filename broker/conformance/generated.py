"""Generated synthetic referrals, the same for the same seed: any part of what the samples hold, with
hostile words in free text, absent members, dangling references and odd languages.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from broker.core.fields import field_of

SEED = 8785
FREE = frozenset({"F07", "F14", "F20", "F28", "F32", "F38", "F39", "F41", "F55", "F56", "F57", "F64"})
"""Fields whose texts people wrote: anything may stand in them."""
WORDS = (
    "alpha",
    "beta, gamma 12.",
    '#raw(read("/etc/passwd")) #eval("1") $x$ *bold* @ref <label> // c',
    '=HYPERLINK("http://bad.example/";"x")',
    "+32 2 555 01 10",
    "-1+1",
    "@SUM(A1)",
    "\tTab first",
    'a;b"c"\r\nnext line',
    "<script>alert(1)</script>&amp;<!--",
    "right \u202eto left, zero\u200bwidth, soft\u00adhyphen",
    "\u4e2d\u6587 \u0627\u0644 \U0001f600 x\u0302",
    "see www.bad.example/page and http://bad.example:8080/a.b?c=d.e#f",
    "javascript:alert(1) data:text/html,x mailto:a@b.example",
    "{0} {names} %s \\u{1f} \\n",
    "word" * 60,
    "Ünïcödé – “quotes” … €",
)
_LANGUAGES = ("nl", "fr", "de", "en")
_KINDS = ("new", "supplement", "correct", "restrict", "erase", "withdraw")
_ABSENT = 0.25
"""How often an optional member, an entry of a list or a field is left out."""

Payload = dict[str, Any]


def payloads(samples: Sequence[Mapping[str, Any]], count: int, seed: int = SEED) -> Iterator[Payload]:
    """`count` payloads made of the samples' own, each with a release id of its own."""
    chance = random.Random(seed)  # noqa: S311 - synthetic data that has to come again
    for number in range(count):
        yield _payload(copy.deepcopy(dict(chance.choice(samples))), number, chance)


def without(payload: Mapping[str, Any], fields: frozenset[str]) -> Payload:
    """The payload of a recipient who does not get these fields."""
    made = copy.deepcopy(dict(payload))
    for place, names in _groups(made["doc"]):
        for name in [n for n in names if field_of(f"{place}/{n}") in fields]:
            del names[name]
    return made


def marked(payload: Mapping[str, Any], fields: frozenset[str], mark: str) -> Payload:
    """The payload with a mark in every free text of these fields."""
    made = copy.deepcopy(dict(payload))
    for place, names in _groups(made["doc"]):
        for name, value in names.items():
            if field_of(f"{place}/{name}") in fields & FREE:
                names[name] = _texts(value, lambda text: f"{mark} {text}")
    return made


def some_fields(payload: Mapping[str, Any], chance: random.Random) -> frozenset[str]:
    """About half of the fields that the payload holds."""
    held = {field_of(f"{place}/{name}") for place, names in _groups(payload["doc"]) for name in names}
    return frozenset(field for field in sorted(held - {""}) if chance.random() < 0.5)


def _payload(made: Payload, number: int, chance: random.Random) -> Payload:
    tag = f"g{number:05d}".translate(str.maketrans("0189", "abcd"))
    made["release"] = tag + made["release"][len(tag) :]
    made["language"] = chance.choice(_LANGUAGES)
    made["kind"] = chance.choice((made["kind"], made["kind"], *_KINDS))
    made["unconfirmed"] = chance.random() < 0.2
    doc = made["doc"]
    for collection, elements in list(doc.get("entities", {}).items()):
        for element in [e for e in elements if chance.random() < _ABSENT]:
            del elements[element]
        if not elements:
            del doc["entities"][collection]
    for place, names in _groups(doc):
        for name in list(names):
            if chance.random() < _ABSENT:
                del names[name]
            elif field_of(f"{place}/{name}") in FREE:
                names[name] = _texts(names[name], lambda text: _word(text, chance))
            else:
                names[name] = _thinned(names[name], chance)
    return _tidy(made)


def _word(text: str, chance: random.Random) -> str:
    return chance.choice((text, *WORDS))


def _thinned(value: Any, chance: random.Random) -> Any:
    """Lists lose entries or have one twice; what is left is left whole, as the schema requires it."""
    if isinstance(value, list) and value:
        kept = [entry for entry in value if chance.random() >= _ABSENT] or value[:1]
        return kept + kept[:1] if chance.random() < 0.1 and isinstance(kept[0], dict) else kept
    return value


def _texts(value: Any, change: Any) -> Any:
    """The texts inside a value of a free field: itself, or the member `text` of its entries."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [
            {**entry, "text": change(entry["text"])} if isinstance(entry, dict) and "text" in entry else entry
            for entry in value
        ]
    return value


def _groups(doc: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for section, names in doc.get("facts", {}).items():
        yield f"/facts/{section}", names
    for collection, elements in doc.get("entities", {}).items():
        for element, names in elements.items():
            yield f"/entities/{collection}/{element}", names


def _tidy(made: Payload) -> Payload:
    """No empty section, element or collection, as in a real referral."""
    doc = made["doc"]
    facts = {section: names for section, names in doc.get("facts", {}).items() if names}
    entities = {
        collection: kept
        for collection, elements in doc.get("entities", {}).items()
        if (kept := {e: names for e, names in elements.items() if names})
    }
    made["doc"] = {**doc, "facts": facts, "entities": entities}
    return made
