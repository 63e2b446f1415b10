"""Heads of tables, however they are written, and columns that hold no texts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilmt.data.readers.files import read_pairs
from distilmt.data.readers.language_tags import language_columns
from distilmt.utils.errors import UserError


def pairs_in(path: Path) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in read_pairs([str(path)], "en", "it")]


@pytest.mark.parametrize(
    "head", ["sentence,translation", "Text,Translation", "EN-US,IT", "sep=,\nen,it", '"sep=,"\nen,it']
)
def test_heads_of_tables_are_no_pairs(tmp_path: Path, head: str) -> None:
    (tmp_path / "a.csv").write_text(f"{head}\nA house.,Una casa.\n", encoding="utf-8")
    assert pairs_in(tmp_path / "a.csv") == [("A house.", "Una casa.")]


@pytest.mark.parametrize("delimiter", [";", "|", "\t", ","])
def test_the_delimiter_that_a_spreadsheet_names_is_taken(tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "a.csv").write_text(f"sep={delimiter}\r\nA house{delimiter}Una casa\r\n", encoding="utf-8", newline="")
    assert pairs_in(tmp_path / "a.csv") == [("A house", "Una casa")]


NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(str)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20), st.permutations([0, 1, 2, 3]))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_columns_of_numbers_are_no_texts(tmp_path: Path, rows: list[tuple[str, str]], order: list[int]) -> None:
    lines = []
    for n, row in enumerate(rows):
        fields = [f"text {n}.", f"testo {n}.", *row]
        lines.append("\t".join(fields[i] for i in order))
    (tmp_path / "a.tsv").write_text("\n".join(lines), encoding="utf-8")
    expected = [(f"text {n}.", f"testo {n}.") for n in range(len(rows))]
    turned = order.index(0) > order.index(1)
    assert pairs_in(tmp_path / "a.tsv") == [pair[::-1] if turned else pair for pair in expected]


def test_numbers_next_to_more_than_two_texts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("0.5\ta\tb\tc\n" * 3)
    with pytest.raises(UserError, match=r"column 1 has numbers, and 3 others have texts: name the columns"):
        pairs_in(tmp_path / "a.tsv")


def test_a_first_line_like_a_head_is_reported(tmp_path: Path, messages: list[str]) -> None:
    (tmp_path / "a.tsv").write_text("Spalte A\tSpalte B\n" + "A house that is red.\tUna casa che è rossa.\n" * 3)
    assert len(pairs_in(tmp_path / "a.tsv")) == 4
    assert "'Spalte A' and 'Spalte B', is read as a pair" in messages[0] and "name them 'en' and 'it'" in messages[0]
    (tmp_path / "a.tsv").write_text("One.\tUno.\nA house that is red.\tUna casa.\n")
    assert len(pairs_in(tmp_path / "a.tsv")) == 2 and len(messages) == 1


@given(
    st.sampled_from(["en", "eng", "English", "english"]),
    st.sampled_from(["it", "ita", "Italian", "ITALIANO"]),
    st.sampled_from([str, str.upper, str.title]),
    st.sampled_from(["{}", "#{}", " {} ", "\ufeff{}", "{}_text", "source_{}"]),
)
def test_columns_are_seen_however_their_language_is_written(
    left: str, right: str, case: Callable[[str], str], form: str
) -> None:
    first = form.format(case(left))
    if "_" not in form or left.lower() != "english":
        assert language_columns([first, case(right)], "en", "it") == (first, case(right))
