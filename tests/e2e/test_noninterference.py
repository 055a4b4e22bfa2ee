"""Two cases that differ only in what a recipient does not get give it the same bytes (ruling 1).

Ids, salts, keys and time are fixed; then only the seal's root may differ, and what is made from it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from broker.core.canonical import b64u, decode, encode
from broker.core.fields import COLLECTIONS, SECTIONS
from broker.desk.compose import Composition
from broker.desk.release import shown_codes
from broker.store.tables import Release
from tests.cases import Document, canaries, confirmed, full_case
from tests.core.minimising import run, terms
from tests.e2e.composing import REFERRED, composed, desk, parts_of

PURPOSES = {c: tuple(p for cls, p in sorted(desk().pack.pairs) if cls == c) for c in REFERRED}


def outcome(document: Document, recipient_class: str) -> tuple[dict[str, Any], bytes]:
    """(everything the recipient would see, the root). Roots are taken out where they stand."""
    made = composed(confirmed(document), recipient_class, *PURPOSES[recipient_class])
    record, tree = made.record, made.record.tree()
    root = b64u(tree.root)
    parts = {
        name: text.replace(root, "•").replace(record.payload_sha256(), "•")
        for name, text in parts_of(record.payload, record.documents).items()
    }
    opening = tree.opening(record.release)
    payload = decode(record.payload, max_bytes=1 << 24)
    assert payload["seal"].pop("root") == root
    return {
        "payload": encode(payload),
        "length": len(record.payload),
        **parts,
        "manifest": json.dumps(made.minimised.manifest, sort_keys=True),
        "opening": (opening["units"], opening["depth"], len(opening["rest"])),
        "withheld leaf aside": _apart(made),
        "feed row": (
            record.urgency, record.case_kind, bool(record.apart),
            [(d.name, d.media_type) for d in record.documents],
        ),
        "seal": (dict(record.handling), [dict(c) for c in record.conditions]),
        "gaps": record.gaps,
    }, tree.root  # fmt: skip


@cache
def base(recipient_class: str) -> tuple[dict[str, Any], bytes]:
    """The outcome of the full case as it is."""
    return outcome(full_case(), recipient_class)


def _apart(made: Composition) -> list[Any]:
    return [[unit.pointer, unit.value] for unit in made.record.apart]


def withheld_pointers(document: Document, recipient_class: str) -> Iterator[str]:
    """Free values of the case of which this recipient gets nothing, transformed or not."""
    made = run(confirmed(document), recipient_class, *PURPOSES[recipient_class])
    states = made.manifest["fields"]
    for pointer in canaries(document):
        _, group, *rest = pointer.split("/")
        if group in SECTIONS:
            field = SECTIONS[group].get(rest[0])
        else:
            field = COLLECTIONS[group].get(rest[1]) if group in COLLECTIONS else None
            if not made.rows[rest[0]].kept and group not in ("links", "contacts"):
                yield pointer
                continue
        if field is not None and states[field]["state"] == "withheld":
            yield pointer


def changed(document: Document, pointer: str, change: Callable[[str], str]) -> None:
    *steps, last = [int(p) if p.isdigit() else p for p in pointer.split("/")[1:]]
    target: Any = document
    for step in steps:
        target = target[step]
    target[last] = change(target[last])


def other(value: str) -> str:
    """Another valid value of the same form, of no part in common that the scan would notice."""
    return "".join(
        chr(219 - ord(c)) if c in "abcdefghijklmnopqrstuvwxyz" and longest else c
        for c, longest in zip(value, _inside_token(value), strict=True)
    )


def _inside_token(value: str) -> list[bool]:
    """Which characters belong to the longest run of letters: the canary itself."""
    best, start = (0, 0), 0
    for n, c in enumerate(value + "."):
        if not c.isalpha() or not c.islower():
            best = max(best, (n - start, start))
            start = n + 1
    length, at = best
    return [at <= n < at + length for n in range(len(value))]


@pytest.mark.parametrize("recipient_class", REFERRED)
def test_every_withheld_value_at_once_changes_nothing(recipient_class: str) -> None:
    one = full_case()
    two = copy.deepcopy(one)
    pointers = list(withheld_pointers(one, recipient_class))
    before = canaries(one)
    changes = [p for p in pointers if other(before[p]) != before[p] and "hash" not in p]
    assert len(changes) >= 4, changes
    for pointer in changes:
        changed(two, pointer, other)
    first, root = base(recipient_class)
    second, another = outcome(two, recipient_class)
    assert root != another, "the seal does not commit to what was withheld: the test would be hollow"
    for part in first:
        assert first[part] == second[part], (recipient_class, part)


STRUCTURE: dict[str, Callable[[Document], Any]] = {
    "no reporter at all but the type": lambda d: d["reporter"].pop("submission_meta"),
    "no statement": lambda d: d["reporter"].pop("statement"),
    "no analyst": lambda d: d["assessment"].pop("analyst_identity"),
}
"""What is not held any more, where no class gets it without a ground."""
BY_CLASS: dict[str, dict[str, Callable[[Document], Any]]] = {
    "NCM": {
        "a place elsewhere has no address": lambda d: d["locations"]["loc1"].pop("url"),
        "an account elsewhere has no handle": lambda d: d["persons"]["person2"].pop("handle"),
        "an event elsewhere has another time": lambda d: d["events"]["event2"].pop("timestamp"),
    },
    "INH": {
        "no account": lambda d: [d["persons"]["person1"].pop(n) for n in ("account", "handle", "profile")],
        "a place in another country": lambda d: d["locations"]["loc1"].pop("url"),
    },
    "HSP": {
        "another host's page": lambda d: d["locations"]["loc1"].update(
            {"page_url": "https://elsewhere.example/other"}
        ),
        "no victims' ages": lambda d: [v.pop("age_band") for v in d["victims"].values()],
    },
    "FLE": {"the Belgian account": lambda d: d["persons"]["person1"].pop("handle")},
    "INT": {"who paid": lambda d: d["persons"]["person1"].pop("payment_ref")},
    "EUR": {"names of children": lambda d: [v.pop("identity") for v in d["victims"].values()]},
    "BEP": {"names of children": lambda d: [v.pop("identity") for v in d["victims"].values()]},
    "BEM": {"names of children": lambda d: [v.pop("identity") for v in d["victims"].values()]},
}


@pytest.mark.parametrize("recipient_class", REFERRED)
def test_whether_a_withheld_value_is_held_at_all_does_not_show(recipient_class: str) -> None:
    two = full_case()
    masked = recipient_class in ("BEP", "BEM")  # F14 goes masked to them: it is not withheld
    for what, change in {**STRUCTURE, **BY_CLASS[recipient_class]}.items():
        if not (masked and what == "no statement"):
            change(two)
    first, root = base(recipient_class)
    second, another = outcome(two, recipient_class)
    assert root != another
    for part in first:
        assert first[part] == second[part], (recipient_class, part)


CODES: dict[str, Callable[[Document], Any]] = {
    "F03": lambda d: d["case"].update(offence_type="live_stream"),
    "F06": lambda d: d["case"].update(urgency="U1"),
    "F08": lambda d: d["case"]["dates"].update(opened_at="2015-03-01T10:00:00+01:00"),
    "F82": lambda d: d["case"].update(offence_at={"start": "2015-01-01", "basis": "metadata"}),
    "F84": lambda d: d["case"].update(kind="danger"),
}
"""Codes and dates from which something else is worked out: statutes, the clock, the row of the feed."""


def told(document: Document, recipient_class: str, field: str) -> tuple[Any, ...]:
    """Payload without its root, and the row of the feed, under an agreement without the field."""
    purposes = PURPOSES[recipient_class]
    agreed = terms(recipient_class, purposes, data__fields_removed=[field])
    made = composed(confirmed(document), recipient_class, *purposes, terms=agreed, render=False)
    assert made.minimised.manifest["fields"][field]["state"] == "withheld"
    payload = decode(made.record.payload, max_bytes=1 << 24)
    payload["seal"].pop("root")
    record = made.record
    row = Release(fields=record.fields, urgency=record.urgency, case_kind=record.case_kind)
    return encode(payload), shown_codes(row), [[u.pointer, u.value] for u in record.apart]


@pytest.mark.parametrize("field", CODES)
@pytest.mark.parametrize("recipient_class", REFERRED)
def test_nothing_is_worked_out_from_a_withheld_code(recipient_class: str, field: str) -> None:
    two = full_case()
    CODES[field](two)
    assert told(two, recipient_class, field) == told(full_case(), recipient_class, field)


def test_the_comparison_sees_a_value_that_is_given() -> None:
    two = full_case()
    for place in two["locations"].values():
        place["url"] = place["url"].replace("item", "other")
    for person in two["persons"].values():
        person["handle"] += "-other"
    first, _ = base("BEP")
    second, _ = outcome(two, "BEP")
    differing = {name.partition("#page")[0] for name in first if first[name] != second[name]}
    assert {"payload", "referral.pdf", "referral.csv", "opening"} - differing == {"opening"}
    assert first["opening"][0] == second["opening"][0]  # places and salts hang on the seed alone
