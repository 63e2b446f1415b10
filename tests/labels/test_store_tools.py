"""Stores merged and split hold every row once; what does not belong together is refused and leaves nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from helpers.label_stores import HEADER, K, row, write
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.labels import ids as ids_module
from distilmt.labels.ids import first_duplicate_id
from distilmt.labels.store import LabelStore
from distilmt.labels.store_tools import by_id_file, by_row_boundaries, describe, merge, split
from distilmt.labels.store_writer import LabelWriter
from distilmt.utils.errors import UserError


def table_of(store):
    return pa.concat_tables(store.shards()).to_pylist()


@pytest.fixture
def stores(tmp_path):
    return [
        write(tmp_path / "a", [[row(0), row(1)], [row(2)]]),
        write(tmp_path / "b", [[row(3)], [row(4), row(5), row(6)]]),
    ]


def test_merged_stores_have_all_rows_in_order(stores, tmp_path):
    merge(stores, tmp_path / "both")
    both = LabelStore(tmp_path / "both")
    both.check()
    assert table_of(both) == table_of(stores[0]) + table_of(stores[1])
    assert both.manifest["teacher"] == "t" and both.k == K


def test_an_id_in_two_stores_is_refused_or_renamed(stores, tmp_path):
    with pytest.raises(UserError, match=r"id 'id-0' is in more than one of .*--prefix_ids"):
        merge([stores[0], stores[0]], tmp_path / "twice")
    assert not (tmp_path / "twice").exists()
    merge([stores[0], stores[0]], tmp_path / "twice", rename=True)
    renamed = LabelStore(tmp_path / "twice")
    renamed.check()
    assert renamed.ids() == ["1:id-0", "1:id-1", "1:id-2", "2:id-0", "2:id-1", "2:id-2"]
    assert renamed.arrays("hypothesis").tokens.tolist() == stores[0].arrays("hypothesis").tokens.tolist() * 2


@pytest.mark.parametrize(
    "change", [{"teacher": "u"}, {"tokenizer": "z"}, {"decoding": {"beam_size": 1}}, {"choice": 1}]
)
def test_stores_of_other_teachers_or_settings_are_not_merged(stores, tmp_path, change):
    writer = LabelWriter(tmp_path / "other", HEADER | change, K)
    writer.write_shard([row(9)])
    writer.finish()
    with pytest.raises(UserError, match=f"another {next(iter(change))} than"):
        merge([stores[0], LabelStore(tmp_path / "other")], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damage_and_full_places_leave_nothing_behind(stores, tmp_path):
    (stores[1].directory / "shard-00001.parquet").write_bytes(b"PAR1")
    before = sorted(tmp_path.iterdir())
    for attempt in (
        lambda: merge(stores, tmp_path / "out"),
        lambda: split(stores[1], tmp_path / "out", by_row_boundaries([0, 1])),
    ):
        with pytest.raises(UserError, match=r"shard-00001\.parquet is missing or damaged"):
            attempt()
    with pytest.raises(UserError, match="already exists"):
        merge([stores[0]], tmp_path / "b")
    assert sorted(tmp_path.iterdir()) == before


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(1, 4))
def test_parts_together_are_the_whole(sizes, parts):
    numbers = iter(range(100))
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        store = write(place / "whole", [[row(next(numbers)) for _ in range(size)] for size in sizes])
        boundaries = [store.rows * part // parts for part in range(parts)]
        if parts > store.rows:
            with pytest.raises(UserError, match="would have no rows"):
                split(store, place / "out", by_row_boundaries(boundaries), parts)
            return
        counts = split(store, place / "out", by_row_boundaries(boundaries), parts)
        result = [LabelStore(place / "out" / f"part-{i + 1}") for i in range(parts)]
        assert counts == [part.rows for part in result] and max(counts) - min(counts) <= 1
        assert [r for part in result for r in table_of(part)] == table_of(store)
        for part in result:
            part.check()
        if parts > 1:
            merge(result, place / "again")
            assert table_of(LabelStore(place / "again")) == table_of(store)


def test_split_by_ids(stores, tmp_path):
    (tmp_path / "ids").write_text("id-6\nid-3\n\nunknown\n")
    assert split(stores[1], tmp_path / "out", by_id_file(tmp_path / "ids")) == [2, 2]
    assert LabelStore(tmp_path / "out" / "part-1").ids() == ["id-3", "id-6"]
    with pytest.raises(UserError, match=r"part-1 of .* would have no rows"):
        split(stores[0], tmp_path / "none", by_id_file(tmp_path / "ids"))
    with pytest.raises(UserError, match="nowhere is not a text file"):
        by_id_file(tmp_path / "nowhere")


def test_what_a_store_holds(stores):
    result = describe(stores[0])
    files = sum(path.stat().st_size for path in stores[0].directory.glob("*.parquet"))
    assert result["rows"] == 3 and result["shards"] == 2 and result["hypotheses"] == 6 and result["bytes"] == files
    assert result["hypothesis_tokens"] == stores[0].token_count() == 2 + 3 + 4 + 3 * 2
    assert result["reference_tokens"] == len(stores[0].arrays("reference").tokens) > 0
    assert result["teacher"] == "t" and result["decoding"] == {"beam_size": 4} and result["complete"] is True


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.sampled_from([f"id-{i}" for i in range(30)]), max_size=6), max_size=4))
def test_ids_that_are_there_twice(tables):
    flat = [i for ids in tables for i in ids]
    result = first_duplicate_id(lambda: (pa.table({"id": pa.array(ids, pa.string())}) for ids in tables))
    assert (result is None) == (len(set(flat)) == len(flat))
    assert result is None or flat.count(result) > 1


def test_two_ids_with_one_hash_are_two(monkeypatch):
    monkeypatch.setattr(ids_module, "hash64", lambda text: 7)
    assert first_duplicate_id(lambda: iter([pa.table({"id": ["a", "b"]})])) is None
    assert first_duplicate_id(lambda: iter([pa.table({"id": ["a", "b"]}), pa.table({"id": ["b"]})])) == "b"
