"""Canonical JSON equals RFC 8785 on the profile and refuses everything outside it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core import canonical
from broker.errors import Refused

TEXT = st.text(st.characters(exclude_categories=("Cs",))).map(lambda text: unicodedata.normalize("NFC", text))
NAMES = st.text(st.characters(max_codepoint=127), max_size=12)
INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=1000, deadline=None)
@given(VALUES)
def test_bytes_equal_rfc8785_and_decode_inverts(value: object) -> None:
    data = canonical.encode(value)
    assert data == rfc8785.dumps(value)  # type: ignore[arg-type]
    assert canonical.decode(data, max_bytes=len(data), canonical=True) == value
    assert canonical.decode(data, max_bytes=len(data)) == value


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) - 2, 2**53 + 2)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=4)
    | st.sampled_from(["e\u0301", "\u0301", "\u1112\u1161", "\ud800", "é"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(NAMES | st.sampled_from(["é", "e\u0301"]), inner, max_size=4)
        | inner.map(lambda value: nested_in(value, 31))
    ),
    max_leaves=12,
)


def nested_in(value: object, depth: int) -> object:
    for _ in range(depth):
        value = [value]
    return value


def refusal(work: Callable[[], object]) -> str | None:
    try:
        work()
    except Refused as refused:
        return str(refused.code)
    return None


@settings(max_examples=2000, deadline=None)
@given(ANYTHING)
def test_the_quick_look_refuses_what_the_check_refuses(value: object) -> None:
    """`_check` alone says where and why; what is asked first must say yes to nothing else."""
    expected = refusal(lambda: canonical._check(value, "", 1))
    assert refusal(lambda: canonical.encode(value)) == expected
    if expected is None:
        data = canonical.encode_trusted(value)
        for canonical_only in (True, False):
            canonical.decode(data, max_bytes=len(data), canonical=canonical_only)
    else:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        written = text.encode("utf-8", "surrogatepass")
        for canonical_only in (True, False):
            assert refusal(lambda: canonical.decode(written, max_bytes=10**6, canonical=canonical_only))  # noqa: B023


def test_every_ascii_control_and_escape() -> None:
    text = "".join(map(chr, range(0x20))) + '"\\/\x7f\u2028\u20ac\U0001f600'
    assert canonical.encode(text) == rfc8785.dumps(text)


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_thirty_two_levels_and_no_more() -> None:
    assert canonical.encode(nested(32))
    with pytest.raises(Refused) as caught:
        canonical.encode(nested(33))
    assert caught.value.code == "canonical-depth"


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (1.0, "float"),
        ({"a": [0.5]}, "float"),
        (float("nan"), "float"),
        (2**53, "integer"),
        (-(2**53), "integer"),
        ({"é": 1}, "name"),
        ({1: 1}, "name"),
        ("e\u0301", "nfc"),
        ("\ud800", "surrogate"),
        (b"bytes", "type"),
        ({1, 2}, "type"),
        (Text("x"), "type"),
    ],
)
def test_values_outside_the_profile(value: object, rule: str) -> None:
    with pytest.raises(Refused) as caught:
        canonical.encode(value)
    assert caught.value.code == f"canonical-{rule}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"1.0",
        b"1e2",
        b"-0",
        b"NaN",
        b"Infinity",
        b"9007199254740992",
        b"1" * 5000,
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'"\\ud800"',
        b'"\xff"',
        b'\xef\xbb\xbf"bom"',
        b'"e\xcc\x81"',
        b"[" * 200_000,
        b"[" * 200 + b"]" * 200,
        b'{"\xc3\xa9":1}',
        b'"tab\there"',
        b"1 2",
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_bytes_outside_the_profile(data: bytes, strict: bool) -> None:
    with pytest.raises(Refused):
        canonical.decode(data, max_bytes=1_000_000, canonical=strict)


@pytest.mark.parametrize(
    "data",
    [b' {"a":1}', b'{"a": 1}', b'{"b":1,"a":1}', b'"\\u0041"', b'"\\/"', b'"\\u000a"', b"1\n"],
)
def test_other_forms_pass_only_where_form_does_not_matter(data: bytes) -> None:
    canonical.decode(data, max_bytes=100)
    with pytest.raises(Refused) as caught:
        canonical.decode(data, max_bytes=100, canonical=True)
    assert caught.value.code == "canonical-form"


def test_size_is_checked_before_parsing() -> None:
    with pytest.raises(Refused) as caught:
        canonical.decode(b'"' + b"x" * 50 + b'"', max_bytes=51)
    assert caught.value.code == "canonical-size"


def test_issue_names_the_place_and_repeats_nothing() -> None:
    with pytest.raises(Refused) as caught:
        canonical.encode({"facts": {"Synthetic Person A": 0.25}})
    assert caught.value.issues[0].field == "/facts/*"
    assert "Synthetic" not in repr(caught.value.issues) + str(caught.value)
    assert "0.25" not in str(caught.value)


@given(st.binary(max_size=80))
def test_base64url_round_trip(data: bytes) -> None:
    text = canonical.b64u(data)
    assert canonical.unb64u(text) == data
    assert "=" not in text


@given(st.text(alphabet="ABab01-_=+/ \n", max_size=9))
def test_base64url_has_one_text_for_one_value(text: str) -> None:
    try:
        data = canonical.unb64u(text)
    except Refused:
        return
    assert canonical.b64u(data) == text


@pytest.mark.parametrize("text", ["A", "AB", "AAB", "AA==", "A A", "AA\n", "é", "AA+A"])
def test_base64url_refusals(text: str) -> None:
    with pytest.raises(Refused):
        canonical.unb64u(text)


def test_same_tells_true_from_one() -> None:
    assert canonical.same({"a": 1}, {"a": 1})
    assert not canonical.same({"a": 1}, {"a": True})
    assert json.loads(canonical.encode_trusted({"b": 1, "a": 2})) == {"a": 2, "b": 1}
