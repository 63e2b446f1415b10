from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from helpers import toy

from distilmt.compression.importance import CalibrationSample, pairs, sample
from distilmt.models.architectures import new_model


@pytest.fixture(scope="session")
def measured(shared_tokenizer):
    """Three batches of toy pairs."""
    return CalibrationSample(sample(pairs(shared_tokenizer, *toy.pairs(40, seed=5), 64), 3, 300))


@pytest.fixture(scope="session")
def untouched(shared_tokenizer):
    """A 3+2 model with random weights that differ from layer to layer, and biases that are not zero; don't change."""
    model = new_model(replace(toy.MICRO, encoder_layers=3, decoder_layers=2), shared_tokenizer, 0.0, 7).eval()
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            p.data.normal_(std=0.1)
    return model


@pytest.fixture
def deep(untouched):
    """The same, to be changed."""
    return copy.deepcopy(untouched)
