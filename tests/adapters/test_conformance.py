"""The suite that third parties run: the built-in adapters pass, and each cheat is caught."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import entry_points

import pytest

from broker.conformance import CANARY, check, generate, samples
from broker.core.fields import field_of
from broker.spi import AdapterInfo, Document, Issue, Refused, Renders

GENERATED = 100
"""For each adapter here; `broker adapters check --all` takes a thousand."""
INFO = AdapterInfo("cheat", "A cheat", "nothing", "1", False, frozenset({"F03"}), ("text/plain",))


def render(make, info=INFO):
    """A render adapter out of one function."""

    class Adapter:
        def render(self, referral):
            return [make(referral)]

        def lint(self, referral, documents):
            return []

    Adapter.info = info
    return Adapter()


def ingest(answer):
    class Adapter:
        info = replace(INFO, needs=frozenset())

        def ingest(self, content, *, options):
            return answer(content)

    return Adapter()


def document(content="x", name="a.txt", media_type="text/plain", sign=None):
    return Document(name, media_type, content.encode(), sign)


def codes(adapter):
    return {finding.code for finding in check(adapter)}


@pytest.mark.parametrize("name", sorted(e.name for e in entry_points(group="broker.adapters")))
def test_every_registered_adapter_conforms(name):
    [entry] = entry_points(group="broker.adapters", name=name)
    adapter = entry.load()
    assert adapter.info.name == name
    steps = []
    assert check(adapter, count=GENERATED, step=lambda: steps.append(1)) == []
    assert len(steps) == (GENERATED if isinstance(adapter, Renders) else 0)


def test_generated_referrals_are_the_same_again_and_hold_every_field():
    first, again = list(generate(300)), list(generate(300))
    assert first == again
    assert list(generate(5, seed=1)) != first[:5]
    assert len({r.release for r in first}) == 300
    held = {field for r in first for field in r.fields.values() if field}
    assert held == {field for field in samples()["full"].fields.values() if field}
    assert all(field_of(pointer) == field for r in first for pointer, field in r.fields.items())


def test_an_adapter_that_remembers_is_caught():
    """One that keeps what it was given before, in words or in bytes that nobody can search."""
    kept = []

    def words(referral):
        text = str(referral.facts.get("case", {}).get("urgency_reason", ""))
        said = f"{text} {kept[-1] if kept else ''}"
        kept.append(text)
        return document(said)

    def hidden(referral):
        kept.append(referral)
        return document(sha256(repr(kept).encode()).hexdigest())

    info = replace(INFO, needs=frozenset({"F07"}))
    assert {f.code for f in check(render(words, info), count=60)} >= {"conformance-withheld-value"}
    assert "conformance-not-deterministic" in {f.code for f in check(render(hidden), count=2)}


def test_an_adapter_that_cannot_do_some_referral_is_caught():
    def fragile(referral):
        if referral.language == "de" and referral.kind == "withdraw" and referral.release.startswith("g"):
            raise ValueError
        return document()

    assert {f.code for f in check(render(fragile), count=200)} == {"conformance-render-crashes"}


def test_samples_are_synthetic_and_stand_where_the_schema_says():
    found = samples()
    assert set(found) == {"full", "grooming", "narrow", "empty"}
    for referral in found.values():
        assert all(field_of(pointer) == field for pointer, field in referral.fields.items())
    held = {f for f in found["full"].fields.values() if f}
    assert held == {f"F{n:02d}" for n in range(1, 85)} - {"F12", "F13", "F54", "F61", "F83"}


def test_an_honest_adapter_passes():
    assert check(render(lambda r: document(str(r.facts.get("case", {}).get("offence_type", "none"))))) == []


def test_a_clock_is_caught():
    ticks = itertools.count()
    assert "conformance-not-deterministic" in codes(render(lambda r: document(f"{next(ticks)}")))


@pytest.mark.parametrize(
    "read",
    [
        lambda case: case.get("kind"),
        lambda case: "kind" in case and case["kind"],
        dict,
        lambda case: list(case.values()),
        lambda case: [v for _, v in case.items()],
    ],
)
def test_reading_beyond_needs_is_caught_however_it_is_done(read):
    found = codes(render(lambda r: document(f"x{read(r.facts.get('case', {}))}")))
    assert found & {"conformance-field-beyond-needs", "conformance-depends-beyond-needs"}


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (document(name="dossier é.txt"), "conformance-name-not-ascii"),
        (document(name="../a.txt"), "conformance-name-not-ascii"),
        (document(media_type="text/html"), "conformance-media-type"),
        (document(content=""), "conformance-empty-document"),
        (document(sign="pades"), "conformance-sign"),
    ],
)
def test_documents_are_as_declared(made, code):
    assert code in codes(render(lambda _: made))


def test_info_is_checked():
    assert codes(object()) == {"conformance-no-info"}
    wrong = replace(INFO, name="A Name", needs=frozenset({"F99"}), speaks="")
    assert codes(render(lambda _: document(), wrong)) >= {
        "conformance-adapter-name",
        "conformance-unknown-field",
        "conformance-info-incomplete",
    }


BROKEN = (Issue("", "json", "is not JSON"),)


def _refuse(message, issues=BROKEN):
    raise Refused("cheat", message, issues)


def _crash(_content):
    raise ValueError


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda _: [], "conformance-hostile-input-taken"),
        (_crash, "conformance-hostile-input-crashes"),
        (lambda _: _refuse(CANARY), "conformance-refusal-leaks"),
        (lambda _: _refuse("no", ()), "conformance-refusal-without-rule"),
    ],
)
def test_a_careless_ingest_is_caught(answer, code):
    assert codes(ingest(answer)) == {code}


def test_a_slow_refusal_is_caught(monkeypatch):
    monkeypatch.setattr("broker.conformance.MAX_SECONDS", 0.01)
    monkeypatch.setattr("broker.conformance.hostile", lambda: {"empty": b""})

    def slow(_):
        begin = time.thread_time()
        while time.thread_time() - begin < 0.02:
            pass
        _refuse("no")

    assert codes(ingest(slow)) == {"conformance-slow-refusal"}
