from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.data.cleaning import key
from distilmt.data.pairs import Pair
from distilmt.data.readers.debian import AlignedSentence
from distilmt.data.splitting import package_split, split_by_package, suitable_for_test

WORDS = [f"w{letter}{other}" for letter in "abcdefghijklmnopqrst" for other in "abcdefghij"]


def corpus(packages: int, seed: int = 0) -> list[AlignedSentence]:
    """Random sentences of common words, so that none is like another, and one sentence all packages share."""
    random = np.random.default_rng(seed)
    records = []
    for package in range(packages):
        for _ in range(5):
            chosen = random.choice(WORDS, 8)
            records.append(AlignedSentence(f"p{package}", "P", " ".join(chosen), " ".join(chosen).upper() + " x"))
        records.append(
            AlignedSentence(f"p{package}", "P", "This package has the common files of it.", f"Files p{package}.")
        )
    return records


def test_nothing_held_out_is_in_train() -> None:
    records = corpus(200)
    splits = split_by_package(records, 40, 60)
    train = list(splits.train)
    assert splits.valid is not None
    assert splits.test is not None
    assert (len(splits.valid), len(splits.test)) == (40, 60)
    packages = [{records[pair.line - 1].package for pair in part} for part in (train, splits.valid, splits.test)]
    assert not packages[0] & packages[1]
    assert not packages[0] & packages[2]
    assert not packages[1] & packages[2]
    sources = {key(pair.source) for pair in train}
    assert not any(key(pair.source) in sources for pair in [*splits.valid, *splits.test])
    for pair in splits.test:
        assert (pair.source, pair.target) == records[pair.line - 1][2:]


def test_the_name_of_a_package_decides_its_split() -> None:
    records = corpus(200)
    splits = split_by_package(records, 10_000, 10_000)
    for name, part in zip(("train", "valid", "test"), splits, strict=False):
        assert {package_split(records[pair.line - 1].package) for pair in part or ()} == {name}


def test_split_is_the_same_each_time_and_small_ones_stay_small() -> None:
    records = corpus(60)
    one, two = (split_by_package(records, 10_000, 10_000) for _ in range(2))
    assert one.test == two.test
    suitable = int(suitable_for_test(records).sum())
    assert one.test is not None
    assert one.valid is not None
    assert 0 < len(one.test) <= suitable // 8
    assert len(one.valid) <= suitable // 8


def test_without_a_split_its_packages_are_training_text() -> None:
    records = corpus(200)
    splits = split_by_package(records, 40, 0)
    assert splits.test == []
    test = split_by_package(records, 40, 60).test
    assert test
    assert {pair.line for pair in test} <= {pair.line for pair in splits.train}


RECORDS = corpus(200)
SPLITS = split_by_package(RECORDS, 40, 60)
TRAIN, TEST = ({RECORDS[pair.line - 1].package for pair in part or ()} for part in (SPLITS.train, SPLITS.test))


@settings(max_examples=20)
@given(st.sets(st.integers(0, 199), min_size=20), st.integers(1, 100), st.integers(1, 100))
def test_another_archive_moves_no_package_between_the_splits(packages: set[int], valid_size: int, size: int) -> None:
    """A model trained on one archive has seen no sentence that another archive tests, whatever the sizes."""
    other = [record for record in RECORDS if int(record.package[1:]) in packages]

    def packages_of(pairs: Iterable[Pair] | None) -> set[str]:
        return {other[pair.line - 1].package for pair in pairs or ()}

    splits = split_by_package(other, valid_size, size)
    assert TEST.isdisjoint(packages_of(splits.train))
    assert packages_of(splits.test).isdisjoint(TRAIN)
    assert packages_of(splits.valid).isdisjoint(TRAIN)


def test_empty_corpus() -> None:
    splits = split_by_package([], 10, 10)
    assert (list(splits.train), splits.valid, splits.test) == ([], [], [])


SENTENCE = "wab wcd wef wgh waj wbc wbd wbe wbf wbg"


@pytest.mark.parametrize(
    ("other", "suitable"),
    [
        (AlignedSentence("b", "P", "something else altogether", "altro"), True),
        (AlignedSentence("b", "P", SENTENCE.upper() + "!", "altro"), False),
        (AlignedSentence("b", "P", "something else altogether", "Mia  frase"), False),
        (AlignedSentence("b", "P", "wab wcd wef wgh waj wbc wbd wbe other words here", "altro"), False),
        (AlignedSentence("b", "P", "wab wcd wef wgh waj other words here", "altro"), True),
        (AlignedSentence("a", "P", SENTENCE, "mia frase"), True),
        (AlignedSentence("b", "P", SENTENCE.replace("wbg", "rare7"), "altro"), False),
    ],
)
def test_likeness_to_another_package(other: AlignedSentence, suitable: bool) -> None:
    filler = corpus(100)
    assert suitable_for_test([*filler, other, AlignedSentence("a", "P", SENTENCE, "mia frase")])[-1] == suitable


def test_templates_are_masked() -> None:
    # The words between are common and differ, so only the template gives the likeness away.
    left, right = "Use the xyzzy 42 plugin for wab", "Use the plugh quux 7 plugin for wab"
    filler = [AlignedSentence(f"f{n}", "P", f"the use for plugin {WORDS[n]} {n}", f"uso {n}") for n in range(20)]
    records = [*corpus(100), *filler, AlignedSentence("a", "P", left, "uno"), AlignedSentence("b", "P", right, "due")]
    assert not suitable_for_test(records)[-2:].any()
    assert suitable_for_test(records[:-1])[-1]


@pytest.mark.parametrize("record", [
    AlignedSentence("a", "S", SENTENCE, "mia frase"),
    AlignedSentence("a", "P", "too few words", "mia frase"),
    AlignedSentence("a", "P", " ".join(WORDS[:61]), "mia frase"),
])  # fmt: skip
def test_kind_and_length(record: AlignedSentence) -> None:
    assert not suitable_for_test([*corpus(20), record])[-1]
