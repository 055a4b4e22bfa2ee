"""The documented rules that the schema file does not check, on any report or file details."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

from adapters.ncmec.reading import instant, is_address, is_mail, is_url
from adapters.ncmec.schema import SCHEMA, Schema
from adapters.ncmec.tree import Node
from broker.spi import Finding

_PERSONS = ("personOrUserReported", "intendedRecipient", "victim")
_BATCH_FORBIDS = frozenset(
    {"internetDetails", "lawEnforcement", "intendedRecipient", "victim", "additionalInfo"}
)
_INCIDENTS_WITH_MAIL = ("emailIncident", "newsgroupIncident")
_ANY_ORDER = frozenset({"reportAnnotations", "fileAnnotations"})
_OLDEST = 150
_MAX_PORT = 65535


def check(root: Node, now: datetime, schema: Schema = SCHEMA) -> Iterator[Finding]:
    """Every broken rule, by the place of the element; never the value."""
    for pointer, parent, child in root.walk():
        path = f"{schema.type_of(parent.name)}/{child.name}"
        for rule in _broken(path, child, now, schema):
            yield Finding(f"ncmec-rule-{rule}", "block", pointer)
    for pointer, _, node in ((f"/{root.name}", root, root), *root.walk()):
        for rule in _shape(node, schema):
            yield Finding(f"ncmec-rule-{rule}", "block", pointer)
    if root.name == "report":
        yield from (Finding(f"ncmec-rule-{rule}", "block", f"/{root.name}") for rule in _report(root))
    if root.name == "fileDetails":
        yield from (Finding(f"ncmec-rule-{rule}", "block", f"/{root.name}") for rule in _file(root))


def _broken(path: str, node: Node, now: datetime, schema: Schema) -> Iterator[str]:
    text = node.text
    if len(text) > schema.lengths.get(path, len(text)):
        yield "length"
    if path in schema.not_blank and not text.strip():
        yield "blank"
    if path in schema.urls and not is_url(text):
        yield "url"
    if path in schema.country and text not in schema.countries:
        yield "country"
    if path in schema.codes and text not in schema.codes[path]:
        yield "code"
    if path in schema.past:
        yield from _past(text, now)
    yield from _value(path, node)


def _value(path: str, node: Node) -> Iterator[str]:
    number = int(node.text) if re.fullmatch(r"\d{1,9}", node.text) else -1
    if path == "ipCaptureEvent/ipAddress" and not is_address(node.text):
        yield "address"
    if path == "ipCaptureEvent/port" and not 1 <= number <= _MAX_PORT:
        yield "port"
    if node.name in {"age", "approximateAge"} and not 0 <= number <= _OLDEST:
        yield "age"
    if node.name in {"email", "emailAddress"} and not is_mail(node.text):
        yield "email"
    if "verificationDate" in node.attributes and node.attributes.get("verified") != "true":
        yield "verified"


def _past(text: str, now: datetime) -> Iterator[str]:
    """A date of today is in the past; a time needs its zone."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        at = instant(text)
        if at is None:
            yield "zone"
        elif at > now:
            yield "future"
        return
    if day > now.astimezone(UTC).date():
        yield "future"


def _shape(node: Node, schema: Schema) -> Iterator[str]:
    """Order and presence, as the schema file has them: a second look without a validator."""
    kind = schema.type_of(node.name)
    order = schema.sequence.get(kind)
    if order is None:
        return
    held = [child.name for child in node.children]
    if not set(held) <= set(order):
        yield "unknown-element"
    elif kind not in _ANY_ORDER and held != sorted(held, key=order.index):
        yield "order"
    if not set(schema.required.get(kind, ())) <= set(held):
        yield "missing"
    if kind == "internetDetails" and len(held) != 1:
        yield "one-kind-of-incident"


def _report(root: Node) -> Iterator[str]:
    if not any(text.strip() for text in root.texts("reporter", "reportingPerson", "email")):
        yield "reporter-email"
    if len(root.texts("personOrUserReported")) > 1:
        yield "one-suspect"
    batched = any(node.attributes.get("reason") for node in root.all("batchedReport"))
    if batched and (
        any(child.name in _BATCH_FORBIDS for child in root.children)
        or root.texts("incidentSummary", "escalateToHighPriority")
    ):
        yield "batched"
    known = {text for kind in _PERSONS for text in root.texts(kind, f"{kind}Person", "email")}
    for kind in _INCIDENTS_WITH_MAIL:
        if not set(root.texts("internetDetails", kind, "emailAddress")) <= known:
            yield "incident-email"


def _file(root: Node) -> Iterator[str]:
    if "true" in root.texts("exifViewedByEsp") and "true" not in root.texts("fileViewedByEsp"):
        yield "exif-viewed"
    if "Supplemental Reported" in root.texts("fileRelevance") and root.texts("industryClassification"):
        yield "supplemental-classified"
    if any(not node.attributes.get("hashType", "").strip() for node in root.all("originalFileHash")):
        yield "hash-type"
