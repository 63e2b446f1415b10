from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.data import parquet
from distilmt.data.pairs import Pair
from distilmt.data.prepare import count_rows, iter_selected, load_split
from distilmt.utils.errors import UserError

ROWS = 60


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    directory = tmp_path_factory.mktemp("corpus")
    before, parquet.BATCH = parquet.BATCH, 7  # several row groups
    parquet.write_pairs(directory / "train.parquet", "train", [Pair(i, f"s{i}", f"t{i}") for i in range(ROWS)])
    parquet.BATCH = before
    return directory


@given(flags=st.lists(st.booleans(), min_size=ROWS, max_size=ROWS), size=st.integers(1, 70), batch=st.integers(1, 70))
def test_chosen_rows_come_in_order_and_as_many_at_a_time_as_requested(corpus, flags, size, batch):
    before, parquet.BATCH = parquet.BATCH, batch
    tables = list(iter_selected(corpus, "train", np.array(flags), size))
    parquet.BATCH = before
    expected = load_split(corpus, "train").filter(flags).to_pylist()
    assert [row for table in tables for row in table.to_pylist()] == expected
    assert all(table.num_rows == size for table in tables[:-1])
    assert all(0 < table.num_rows <= size for table in tables)


def test_rows_are_counted(corpus):
    assert count_rows(corpus, "train") == ROWS


def test_a_missing_or_damaged_split_is_named(tmp_path: Path):
    with pytest.raises(UserError, match="run the corpus step first"):
        count_rows(tmp_path, "train")
    (tmp_path / "train.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(UserError, match="damaged: delete"):
        next(iter_selected(tmp_path, "train", np.ones(3, bool), 2))
