"""The store gives back what was written, survives kills and full disks, and refuses what does not fit."""

import json
import random
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.document_models import calls
from helpers.label_stores import HEADER, K, row, words, write
from helpers.processes import Process
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.labels.rows import LabelRow
from distilmt.labels.store import LabelStore
from distilmt.labels.store_writer import LabelWriter
from distilmt.utils.errors import UserError


@pytest.fixture
def store(tmp_path):
    return write(tmp_path / "labels", [[row(0), row(1)], [row(2)]])


def test_columns_come_back(store):
    assert (store.rows, store.k) == (3, K)
    assert store.ids() == ["id-0", "id-1", "id-2"]
    assert store.column("reference") == ["reference 0", "reference 1", "reference 2"]
    hypotheses = [h for table in store.shards() for h in table["hypotheses"].to_pylist()]
    assert hypotheses[1] == [
        {"text": "text 1", "tokens": [1, 2, 0], "score": -0.5},
        {"text": "second", "tokens": [9, 0], "score": -1.0},
    ]


def test_arrays_are_flat_and_belong_to_the_best_hypothesis(store):
    arrays = store.arrays("hypothesis")
    assert arrays.tokens.tolist() == [1, 0, 1, 2, 0, 1, 2, 3, 0]
    assert arrays.offsets.tolist() == [0, 2, 5, 9]
    ids, logprobs = words([1, 2, 0], 1)
    np.testing.assert_array_equal(arrays.top_ids[2:5], ids)
    np.testing.assert_array_equal(arrays.top_logprobs[2:5], logprobs.astype(np.float16))
    assert (arrays.top_ids.dtype, arrays.top_logprobs.dtype) == (np.uint16, np.float16)
    assert store.arrays("reference").tokens.tolist() == [5, 6, 0] * 3


@pytest.mark.parametrize("unasked", ["a row", "a shard"])
def test_a_teacher_that_was_not_requested_counts_as_certain(tmp_path, unasked):
    silent = row(2)
    silent.top = None
    silent.hypotheses = [("text", [97, 98, 0], -1.0)]
    shards = [[row(0), silent]] if unasked == "a row" else [[row(0)], [silent]]
    arrays = write(tmp_path, shards).arrays("hypothesis")
    ids, logprobs = arrays.top_ids[2:], arrays.top_logprobs[2:]
    assert ids[:, 0].tolist() == [97, 98, 0]
    assert np.exp(logprobs).tolist() == [[1, 0, 0]] * 3
    # 99 is the pad: it has no logit.
    assert ids.max() < 99 and all(len(set(line)) == K for line in ids.tolist())


def test_no_teacher_and_no_hypotheses(tmp_path):
    rows = [LabelRow("a", "x", None, []), LabelRow("b", "y", None, [("t", [4, 0], -1.0)])]
    store = write(tmp_path, [rows])
    arrays = store.arrays("hypothesis")
    assert (arrays.tokens.tolist(), arrays.offsets.tolist(), arrays.top_ids) == ([4, 0], [0, 0, 2], None)
    assert store.arrays("reference").offsets.tolist() == [0, 0, 0]
    store.check()


def test_without_words(tmp_path):
    rows = [LabelRow("a", "x", "y", [("t", [4, 0], -1.0)], reference_tokens=[3, 0])]
    arrays = write(tmp_path, [rows], k=0).arrays("reference")
    assert arrays.tokens.tolist() == [3, 0] and arrays.top_ids is None and arrays.top_logprobs is None


def test_big_vocabularies_take_wider_ids(tmp_path):
    writer = LabelWriter(tmp_path, HEADER | {"target_vocab_size": 70_000}, 1)
    top = (np.array([[69_000], [0]]), np.zeros((2, 1)))
    writer.write_shard([LabelRow("a", "x", None, [("t", [69_000, 0], 0.0)], top)])
    writer.finish()
    arrays = LabelStore(tmp_path).arrays("hypothesis")
    assert arrays.top_ids.dtype == np.uint32 and arrays.top_ids[0, 0] == 69_000


