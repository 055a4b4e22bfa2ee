"""The mail body: the elements of Article 16(2) DSA in the recipient's language, every locator broken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources

from adapters.xarf_notice import plan
from adapters.xarf_notice.facts import Facts, Place, member, stamp, text
from adapters.xarf_notice.locators import broken, plain, words
from broker.spi import Json, MinimisedReferral

LANGUAGES = ("nl", "fr", "de", "en")


def _load(language: str) -> Mapping[str, str]:
    found = resources.files(__package__).joinpath(f"texts/{language}.json").read_text(encoding="utf-8")
    table: dict[str, str] = json.loads(found)
    return table


TABLES = {language: _load(language) for language in LANGUAGES}


def write(referral: MinimisedReferral, facts: Facts) -> str:
    """The whole body; a sentence and nothing of the case where there is no notice to give."""
    return "\n".join(_lines(referral, facts)) + "\n"


def _lines(referral: MinimisedReferral, facts: Facts) -> Iterator[str]:
    say = TABLES[referral.language]
    if referral.addressee.recipient_class != plan.PROVIDER:
        yield say["no_notice"]
        return
    yield say["title"]
    yield ""
    yield say["reference"].format(reference=referral.reference, version=referral.version)
    yield say[f"to.{facts.target}"].format(name=words(referral.addressee.name))
    yield say["from"].format(organisation=words(facts.desk.organisation))
    yield ""
    if referral.kind in plan.WITHDRAWALS:
        yield say["withdrawn"].format(reference=referral.reference)
    else:
        yield from _notice(referral, facts, say)
    yield ""
    yield _contact(facts, say)


def _notice(referral: MinimisedReferral, facts: Facts, say: Mapping[str, str]) -> Iterator[str]:
    if referral.supersedes is not None:
        yield say["replaces"]
    yield say["reason.csam" if facts.csam else "reason.other"]
    if not referral.unconfirmed:
        yield say["confirmed"]
    for law in _laws(referral):
        yield say["law"].format(law=law)
    yield ""
    yield f"{say['where']}:"
    for number, place in enumerate(facts.places, 1):
        yield ""
        yield from _place(number, place, say)
    yield ""
    yield say[f"ask.{facts.target}"]
    yield say["no_copy"]
    yield ""
    yield say["faith"]
    conditions = list(_conditions(referral))
    if conditions:
        yield ""
        yield f"{say['conditions']}:"
        yield from (f"- {condition}" for condition in conditions)


def _place(number: int, place: Place, say: Mapping[str, str]) -> Iterator[str]:
    yield f"{number}. {broken(place.url)}"
    if place.page_url:
        yield f"   {say['page'].format(page=broken(place.page_url))}"
    host = ", ".join(words(part) for part in (place.ip, place.provider, place.country) if part)
    if host:
        yield f"   {say['host'].format(host=host)}"
    yield f"   {_checked(place, say)}"
    for key, holds in (
        ("baseline", any(item.baseline == "baseline" for item in place.items)),
        ("national", any(item.baseline == "national" for item in place.items)),
        ("viewed", any(item.viewed for item in place.items)),
        ("known", any(item.known for item in place.items)),
    ):
        if holds:
            yield f"   {say[key]}"
    for item in place.items:
        for alg, value in item.hashes:
            yield f"   {say['hash'].format(alg=alg, value=plain(value))}"


def _checked(place: Place, say: Mapping[str, str]) -> str:
    if place.checked is None or place.online is None:
        return say["unchecked"]
    key = "online" if place.online else "offline"
    return say[key].format(time=stamp(place.checked).replace("T", " ").removesuffix("Z") + " UTC")


def _laws(referral: MinimisedReferral) -> Iterator[str]:
    for law in referral.facts.get("case", {}).get("legal_refs") or ():
        parts = [words(text(member(law, name))) for name in ("statute", "article")]
        if any(parts):
            yield ", ".join(part for part in parts if part)


def _conditions(referral: MinimisedReferral) -> Iterator[str]:
    codes: Json = referral.facts.get("handling", {}).get("codes")
    for condition in member(codes, "conditions") or ():
        said = words(text(condition) or text(member(condition, "text")))
        if said:
            yield said


def _contact(facts: Facts, say: Mapping[str, str]) -> str:
    parts = (words(facts.desk.organisation), facts.desk.mail, words(facts.desk.phone))
    return say["contact"].format(contact=", ".join(part for part in parts if part))
