"""What a teacher translated once is not requested again, and nothing else is taken for it."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from helpers import toy

from distilmt.config import LabelConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.labels import writer
from distilmt.labels.ensemble import LabelingTask
from distilmt.labels.labeling import Labeler
from distilmt.labels.store import LabelStore
from distilmt.utils.run_dir import read_json, write_json
from distilmt.utils.step_results import LabelResult

CONFIG = LabelConfig(score_on="both", beam_size=2, num_hypotheses=2, compute_type="float32", top_k=4, shard_size=10)


def sentences(rows, changed=()):
    """Some of 40 sentences, the third without a reference; `changed` have another text under the same id."""
    sources, targets = toy.pairs(40, seed=11)
    others, _ = toy.pairs(40, seed=12)
    targets[2] = None
    return pa.table(
        {
            "id": [f"s{i}" for i in rows],
            "source": [others[i] if i in changed else sources[i] for i in rows],
            "target": [targets[i] for i in rows],
        }
    )


def job(teacher, config=CONFIG):
    return LabelingTask(teacher, tokenizers.load(teacher), config, "en", "it", config.top_k > 0)


def label(table, job, directory, *before):
    shards = (table.slice(start, 10) for start in range(0, table.num_rows, 10))
    return writer.write_label_store(shards, table.num_rows, job, directory, before)


def rows(directory):
    return {row["id"]: row for table in LabelStore(directory).shards() for row in table.to_pylist()}


@pytest.fixture(scope="module")
def before(tmp_path_factory, trained_model):
    directory = tmp_path_factory.mktemp("before")
    label(sentences([31, 2, 5, 8, 1, 20, 22, 23, 24, 25, 26, 3]), job(trained_model), directory)
    return directory


def test_only_what_is_new_is_requested(before, trained_model, tmp_path, monkeypatch):
    requests = []

    def counted(self, table):
        requests.extend(table["id"].to_pylist())
        return whole(self, table)

    whole = Labeler.label
    monkeypatch.setattr(Labeler, "label", counted)
    expected = list(range(35))
    result = label(sentences(expected, changed=[5]), job(trained_model), tmp_path, before, tmp_path / "missing")
    there = {"s31", "s2", "s8", "s1", "s20", "s22", "s23", "s24", "s25", "s26", "s3"}
    assert set(requests) == {f"s{i}" for i in expected} - there and len(requests) == 24
    assert (result.sentences, result.reused) == (35, 11) and result.seconds_per_sentence > 0
    store = LabelStore(tmp_path)
    store.check()
    assert store.ids() == [f"s{i}" for i in expected]
    message, old = rows(tmp_path), rows(before)
    assert all(message[i] == old[i] for i in there) and message["s5"]["source"] != old["s5"]["source"]
    for kind in ("hypothesis", "reference"):
        arrays = store.arrays(kind)
        assert arrays.top_ids.shape == (len(arrays.tokens), 4) and np.isfinite(arrays.top_logprobs).all()


def test_nothing_is_requested_where_all_is_there(before, trained_model, tmp_path, monkeypatch):
    monkeypatch.setattr(Labeler, "__init__", None)
    result = label(sentences([1, 2, 3]), job(trained_model), tmp_path, before)
    assert result == LabelResult(sentences=3, shards=1, reused=3)
    assert rows(tmp_path) == {i: row for i, row in rows(before).items() if i in ("s1", "s2", "s3")}


@pytest.mark.parametrize("change", [{"beam_size": 3}, {"top_k": 2}, {"num_hypotheses": 1}])
def test_other_settings_are_another_question(before, trained_model, tmp_path, change):
    assert label(sentences([1, 2]), job(trained_model, replace(CONFIG, **change)), tmp_path, before).reused == 0


def test_a_store_that_is_not_finished_is_not_used(before, trained_model, tmp_path):
    for file in before.glob("shard-*"):
        (tmp_path / "cut").mkdir(exist_ok=True)
        (tmp_path / "cut" / file.name).write_bytes(file.read_bytes())
    write_json(tmp_path / "cut" / "manifest.json", read_json(before / "manifest.json") | {"complete": False})
    assert label(sentences([1, 2]), job(trained_model), tmp_path / "new", tmp_path / "cut").reused == 0
