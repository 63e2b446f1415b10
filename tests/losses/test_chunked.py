"""The fast path against the definition: values and gradients, over every kind of term."""

import itertools
from typing import get_args

import pytest
import torch

from distilmt.config import ObjectiveConfig
from distilmt.config.student import Divergence
from distilmt.losses.cross_entropy import label_cross_entropy
from distilmt.losses.distillation import LossSettings, TokenTargets, chunked_loss, reference_loss
from distilmt.losses.top_k import teacher_entropy, top_k_cross_entropy

N, V, D, K = 37, 50, 8, 5
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-5, torch.bfloat16: 1.5e-2}
TAILS = ("bucket", "uniform", "renormalize", "zero")
CONFIGS = [
    ObjectiveConfig(kd_weight=word, ce_weight=label, temperature=temperature, tail=tail, top_k=top_k)
    for word, label in ((0.0, 1.0), (0.7, 0.3), (1.0, 0.0))
    for temperature, tail, top_k in itertools.product((1.0, 2.0), TAILS, (None, 3))
]
METHODS = [
    *({"divergence": name, "skew_alpha": 0.3} for name in get_args(Divergence)),
    *({"entropy_mode": name, "temperature": 2.0} for name in ("penalty", "weight_high", "weight_low", "temperature")),
    {"entropy_mode": "weight_high", "tail": "uniform"},
    *({"token_selection": name} for name in ("batch", "queue", "hard_gate", "teacher_better")),
    {"token_selection": "hard_gate", "tail": "uniform"},
    {"ranking_weight": 0.5},
    {
        "ranking_weight": 0.5,
        "divergence": "js",
        "token_selection": "batch",
        "entropy_mode": "penalty",
        "temperature": 1.5,
    },
]


def case(dtype: torch.dtype, scale: float = 1.0, seed: int = 0) -> tuple[list[torch.Tensor], TokenTargets]:
    make = torch.Generator().manual_seed(seed)
    tensors = [torch.randn(*shape, generator=make) for shape in ((N, D), (V, D), (V,))]
    tensors = [(t * scale).to(dtype).requires_grad_() for t in tensors]
    logprobs, top_ids = (torch.randn(N, V, generator=make) * 2).log_softmax(-1).topk(K)
    ids = torch.where(torch.rand(N, generator=make) < 0.6, top_ids[:, 0], torch.randint(V, (N,), generator=make))
    ids[3], logprobs[5] = -100, -torch.inf
    return tensors, TokenTargets(ids, top_ids, logprobs)


