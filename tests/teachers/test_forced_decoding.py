import numpy as np
import pytest
import torch
from helpers import toy

from distilmt.models.checkpoint import load_model
from distilmt.teachers.forced_decoding import TokenScores, force_decode


def positions(**changes) -> TokenScores:
    instance = {
        "nll": np.log([2.0, 4.0, 2.0]),
        "entropy": np.zeros(3),
        "confidence": np.array([0.9, 0.9, 0.3]),
        "likeliest": np.array([5, 6, 7]),
        "ids": np.array([5, 6, 8]),
        "lengths": np.array([2, 1]),
        "rows": np.array([0, 1]),
    }
    return TokenScores(**(instance | changes))


def test_statistics_by_hand():
    result = positions()
    assert result.accuracy() == pytest.approx(2 / 3)
    # Two right at .9, one wrong at .3: gaps of .1, .1 and .3, and each bin's gap counts by its positions.
    assert result.calibration_error() == pytest.approx((0.1 + 0.1 + 0.3) / 3)
    assert result.probabilities().tolist() == pytest.approx([1 / 8, 1 / 2])
    assert result.mean_logprobs().tolist() == pytest.approx([-np.log(8) / 2, -np.log(2)])


def test_a_model_scores_as_its_own_forward_pass_does(trained_model, shared_tokenizer):
    sources, targets = toy.pairs(40, seed=9)
    model = load_model(trained_model)
    result = force_decode(model, shared_tokenizer, sources, targets)
    encoded = shared_tokenizer.target.encode(targets)
    assert result.lengths.tolist() == list(map(len, encoded)) and len(result.ids) == sum(map(len, encoded))
    total = 0.0
    for source, ids in zip(sources, encoded, strict=True):
        labels = torch.tensor([ids])
        inputs = torch.tensor(shared_tokenizer.source.encode([source]))
        logits = model.network(input_ids=inputs, labels=labels).logits[0, :, :-1]
        total += torch.nn.functional.cross_entropy(logits, labels[0], reduction="sum").item()
    assert result.nll.sum() == pytest.approx(total, rel=1e-3)
    assert 0 <= result.calibration_error() <= 1 and (result.entropy >= 0).all()


def test_sentences_too_long_are_left_out(trained_model, shared_tokenizer):
    sources, targets = toy.pairs(3, seed=9)
    sources, targets = [sources[0], "ban " * 100, *sources[1:]], [targets[0], "nobata " * 100, *targets[1:]]
    result = force_decode(load_model(trained_model), shared_tokenizer, sources, targets)
    assert len(result.lengths) == 3 and result.rows.tolist() == [0, 2, 3]
