"""A text as it is compared with values: folded, in words, and all words run together.

Hits are found in the folded or in the run-together text and told as places of the text itself.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate

from broker.core.detectors import Hit, detect
from broker.core.folding import UNSEEN, WORD, fold

_WORDS = re.compile(f"({WORD.pattern})")
_MARKS = re.compile(r"[^\w\s]|_")
_ASCII_MARKS = {code: None for code in range(128) if _MARKS.match(chr(code))}
_HYPHENATED = re.compile(r"[-\u00ac\u00ad\u2010]\s*\n\s*")


class Reading:
    """A text as it is compared: folded, its words, and all of them run together (`squeezed`)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = fold(text)
        self._split = _WORDS.split(self.folded)  # what is between words, a word, and so on
        self.words = self._split[1::2]
        self.squeezed = "".join(self.words)
        self._borders = [0, *accumulate(map(len, self.words))]
        self._is_border = frozenset(self._borders)

    def anywhere(self, values: Mapping[str, str]) -> Iterator[Hit]:
        """Where these values stand in the squeezed text."""
        # One search a value: building one pattern of all values costs more than it saves in one release.
        squeezed = self.squeezed
        for value, code in values.items():
            at = squeezed.find(value)
            while at >= 0:
                yield at, at + len(value), code
                at = squeezed.find(value, at + 1)

    def between_words(self, values: Mapping[str, str]) -> Iterator[Hit]:
        """As `anywhere`, only where a word begins and a word ends."""
        borders = self._is_border
        return (hit for hit in self.anywhere(values) if hit[0] in borders and hit[1] in borders)

    def pieces(self) -> set[str]:
        """The words, and what stands between white space in one: a handle with its dots, a word with
        hyphens or with characters that do not show in it."""
        whole = _HYPHENATED.sub("", self.folded) if "\n" in self.folded else self.folded
        whole = whole.translate(_ASCII_MARKS) if whole.isascii() else _MARKS.sub("", whole)
        return {*self.words, *whole.split()}

    def words_at(self, start: int, end: int, code: str) -> Hit:
        """A hit in the squeezed text as the whole words of the text that it touches."""
        first, last = bisect_right(self._borders, start) - 1, bisect_left(self._borders, end) - 1
        return self.original(self._ends[2 * first], self._ends[2 * last + 1], code)

    def original(self, start: int, end: int, code: str) -> Hit:
        """A hit in the folded text as it stands in the text."""
        origins = self._origins
        return origins[start], max(origins[end], origins[end - 1] + 1), code

    def patterns(self) -> Iterator[Hit]:
        """Identifiers that nobody recorded; also such in unusual characters, or with some that do not
        show in them."""
        yield from detect(self.text)
        if not self.text.isascii():
            unseen = frozenset(UNSEEN.findall(self.folded))
            shown = [at for at, char in enumerate(self.folded) if char not in unseen]
            for start, end, code in detect("".join([self.folded[at] for at in shown])):
                yield self.original(shown[start], shown[end - 1] + 1, code)

    @cached_property
    def _ends(self) -> list[int]:
        """Where each part of `_split` ends in the folded text."""
        return [*accumulate(map(len, self._split))]

    @cached_property
    def _origins(self) -> Sequence[int]:
        """For each character of the folded text its place in the text, and the text's end."""
        if self.text.isascii():
            return range(len(self.text) + 1)
        return [*(at for at, char in enumerate(self.text) for _ in fold(char)), len(self.text)]
