"""`europol.txt`: the package as plain text, to be pasted into a message by the unit that relays it.

English, the working language of the addressee; what the hotline wrote stays as it is. One line a
value, so that no value can pass for a heading; locators broken; nothing invisible.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from adapters.europol import plan
from broker.spi import Json

TITLES = {
    "persons": "REPORTED ACCOUNT OR PERSON",
    "events": "NETWORK EVENT",
    "items": "ITEM",
    "locations": "LOCATION",
    "victims": "VICTIM",
    "links": "LINK",
    "contacts": "CONTACT HISTORY",
}
LIVE = re.compile(
    r"\b(?:https?|ftps?)://|\bwww\.|\b(?:magnet|ipfs|ipns|mailto|javascript|data|tel|file):(?=\S)", re.I
)

_SCHEME = re.compile(r"\b(https?|ftps?)(://)([^\s/?#\\]*)", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"\b(magnet|ipfs|ipns|tel|mailto|file|data|javascript)(:)(?=\S)", re.IGNORECASE)
_BARE = re.compile(r"(?<![\w@/\]-])((?:[\w-]+\.)+[a-z]{2,24})(?=[/:?#])|\bwww\.[\w.-]*", re.IGNORECASE)
_BROKEN = {"http": "hxxp", "https": "hxxps", "ftp": "fxp", "ftps": "fxps"}


def write(made: Mapping[str, Json]) -> bytes:
    """The sheet as UTF-8 with line feeds."""
    return ("\n".join(_lines(made)) + "\n").encode()


def _lines(made: Mapping[str, Json]) -> Iterator[str]:
    yield "INFORMATION FOR EUROPOL, BY A RELAY"
    yield from _head(made)
    yield from _handling(made["handling"])
    if "summary" in made:
        yield from _section("SUMMARY (generated)")
        yield f"  {clean(made['summary'])}"
    yield from _section("CASE")
    for values in made["facts"].values():
        for name, value in values.items():
            yield from _value(name, value)
    yield from _identification(made["elements"])
    for collection, elements in made["elements"].items():
        for number, element in enumerate(elements, 1):
            yield from _section(f"{TITLES[collection]} {number} ({element['id']}){_grade(element)}")
            for name, value in element.items():
                if name not in {"id", "evaluation"}:
                    yield from _value(name, value)
    yield from _notes(made)


def _head(made: Mapping[str, Json]) -> Iterator[str]:
    yield from _section("ADDRESSEE AND REFERENCE")
    for label, party in (("addressee", made["addressee"]), ("relay", made["relay"])):
        yield f"  {label}: {clean(party['name'])} ({clean(party['class'])}, {clean(party['country'])})"
    for name in ("reference", "version", "kind", "supersedes", "release", "issuer", "drafted_at"):
        yield from _value(name, made[name])
    if made["unconfirmed"]:
        yield "  NOT YET CONFIRMED: no second person has confirmed the facts"
    yield from _section("LEGAL GROUND AND PURPOSE")
    yield f"  {made['basis']}"
    for purpose in made["purposes"]:
        yield f"  {purpose['article']}: {purpose['text']}"
    if made["article_30"]:
        yield f"  Art. 30 (victims, persons under 18) applies to: {', '.join(made['article_30'])}"


def _handling(handling: Mapping[str, Json]) -> Iterator[str]:
    yield from _section("HANDLING (proposed by the sender; to be set by the national unit)")
    for code in handling["codes"]:
        yield f"  {clean(code)} (proposed): {plan.HANDLING.get(str(code), 'unknown code')}"
    if not handling["codes"]:
        yield "  no H code is proposed"
    for text in handling["h3"]:
        yield f"  H3: {clean(text)}"
    for condition in handling["conditions"]:
        held = condition if isinstance(condition, Mapping) else {"text": condition}
        yield f"  condition: {clean(held.get('text') or held.get('code'))}"
    for scheme in ("tlp", "pap"):
        if scheme in handling:
            yield f"  {scheme.upper()}: {clean(handling[scheme])}"


def _identification(elements: Mapping[str, Json]) -> Iterator[str]:
    """Service / account / IP / port / UTC, one line each, for a request to a provider."""
    persons = {person["id"]: person for person in elements.get("persons", ())}
    rows, seen = [], set()
    for event in elements.get("events", ()):
        kind, stamp = event.get("event"), event.get("timestamp")
        owner = kind.get("account_of") if isinstance(kind, Mapping) else None
        seen.add(owner)
        at = stamp.get("at") if isinstance(stamp, Mapping) else stamp
        rows.append([*_account(persons.get(owner, {})), event.get("ip"), event.get("port"), _utc(at)])
    rows += [[*_account(p), None, None, None] for i, p in persons.items() if i not in seen]
    rows = [row for row in rows if any(row)]
    if rows:
        yield from _section("IDENTIFICATION: service / account / IP / port / UTC")
    for row in rows:
        yield "  " + " / ".join(clean(cell) if cell else "-" for cell in row)


def _utc(at: Json) -> Json:
    """An instant in UTC; a date, a month and what is neither stay as they are."""
    if not isinstance(at, str) or "T" not in at:
        return at
    try:
        return datetime.fromisoformat(at).astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    except (ValueError, OverflowError):
        return at


def _account(person: Mapping[str, Json]) -> tuple[Json, Json]:
    account = person.get("account")
    if not isinstance(account, Mapping):
        return None, account or person.get("handle")
    return account.get("service"), account.get("account_id") or person.get("handle")


def _grade(element: Mapping[str, Json]) -> str:
    grade = element.get("evaluation")
    if not isinstance(grade, Mapping):
        return ""
    return f" [{grade['source']}{grade['info']}{'' if grade['assessed'] else ', unassessed'}]"


def _notes(made: Mapping[str, Json]) -> Iterator[str]:
    yield from _section("HOW TO READ THIS")
    yield "  4x4 evaluation [source, information] (Art. 29):"
    for table in (plan.SOURCE, plan.INFORMATION):
        yield from (f"    {code}: {text}" for code, text in table.items())
    yield "  A reported account or person is not established as a suspect."
    yield "  Locators are broken on purpose (hxxp, [.]); exact values stand in europol.json."
    yield f"  Text, locators and hashes only; no imagery. Always quote {clean(made['reference'])}."


def _section(title: str) -> Iterator[str]:
    yield from ("", title)


def _value(name: str, value: Json) -> Iterator[str]:
    """`name: value`, one line for each scalar, with its path."""
    if isinstance(value, Mapping):
        for member in value:
            yield from _value(f"{name}.{member}", value[member])
    elif isinstance(value, list):
        for n, entry in enumerate(value, 1):
            yield from _value(f"{name}[{n}]", entry)
    elif value is not None and value != "":
        text = clean(value)
        yield f"  {name}: {text.replace('.', '[.]') if name == 'site.domain' else text}"


def clean(value: Json) -> str:
    """One line of visible text without a live locator."""
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    text = _SCHEME.sub(lambda m: _BROKEN[m[1].lower()] + m[2] + m[3].replace(".", "[.]"), text)
    text = _OTHER_SCHEME.sub(r"\1[:]", text)
    text = _BARE.sub(lambda m: m[0].replace(".", "[.]"), text)
    return "".join(" " if c in "\t\n\r" else _visible(c) for c in text)


def _visible(char: str) -> str:
    """Control, format and separator characters by number; a space and everything else as it is."""
    hidden = unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Co", "Cn"}
    return f"{{U+{ord(char):04X}}}" if hidden else char
