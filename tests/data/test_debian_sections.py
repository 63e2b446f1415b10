from hypothesis import given
from hypothesis import strategies as st

from distilmt.data.readers.debian import Description
from distilmt.data.readers.debian_sections import LabeledText, examples, split_by_source

LONG = "a program that does many things for people who like it"


def described(section: str, source: str = "s", count: int = 1, text: str = LONG) -> list[Description]:
    return [Description(f"{source}-{i}", source, section, f"{text} {i}") for i in range(count)]


def test_the_most_frequent_sections_that_describe_what_a_package_is_for():
    every = [d for i, section in enumerate(("games", "net", "rare")) for d in described(section, f"s{i}", 3 - i)]
    every += described("libs", "l", 3) + described("python", "p", 3)
    assert {example.label for example in examples(every, 2)} == {"games", "net"}


def test_three_of_a_source_and_no_short_texts():
    result = examples([*described("games", "many", 9), *described("games", "short", 1, "a game")])
    assert [example.package for example in result] == ["many-0", "many-1", "many-2"]


@given(st.lists(st.text(max_size=4), max_size=60), st.integers(0, 2**31))
def test_no_source_is_on_both_sides(sources, seed):
    every = [LabeledText("games", source, f"{source}-{i}", LONG) for i, source in enumerate(sources)]
    train, test = split_by_source(every, seed)
    assert not {e.source for e in train} & {e.source for e in test}
    assert sorted([*train, *test]) == sorted(every)
    assert split_by_source(every, seed) == (train, test)


def test_another_seed_splits_otherwise_and_a_fifth_is_tested_with():
    every = [LabeledText("games", str(i), str(i), LONG) for i in range(2000)]
    first, second = split_by_source(every, 1)[1], split_by_source(every, 2)[1]
    assert first != second and 300 < len(first) < 500 and 300 < len(second) < 500
