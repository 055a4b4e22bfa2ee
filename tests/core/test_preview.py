"""The preview: whole, a reason for everything, exceptions marked, texts cleared place by place."""

from __future__ import annotations

import json

import pytest

from broker.core import explain, preview
from broker.core.clearing import masked_line, resolved
from broker.core.explain import alternative, differences
from broker.core.freetext import MASK
from broker.core.manifest import compile_view
from broker.core.minimise import Minimised, view_for
from broker.spi import Finding, Unit
from tests.cases import confirmed, full_case
from tests.core.minimising import grounds_for, pack, pairs, request, run
from tests.core.test_minimise import named_case

HOUSE = [(c, p) for c, p in pairs() if c not in ("STA", "CMP")]


def seen(minimised: Minimised, document: dict[str, object], **more: object) -> preview.Preview:
    data = json.loads(json.dumps(document))
    return preview.preview(data, minimised, minimised.findings, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("recipient_class", "purpose"), HOUSE)
@pytest.mark.parametrize("kind", ["content_report", "danger"])
def test_sent_is_what_is_sent_and_every_other_value_has_a_reason(
    recipient_class: str, purpose: str, kind: str
) -> None:
    document = full_case(kind)
    minimised = run(confirmed(document), recipient_class, purpose)
    shown = seen(minimised, document)
    there = {element: local for local, element in minimised.element_ids.items()}

    def local(unit: Unit) -> str:
        parts = unit.pointer.split("/")
        return "/".join([*parts[:3], there[parts[3]], parts[4]] if parts[1] == "entities" else parts)

    lines = [line for group in shown.groups for line in group.lines]
    sent = {line.pointer: line.sent for line in lines if line.fate not in ("withheld", "apart")}
    assert sent == {local(unit): unit.value for unit in minimised.units}
    apart = {line.pointer: line.sent for line in lines if line.fate == "apart"}
    assert apart == {local(unit): unit.value for unit in minimised.apart}
    every = [*lines, *(line for group in shown.dropped for line in group.lines)]
    assert all(line.clause and line.sent is None for line in every if line.fate == "withheld")
    assert {group.local_id for group in shown.dropped} == {i for i, r in minimised.rows.items() if not r.kept}
    held = {line.pointer for line in every if line.held is not None}
    assert {unit.pointer for unit in minimised.withheld} - held == set()


def test_what_needs_a_second_look_comes_first() -> None:
    document = full_case("person_lead")
    plain, opened = (
        seen(run(confirmed(document), "NCM", "P2", grounds=grounds), document)
        for grounds in ({}, grounds_for("NCM"))
    )
    for shown in (plain, opened):
        marked = {line.field for _, line in shown.exceptions() if "justified" in line.marks}
        assert {"F39", "F40"} <= marked
    assert plain.agreed + len(list(plain.exceptions())) == sum(len(g.lines) for g in plain.groups)
    assert [line.fate for _, line in opened.exceptions() if line.field == "F39"] == ["passed"]
    assert [line.clause for _, line in plain.exceptions() if line.field == "F39"] == ["matrix:C"]
    assert "F39" in plain.asked_for


def test_a_finding_marks_the_value_it_is_about() -> None:
    document = full_case()
    minimised = run(confirmed(document), "BEP", "P2")
    unit = next(u for u in minimised.units if u.pointer.startswith("/entities/persons/"))
    local = next(i for i, element in minimised.element_ids.items() if element == unit.pointer.split("/")[3])
    at = f"/entities/persons/{local}/{unit.pointer.split('/')[4]}"
    for pointer in (unit.pointer, at):
        shown = preview.preview(full_case(), minimised, [Finding("taint", "block", pointer)])
        assert [line.pointer for _, line in shown.exceptions() if "blocked" in line.marks] == [at]
        assert [f.code for f in shown.blocking] == ["taint"]