text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
tokens_of = st.lists(st.integers(0, 98), max_size=8).map(lambda ids: [*ids, 0])
row_of = st.tuples(text, st.none() | text, st.lists(st.tuples(text, tokens_of), max_size=3), st.booleans())


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(row_of, min_size=1, max_size=4), max_size=3))
def test_round_trip(shards):
    instance, number = [], 0
    for shard in shards:
        rows = []
        for source, reference, result, requests in shard:
            top = words(result[0][1], number) if result and requests else None
            hypotheses = [(t, ids, -1.5) for t, ids in result]
            rows.append(LabelRow(f"{number}", source, reference, hypotheses, top))
            number += 1
        instance.append(rows)
    with tempfile.TemporaryDirectory() as directory:
        store = write(Path(directory) / "labels", instance)
        store.check()
        flat = [r for rows in instance for r in rows]
        assert store.ids() == [r.id for r in flat]
        assert store.column("source") == [r.source for r in flat]
        assert store.column("reference") == [r.reference for r in flat]
        arrays = store.arrays("hypothesis")
    for i, r in enumerate(flat):
        at = slice(arrays.offsets[i], arrays.offsets[i + 1])
        assert arrays.tokens[at].tolist() == (r.hypotheses[0][1] if r.hypotheses else [])
        if r.top is not None:
            np.testing.assert_array_equal(arrays.top_ids[at], r.top[0])
            np.testing.assert_array_equal(arrays.top_logprobs[at], r.top[1].astype(np.float16))


def test_unfinished_and_missing_stores_are_refused(tmp_path):
    with pytest.raises(UserError, match="contains no labels"):
        LabelStore(tmp_path / "nowhere")
    LabelWriter(tmp_path / "labels", HEADER, K).write_shard([row(0)])
    with pytest.raises(UserError, match="not finished"):
        LabelStore(tmp_path / "labels")


def test_other_tokenizer_is_refused_with_a_remedy(store):
    store.require("abc")
    with pytest.raises(UserError, match=r"another tokenizer \(abc ≠ xyz\): run `distilmt label` again"):
        store.require("xyz")


@pytest.mark.parametrize("change", [{"teacher": "u"}, {"tokenizer": "z"}, {"decoding": {"beam_size": 1}}])
def test_going_on_with_other_settings_is_refused(store, change):
    with pytest.raises(UserError, match=next(iter(change))):
        LabelWriter(store.directory, HEADER | change, K)
    with pytest.raises(UserError, match="another k: choose another directory"):
        LabelWriter(store.directory, HEADER, K + 1)


def test_damage_is_named(store):
    path = store.directory / "shard-00001.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"shard-00001\.parquet is missing or damaged: run `distilmt label` again"):
        store.check()
    path.write_bytes(data[:20])
    with pytest.raises(UserError, match=r"shard-00001\.parquet"):
        store.arrays("hypothesis")
    path.unlink()
    with pytest.raises(UserError, match=r"shard-00001\.parquet"):
        store.ids()


def test_a_writer_writes_damaged_shards_again(store):
    (store.directory / "shard-00001.parquet").write_bytes(b"PAR1")
    writer = LabelWriter(store.directory, HEADER, K)
    assert writer.done() == {0}
    writer.write_shard([row(7)])
    writer.finish()
    mended = LabelStore(store.directory)
    mended.check()
    assert mended.ids() == ["id-0", "id-1", "id-7"]


def test_shards_may_come_in_any_order(tmp_path, store):
    writer = LabelWriter(tmp_path / "other", HEADER, K)
    writer.write_shard([row(2)], number=1)
    assert LabelWriter(tmp_path / "other", HEADER, K).done() == {1}
    unfinished = LabelStore(tmp_path / "other", unfinished=True)
    unfinished.check()
    assert unfinished.ids() == ["id-2"] and not unfinished.complete
    writer.write_shard([row(0), row(1)])
    writer.finish()
    assert writer.manifest == store.manifest
    assert LabelStore(tmp_path / "other").ids() == ["id-0", "id-1", "id-2"]


