"""The last net before signing: no withheld free value in anything that leaves (ruling 28).

Every withheld value of at least six folded characters is looked for in every plaintext part, in the
forms a leak takes: folded, without white space, as reversed name, base64 at any offset, hex,
URL-encoded. A hit inside a locator that the recipient gets is `implied` and shown; any other blocks.
The scan sees text: what is compressed or drawn (a PDF) has to be handed over as extracted text.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from broker.core.folding import UNSEEN, fold
from broker.core.minimise import Minimised
from broker.core.values import free_values, human_texts, leaves
from broker.spi import Finding, Unit

MIN_LENGTH = 6
_LOCATORS = frozenset({"F29", "F30", "F31", "F42", "F77"})
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_SPACE = re.compile(rf"(?:\s|{UNSEEN.pattern})+")


@dataclass(frozen=True, slots=True)
class Subject:
    """A withheld value to look for, and where in the case it stands."""

    field: str
    pointer: str
    value: str


def subjects(minimised: Minimised) -> list[Subject]:
    """What must not show. A value that the recipient also gets elsewhere is no leak; the original of a
    text that goes masked is judged by its mask, not again as a whole."""
    masked = {text.before for text in minimised.masked.values()}
    given = {
        fold(part)
        for unit in minimised.units
        for text in leaves(unit.value)
        for part in (text, *_SENTENCE.split(text))  # a masked text keeps the sentences that name nobody
    }
    found: dict[str, Subject] = {}
    for unit in (*minimised.withheld, *minimised.apart):
        for value in _values(unit):
            folded = fold(value)
            if len(folded) >= MIN_LENGTH and folded not in given and value not in masked:
                found.setdefault(folded, Subject(unit.field, unit.pointer, value))
    return list(found.values())


def _values(unit: Unit) -> Iterator[str]:
    for known in free_values(unit.field, unit.value):
        yield known.value
    for text in human_texts(unit.field, unit.value):
        yield text
        # A leaked text is rarely leaked whole: its sentences are looked for one by one.
        yield from (part for part in _SENTENCE.split(text) if len(part) >= 3 * MIN_LENGTH)


def locators(minimised: Minimised) -> tuple[str, ...]:
    """The addresses that the recipient gets."""
    return tuple(
        text
        for unit in minimised.units
        if unit.field in _LOCATORS
        for text in leaves(unit.value)
        if len(text) >= MIN_LENGTH
    )


def scan(
    withheld: Iterable[Subject], parts: Mapping[str, str | bytes], given_locators: Iterable[str]
) -> tuple[Finding, ...]:
    """Findings `taint` (block) and `implied` (warn), one for each value and part; never the value."""
    clear = sorted({form for text in given_locators for form in _locator_forms(text)}, key=len, reverse=True)
    inside = re.compile("|".join(map(re.escape, clear))) if clear else None
    texts = [(name, _Part(part, inside)) for name, part in parts.items()]
    findings = []
    for subject in withheld:
        plain, exact = _forms(subject.value)
        for name, part in texts:
            code = part.judge(plain, exact)
            if code:
                params = {"part": name, "field": subject.field}
                severity: Literal["warn", "block"] = "warn" if code == "implied" else "block"
                findings.append(Finding(code, severity, subject.pointer, params))
    return tuple(findings)


class _Part:
    """One plaintext in the forms in which it is searched."""

    def __init__(self, content: str | bytes, inside: re.Pattern[str] | None) -> None:
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
        self.raw = text
        # Without white space, so that a value broken over lines is whole again (text out of a PDF).
        self.tight = _SPACE.sub("", fold(text))
        # NUL cannot stand in any value: what is left of a locator never joins its surroundings.
        self.outside = inside.sub("\0", self.tight) if inside else self.tight

    def judge(self, plain: list[str], exact: list[str]) -> str:
        """`taint`, `implied` or `""`."""
        if any(form in self.raw for form in exact):
            return "taint"
        if not any(form in self.tight for form in plain):
            return ""
        return "taint" if any(form in self.outside for form in plain) else "implied"


def _forms(value: str) -> tuple[list[str], list[str]]:
    """Forms to find in folded text without white space, and forms (base64) whose case matters."""
    folded = fold(value)
    plain = {folded, quote(value, safe="").lower(), quote(value).lower(), _json(value)}
    words = folded.split()
    if 2 <= len(words) <= 5:
        plain |= {" ".join(reversed(words)), f"{words[-1]}, {' '.join(words[:-1])}"}
    exact: set[str] = set()
    for text in {value, folded}:
        data = text.encode()
        plain.add(data.hex())
        for shift in range(3):
            # Whole groups of the middle are the same whatever stands before and after the value.
            coded = b64encode(b"\0" * shift + data).decode()[4 if shift else 0 :]
            body = coded[: len(coded) - 4 if coded.endswith("=") else len(coded)]
            if len(body) >= MIN_LENGTH:
                exact |= {body, body.translate(_URLSAFE)}
    return sorted({_SPACE.sub("", form) for form in plain}), sorted(exact)


_URLSAFE = str.maketrans("+/", "-_")


def _json(value: str) -> str:
    """As it stands inside a JSON string."""
    return fold(value).replace("\\", "\\\\").replace('"', '\\"')


def _locator_forms(text: str) -> Iterator[str]:
    """A locator as it is given and as pages break it (ruling 12)."""
    folded = _SPACE.sub("", fold(text))
    broken = re.sub(r"^http", "hxxp", folded)
    yield from (folded, broken, broken.replace(".", "[.]"), folded.replace(".", "[.]"))
    yield _json(text)
