"""How values are compared in free text: folded, squeezed, by one edit, by sound.

Comparison forms never leave the process and are stored nowhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

WORD = re.compile(r"[^\W_]+")
"""A run of letters and digits of a folded text."""
UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
"""Characters that take no space, such as a soft hyphen: no letters, and no end of a word either."""
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_ALIKE = {
    "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "ð": "d", "þ": "th",
    "ı": "i", "ȷ": "j", "ħ": "h", "ŧ": "t", "ŋ": "n", "ɑ": "a", "ɡ": "g",
    "\u02bc": "'", "\u02b9": "'", "\u02bb": "'",
    # Hangul fillers count as letters and show as nothing.
    "\u115f": "\u200b", "\u1160": "\u200b",
    # Cyrillic and Greek letters that pass for Latin ones.
    "а": "a", "в": "b", "с": "c", "ԁ": "d", "е": "e", "һ": "h", "н": "h", "і": "i", "ј": "j", "к": "k",
    "ӏ": "l", "м": "m", "о": "o", "р": "p", "ԛ": "q", "ѕ": "s", "т": "t", "ѵ": "v", "ԝ": "w", "х": "x",
    "у": "y", "α": "a", "β": "b", "ε": "e", "ι": "i", "κ": "k", "μ": "m", "η": "n", "ο": "o", "ρ": "p",
    "τ": "t", "υ": "u", "ν": "v", "ω": "w", "χ": "x", "ζ": "z",
}  # fmt: skip
_NO_WORD = {code: None for code in range(128) if not chr(code).isalnum()}


def fold(text: str) -> str:
    """Case and diacritics gone, compatibility forms, digits and look-alikes of other scripts resolved.

    Character by character: the fold of a text is the folds of its characters, one after the other.
    """
    if text.isascii():
        return text.lower()
    return _FOREIGN.sub(lambda found: _folded(found[0]), text).lower()


@lru_cache(maxsize=4096)
def _folded(char: str) -> str:
    marked = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    bare = "".join([_plain(c) for c in marked if not unicodedata.category(c).startswith("M")])
    # A footnote's number or a trade mark is no part of the word it follows.
    apart = unicodedata.category(char) in ("So", "No") and any(map(str.isalnum, bare))
    return f" {bare} " if apart else bare


def _plain(char: str) -> str:
    digit = unicodedata.decimal(char, None)
    return _ALIKE.get(char, char) if digit is None else str(digit)


def squeeze(text: str) -> str:
    """Folded letters and digits only: `Dark_Wolf-77` and `dark wolf 77` are the same."""
    if text.isascii():
        return text.lower().translate(_NO_WORD)
    return "".join(WORD.findall(fold(text)))


def within_one_edit(left: str, right: str) -> bool:
    """Levenshtein distance 0 or 1; a swap of two neighbours counts as one, as it does in typing."""
    if left == right:
        return True
    if abs(len(left) - len(right)) > 1:
        return False
    if len(left) > len(right):
        left, right = right, left
    at = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), len(left))
    if len(left) < len(right):
        return left[at:] == right[at + 1 :]
    swapped = left[at : at + 2] == right[at : at + 2][::-1] and left[at + 2 :] == right[at + 2 :]
    return swapped or left[at + 1 :] == right[at + 1 :]


_SH = re.compile(r"sch|sh")
_PH = re.compile(r"ph|pf")
_TH = re.compile(r"th|dt|d")
_CH = re.compile(r"ch|ck|c(?![eiy])|q|g")
_TWICE = re.compile(r"(.)(?=\1)")
_CLASSES = str.maketrans("czvwb", "ssffp")
_VOWELS = str.maketrans("", "", "aeiouyhj")


def sounds(words: Sequence[str]) -> list[str]:
    """A rough sound of each folded name, for Dutch, French, German and English spelling: first letter,
    then consonants by class. Empty where too little is left to mean anything."""
    # All words at once, a line each: no step joins lines or makes one. In this order.
    if not words:
        return []
    lines = "\n".join(words)
    for pattern, letter in ((_SH, "s"), (_PH, "f"), (_TH, "t"), (_CH, "k")):
        lines = pattern.sub(letter, lines)
    whole = lines.replace("x", "ks").translate(_CLASSES).split("\n")
    rest = "\n".join([word[1:] for word in whole]).translate(_VOWELS).split("\n")
    lines = "\n".join([word[:1] + tail for word, tail in zip(whole, rest, strict=True)])
    return [word if len(word) >= 4 else "" for word in _TWICE.sub("", lines).split("\n")]
