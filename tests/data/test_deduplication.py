from pathlib import Path

import numpy as np
import pytest
from helpers.examples import example_count
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilmt.data import deduplication
from distilmt.data.deduplication import HashWriter, HeldOut, duplicate_rows
from distilmt.data.pairs import Pair
from distilmt.data.parquet import StreamingSampler

FILES = settings(
    max_examples=example_count(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SIDES = st.sampled_from(["a", "b", "A!", "c c", "…"])
PAIRS = st.lists(st.tuples(SIDES, SIDES, st.none() | st.sampled_from([0.5, 0.25, 1.0])), max_size=60)


def write(path: Path, pairs: list[tuple[str, str, float | None]]) -> Path:
    with HashWriter(path, True) as writer:
        for number, pair in enumerate(pairs):
            writer.add(Pair(number, *pair), False)
    return path


def result(path: Path, field: str, rows: range, fates: np.ndarray | None = None) -> set[int]:
    return {row for part in duplicate_rows(path, field, rows, fates) for row in part.tolist()}


@FILES
@given(PAIRS, st.integers(1, 64), st.data())
def test_duplicates_are_those_a_dictionary_finds(
    tmp_path: Path, pairs: list[tuple[str, str, float | None]], block: int, data: st.DataObject
) -> None:
    before, deduplication.BLOCK = deduplication.BLOCK, block
    try:
        path = write(tmp_path / "marks", pairs)
        stop = data.draw(st.integers(0, len(pairs)))
        fates = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(pairs), max_size=len(pairs))), np.uint8)
        best: dict[tuple[str, str], tuple[float, int]] = {}
        for row, (left, right, score) in enumerate(pairs[:stop]):
            if not fates[row]:
                rank = (float("inf") if score is None else -score, row)
                best[left, right] = min(best.get((left, right), rank), rank)
        remaining = {row for _, row in best.values()}
        expected = {row for row in range(stop) if not fates[row]} - remaining
        assert result(path, "pair", range(stop), fates) == expected
        assert [file.name for file in tmp_path.iterdir()] == ["marks"]
    finally:
        deduplication.BLOCK = before


def test_held_out_text_is_detected_by_letters_and_digits(tmp_path: Path) -> None:
    held = HeldOut()
    path = write(tmp_path / "marks", [("a b", "c d", None), ("HELD out", "x", None), ("y", "tenuto, da parte!", None)])
    assert not list(held.rows(path))
    held.add([("Held out.", "Tenuto da parte."), ("", None)])
    assert np.concatenate(list(held.rows(path))).tolist() == [1, 2]


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(0, 100), st.integers(0, 5))
def test_lots_draw_as_many_as_requested(counts: list[int], expected: int, seed: int) -> None:
    lots = StreamingSampler(sum(counts), expected, np.random.default_rng(seed))
    sample = [lots.draw(count) for count in counts]
    assert [len(flags) for flags in sample] == counts
    assert sum(int(flags.sum()) for flags in sample) == min(expected, sum(counts))


def test_lots_draw_evenly() -> None:
    random = np.random.default_rng(1)
    times = np.zeros(9)
    for _ in range(2000):
        lots = StreamingSampler(9, 3, random)
        times += np.concatenate([lots.draw(4), lots.draw(5)])
    assert times == pytest.approx(np.full(9, 2000 / 3), abs=80)