def difference(result: torch.Tensor, expected: torch.Tensor) -> float:
    assert result.shape == expected.shape
    return ((result.double() - expected.double()).norm() / expected.double().norm()).item()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_values_and_gradients_are_those_of_the_definition(dtype, smoothing):
    for config, chunk in itertools.product(CONFIGS, (1, 10, 36, 37, 1000) if dtype == torch.float64 else (10, 1000)):
        (hidden, weight, bias), targets = case(dtype)
        settings = LossSettings(config, smoothing)
        loss, _ = chunked_loss(hidden, weight, bias, targets, settings, chunk)
        plain = reference_loss(hidden @ weight.T + bias, targets, settings).sum()
        assert difference(loss, plain) < TOLERANCE[dtype], (config, chunk)
        for result, expected in zip(
            torch.autograd.grad(loss, (hidden, weight, bias)),
            torch.autograd.grad(plain, (hidden, weight, bias)),
            strict=True,
        ):
            assert result.dtype == dtype
            assert difference(result, expected) < TOLERANCE[dtype], (config, chunk)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_every_method_is_that_of_the_definition(dtype, method):
    config = ObjectiveConfig(kd_weight=0.7, ce_weight=0.3, **method)
    for chunk in (N,) if config.token_selection == "batch" else (10, N):
        (hidden, weight, bias), targets = case(dtype, 0.5 if dtype == torch.bfloat16 else 1.0)
        settings = LossSettings(config, 0.1, torch.tensor(4.4) if config.token_selection == "queue" else None)
        loss, _ = chunked_loss(hidden, weight, bias, targets, settings, chunk)
        plain = reference_loss(hidden @ weight.T + bias, targets, settings).sum()
        assert difference(loss, plain) < TOLERANCE[dtype]
        for result, expected in zip(
            torch.autograd.grad(loss, (hidden, weight, bias)),
            torch.autograd.grad(plain, (hidden, weight, bias)),
            strict=True,
        ):
            assert difference(result, expected) < 2 * TOLERANCE[dtype]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_the_definition_is_the_weighted_sum_of_the_two_cross_entropies(config):
    (hidden, weight, bias), targets = case(torch.float64)
    logits = hidden @ weight.T + bias
    assert targets.top_ids is not None and targets.top_logprobs is not None
    top = targets.top_ids[:, : config.top_k], targets.top_logprobs[:, : config.top_k]
    plain = config.ce_weight * label_cross_entropy(logits, targets.ids.clamp_min(0), 0.1)
    plain = plain + config.kd_weight * top_k_cross_entropy(logits, *top, config.temperature, config.tail)
    result = reference_loss(logits, targets, LossSettings(config, 0.1))
    torch.testing.assert_close(result, torch.where(targets.ids >= 0, plain, 0), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("scale", [0.01, 30.0])
def test_weak_and_extreme_logits(scale):
    for config in CONFIGS:
        (hidden, weight, bias), targets = case(torch.float64, scale)
        settings = LossSettings(config, 0.1)
        loss, _ = chunked_loss(hidden, weight, bias, targets, settings, 16)
        plain = reference_loss(hidden @ weight.T + bias, targets, settings).sum()
        assert difference(loss, plain) < 1e-9
        (result,), (expected,) = torch.autograd.grad(loss, hidden), torch.autograd.grad(plain, hidden)
        assert difference(result, expected) < 1e-5


@pytest.mark.parametrize("config", CONFIGS[::4], ids=str)
def test_numeric_gradients(config):
    (hidden, weight, bias), targets = case(torch.float64)
    rows = slice(0, 8)
    assert targets.top_ids is not None and targets.top_logprobs is not None
    few = TokenTargets(targets.ids[rows], targets.top_ids[rows], targets.top_logprobs[rows])

    def loss(h: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return chunked_loss(h, w, b, few, LossSettings(config, 0.1), 3)[0]

    assert torch.autograd.gradcheck(loss, (hidden[rows].detach().requires_grad_(), weight, bias), fast_mode=True)


def test_the_whole_vocabulary_as_top_words():
    (hidden, weight, bias), targets = case(torch.float64)
    logprobs, top_ids = torch.randn(N, V, dtype=torch.float64).log_softmax(-1).topk(V)
    targets = TokenTargets(targets.ids, top_ids, logprobs.half())
    settings = LossSettings(ObjectiveConfig(), 0.1)
    loss, _ = chunked_loss(hidden, weight, bias, targets, settings, 10)
    plain = reference_loss(hidden @ weight.T + bias, targets, settings).sum()
    assert difference(loss, plain) < 1e-9
    (result,), (expected,) = torch.autograd.grad(loss, weight), torch.autograd.grad(plain, weight)
    assert difference(result, expected) < 1e-6


def test_the_gradient_is_scaled_by_what_comes_back():
    (hidden, weight, bias), targets = case(torch.float64)
    settings = LossSettings(ObjectiveConfig(), 0.1)
    once = torch.autograd.grad(chunked_loss(hidden, weight, bias, targets, settings)[0], hidden)[0]
    half = torch.autograd.grad(chunked_loss(hidden, weight, bias, targets, settings)[0] / 2, hidden)[0]
    torch.testing.assert_close(half, once / 2)


def test_statistics():
    (hidden, weight, bias), targets = case(torch.float64)
    assert targets.top_ids is not None and targets.top_logprobs is not None
    config = ObjectiveConfig(kd_weight=0.7, ce_weight=0.3, temperature=2.0)
    _, result = chunked_loss(hidden, weight, bias, targets, LossSettings(config, 0.1), 10)
    logits, keep = (hidden @ weight.T + bias).detach(), targets.ids >= 0
    nll = torch.nn.functional.cross_entropy(logits, targets.ids, reduction="sum", ignore_index=-100)
    word = top_k_cross_entropy(logits, targets.top_ids, targets.top_logprobs, 2.0)[keep].sum()
    entropy = teacher_entropy(targets.top_logprobs, 2.0, "bucket", V)[keep].sum()
    values = [result.nll.item(), result.distillation.item(), result.entropy.item()]
    assert values == pytest.approx([nll.item(), word.item(), entropy.item()], rel=1e-6)
    assert not result.nll.requires_grad


def test_a_student_that_is_its_teacher_has_nothing_to_learn():
    (hidden, weight, bias), targets = case(torch.float64)
    logprobs, top_ids = (hidden @ weight.T + bias).detach().log_softmax(-1).topk(K)
    targets = TokenTargets(targets.ids, top_ids, logprobs)
    config = ObjectiveConfig(kd_weight=1.0, ce_weight=0.0)
    loss, statistics = chunked_loss(hidden, weight, bias, targets, LossSettings(config))
    assert (statistics.distillation - statistics.entropy).abs() < 1e-9
    assert torch.autograd.grad(loss, hidden)[0].abs().max() < 1e-5


def test_without_gradients_and_without_bias():
    (hidden, weight, _), targets = case(torch.float32)
    settings = LossSettings(ObjectiveConfig(), 0.1)
    with torch.no_grad():
        loss, _ = chunked_loss(hidden, weight, None, targets, settings)
    assert not loss.requires_grad
    only_weight, _ = chunked_loss(hidden.detach(), weight, None, targets, settings)
    (result,) = torch.autograd.grad(only_weight, weight)
    (expected,) = torch.autograd.grad(reference_loss(hidden @ weight.T, targets, settings).sum(), weight)
    assert difference(result, expected) < 1e-5


def test_words_that_are_required_must_be_there():
    (hidden, weight, bias), targets = case(torch.float32)
    with pytest.raises(ValueError, match="no teacher targets"):
        chunked_loss(hidden, weight, bias, TokenTargets(targets.ids), LossSettings(ObjectiveConfig()))


@pytest.mark.parametrize("chunk", [10, 1000])
def test_rows_that_are_no_words_change_nothing(chunk):
    for config in CONFIGS:
        (hidden, weight, bias), targets = case(torch.float64)
        padded = [torch.cat([t.detach(), torch.full((3, *t.shape[1:]), 7.0)]).requires_grad_() for t in (weight, bias)]
        settings = LossSettings(config, 0.1)
        plain, _ = chunked_loss(hidden, weight, bias, targets, settings, chunk)
        loss, _ = chunked_loss(hidden, *padded, targets, settings, chunk, vocabulary=V)
        assert difference(loss, plain) < 1e-9
        target_value = torch.autograd.grad(plain, (hidden, weight, bias))
        states, *result = torch.autograd.grad(loss, (hidden, *padded))
        assert difference(states, target_value[0]) < 1e-9
        for ours, reference in zip(result, target_value[1:], strict=True):
            assert difference(ours[:V], reference) < 1e-9
            assert not ours[V:].any()


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_first_words_that_are_out_of_the_question(dtype):
    """The logarithm of the sum is read off the first words: where their softmax vanishes, nothing becomes infinite."""
    ids = torch.full((4,), 150)
    hidden, weight = torch.ones(4, 1, dtype=dtype).requires_grad_(), torch.zeros(200, 1, dtype=dtype)
    weight[:100] = -3000.0
    config = ObjectiveConfig(kd_weight=0.0, ce_weight=1.0)
    loss, _ = chunked_loss(hidden, weight.requires_grad_(), None, TokenTargets(ids), LossSettings(config))
    gradients = torch.autograd.grad(loss, (hidden, weight))
    assert all(bool(t.isfinite().all()) for t in (loss, *gradients))
