from collections import Counter

import pytest

from distilmt.evaluation import slices


def test_words_and_characters():
    assert slices.word_tokenize("The dog, THE cat.", "en") == ["the", "dog", "the", "cat"]
    assert slices.word_tokenize("狗和猫。", "zh") == ["狗", "和", "猫"]
    assert slices.word_frequencies(["a b", "b"], "en") == Counter(a=1, b=2)


def test_bins_hold_about_as_many_sentences_each():
    names, bins = slices.length_bins(["x" * n for n in range(1, 101)])
    assert names == ["1–25", "26–50", "51–75", "76–100"]
    assert Counter(bins.tolist()) == {0: 25, 1: 25, 2: 25, 3: 25}


def test_sentences_of_one_length_are_one_bin():
    names, bins = slices.length_bins(["abc"] * 7)
    assert len(names) == bins.max() + 1


def test_quality_by_length():
    _, bins = slices.length_bins(["ab", "abc", "abcdefgh", "abcdefghi"], 2)
    result = slices.chrf_by_length(["yes it is", "no", "no", "no"], ["yes it is", "no", "quite so", "quite so"], bins)
    assert result[0] == pytest.approx(100) and result[1] < 20


def test_quality_by_frequency_by_hand():
    recognized = Counter(often=200, seldom=3)
    # `often` is translated twice and stands there once; `seldom` is missed; `never` is right.
    result = slices.f1_by_frequency(["often often never"], ["often seldom never"], recognized, "en")
    assert result == [100, 0, None, None, pytest.approx(200 / 3)]
    assert slices.frequency_names() == ["0", "1–4", "5–19", "20–99", "100+"]
