"""Counts against models that were really built, and FLOPs against those that torch counts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import toy
from torch.utils.flop_counter import FlopCounterMode

from distilmt.config import ModelConfig, ObjectiveConfig
from distilmt.losses.distillation import LossSettings, TokenTargets, chunked_loss
from distilmt.models.architectures import new_model
from distilmt.models.batch import make_batch
from distilmt.models.presets import parameter_count
from distilmt.planning.model_counts import ModelDims, TokenCounts, decoding, forward, parameters, per_token
from distilmt.training.batching import Ragged

SHAPES = [
    ModelConfig(d_model=32, ffn_dim=96, num_heads=2, encoder_layers=3, decoder_layers=2, max_positions=64),
    ModelConfig(d_model=64, ffn_dim=48, num_heads=4, encoder_layers=1, decoder_layers=4, max_positions=128),
    ModelConfig(preset="micro", max_positions=64),
]


def dims_of(model: ModelConfig, tokenizer) -> ModelDims:
    return ModelDims.of(model, len(tokenizer.target.tokens), tokenizer.shared)


def batch_of(tokenizer, count: int):
    """A batch, what it computes on by its own cells, and its target ids."""
    sources, targets = toy.pairs(count, seed=5)
    source, target = (
        Ragged.of(side.encode(texts)) for side, texts in ((tokenizer.source, sources), (tokenizer.target, targets))
    )
    ids = target.flat.astype(np.int64)
    batch = make_batch(source.flat.astype(np.int64), source.lengths, ids, target.lengths, tokenizer.pad)
    cells = float(sum(rows * width * width for rows, width in batch.blocks))
    rows = [(len(side.flat) // 128 + 1) * 128 for side in (source, target)]
    return batch, TokenCounts(*map(float, rows), cells, cells, cells), torch.from_numpy(ids)


@pytest.mark.parametrize("model", SHAPES)
def test_parameters_are_those_of_the_model(model, tokenizer, tmp_path):
    built, dims = new_model(model, tokenizer, 0.0, 1), dims_of(model, tokenizer)
    assert parameters(dims) == parameter_count(built)
    built.save(tmp_path)
    assert ModelDims.read(tmp_path) == dims


def test_directories_without_a_marian_model_have_no_dims(tmp_path):
    assert ModelDims.read(tmp_path) is None
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    assert ModelDims.read(tmp_path) is None


@pytest.mark.parametrize("model", SHAPES)
def test_flops_are_those_that_torch_counts(model, tokenizer):
    """Forward, and forward and backward with the chunked loss: exactly, in float64, whose products all are counted."""
    built, dims = new_model(model, tokenizer, 0.0, 1).double(), dims_of(model, tokenizer)
    batch, load, ids = batch_of(tokenizer, 70)
    with FlopCounterMode(display=False) as counter:
        built.decoder_rows(batch)
    assert counter.get_total_flops() == 2 * forward(dims, load).layers
    settings = LossSettings(ObjectiveConfig(kd_weight=0.0, ce_weight=1.0))
    with FlopCounterMode(display=False) as counter:
        loss, _ = chunked_loss(
            built.decoder_rows(batch), built.output_layer().weight, None, TokenTargets(ids), settings
        )
        loss.backward()
    assert counter.get_total_flops() == 3 * 2 * forward(dims, load).total


def test_operations_of_compress_are_the_products_of_a_long_enough_sentence(shared_tokenizer, tmp_path):
    """`steps.shrink.operations` leaves out what grows with a sentence's length, and counts the source as the target."""
    from distilmt.recipes.compress_steps import decoding_operations

    model = SHAPES[0]
    new_model(model, shared_tokenizer, 0.0, 1).save(tmp_path)
    alone = TokenCounts(1.0, 1.0, 0.0, 0.0, 0.0)
    assert decoding(dims_of(model, shared_tokenizer), alone, 1).total == decoding_operations(tmp_path, 1)


def test_a_beam_costs_the_decoder_alone(shared_tokenizer):
    dims, load = dims_of(SHAPES[0], shared_tokenizer), TokenCounts(10.0, 12.0, 100.0, 144.0, 120.0)
    one, four = decoding(dims, load, 1), decoding(dims, load, 4)
    assert four.encoder == one.encoder and four.vocabulary == 4 * one.vocabulary
    assert one.decoder < four.decoder < 4 * one.decoder  # the source's keys and values are made once


def test_growth_is_of_the_order_that_was_predicted():
    """Depth: linear; vocabulary: linear in its own part; width: square."""
    dims = ModelDims(64, 2, 2, 256, 256, 4, 1000, True, 128)
    load = TokenCounts(20.0, 20.0, 0.0, 0.0, 0.0)
    base = forward(dims, load)
    deep = forward(replace(dims, encoder_layers=4, decoder_layers=4), load)
    assert deep.layers == 2 * base.layers and deep.vocabulary == base.vocabulary
    wordy = forward(replace(dims, vocabulary=2000), load)
    assert wordy.vocabulary == 2 * base.vocabulary and wordy.layers == base.layers
    wide = forward(replace(dims, d_model=128, encoder_ffn=512, decoder_ffn=512), load)
    assert wide.layers == 4 * base.layers


def test_per_token_parts_sum_to_the_whole():
    dims, load = ModelDims(64, 3, 2, 256, 128, 4, 1000, False, 128), TokenCounts(17.0, 19.0, 400.0, 500.0, 450.0)
    parts, whole = per_token(dims, load), forward(dims, load)
    assert sum(parts["encoder"].values()) * load.source == pytest.approx(whole.encoder)
    assert sum(parts["decoder"].values()) * load.target == pytest.approx(whole.decoder + whole.vocabulary)
