"""Masking of human text: hide what this recipient does not get from this release (ruling 7).

Two nets. First every value that this case holds and this release does not give to this recipient,
whatever its spelling: folded, squeezed, one typing error away, by sound for names, in any order of
names. Then patterns of identifiers that nobody recorded. What stands unmasked beside the text is left.
The result is a proposal: its spans are shown to a person, who clears it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from broker.core.detectors import detect
from broker.core.folding import WORD, fold, sound, squeeze, within_one_edit

MASK = "[…]"
Kind = Literal["name", "place", "code", "number", "url"]
_FUZZY = 5
"""Shortest token that is matched with one typing error."""
_COMMON = frozenset(
    [
        "school",
        "ecole",
        "schule",
        "college",
        "lycee",
        "street",
        "straat",
        "strasse",
        "laan",
        "avenue",
        "place",
        "plein",
        "synthetic",
        "person",
        "street",
        "house",
        "huis",
        "maison",
        "route",
        "chemin",
        "steenweg",
        "chaussee",
    ]
)
"""Words of addresses, schools and our own synthetic names that identify nobody."""


class Known(NamedTuple):
    """A value that must not show. `kind` decides how loosely it is matched."""

    value: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Span:
    """A masked part: positions in the original text, and the code of what found it."""

    start: int
    end: int
    code: str


@dataclass(frozen=True, slots=True)
class Masked:
    """The proposal and its spans, for the difference a person looks at."""

    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class DenyList:
    """Compiled values of one release to one recipient; used for all its texts.

    `whole` are squeezed values found anywhere, `words` tokens that hide by themselves, `near` the longer
    of them by first and by last letters, `sounds` how names sound, `digits` the ends of numbers, `given`
    squeezed values that the recipient gets.
    """

    whole: Mapping[str, str]
    words: Mapping[str, str]
    near: Mapping[str, tuple[str, ...]]
    sounds: Mapping[str, str]
    digits: frozenset[str]
    given: frozenset[str]


def compile_deny(withheld: Iterable[Known], given: Iterable[str]) -> DenyList:
    """`withheld` is what must not show, `given` the values the recipient gets in this release."""
    allowed = frozenset(filter(None, map(squeeze, given)))
    whole: dict[str, str] = {}
    words: dict[str, str] = {}
    sounds: dict[str, str] = {}
    digits: set[str] = set()
    for known in dict.fromkeys(withheld):
        tokens = WORD.findall(fold(known.value))
        squeezed = "".join(tokens)
        if not squeezed or squeezed in allowed:
            continue
        whole[squeezed] = known.kind
        if known.kind == "number":
            figures = "".join(filter(str.isdigit, known.value))
            if len(figures) >= 8:
                digits.add(figures[-8:])
        for part in _parts(known, tokens):
            if part not in allowed:
                words.setdefault(part, known.kind)
                if known.kind == "name" and (key := sound(part)):
                    sounds.setdefault(key, part)
    near: dict[str, list[str]] = {}
    for word in words:
        if len(word) >= _FUZZY:
            for end in _ends(word):
                near.setdefault(end, []).append(word)
    words.update({w: kind for w, kind in whole.items() if len(w) < _FUZZY})
    whole = {w: kind for w, kind in whole.items() if len(w) >= _FUZZY}
    return DenyList(
        whole,
        words,
        {end: tuple(found) for end, found in near.items()},
        sounds,
        frozenset(digits),
        allowed,
    )


def _ends(word: str) -> tuple[str, str]:
    """Keys under which a word and its misspellings meet: one edit, a swap of neighbours included, leaves
    the first two or the last two letters of five alone."""
    return word[:2] + "-", "-" + word[-2:]


def _parts(known: Known, tokens: list[str]) -> Iterable[str]:
    """Folded tokens of a value that give it away even alone."""
    if known.kind == "name":
        return [t for t in tokens if len(t) >= 3 and t not in _COMMON]
    if known.kind == "place":
        return [t for t in tokens if len(t) >= _FUZZY and not t.isdigit() and t not in _COMMON]
    if known.kind == "url":
        return _url_parts(known.value)
    if known.kind == "code":
        local, at, _ = known.value.partition("@")
        return [squeeze(local)] if at and len(local) >= 4 else tokens if len(tokens) == 1 else []
    return []


def _url_parts(value: str) -> list[str]:
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        return []
    telling = [s for s in parts.path.split("/") if len(s) >= 6 and any(map(str.isdigit, s))]
    return [squeezed for s in (host, *telling) if len(squeezed := squeeze(s)) >= 6]


def mask(text: str, deny: DenyList) -> Masked:
    """The text with every found span replaced by `[…]`, equal whatever was hidden."""
    spots = [(m.start(), m.end(), fold(m.group())) for m in WORD.finditer(text)]
    squeezed, starts = _squeezed(spots)
    hits = [*_whole_hits(squeezed, starts, spots, deny), *_word_hits(spots, deny)]
    if deny.digits:
        hits += _digit_hits(text, deny.digits)
    hits += [hit for hit in detect(text) if squeeze(text[hit[0] : hit[1]]) not in deny.given]
    if hits:
        given = _given_ranges(squeezed, starts, spots, deny)
        hits = [h for h in hits if not any(a <= h[0] and h[1] <= b for a, b in given)]
    return _replace(text, hits)


Spot = tuple[int, int, str]


def _squeezed(spots: list[Spot]) -> tuple[str, list[int]]:
    """All tokens run together, and for each of its characters the index of the token it is from."""
    owners: list[int] = []
    for index, (_, _, token) in enumerate(spots):
        owners += [index] * len(token)
    return "".join([token for _, _, token in spots]), owners


def _whole_hits(
    squeezed: str, owners: list[int], spots: list[Spot], deny: DenyList
) -> list[tuple[int, int, str]]:
    # One search a value: building one pattern of all values costs more than it saves in one release.
    hits = []
    for value, code in deny.whole.items():
        at = squeezed.find(value)
        while at >= 0:
            hits.append((spots[owners[at]][0], spots[owners[at + len(value) - 1]][1], code))
            at = squeezed.find(value, at + 1)
    return hits


def _word_hits(spots: list[Spot], deny: DenyList) -> list[tuple[int, int, str]]:
    verdicts: dict[str, str] = {}
    hits = []
    for start, end, token in spots:
        code = verdicts.get(token)
        if code is None:
            code = verdicts[token] = _verdict(token, deny)
        if code:
            hits.append((start, end, code))
    return hits


def _verdict(token: str, deny: DenyList) -> str:
    """Why a token must not show, or `""`."""
    if token in deny.words:
        return deny.words[token]
    if len(token) >= _FUZZY - 1 and deny.near:
        for end in _ends(token):
            if any(within_one_edit(token, word) for word in deny.near.get(end, ())):
                return "near"
    if len(token) >= _FUZZY and deny.sounds and sound(token) in deny.sounds:
        return "sound"
    return ""


_FIGURES = re.compile(r"\d(?:[^\w\n]{0,3}\d){7,20}")


def _digit_hits(text: str, ends: frozenset[str]) -> list[tuple[int, int, str]]:
    hits = []
    for found in _FIGURES.finditer(text):
        figures = "".join(filter(str.isdigit, found.group()))
        if any(end in figures for end in ends):
            hits.append((found.start(), found.end(), "number"))
    return hits


def _given_ranges(
    squeezed: str, owners: list[int], spots: list[Spot], deny: DenyList
) -> list[tuple[int, int]]:
    """Where the text repeats, token by token, a value that stands unmasked beside it."""
    ranges = []
    for value in deny.given:
        at = squeezed.find(value) if len(value) >= 3 else -1
        while at >= 0:
            first, last = owners[at], owners[at + len(value) - 1]
            whole = (at == 0 or owners[at - 1] != first) and (
                at + len(value) == len(owners) or owners[at + len(value)] != last
            )
            if whole:
                ranges.append((spots[first][0], spots[last][1]))
            at = squeezed.find(value, at + 1)
    return ranges


def _replace(text: str, hits: list[tuple[int, int, str]]) -> Masked:
    spans: list[Span] = []
    for start, end, code in sorted(hits):
        if spans and start <= spans[-1].end:
            last = spans[-1]
            spans[-1] = Span(last.start, max(last.end, end), last.code)
        else:
            spans.append(Span(start, end, code))
    pieces, at = [], 0
    for span in spans:
        pieces += [text[at : span.start], MASK]
        at = span.end
    return Masked("".join([*pieces, text[at:]]), tuple(spans))
