"""`message.txt`: what stands in the mail, rendered with the draft and approved with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from adapters.secure_mail.words import WORDS
from broker.spi import Json, MinimisedReferral

NEEDS = frozenset({"F06", "F16", "F25", "F29", "F33", "F67", "F71", "F72"})
NAME = "message.txt"

_SCHEME = re.compile(r"\b(h)tt(ps?)://|\b(f)t(ps?)://", re.IGNORECASE)
_OTHER = re.compile(r"\b(magnet|ipfs|ipns|mailto|tel|data|javascript):(?=\S)", re.IGNORECASE)
_DOT = re.compile(r"(?<=[\w-])\.(?=[a-z][\w-]*)", re.IGNORECASE)
_LIVE = re.compile(
    r"\b(?:https?|ftps?)://|\bwww\.|\b(?:magnet|ipfs|ipns|mailto):\S|(?:[\w-]+\.)+[a-z]{2,24}(?=[/:?#])",
    re.IGNORECASE,
)


def broken(text: str) -> str:
    """`text` with every locator broken: hxxp, fxp and [.] (ruling 12). Also in prose: a dot between two
    words without a space is a domain to a mail program."""
    text = _SCHEME.sub(lambda m: f"{m[1]}xx{m[2]}://" if m[1] else f"{m[3]}x{m[4]}://", text)
    return _DOT.sub("[.]", _OTHER.sub(r"\1[:]", text))


def live(text: str) -> bool:
    """Whether a mail program might make a link of something in `text`."""
    return _LIVE.search(text) is not None


def write(referral: MinimisedReferral) -> bytes:
    """The text, LF line ends, UTF-8."""
    return ("\n".join(_lines(referral)) + "\n").encode()


def _lines(referral: MinimisedReferral) -> Iterator[str]:
    say = WORDS[referral.language]
    facts = referral.facts
    reference = facts.get("referral", {}).get("reference") or referral.reference
    yield f"{say['title']} {reference}"
    urgency = facts.get("case", {}).get("urgency")
    if urgency:
        yield f"{say['urgency']}: {urgency}"
    if referral.unconfirmed:
        yield say["unconfirmed"]
    summary = facts.get("summary", {}).get("text")
    if isinstance(summary, str):
        yield ""
        yield broken(summary)
    yield ""
    addresses = list(_addresses(referral, say["seen"]))
    yield f"{say['locators']}:" if addresses else say["none"]
    yield from addresses
    conditions = _conditions(facts.get("handling", {}).get("codes"))
    if conditions:
        yield ""
        yield f"{say['conditions']}:"
        yield from (f"- {text}" for text in conditions)
    yield ""
    yield from _desk(facts.get("operator", {}).get("desk"), say["desk"])


def _addresses(referral: MinimisedReferral, seen: str) -> Iterator[str]:
    places = referral.entities.get("locations", {})
    number = 0
    for place in sorted(places):
        url = places[place].get("url")
        if not isinstance(url, str):
            continue
        number += 1
        yield f"{number}. {broken(url)}"
        host = places[place].get("host")
        ip = host.get("ip") if isinstance(host, Mapping) else None
        when = _seen(referral, place)
        details = [part for part in (f"IP {ip}" if ip else "", f"{seen} {when}" if when else "") if part]
        if details:
            yield "   " + "; ".join(details)


def _seen(referral: MinimisedReferral, place: str) -> str:
    items = referral.entities.get("items", {})
    found = []
    for item in sorted(items):
        ref, seen = items[item].get("ref"), items[item].get("seen")
        if isinstance(ref, Mapping) and isinstance(seen, Mapping) and place in (ref.get("found_at") or ()):
            times = [_at(seen.get("first")), _at(seen.get("last"))]
            found.append(" – ".join(t for t in times if t))
    return next((text for text in found if text), "")


def _at(moment: Json) -> str:
    text = moment.get("at") if isinstance(moment, Mapping) else moment
    return text if isinstance(text, str) else ""


def _conditions(codes: Json) -> list[str]:
    found = codes.get("conditions") if isinstance(codes, Mapping) else None
    if not isinstance(found, list):
        return []
    return [broken(c["text"]) for c in found if isinstance(c, Mapping) and isinstance(c.get("text"), str)]


def _desk(desk: Json, title: str) -> Iterator[str]:
    if not isinstance(desk, Mapping):
        return
    parts = [desk.get(name) for name in ("organisation", "phone", "hours")]
    yield f"{title}: " + ", ".join(p for p in parts if isinstance(p, str))
