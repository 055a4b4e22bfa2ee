"""How values are compared in free text: folded, squeezed, by one edit, by sound.

Comparison forms never leave the process and are stored nowhere.
"""

from __future__ import annotations

import re
import unicodedata

WORD = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f])*")
"""Letters and digits; marks that stand apart from their letter belong to it."""
_ALIKE = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "ð": "d", "þ": "th"}
_TABLE = str.maketrans(_ALIKE)
_NO_WORD = {code: None for code in range(128) if not chr(code).isalnum()}


def fold(text: str) -> str:
    """Case and diacritics gone, compatibility forms resolved."""
    if text.isascii():
        return text.lower()
    marked = unicodedata.normalize("NFKD", text.casefold())
    return "".join([c for c in marked if not unicodedata.combining(c)]).translate(_TABLE)


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
_HARD = frozenset("cqg")
_TWICE = re.compile(r"(.)\1+")
_CLASSES = str.maketrans({"x": "ks", "c": "s", "z": "s", "ß": "s", "v": "f", "w": "f", "b": "p"})
_VOWELS = str.maketrans("", "", "aeiouyhj")


def sound(word: str) -> str:
    """A rough sound of a folded name, for Dutch, French, German and English spelling: first letter,
    then consonants by class. Empty where too little is left to mean anything."""
    # In this order. A pattern is only tried where one of its letters occurs: every token comes by here.
    if "h" in word:
        word = _SH.sub("s", word)
    if "p" in word:
        word = _PH.sub("f", word)
    if "d" in word or "th" in word:
        word = _TH.sub("t", word)
    if not _HARD.isdisjoint(word):
        word = _CH.sub("k", word)
    word = word.translate(_CLASSES)
    word = _TWICE.sub(r"\1", word[:1] + word[1:].translate(_VOWELS))
    return word if len(word) >= 4 else ""
