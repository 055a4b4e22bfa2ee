"""Masking: every spelling of a withheld value is found; what the recipient gets is left alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.folding import fold, sounds, squeeze, within_one_edit
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


NAME, HANDLE, PHONE = "Vandenbossche", "dark_wolf_77", "04 70 00 00 12"
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
CAPITALS = {code: 0x1D400 + code - 0x41 for code in range(0x41, 0x5B)}
"""Mathematical bold: letters that no change of case reaches."""
LOOK_ALIKE = str.maketrans("aeopckxyABEKMHOPCTX", "\u0430\u0435\u043e\u0440\u0441\u043a\u0445\u0443"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425")  # fmt: skip
CIRCLED = {code: 0x24D0 + code - 0x61 for code in range(0x61, 0x7B)}
ARABIC = {code: 0x660 + code - 0x30 for code in range(0x30, 0x3A)}
DISGUISES: dict[str, Callable[[str], str]] = {
    "full width": lambda value: value.translate(FULL_WIDTH),
    "bold capitals": lambda value: value.upper().translate(CAPITALS),
    "look-alikes": lambda value: value.translate(LOOK_ALIKE),
    "circled": lambda value: value.lower().translate(CIRCLED),
    "digits of another script": lambda value: value.translate(ARABIC),
    "marks": lambda value: "".join(f"{char}\u0308" for char in value),
    "enclosing marks": lambda value: "".join(f"{char}\u20dd" for char in value),
    "variation selectors": lambda value: "".join(f"{char}\ufe0f" for char in value),
    "taken apart": lambda value: unicodedata.normalize("NFD", value),
    "footnote": lambda value: f"{value}\u00b9",
    "trade mark": lambda value: f"{value}\u2122",
    "one letter a word": " ".join,
}
BREAKS = [
    "\u00ad", "\u200b", "\u200c", "\u200d", "\u200e", "\u2060", "\ufeff", "\u034f", "\u180e", "\u3164",
    "-\n", "\u2010\r\n  ", "\u00ad\n", "\n", " ", "_", ".", " -- ", "\u00a0",
]  # fmt: skip


def left(text: str, deny: DenyList) -> str:
    """The letters and digits that the mask leaves."""
    return squeeze(mask(text, deny).text)


@pytest.mark.parametrize(
    "value", [NAME, "J\u00e9r\u00f4me", HANDLE, PHONE, "Noorderlicht", "abc123def", "k9"]
)
@pytest.mark.parametrize("disguise", DISGUISES)
def test_no_disguise_hides_a_known_value(deny: DenyList, disguise: str, value: str) -> None:
    assert left(f"({DISGUISES[disguise](value)})", deny) in ("", "1", "tm")  # the footnote may stay


@given(st.sampled_from([NAME, HANDLE, PHONE[3:], "Noorderlicht", "k9", "Zo\u00eb"]), st.data())
def test_no_break_hides_a_known_value(value: str, data: st.DataObject) -> None:
    deny = compile_deny([*DENY, Known("Zo\u00eb", "name")], [])
    pieces = [char + data.draw(st.sampled_from(["", "", *BREAKS])) for char in value[:-1]]
    assert left("".join([*pieces, value[-1]]), deny) == ""


@given(st.sampled_from([NAME, "Noorderlicht", "darkwolf77", "dark_wolf_77"]), st.data())
def test_a_typing_error_and_a_hyphen_hide_nothing(value: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(value) - 1))
    typed = data.draw(st.sampled_from(["", "q", value[at] * 2]))
    wrong = value[:at] + typed + value[at + 1 :]
    place = data.draw(st.integers(1, len(wrong) - 1))
    broken = data.draw(st.sampled_from(["", "\u00ad", "\u200b", "-\n", "-"]))
    assert left(wrong[:place] + broken + wrong[place:], compile_deny(DENY, [])) == ""


@pytest.mark.parametrize(
    ("recorded", "written"),
    [
        ("J\u00f6rg", "Joerg"),
        ("Joerg", "J\u00f6rg"),
        ("Karada\u011fl\u0131", "KARADAGLI"),
        ("S\u00f8ren", "Soeren"),
    ],
)
def test_letters_that_are_also_written_as_two(recorded: str, written: str) -> None:
    assert mask(written, compile_deny([Known(recorded, "name")], [])).text == MASK


@pytest.mark.parametrize(
    "hidden",
    [
        "M\u00fcller-Handel.example",
        "\uff4a\uff4f\uff45\uff20\uff4d\uff41\uff49\uff4c\uff0eexample",
        "someone[AT]mail.example",
        "jo\u00ade@mail.example",
    ],
)
def test_unrecorded_identifiers_in_unusual_characters_go_too(hidden: str) -> None:
    assert mask(hidden, compile_deny([], [])).text == MASK


@pytest.mark.parametrize(
    "text",
    [
        "2015-04-03", "03/04/2015", "3.4.2015", "03-04-2015", "3 april 2015", "3 avril 2015", "3. April 2015",
        "April 3, 2015", "03 APRIL\n2015",
    ],
)  # fmt: skip
def test_a_date_of_birth_goes_however_it_is_written(text: str) -> None:
    born = Known("2015-04-03", "code")
    assert mask(text, compile_deny([born], [])).text == MASK
    assert mask(text, compile_deny([born], [born.value])).text == text
    assert mask("3 mei 2015, 4/3/2015", compile_deny([born], [])).text == "3 mei 2015, 4/3/2015"


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_fold_is_the_folds_of_its_characters(one: str, other: str) -> None:
    assert fold(one + other) == "".join(map(fold, one + other))


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
    assert sounds([one]) == sounds([other])


def test_words_sound_the_same_alone_and_among_others() -> None:
    words = ["dupontel", "xerxes", "aa", "schmidt", "philippe", "vandenbossche"]
    assert sounds(words) == [key for word in words for key in sounds([word])]
    assert sounds([]) == []


def test_folding_joins_what_looks_the_same() -> None:
    assert fold("Straße ŒUVRE Ünïcode ﬁn") == "strasse oeuvre unicode fin"
