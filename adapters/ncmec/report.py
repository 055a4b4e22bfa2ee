"""The whole report, the text sheets of its items, and the letter that stands in for a withdrawal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from adapters.ncmec import incident, people, plan
from adapters.ncmec.loss import Losses
from adapters.ncmec.reading import elements, fact, member, names, said, stamp
from adapters.ncmec.tree import Node, branch, leaf, whole
from broker.spi import Finding, Json, MinimisedReferral

UNKNOWN = "0"
"""Report and file id in the details of a sheet, until the server gives them (`session`)."""

WITHDRAWALS = frozenset({"withdraw", "erase"})


@dataclass(frozen=True, slots=True)
class Sheet:
    """One item: its text file, and the `fileDetails` that go with it."""

    number: int
    text: str
    details: Node


@dataclass(frozen=True, slots=True)
class Report:
    """`root` is None where the format has nothing for this: a finished report cannot be taken back."""

    root: Node | None
    sheets: tuple[Sheet, ...]
    letter: str
    losses: tuple[Finding, ...]


def compose(referral: MinimisedReferral) -> Report:
    """Deterministic: elements by number, fields by plan, members by name."""
    losses = Losses()
    if referral.kind in WITHDRAWALS:
        losses.warn("withdrawal-by-letter")
        return Report(None, (), "\n".join(_letter(referral)) + "\n", tuple(losses.found))
    named = names(referral)
    suspects = people.suspects(referral, named, losses)
    victims, victim_lines = people.victims(referral, named)
    sheets = tuple(_sheets(referral, named, losses))
    lines = [
        *_head(referral),
        *_noted(referral, named),
        *(line for sheet in sheets for line in sheet.text.splitlines() if line),
        *suspects.lines,
        *victim_lines,
        *_links(referral, named),
    ]
    root = whole(
        "report",
        [
            incident.summary(referral, named, losses),
            *incident.internet(referral, named, losses),
            people.reporter(referral),
            *suspects.element,
            *victims,
            *leaf("additionalInfo", "\n".join(lines)),
        ],
    )
    return Report(root, sheets, "", tuple(losses.found))


def _head(referral: MinimisedReferral) -> Iterator[str]:
    yield f"Hotline referral {referral.reference}, version {referral.version} ({referral.kind})."
    if referral.supersedes is not None:
        yield "This report follows an earlier report with the same reference and replaces what differs."
    if referral.unconfirmed:
        yield "Not yet confirmed by a second person."
    yield "The hotline holds no files: hashes, addresses and words only."
    summary = referral.facts.get("summary", {}).get("text")
    if isinstance(summary, str):
        yield f"Summary: {summary}"


def _noted(referral: MinimisedReferral, named: Mapping[str, str]) -> Iterator[str]:
    for place in plan.NOTED:
        words = said(fact(referral, place.section, place.name), named)
        if words:
            yield f"{place.label}: {words}"


def _links(referral: MinimisedReferral, named: Mapping[str, str]) -> Iterator[str]:
    for element, values in elements(referral, "links", named):
        words = said(values.get("link"), named)
        if words:
            yield f"{named[element]}: {words}"


def _sheets(referral: MinimisedReferral, named: Mapping[str, str], losses: Losses) -> Iterator[Sheet]:
    for number, (element, values) in enumerate(elements(referral, "items", named), 1):
        if values.get("crypto_hash") or values.get("perceptual_hash"):
            losses.note("hash-of-no-file", f"/entities/items/{element}/crypto_hash")
        where = said(member(values.get("ref"), "found_at"), named)
        lines = [f"{named[element]} (text sheet of the hotline; the item itself is not held or sent)"]
        lines += [f"found at: {where}"] if where else []
        lines += incident.noted(values, plan.ITEM, named)
        yield Sheet(number, "\n".join(lines) + "\n", _details(number, values))


def _details(number: int, values: Mapping[str, Json]) -> Node:
    """About the sheet, not about the item: `fileViewedByEsp` of an item nobody sent would be false.

    The item's hashes stand as named metadata; `originalFileHash` would say that the sheet is the item.
    """
    hashes = [(member(h, "alg"), member(h, "value")) for h in values.get("crypto_hash") or ()]
    pairs = [
        whole("nameValuePair", [*leaf("name", f"hash of the item, {alg}"), *leaf("value", value)])
        for alg, value in hashes
        if isinstance(alg, str) and isinstance(value, str) and value
    ]
    return whole(
        "fileDetails",
        [
            *leaf("reportId", UNKNOWN),
            *leaf("fileId", UNKNOWN),
            *leaf("fileName", f"item-{number}.txt"),
            *leaf("fileViewedByEsp", "true"),
            *leaf("fileRelevance", "Supplemental Reported"),
            *branch("details", pairs, type="HASH"),
            *leaf("additionalInfo", "Text sheet of a hotline about an item that it does not hold."),
        ],
    )


def _letter(referral: MinimisedReferral) -> Iterator[str]:
    """For the staff: the interface has no way to take back a finished report."""
    yield f"Hotline referral {referral.reference}, version {referral.version} ({referral.kind})."
    yield ""
    what = "withdraw" if referral.kind == "withdraw" else "erase"
    yield f"Please {what} the report with this hotline reference. It can no longer be used as reported."
    yield f"Date of this message: {stamp(referral.drafted_at)}"