def test_rows_and_manifest_must_agree(store):
    path = store.directory / "manifest.json"
    for change in ({"rows": 4}, {"shards": [store.manifest["shards"][0] | {"rows": 1}, *store.manifest["shards"][1:]]}):
        path.write_text(json.dumps(store.manifest | change))
        with pytest.raises(UserError, match=r"is missing or damaged|does not match its shards"):
            LabelStore(store.directory).check()


def test_an_id_that_is_there_twice_is_detected(tmp_path):
    with pytest.raises(UserError, match="'id-1' occurs more than once"):
        write(tmp_path, [[row(1)], [row(2), row(1)]]).check()


def test_positions_must_be_those_of_the_tokens(tmp_path):
    wrong = row(1)
    wrong.top = words([1, 2, 3, 4, 5])
    with pytest.raises(UserError, match="'id-1' has a different number of positions and tokens"):
        write(tmp_path, [[row(0), wrong]]).check()


def test_another_format_is_refused(store):
    path = store.directory / "manifest.json"
    path.write_text(json.dumps(store.manifest | {"format": 99}))
    with pytest.raises(UserError, match="another version"):
        LabelStore(store.directory)


WRITER = """
import sys
from pathlib import Path
from helpers.label_stores import HEADER, K, LabelWriter, row
writer = LabelWriter(Path(sys.argv[1]), HEADER, K)
for shard in range(len(writer.done()), 60):
    writer.write_shard([row(shard * 20 + i) for i in range(20)])
writer.finish()
"""


def test_kill_at_any_moment_loses_and_doubles_nothing(tmp_path):
    directory, before, killed = tmp_path / "labels", 0, 0
    moments = random.Random(1)
    for _ in range(6):
        process = Process(directory, program=WRITER)
        time.sleep(moments.uniform(0.01, 0.12))
        killed += process.poll() is None
        process.kill()
        process.wait()
        path = directory / "manifest.json"
        shards = json.loads(path.read_text())["shards"] if path.exists() else []
        assert len(shards) >= before
        before = len(shards)
        assert all(pq.read_metadata(directory / s["name"]).num_rows == s["rows"] for s in shards)
    assert killed
    assert Process(directory, program=WRITER).wait() == 0
    store = LabelStore(directory)
    store.check()
    assert store.ids() == [f"id-{i}" for i in range(1200)]
    assert sorted(p.name for p in directory.iterdir()) == sorted(
        ["manifest.json", *(s["name"] for s in store.manifest["shards"])]
    )


def test_a_manifest_that_a_killed_process_had_begun_is_removed(store):
    stray = store.directory / ".manifest.json.999999.tmp"
    stray.write_text("{")
    LabelWriter(store.directory, HEADER, K)
    assert not stray.exists() and LabelStore(store.directory).rows == 3


def test_full_disk_leaves_a_store_that_goes_on(tmp_path):
    writer = LabelWriter(tmp_path, HEADER, K)
    writer.write_shard([row(0)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError):
            writer.write_shard([row(1)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["manifest.json", "shard-00000.parquet"]
    again = LabelWriter(tmp_path, HEADER, K)
    assert again.done() == {0}
    again.write_shard([row(1)])
    again.finish()
    LabelStore(tmp_path).check()


def test_many_rows_load_without_a_loop(tmp_path):
    """Eight times as many rows in as many shards need hardly more calls."""
    tokens = [*range(1, 17), 0]
    top = words(tokens)
    rows = [
        LabelRow(f"{i}", "s", "r", [("t", tokens, 0.0)], top, reference_tokens=tokens, reference_top=top)
        for i in range(4000)
    ]

    def loaded(count):
        store = write(tmp_path / str(count), [rows[: count // 2], rows[count // 2 : count]])
        shapes = []
        number = calls(lambda: shapes.extend(store.arrays(kind).top_ids.shape for kind in ("hypothesis", "reference")))
        assert shapes == [(count * 17, K)] * 2
        return number

    loaded(100)  # imports
    assert loaded(4000) < 1.5 * loaded(500)
