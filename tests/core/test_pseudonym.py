"""Pseudonyms: stable within a partner, unlinkable between partners, not found by trying all values."""

from __future__ import annotations

import re
from base64 import b32encode
from hashlib import sha256
from hmac import digest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.pseudonym import element_ids, keyed_hash, pseudonym
from broker.errors import Misconfigured

ONE, TWO = b"1" * 32, b"2" * 32
PHONES = [f"+3200000{n:04d}" for n in range(3000)]
MAILS = [f"synthetic{n}@mail.example" for n in range(3000)]


@given(st.text(max_size=40))
def test_stable_in_one_partner_and_different_in_two(value: str) -> None:
    assert pseudonym(ONE, "F40", value) == pseudonym(ONE, "F40", value)
    assert pseudonym(ONE, "F40", value) != pseudonym(TWO, "F40", value)
    assert re.fullmatch(r"[a-z2-7]{26}", pseudonym(ONE, "F40", value))


def test_equal_values_of_two_fields_do_not_match() -> None:
    assert pseudonym(ONE, "F38", "same") != pseudonym(ONE, "F55", "same")
    assert keyed_hash(ONE, "F38", "same")[:26] != pseudonym(ONE, "F38", "same")


@pytest.mark.parametrize("space", [PHONES, MAILS])
def test_trying_every_value_without_the_key_finds_nothing(space: list[str]) -> None:
    secret = space[1234]
    seen = {pseudonym(ONE, "F40", secret), keyed_hash(ONE, "F40", secret)}
    guesses = set()
    for value in space:
        for key in (b"\0" * 32, TWO, sha256(b"pt_synthetic").digest()):
            guesses |= {pseudonym(key, "F40", value), keyed_hash(key, "F40", value)}
        guesses |= {sha256(value.encode()).hexdigest(), digest(b"", value.encode(), sha256).hex()}
    assert not seen & guesses
    # The same search with the key does find it: the test can tell the difference.
    assert seen & {pseudonym(ONE, "F40", value) for value in space}


def test_element_ids_do_not_depend_on_what_else_the_case_has() -> None:
    some, more = element_ids(ONE, ["item1"]), element_ids(ONE, ["item1", "item2", "person9"])
    assert some["item1"] == more["item1"]
    assert re.fullmatch(r"[a-z2-7]{10}", some["item1"])
    assert element_ids(TWO, ["item1"]) != some
    assert len(set(more.values())) == 3


def test_the_form_is_frozen() -> None:
    # Part of the wire format: version 2 of a referral names what it corrects by these ids.
    assert element_ids(b"\0" * 32, ["item1"]) == {"item1": "hj7wnmokwd"}
    assert pseudonym(b"\0" * 32, "F40", "x") == "gn4sbejf3iszl62bjjzqdr6xkd"


def test_the_letters_are_those_of_rfc_4648() -> None:
    mac = digest(ONE, b"v1|element|item1", sha256)
    assert element_ids(ONE, ["item1"])["item1"] == b32encode(mac).decode().lower()[:10]
    mac = digest(ONE, b'v1|pseudonym|F40|"x"', sha256)
    assert pseudonym(ONE, "F40", "x") == b32encode(mac).decode().lower()[:26]


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 31])
def test_a_weak_key_is_refused(key: bytes) -> None:
    with pytest.raises(Misconfigured):
        pseudonym(key, "F40", "x")
    with pytest.raises(Misconfigured):
        element_ids(key, ["item1"])
