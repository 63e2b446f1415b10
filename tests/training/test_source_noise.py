"""Disturbed sentences: what is lost, what is not touched, and that the same numbers give the same sentence."""

import random
from collections import Counter

import pytest
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.training.source_noise import END_MARKS, with_case, with_typos, without_full_stop

CASED = st.text(
    st.sampled_from("abcdefghijklmnopqrstuvwxyzABCXYZäöüßéèñçøłабвгдежзиклмнАБВ .,!?-'0123456789"), max_size=60
)
# Chinese, Thai, Hebrew, Arabic, Devanagari, Georgian: nothing has capitals here.
CASELESS = st.text(st.sampled_from("山水火木กขคงאבגדابتثकखगঘაბგდე 。 .123"), max_size=60)
STYLES = ("capitals", "lower_case", "title_case")
LITERALS = ["https://example.org/Some-Path?x=1", "jo.doe@example.org", "%(name)s", "/usr/share/documents", "--verbose"]


def letters(text):
    return sorted(c for c in text.casefold() if c.isalpha())


@given(CASED, st.sampled_from(STYLES), st.integers(0, 1000))
@settings(max_examples=example_count(150), deadline=None)
def test_changes_of_case_lose_no_letter(text, style, seed):
    result = with_case(text, style, random.Random(seed), "de")
    assert result.casefold() == text.casefold()


@given(CASELESS, st.sampled_from(STYLES), st.integers(0, 1000))
@settings(max_examples=example_count(150), deadline=None)
def test_scripts_without_case_stay(text, style, seed):
    assert with_case(text, style, random.Random(seed), "ka") == text


@given(st.lists(st.sampled_from([*LITERALS, "house", "garden", "Window"]), max_size=8), st.integers(0, 10_000))
@settings(max_examples=example_count(150), deadline=None)
def test_addresses_and_code_stay(words, seed):
    text = " ".join(words)
    generator = random.Random(seed)
    for result in (with_typos(text, generator), *(with_case(text, style, generator, "en") for style in STYLES[::2])):
        assert Counter(w for w in result.split() if w in LITERALS) == Counter(w for w in words if w in LITERALS)


@given(CASED, st.integers(0, 10_000))
@settings(max_examples=example_count(200), deadline=None)
def test_typing_errors_are_few_and_add_no_character(text, seed):
    result = with_typos(text, random.Random(seed))
    assert abs(len(result) - len(text)) <= 2
    assert set(result) <= set(text)
    changed = sum((Counter(letters(text)) - Counter(letters(result))).values())
    assert changed <= 2
    assert result == with_typos(text, random.Random(seed))


@given(CASELESS, st.integers(0, 1000))
def test_no_typing_errors_in_scripts_without_spaces(text, seed):
    unspaced = "".join(c for c in text if c in "山水火木กขคง。 ")
    assert with_typos(unspaced, random.Random(seed)) == unspaced


def test_all_kinds_of_typing_errors():
    lengths = {len(with_typos("garden", random.Random(seed))) for seed in range(100)}
    assert {5, 6, 7} <= lengths
    assert "agrden" in {with_typos("garden", random.Random(seed)) for seed in range(200)}


@given(CASED | CASELESS)
def test_only_the_end_goes_with_the_full_stop(text):
    result = without_full_stop(text)
    assert text.startswith(result) and not text[len(result) :].strip(END_MARKS + " ")
    assert result or not text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ein Hund läuft.", "Ein Hund läuft"),
        ("一只狗。", "一只狗"),
        ("यह है।", "यह है"),
        ("...", "..."),
        ("Why?!", "Why"),
    ],
)
def test_full_stops_of_several_scripts(text, expected):
    assert without_full_stop(text) == expected


def test_cases_of_a_sentence():
    generator = random.Random(1)
    assert with_case("The ß of Straße.", "capitals", generator, "de") == "THE SS OF STRASSE."
    assert with_case("ırmak iyi", "capitals", generator, "tr") == "IRMAK İYİ"
    lower = {with_case("The NASA has a Dog.", "lower_case", random.Random(seed), "en") for seed in range(9)}
    assert lower == {"The nasa has a dog.", "the nasa has a dog."}
    titles = {with_case("the end of the road.", "title_case", random.Random(seed), "en") for seed in range(9)}
    assert titles == {"The End Of The Road.", "The end of the Road."}
