"""Masking of human text: hide what this recipient does not get from this release (ruling 7).

Two nets. First every value that this case holds and this release does not give to this recipient,
whatever its spelling: folded, squeezed, broken up by anything that is no letter or digit, one typing
error away, by sound for names, in any order of names. Then patterns of identifiers that nobody
recorded. What stands unmasked beside the text is left. The result is a proposal: its spans are shown
to a person, who clears it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from broker.core.detectors import Hit
from broker.core.folding import WORD, fold, sounds, squeeze, within_one_edit
from broker.core.reading import Reading
from broker.core.written_dates import written

MASK = "[…]"
Kind = Literal["name", "place", "code", "number", "url"]
_FUZZY = 5
"""Shortest word that is matched with one typing error."""
_MISTYPED = frozenset({"code", "name", "place"})
_DIGITS = 8
"""As many last digits tell a number, whatever country or trunk prefix it is written with."""
_NUMBER = re.compile(r"\d(?:[^\w\n]{0,3}\d){7,20}")
_WRITTEN_OUT = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "å": "aa",
        "ø": "oe",
        "Ä": "Ae",
        "Ö": "Oe",
        "Ü": "Ue",
        "Å": "Aa",
        "Ø": "Oe",
    }
)
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
    """Compiled values of one release to one recipient; used for all its texts. All of them squeezed.

    `whole` are found anywhere, `parts` between the borders of words, whatever breaks them in between;
    `starts` and `ends` have the longer of both by their first and by their last letters, `sounds` how
    names sound, `digits` the ends of numbers, `given` values that the recipient gets.
    """

    whole: Mapping[str, str]
    parts: Mapping[str, str]
    starts: Mapping[str, tuple[str, ...]]
    ends: Mapping[str, tuple[str, ...]]
    sounds: frozenset[str]
    digits: frozenset[str]
    given: frozenset[str]


def compile_deny(withheld: Iterable[Known], given: Iterable[str]) -> DenyList:
    """`withheld` is what must not show, `given` the values the recipient gets in this release."""
    allowed = frozenset(filter(None, map(squeeze, given)))
    whole: dict[str, str] = {}
    parts: dict[str, str] = {}
    names: list[str] = []
    digits: set[str] = set()
    for known in dict.fromkeys(withheld):
        spellings = _spellings(known.value)
        if "".join(spellings[0]) in allowed:
            continue
        if len(known.value) == len("2015-04-03"):
            whole.update((form, known.kind) for form in written(known.value))
        for tokens in spellings:
            squeezed = "".join(tokens)
            if not squeezed:
                continue
            whole[squeezed] = known.kind
            telling = [part for part in _parts(known, tokens) if part not in allowed]
            for part in telling:
                parts.setdefault(part, known.kind)
            if known.kind == "name":
                names += telling
            elif known.kind == "number" and len(figures := _figures(squeezed)) >= _DIGITS:
                digits.add(figures[-_DIGITS:])
    # A handle or a name of several words is mistyped in one piece as well.
    as_one = (w for w, kind in whole.items() if kind in _MISTYPED and not w.isdigit())
    near = dict.fromkeys(word for word in (*parts, *as_one) if len(word) >= _FUZZY)
    parts = {w: kind for w, kind in parts.items() if whole.get(w) != kind}  # found anywhere already
    parts.update({w: kind for w, kind in whole.items() if len(w) < _FUZZY})
    return DenyList(
        {w: kind for w, kind in whole.items() if len(w) >= _FUZZY},
        parts,
        _grouped(near, slice(0, 2)),
        _grouped(near, slice(-2, None)),
        frozenset(filter(None, sounds(names))),
        frozenset(digits),
        allowed,
    )


def _spellings(value: str) -> list[list[str]]:
    """The folded words of a value; twice where a letter of it is also written as two (Jörg, Joerg)."""
    tokens = WORD.findall(fold(value))
    if value.isascii():
        return [tokens]
    written_out = WORD.findall(fold(value.translate(_WRITTEN_OUT)))
    return [tokens] if written_out == tokens else [tokens, written_out]


def _figures(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _grouped(words: Iterable[str], letters: slice) -> dict[str, tuple[str, ...]]:
    """Words by some of their letters, under which they and their misspellings meet: one edit, a swap of
    neighbours included, leaves the first two or the last two of five alone."""
    found: dict[str, list[str]] = {}
    for word in words:
        found.setdefault(word[letters], []).append(word)
    return {key: tuple(group) for key, group in found.items()}


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
    reading = Reading(text)
    found = [
        *reading.anywhere(deny.whole),
        *reading.anywhere(dict.fromkeys(deny.digits, "number")),
        *reading.between_words(deny.parts),
        *reading.between_words(_alike(reading.pieces(), deny)),
    ]
    hits = [reading.words_at(*hit) for hit in found]
    hits += [reading.original(*hit) for hit in _digit_hits(reading, deny.digits)]
    hits += [hit for hit in reading.patterns() if squeeze(text[hit[0] : hit[1]]) not in deny.given]
    if hits:
        # Where the text repeats, word by word, a value that stands unmasked beside it.
        same = dict.fromkeys((value for value in deny.given if len(value) >= 3), "")
        given = [reading.words_at(*hit) for hit in reading.between_words(same)]
        hits = [h for h in hits if not any(a <= h[0] and h[1] <= b for a, b, _ in given)]
    return _replace(text, hits)


def _alike(pieces: set[str], deny: DenyList) -> dict[str, str]:
    """Which of these are one typing error away from a value, or sound like a name."""
    others = [word for word in pieces if word not in deny.parts and word not in deny.whole]
    close = [(word, value) for word in others for value in deny.starts.get(word[:2], ())]
    close += [(word, value) for word in others for value in deny.ends.get(word[-2:], ())]
    found = {word: "near" for word, value in close if within_one_edit(word, value)}
    if deny.sounds:
        rest = [word for word in others if len(word) >= _FUZZY and word not in found]
        keys = zip(rest, sounds(rest), strict=True)
        found.update((word, "sound") for word, key in keys if key in deny.sounds)
    return found


def _digit_hits(reading: Reading, ends: frozenset[str]) -> Iterator[Hit]:
    """Numbers by their end, whatever stands before it: all their figures."""
    if any(end in reading.squeezed for end in ends):
        for found in _NUMBER.finditer(reading.folded):
            if any(end in _figures(found.group()) for end in ends):
                yield found.start(), found.end(), "number"


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
