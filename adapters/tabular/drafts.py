"""Rows of one case to one canonical draft: rows that say the same thing of an entity share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from broker.spi import Json
from broker.spi_in import Fault, TableRow

MAX_ROWS_A_CASE = 500

_FACTS = (
    "kind",
    "origin_channel",
    "offence_type",
    "urgency",
    "urgency_reason",
    "times_reported",
)


def case_of(rows: Sequence[TableRow]) -> dict[str, Json]:
    """The draft of one case. Notes on a row what contradicts the rows before it."""
    case: dict[str, Json] = {"schema": "broker-case/1", "case": {}}
    for row in rows:
        for target, value in _case_values(row).items():
            _agree(case, row, target, value)
        _entities(case, row)
    return case


def _case_values(row: TableRow) -> dict[str, Json]:
    """Case-level values, by their place `section.member`."""
    values = row.values
    found = {f"case.{name}": values[f"case.{name}"] for name in _FACTS if f"case.{name}" in values}
    found.setdefault("case.origin_channel", "partner")
    if "case.opened_at" in values:
        found["case.dates"] = {"opened_at": values["case.opened_at"]}
    if "case.reference" in values:
        found["case.related_refs"] = [{"system": "HOTLINE", "ref": values["case.reference"]}]
    if "case.offence_on" in values:
        found["case.offence_at"] = {"start": values["case.offence_on"], "basis": "stated"}
    for name in ("type", "statement"):
        if f"reporter.{name}" in values:
            found[f"reporter.{name}"] = values[f"reporter.{name}"]
    return found


def _agree(case: dict[str, Json], row: TableRow, place: str, value: Json) -> None:
    section, member = place.split(".")
    held = case.setdefault(section, {}).setdefault(member, value)
    if held != value:
        row.refuse(place, Fault("conflict", "says something else than an earlier row of the same case"))


def _entities(case: dict[str, Json], row: TableRow) -> None:
    location = _location(row)
    item = _item(row)
    person = _person(row)
    event = _event(row.values)
    where = _name(case, "locations", "location", location) if location else None
    if item:
        if where is not None:
            item["found_at"] = [where]
        _name(case, "items", "item", item)
    who = _name(case, "persons", "person", person) if person else None
    if event:
        if who is not None:
            event.setdefault("event", {"type": "other"})["account_of"] = who
        _name(case, "events", "event", event)


def _name(case: dict[str, Json], collection: str, word: str, entity: Mapping[str, Json]) -> str:
    """The local id of an entity: the one it has already, or the next."""
    held: dict[str, Json] = case.setdefault(collection, {})
    for name, known in held.items():
        if known == entity:
            return str(name)
    name = f"{word}{len(held) + 1}"
    held[name] = entity
    return name


def _location(row: TableRow) -> dict[str, Json]:
    values = row.values
    location = _picked(values, "location", "url", "page_url", "referrer", "access_note", "country")
    host = _picked(values, "location", "ip", "asn", "provider")
    if host:
        location["host"] = host
    if "location.site" in values:
        location["site"] = {"type": values["location.site"]}
    if "location.traced_at" in values:
        location["trace"] = {"method": "imported", "at": values["location.traced_at"]}
    if "location.is_cdn" in values:
        location["cdn"] = {"is_cdn": values["location.is_cdn"]}
    online, at = values.get("location.online"), values.get("location.online_at")
    if (online is None) != (at is None):
        row.refuse("location.online", Fault("required", "a check needs both its answer and its time"))
    elif online is not None:
        location["last_check"] = {"online": online, "at": at}
    return location


def _item(row: TableRow) -> dict[str, Json]:
    values = row.values
    item = _picked(values, "item", "filename", "publicly_available", "baseline", "orb_ref")
    hashes = [values[f"item.{alg}"] for alg in ("sha256", "sha1", "md5") if f"item.{alg}" in values]
    if hashes:
        item["crypto_hash"] = hashes
    if "item.synthetic" in values:
        item["synthetic_flag"] = values["item.synthetic"]
    if "item.human_viewed" in values:
        item["human_viewed"] = {"viewed": values["item.human_viewed"]}
    size = values.get("item.size")
    if "item.media_type" in values:
        item["media"] = {"type": values["item.media_type"]} | ({} if size is None else {"size": size})
    elif size is not None:
        row.refuse("item.size", Fault("required", "a size needs a media type beside it"))
    first, last = values.get("item.first_seen"), values.get("item.last_seen")
    if first is not None or last is not None:
        item["seen"] = {"first": first or last} | ({"last": last} if first and last else {})
    return item


def _person(row: TableRow) -> dict[str, Json]:
    values = row.values
    person = _picked(values, "person", "handle")
    if "person.service" in values:
        person["account"] = _picked(values, "person", "service", "account_id")
    elif "person.account_id" in values:
        row.refuse("person.account_id", Fault("required", "an account needs its service beside it"))
    if "person.profile_url" in values:
        person["profile"] = {"url": values["person.profile_url"]}
    contact = _picked(values, "person", "email", "phone")
    if contact:
        person["contact"] = contact
    return person


def _event(values: Mapping[str, Json]) -> dict[str, Json]:
    event = _picked(values, "event", "ip", "port")
    if "event.at" in values:
        event["timestamp"] = values["event.at"]
    if "event.type" in values or "event.isp" in values:
        event["event"] = {"type": values.get("event.type", "other")} | _picked(values, "event", "isp")
    return event


def _picked(values: Mapping[str, Json], section: str, *names: str) -> dict[str, Json]:
    return {name: values[f"{section}.{name}"] for name in names if f"{section}.{name}" in values}
