"""Bytes against what is really written."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from helpers import toy
from helpers.marian import new_network

from distilmt.config import ComputeType, ModelConfig, ObjectiveConfig, TrainingConfig
from distilmt.export.ctranslate2 import export
from distilmt.models.architectures import new_model
from distilmt.planning import sizes
from distilmt.planning.model_counts import ModelDims
from distilmt.training.batching import Ragged, TargetSide, TrainingSet
from distilmt.training.checkpoint_files import BEST, CHECKPOINT
from distilmt.training.trainer import TrainingJob, train

MODEL = ModelConfig(d_model=64, ffn_dim=160, num_heads=4, encoder_layers=3, decoder_layers=2, max_positions=64)


def bytes_of(path) -> int:
    return path.stat().st_size


@pytest.mark.parametrize("compute_type", get_args(ComputeType))
def test_an_export_is_as_big_as_predicted(compute_type, tokenizer, tmp_path):
    export(new_network(MODEL, tokenizer, 0.0, 1), tokenizer, tmp_path / "made", compute_type)
    message = sizes.export_bytes(ModelDims.of(MODEL, len(tokenizer.target.tokens), tokenizer.shared), compute_type)
    assert message == pytest.approx(bytes_of(tmp_path / "made" / "model.bin"), rel=0.02)


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_a_training_writes_what_was_predicted(optimizer, shared_tokenizer, tmp_path):
    sources, targets = toy.pairs(60)
    encoded = Ragged.of(shared_tokenizer.target.encode(targets))
    sides = Ragged.of(shared_tokenizer.source.encode(sources)), TargetSide(encoded, encoded.lengths > 1)
    data = TrainingSet(*sides, None, shared_tokenizer.pad, 1.0, 64)
    config = TrainingConfig(max_steps=2, batch_tokens=256, eval_steps=1, optimizer=optimizer, precision="fp32")
    job = TrainingJob("teacher", data, config, ObjectiveConfig(kd_weight=0, ce_weight=1), 1)
    dims = ModelDims.of(MODEL, len(shared_tokenizer.target.tokens), True)
    best, result, _ = train(
        new_model(MODEL, shared_tokenizer, 0.0, 1), job, lambda _: {"bleu": 1.0, "chrf": 1.0}, tmp_path
    )
    assert result.validation_seconds is not None and result.train_seconds is not None
    assert 0 <= result.validation_seconds <= result.train_seconds + 0.1
    assert sizes.checkpoint_bytes(dims, config) == pytest.approx(bytes_of(tmp_path / CHECKPOINT), rel=0.02)
    assert sizes.best_checkpoint_bytes(dims) == pytest.approx(bytes_of(tmp_path / BEST), rel=0.01)
    (tmp_path / "model").mkdir()
    best.save(tmp_path / "model")
    assert sizes.model_bytes(dims) == pytest.approx(bytes_of(tmp_path / "model" / "model.safetensors"), rel=0.02)


def test_memory_grows_with_parameters_and_batches():
    from distilmt.planning.model_counts import TokenCounts, parameters

    dims, load = ModelDims(64, 3, 2, 160, 160, 4, 1000, True, 64), TokenCounts(1024.0, 1024.0, 4e4, 4e4, 4e4)
    config = TrainingConfig()
    base = sizes.training_memory(dims, load, config, 4)
    more = sizes.training_memory(dims, load * 2, config, 4)
    bigger = replace(dims, vocabulary=9000)
    assert more > base + 1024 * 64 * 4 * 20
    assert sizes.training_memory(bigger, load, config, 4) - base > 7 * 4 * (parameters(bigger) - parameters(dims))


def test_a_random_label_store_is_no_bigger_than_predicted():
    """Ids and log-probabilities hardly shrink: their predicted size after zstd is right within a tenth."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from distilmt.config import LabelConfig
    from distilmt.labels.rows import LabelRow, schema_of, table_of

    rng, rows, k = np.random.default_rng(1), [], 8
    for number in range(400):
        logprobs = -np.sort(rng.exponential(2.0, (20, k))).astype(np.float16)
        top = (rng.integers(0, 3000, (20, k)), logprobs)
        rows.append(LabelRow(f"train-{number:06d}", "a", "b", [("b", list(range(20)), -1.0)], top))
    sink = pa.BufferOutputStream()
    pq.write_table(table_of(rows, schema_of(3000)), sink, compression="zstd")
    message = 400 * sizes.top_k_bytes(LabelConfig(top_k=k, score_on="hypothesis"), 3000, 20.0)
    assert message == pytest.approx(sink.getvalue().size, rel=0.1)
