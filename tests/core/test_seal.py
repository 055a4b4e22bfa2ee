"""The seal: root and set equality, non-interference, redaction, opening of withheld units."""

from __future__ import annotations

import copy
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.core import canonical, merkle, seal
from broker.errors import NotAuthentic, Refused
from broker.spi import Unit
from tests.core.test_merkle import naive_root

SEED = bytes(range(32))
RELEASE = "a" * 26
NAMES = st.from_regex(r"\A[a-z0-9_]{1,8}\Z")
ELEMENTS = st.from_regex(r"\A[a-z2-7]{10}\Z")
POINTERS = st.one_of(
    st.builds("/facts/{}/{}".format, NAMES, NAMES),
    st.builds("/entities/{}/{}/{}".format, NAMES, ELEMENTS, NAMES),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.sampled_from(["", "x", "Synthetic"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
UNITS = st.dictionaries(POINTERS, JSON, max_size=40)
FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def as_units(values: dict[str, Any]) -> list[Unit]:
    return [Unit("F17", pointer, value) for pointer, value in values.items()]


def sample() -> dict[str, Any]:
    return {
        "/facts/report/date": "2026-03-02",
        "/facts/report/count": 3,
        "/facts/summary/text": "Synthetic summary.",
        "/entities/items/abcdefghij/url": "https://a.example/1",
        "/entities/items/abcdefghij/sha256": "00" * 32,
        "/entities/items/bbbbbbbbbb/url": {"host": "b.example", "path": ["x", None, True]},
        "/entities/accounts/cccccccccc/name": "synthetic_a",
    }


@FAST
@given(UNITS, st.binary(min_size=32, max_size=32))
def test_root_is_the_naive_tree_and_recomputes(values: dict[str, Any], seed: bytes) -> None:
    tree = seal.build(as_units(values), [], [], seed)
    assert tree.root == naive_root(tree.leaves)
    assert len(tree.leaves) == 2**tree.depth >= len(values) + 2
    for position, pointer, salt in tree.disclosed:
        body = b"\x00" + salt + canonical.encode([pointer, values[pointer]])
        assert tree.leaves[position] == sha256(body).digest()
    doc = seal.assemble(values)
    assert seal.units_of(doc) == values
    opening = canonical.decode(canonical.encode(tree.opening(RELEASE)), max_bytes=10**6)
    assert seal.recompute(doc, opening) == tree.root


@FAST
@given(UNITS, UNITS, UNITS)
def test_what_is_withheld_moves_nothing(
    values: dict[str, Any], withheld: dict[str, Any], other: dict[str, Any]
) -> None:
    one = seal.build(as_units(values), [], as_units(withheld), SEED)
    two = seal.build(as_units(values), [], as_units(other), SEED)
    assert one.disclosed == two.disclosed
    assert one.depth == two.depth
    differing = [at for at in range(2**one.depth) if one.leaves[at] != two.leaves[at]]
    assert set(differing) <= {one.withheld_position}
    assert one.withheld_position == two.withheld_position


def test_apart_units_do_not_move_the_disclosed_ones() -> None:
    apart = [Unit("F12", "/facts/reporter/identity", "Synthetic Person A")]
    without = seal.build(as_units(sample()), [], [], SEED)
    tree = seal.build(as_units(sample()), apart, [], SEED)
    assert tree.disclosed == without.disclosed
    opening = tree.opening(RELEASE)
    [[position, pointer, salt, value]] = tree.apart_units()
    assert seal.leaf_at(opening, position) == seal.unit_leaf(pointer, canonical.unb64u(salt), value)
    assert seal.recompute(seal.assemble(sample()), opening) == tree.root
    assert b"Synthetic Person A" not in canonical.encode(opening)


def test_seeds_share_nothing() -> None:
    one = seal.build(as_units(sample()), [], [], SEED)
    two = seal.build(as_units(sample()), [], [], SEED[::-1])
    assert not set(one.leaves) & set(two.leaves)
    assert not {salt for *_, salt in one.disclosed} & {salt for *_, salt in two.disclosed}


def test_salts_positions_and_decoys_never_repeat() -> None:
    values = {f"/facts/a/f{number}": 0 for number in range(200)}
    tree = seal.build(as_units(values), [], [], SEED)
    assert len({position for position, _, _ in tree.disclosed}) == 200
    assert len({salt for *_, salt in tree.disclosed}) == 200
    assert len(set(tree.leaves)) == 256


@pytest.mark.parametrize(("count", "depth"), [(0, 8), (254, 8), (255, 9), (510, 9), (511, 10)])
def test_depth_leaves_room_for_withheld_and_a_decoy(count: int, depth: int) -> None:
    assert seal.depth_for(count) == depth
    values = {f"/facts/a/f{number}": 0 for number in range(count)}
    tree = seal.build(as_units(values), [], [], SEED)
    assert seal.recompute(seal.assemble(values), tree.opening(RELEASE)) == tree.root


def test_refusals_at_build() -> None:
    units = as_units(sample())
    with pytest.raises(Refused):
        seal.build(units, [], [], b"short")
    with pytest.raises(Refused):
        seal.build([*units, units[0]], [], [], SEED)
    with pytest.raises(Refused):
        seal.build(units, [units[0]], [], SEED)
    with pytest.raises(Refused):
        seal.depth_for(2**20)


def changed_documents() -> dict[str, Any]:
    doc = seal.assemble(sample())
    cases: dict[str, Any] = {}

    def case(name: str) -> Any:
        cases[name] = copy.deepcopy(doc)
        return cases[name]

    case("value")["facts"]["report"]["count"] = 4
    case("type")["facts"]["report"]["count"] = True
    case("inner")["entities"]["items"]["bbbbbbbbbb"]["url"]["path"][2] = False
    case("added")["facts"]["report"]["extra"] = 1
    case("added element")["entities"]["items"]["dddddddddd"] = {"url": "x"}
    del case("removed")["facts"]["report"]["count"]
    del case("removed element")["entities"]["accounts"]
    moved = case("moved")["entities"]["items"]
    moved["eeeeeeeeee"] = moved.pop("bbbbbbbbbb")
    swapped = case("swapped")["entities"]["items"]
    one, two = swapped["abcdefghij"], swapped["bbbbbbbbbb"]
    one["url"], two["url"] = two["url"], one["url"]
    case("empty section")["facts"]["empty"] = {}
    case("empty element")["entities"]["items"]["dddddddddd"] = {}
    case("third part")["more"] = {}
    del case("missing part")["entities"]
    case("list")["facts"] = []
    case("name")["facts"]["Report"] = {"x": 1}
    case("element id")["entities"]["items"]["short"] = {"x": 1}
    case("slash")["facts"]["a/b"] = {"x": 1}
    cases["null"] = None
    return cases


@pytest.mark.parametrize("name", changed_documents())
def test_any_change_of_the_document_fails(name: str) -> None:
    tree = seal.build(as_units(sample()), [], [], SEED)
    opening = tree.opening(RELEASE)
    try:
        root = seal.recompute(changed_documents()[name], opening)
    except NotAuthentic:
        return
    assert root != tree.root


def changed_openings() -> dict[str, Any]:
    opening = seal.build(as_units(sample()), [], [], SEED).opening(RELEASE)
    cases: dict[str, Any] = {}

    def case(name: str) -> Any:
        cases[name] = copy.deepcopy(opening)
        return cases[name]

    case("salt")["units"][0][2] = canonical.b64u(b"x" * 16)
    spare = chr(ord(opening["units"][0][2][-1]) + 1)  # the same bytes in another text
    case("salt text")["units"][0][2] = opening["units"][0][2][:-1] + spare
    case("salt size")["units"][0][2] = canonical.b64u(b"x" * 15)
    case("salt kind")["units"][0][2] = 5
    case("position")["units"][0][0] ^= 1
    case("position bool")["units"][0][0] = True
    case("position outside")["units"][0][0] = 256
    case("negative")["units"][0][0] = -1
    case("same position")["units"][0][0] = opening["units"][1][0]
    case("order")["units"].reverse()
    case("twice")["units"].append(opening["units"][-1])
    case("dropped")["units"].pop()
    case("long line")["units"][0].append(1)
    case("pointer")["units"][0][1] = "/facts/report/other"
    case("depth")["depth"] = 9
    case("depth bool")["depth"] = True
    case("depth large")["depth"] = 21
    case("rest short")["rest"] = opening["rest"][:-4]
    case("rest changed")["rest"] = "A" * len(opening["rest"])
    case("extra")["more"] = 1
    case("schema")["schema"] = "broker-opening/2"
    case("units kind")["units"] = {}
    case("release kind")["release"] = 5
    cases["list"] = []
    return cases


@pytest.mark.parametrize("name", changed_openings())
def test_any_change_of_the_opening_fails(name: str) -> None:
    tree = seal.build(as_units(sample()), [], [], SEED)
    try:
        root = seal.recompute(seal.assemble(sample()), changed_openings()[name])
    except NotAuthentic:
        return
    assert root != tree.root


@FAST
@given(UNITS, st.data())
def test_redaction_keeps_the_root_and_hides_the_rest(values: dict[str, Any], data: st.DataObject) -> None:
    keep = data.draw(st.sets(st.sampled_from(sorted(values)))) if values else set()
    tree = seal.build(as_units(values), [], [], SEED)
    doc, opening = seal.assemble(values), tree.opening(RELEASE)
    redacted = seal.redact("seal", doc, opening, keep=keep)
    assert redacted == seal.redact("seal", doc, opening, drop=values.keys() - keep)
    assert seal.units_of(redacted["doc"]) == {pointer: values[pointer] for pointer in keep}
    assert seal.recompute(redacted["doc"], redacted["opening"]) == tree.root
    again = seal.redact("seal", redacted["doc"], redacted["opening"], keep=())
    assert seal.recompute(again["doc"], again["opening"]) == tree.root
    if keep:
        pointer = data.draw(st.sampled_from(sorted(keep)))
        forged = seal.assemble({**seal.units_of(redacted["doc"]), pointer: ["forged"]})
        assert seal.recompute(forged, redacted["opening"]) != tree.root
    dropped = sorted(values.keys() - keep)
    if dropped:
        restored = seal.assemble({**seal.units_of(redacted["doc"]), dropped[0]: values[dropped[0]]})
        with pytest.raises(NotAuthentic):
            seal.recompute(restored, redacted["opening"])


def test_redact_refuses_what_it_cannot_do() -> None:
    tree = seal.build(as_units(sample()), [], [], SEED)
    doc, opening = seal.assemble(sample()), tree.opening(RELEASE)
    for choice in ({}, {"keep": [], "drop": []}, {"keep": ["/facts/no/such"]}):
        with pytest.raises(Refused):
            seal.redact("seal", doc, opening, **choice)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_withheld_units_open_one_by_one(count: int) -> None:
    withheld = {f"/facts/w/f{number}": f"synthetic {number}" for number in range(count)}
    tree = seal.build(as_units(sample()), [], as_units(withheld), SEED)
    for pointer, value in withheld.items():
        proof = canonical.decode(canonical.encode(tree.withheld_proof(pointer)), max_bytes=10**5)
        assert seal.verify_withheld(proof, tree.root, tree.depth) == (pointer, value)
        others = [other for other in withheld.values() if other != value]
        assert not any(other.encode() in canonical.encode(proof) for other in others if count < 10)
        for name, forged in [
            ("unit", [pointer, proof["unit"][1], "forged"]),
            ("unit", ["/facts/w/forged", *proof["unit"][1:]]),
            ("unit", [pointer]),
            ("index", proof["index"] + 1),
            ("index", True),
            ("size", proof["size"] * 2 + 1),
            ("position", proof["position"] ^ 1),
            ("salt", canonical.b64u(b"x" * 16)),
            ("path", [*proof["path"], canonical.b64u(b"x" * 32)]),
            ("path", "x"),
            ("tree_path", proof["tree_path"][:-1]),
            ("schema", "other"),
        ]:
            with pytest.raises(NotAuthentic):
                seal.verify_withheld({**proof, name: forged}, tree.root, tree.depth)
        with pytest.raises(NotAuthentic):
            seal.verify_withheld(proof, merkle.leaf_hash(b"other"), tree.depth)
    with pytest.raises(Refused):
        tree.withheld_proof("/facts/w/none")


def test_unopened_leaf_needs_a_position_that_is_not_opened() -> None:
    tree = seal.build(as_units(sample()), [], [], SEED)
    opening = tree.opening(RELEASE)
    for position in (tree.disclosed[0][0], -1, 256, True, "1"):
        with pytest.raises(NotAuthentic):
            seal.leaf_at(opening, position)  # type: ignore[arg-type]
    assert seal.leaf_at(opening, tree.withheld_position) == tree.leaves[tree.withheld_position]


@pytest.mark.parametrize("pointer", ["/facts/a", "/entities/a/b/c", "/facts/a/b/c", "/facts/A/b"])
def test_assemble_refuses_pointers_of_another_shape(pointer: str) -> None:
    with pytest.raises(NotAuthentic):
        seal.assemble({pointer: 1})
