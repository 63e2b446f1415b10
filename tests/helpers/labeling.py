"""The labeling of a few sentences."""

from __future__ import annotations

import pyarrow as pa

from distilmt.config import LabelConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.labels import writer
from distilmt.labels.ensemble import LabelingTask
from distilmt.labels.store import LabelStore
from helpers import toy

CONFIG = LabelConfig(score_on="both", beam_size=3, num_hypotheses=2, compute_type="float32", top_k=4, shard_size=10)


def sentences(count=35):
    sources, targets = toy.pairs(count, seed=11)
    targets[3] = None
    return pa.table({"id": [f"s{i}" for i in range(count)], "source": sources, "target": targets})


def job(teacher, config=CONFIG, words=None):
    wants = config.top_k > 0 if words is None else words
    return LabelingTask(teacher, tokenizers.load(teacher), config, "en", "it", wants)


def label(table, job, directory):
    size = job.config.shard_size
    shards = (table.slice(start, size) for start in range(0, table.num_rows, size))
    return writer.write_label_store(shards, table.num_rows, job, directory)


def rows(directory):
    return [row for table in LabelStore(directory).shards() for row in table.to_pylist()]
