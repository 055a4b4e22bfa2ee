"""Masking: every spelling of a withheld value is found; what the recipient gets is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.folding import fold, sound, squeeze, within_one_edit
from broker.core.freetext import MASK, DenyList, Known, compile_deny, mask

DENY = [
    Known("Jéróme Vandenbossche", "name"),
    Known("dark_wolf_77", "code"),
    Known("synthetic.person@mail.example", "code"),
    Known("+32 470 00 00 12", "number"),
    Known("https://hidden-host.example/gallery/abc123def", "url"),
    Known("Synthetic School Noorderlicht", "place"),
    Known("k9", "code"),
]


@pytest.fixture(scope="module")
def deny() -> DenyList:
    return compile_deny(DENY, ["allowed_handle", "https://given.example/x"])


@pytest.mark.parametrize(
    "hidden",
    [
        "Jéróme Vandenbossche",
        "VANDENBOSSCHE Jerome",
        "Vandenbossche, J.",
        "Vandenbosche",  # one letter missing
        "Vandenbosshce",  # two letters swapped
        "Vandenboscche",
        "Fandenbosse",  # by sound
        "Je\u0301ro\u0301me",
        "dark_wolf_77",
        "Dark Wolf 77",
        "darkwolf77",
        "DARK-WOLF-77",
        "synthetic.person@mail.example",
        "synthetic.person (at) mail.example",
        "0470 00 00 12",
        "0032470000012",
        "0470/000.012",
        "0470,00,00,12",
        "hidden-host.example",
        "hxxps://hidden-host[.]example/gallery/abc123def",
        "abc123def",
        "Noorderlicht",
        "k9",
    ],
)
def test_every_spelling_of_a_known_value_goes(deny: DenyList, hidden: str) -> None:
    found = mask(f"Before {hidden} after.", deny)
    assert squeeze(hidden) not in squeeze(found.text)
    assert MASK in found.text
    assert found.text.startswith("Before ")
    assert found.spans


@pytest.mark.parametrize(
    ("hidden", "code"),
    [
        ("other@mail.example", "email"),
        ("+33 1 99 00 12 34", "phone"),
        ("0485.55.66.77", "phone"),
        ("BE71 0961 2345 6769", "iban"),
        ("BE71096123456769", "iban"),
        ("85.07.30-033.28", "national_number"),
        ("85073003328", "national_number"),
        ("203.0.113.9", "ip"),
        ("203[.]0[.]113[.]9", "ip"),
        ("2001:db8::7:1", "ip"),
        ("https://else.example/path?x=1", "url"),
        ("hxxp://else.example/", "url"),
        ("www.else.example", "domain"),
        ("else.example", "domain"),
        ("@some_handle", "handle"),
    ],
)
def test_identifiers_that_nobody_recorded_go_too(hidden: str, code: str) -> None:
    found = mask(f"Before {hidden} after", compile_deny([], []))
    assert hidden not in found.text
    assert squeeze(hidden) not in squeeze(found.text)
    assert found.spans[0].code in (code, "domain", "phone", "iban")  # where several match, any names it


@pytest.mark.parametrize(
    "text",
    [
        "The reported account asked for money on 2026-03-01 at 12:30:45, three times.",
        "Seen first on 01/03/2026; severity 4 of 5; version 2.1 of the scheme.",
        "Het kind is tien jaar. L'enfant a dix ans. Das Kind ist zehn Jahre alt.",
        "The file photo.jpg stands on two places.",
    ],
)
def test_ordinary_text_is_left(deny: DenyList, text: str) -> None:
    assert mask(text, deny).text == text


def test_what_stands_unmasked_beside_the_text_is_left(deny: DenyList) -> None:
    text = "The account allowed_handle posted at https://given.example/x yesterday."
    assert mask(text, deny).text == text
    both = compile_deny([*DENY, Known("allowed_handle", "code")], ["allowed_handle"])
    assert mask("allowed_handle", both).text == "allowed_handle"
    # A withheld value inside a given one stands there anyway; alone it goes.
    inside = compile_deny([Known("wolf", "code")], ["wolf_99"])
    assert mask("wolf_99 and wolf", inside).text == f"wolf_99 and {MASK}"


def test_the_mask_does_not_tell_what_or_how_long(deny: DenyList) -> None:
    assert mask("By k9.", deny).text == mask("By dark_wolf_77.", deny).text == f"By {MASK}."


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_known_value_survives_in_any_surroundings(before: str, after: str) -> None:
    deny = compile_deny(DENY, [])
    found = mask(f"{before} dark_wolf_77 Vandenbossche {after}", deny)
    assert "darkwolf77" not in squeeze(found.text)
    assert "vandenbossche" not in squeeze(found.text)


@given(st.text(max_size=200))
def test_spans_account_for_every_change(text: str) -> None:
    found = mask(text, compile_deny(DENY, []))
    rebuilt, at = "", 0
    for span in found.spans:
        assert at <= span.start < span.end
        rebuilt += text[at : span.start] + MASK
        at = span.end
    assert rebuilt + text[at:] == found.text


def test_within_one_edit_is_levenshtein_with_swaps() -> None:
    assert within_one_edit("abcde", "abcde")
    assert within_one_edit("abcde", "abde")
    assert within_one_edit("abcde", "abxde")
    assert within_one_edit("abcde", "abdce")
    assert not within_one_edit("abcde", "axcye")
    assert not within_one_edit("abcde", "abc")


@pytest.mark.parametrize(
    ("one", "other"), [("vandenbossche", "fandenbosse"), ("dupontel", "dupondel"), ("schmidt", "smit")]
)
def test_names_that_sound_alike(one: str, other: str) -> None:
    assert sound(one) == sound(other)


def test_folding_joins_what_looks_the_same() -> None:
    assert fold("Straße ŒUVRE Ünïcode ﬁn") == "strasse oeuvre unicode fin"