def test_changes_and_the_unusual_are_marked() -> None:
    document = full_case()
    minimised = run(confirmed(document), "INH", "P4")
    last = [Unit(u.field, u.pointer, "other" if u.field == "F03" else u.value) for u in minimised.units]
    usual = {f: d.action for f, d in minimised.view.decisions.items()}
    calm = seen(minimised, document, last=minimised.units, usual=usual)
    assert not {m for _, line in calm.exceptions() for m in line.marks} & {"changed", "unusual"}
    shown = seen(minimised, document, last=last, usual={**usual, "F06": "G8"})
    changed = [(line.field, line.before) for _, line in shown.exceptions() if "changed" in line.marks]
    assert changed == [("F03", "other")]
    assert [line.field for _, line in shown.exceptions() if "unusual" in line.marks] == ["F06"]


def test_a_text_is_cleared_place_by_place() -> None:
    minimised = run(confirmed(named_case()), "FLE", "P1")
    (at,) = [p for p, text in minimised.masked.items() if text.spans]
    line = masked_line(at, minimised.masked[at], cleared=False)
    assert "".join(p.text for p in line.pieces if p.kind != "new") == line.before
    assert "".join(p.text for p in line.pieces if p.kind != "gone") == line.after
    numbers = range(len(line.spans))
    assert resolved(line, {}) is None
    assert resolved(line, dict.fromkeys(numbers[:-1], True)) is None
    assert resolved(line, dict.fromkeys(numbers, True)) == line.after
    assert resolved(line, dict.fromkeys(numbers, False)) == line.before
    some = resolved(line, {number: number > 0 for number in numbers})
    assert some is not None
    assert some.count(MASK) == len(line.spans) - 1
    written = masked_line(at, minimised.masked[at]._replace(after="A person wrote this."), cleared=True)
    assert "".join(p.text for p in written.pieces if p.kind != "gone") == "A person wrote this."


def test_a_cleared_text_of_an_entity_does_not_hang_on_drawn_ids() -> None:
    """A first preview stores nothing, so the next one draws other element ids."""
    document = full_case("person_lead")
    hidden = document["persons"]["person1"]["self_declared_name"]
    document["persons"]["person3"]["profile"]["bio"] = f"asks for {hidden} every day"
    first = run(confirmed(document), "NCM", "P2")
    (at,) = [p for p, text in first.masked.items() if text.spans]
    assert at == "/entities/persons/person3/profile/bio"
    again = run(confirmed(document), "NCM", "P2", element_key=b"x" * 32, clearances={at: "Cleared."})
    assert not [f for f in again.findings if f.code == "text-leak"]
    assert again.masked[at].after == "Cleared."


@pytest.mark.parametrize("grounds", [{}, {"F39": "identify-person"}])
def test_what_if_is_the_difference_to_what_would_be_decided(grounds: dict[str, str]) -> None:
    released = confirmed(full_case())
    view = view_for(released, pack(), request("BEP", "P1", "P2"))
    changes = {c.field: (c.before, c.after) for c in alternative(view, purposes=("P1",), grounds={})}
    then = compile_view(view_for(released, pack(), request("BEP", "P1", "P2", purposes=("P1",))).scope)
    assert changes == {
        f: (view.decisions[f], then.decisions[f])
        for f in view.decisions
        if view.decisions[f] != then.decisions[f]
    }
    ncm = view_for(released, pack(), request("NCM", "P2"))
    opened = alternative(ncm, grounds=grounds)
    assert [(c.field, c.widens) for c in opened] == [(f, True) for f in grounds]


def test_two_versions_differ_value_by_value() -> None:
    before = [Unit("F03", "/a", 1), Unit("F06", "/b", 2), Unit("F08", "/c", 3)]
    after = [Unit("F03", "/a", 1), Unit("F06", "/b", 5), Unit("F84", "/d", 4)]
    found = [(d.field, d.before, d.after) for d in differences(before, after)]
    assert found == [("F06", 2, 5), ("F08", 3, None), ("F84", None, 4)]
    assert explain.differences(before, before) == ()
