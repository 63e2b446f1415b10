"""Labels are compared with the corpus by number and id of their rows."""

import pyarrow as pa
import pytest
from helpers import label_stores

from distilmt.labels.row_checks import check_rows
from distilmt.utils.errors import UserError

SHARDS = [[0, 1, 2], [3, 4]]


def sentences(*shards):
    return [pa.table({"id": [f"id-{number}" for number in shard]}) for shard in shards]


def test_rows_of_a_store(tmp_path):
    store = label_stores.write(tmp_path / "labels", [[label_stores.row(n) for n in shard] for shard in SHARDS])
    check_rows(store, sentences(*SHARDS))
    for corpus, message in (
        ([[0, 2, 1], [3, 4]], "row 2 of shard 1 has labels of 'id-1', but the corpus has 'id-2'"),
        ([[0, 1, 2], [3, 4, 5]], "row 3 of shard 2 has labels of no row, but the corpus has 'id-5'"),
        ([[0, 1, 2]], "row 1 of shard 2 has labels of 'id-3', but the corpus has no row"),
        ([[0, 1, 2], [3, 4], [5]], "row 1 of shard 3 has labels of no row"),
    ):
        with pytest.raises(UserError, match=message):
            check_rows(store, sentences(*corpus))
