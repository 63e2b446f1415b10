from dataclasses import replace

import pytest
import torch
import toy

from distilmt.config import ObjectiveConfig, TrainingConfig
from distilmt.students.presets import new_model
from distilmt.training.batching import Ragged, Side, TrainingSet, collate, epoch_batches
from distilmt.training.stepper import Stepper

DEEP = replace(toy.MICRO, encoder_layers=3, decoder_layers=2)
CONFIG = TrainingConfig(batch_tokens=400, precision="fp32", shallow_layers=[2, 1], shallow_share=0.5, average_decay=0)


def stepper(tokenizer, config=CONFIG, seed=1):
    return Stepper(new_model(DEEP, tokenizer, 0.0, 1), config, ObjectiveConfig(word=0, label=1), seed)


def batch(tokenizer):
    sources, targets = toy.pairs(40)
    encoded = Ragged.of(tokenizer.target.encode(targets))
    side = Side(encoded, encoded.lengths > 1)
    source = Ragged.of(tokenizer.source.encode(sources))
    data = TrainingSet(source, side, None, tokenizer.source_pad, tokenizer.pad, 1.0, 64)
    return collate(data, *epoch_batches(data, 400, 1, 0)[0])


def test_a_share_of_the_updates_is_shallow(shared_tokenizer):
    made, again, other = (stepper(shared_tokenizer, seed=seed) for seed in (1, 1, 2))
    drawn, repeated, others = ([s._depth(number) for number in range(1, 401)] for s in (made, again, other))
    assert set(drawn) == {None, (2, 1)} and 150 < drawn.count(None) < 250
    assert drawn == repeated, "a resumed training draws the same"
    assert drawn != others


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_shallow_update_leaves_the_other_layers_alone(shared_tokenizer, share):
    made = stepper(shared_tokenizer, replace(CONFIG, shallow_share=share))
    stacks = made.model.model.encoder.layers, made.model.model.decoder.layers
    before = [[layer.fc1.weight.clone() for layer in stack] for stack in stacks]
    made.update(1, *batch(shared_tokenizer))
    moved = [
        [not torch.equal(weight, layer.fc1.weight) for weight, layer in zip(weights, stack, strict=True)]
        for weights, stack in zip(before, stacks, strict=True)
    ]
    assert moved == ([[True, True, True], [True, True]] if share == 0 else [[True, True, False], [True, False]])
