"""Values computed by hand, and what holds for any distributions, of the plain losses."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from distilmt.losses.cross_entropy import label_cross_entropy
from distilmt.losses.divergences import cross_entropy_soft, kl_divergence, soften
from distilmt.losses.top_k import teacher_entropy, teacher_outcomes, top_k_cross_entropy

TAILS = ("bucket", "uniform", "renormalize", "zero")
HALF = torch.tensor([[0.5, 0.25, 0.125, 0.125]], dtype=torch.float64)
EVEN = torch.zeros(1, 4, dtype=torch.float64)


def random_logits(seed: int, rows: int = 6, words: int = 12) -> torch.Tensor:
    return torch.randn(rows, words, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2


def top(logits: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    values, ids = logits.log_softmax(-1).topk(k)
    return ids, values


def test_cross_entropy_and_divergence_by_hand():
    assert cross_entropy_soft(EVEN, HALF).item() == pytest.approx(math.log(4))
    assert kl_divergence(EVEN, HALF).item() == pytest.approx(math.log(4) - 1.75 * math.log(2))


def test_softening_by_hand():
    softened = soften(torch.tensor([[0.8, 0.2]]), 2.0)
    assert softened[0, 0].item() == pytest.approx(2 / 3, abs=1e-6)


def test_temperature_is_squared():
    # An even student stays even when softened: T² · log 4 whatever the teacher's distribution.
    assert cross_entropy_soft(EVEN, HALF, 3.0).item() == pytest.approx(9 * math.log(4))


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        # The student is even over four words; the teacher's top two hold 1/2 and 1/4, its bucket 1/4.
        ("bucket", 0.75 * math.log(4) + 0.25 * math.log(2)),
        ("uniform", math.log(4)),
        ("renormalize", math.log(4)),
        ("zero", 0.75 * math.log(4)),
    ],
)
def test_tails_by_hand(tail, expected):
    ids, logprobs = torch.tensor([[0, 1]]), torch.tensor([[0.5, 0.25]]).log()
    assert top_k_cross_entropy(EVEN, ids, logprobs, tail=tail).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("bucket", 1.5 * math.log(2)),
        ("uniform", 1.75 * math.log(2)),
        ("renormalize", math.log(3) - 2 / 3 * math.log(2)),
        ("zero", 0.5 * math.log(2) + 0.25 * math.log(4)),
    ],
)
def test_teacher_entropy_by_hand(tail, expected):
    logprobs = torch.tensor([[0.5, 0.25]]).log()
    assert teacher_entropy(logprobs, 1.0, tail, 4).item() == pytest.approx(expected, abs=1e-6)


def test_temperature_softens_the_bucket_as_one_outcome():
    # 0.64, 0.04 and a bucket of 0.32, square roots 0.8, 0.2 and 0.5657.
    masses = teacher_outcomes(torch.tensor([[0.64, 0.04]]).log(), 2.0, "bucket", 9)[0]
    total = 0.8 + 0.2 + math.sqrt(0.32)
    assert masses.tolist() == pytest.approx([0.8 / total, 0.2 / total, math.sqrt(0.32) / total], abs=1e-6)


def test_label_smoothing_by_hand():
    logits = torch.tensor([[2.0, 0.0]])
    right, wrong = math.log1p(math.exp(-2)), 2 + math.log1p(math.exp(-2))
    expected = 0.8 * right + 0.1 * (right + wrong)
    assert label_cross_entropy(logits, torch.tensor([0]), 0.2).item() == pytest.approx(expected, abs=1e-6)


def test_label_smoothing_is_torchs():
    logits, ids = random_logits(0), torch.arange(6)
    expected = F.cross_entropy(logits, ids, label_smoothing=0.1, reduction="none")
    torch.testing.assert_close(label_cross_entropy(logits, ids, 0.1), expected)


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_all_words_preserved_is_the_dense_loss(tail, temperature):
    student, teacher = random_logits(1), random_logits(2)
    ids, logprobs = top(teacher, 12)
    dense = cross_entropy_soft(student, teacher.softmax(-1), temperature)
    torch.testing.assert_close(top_k_cross_entropy(student, ids, logprobs, temperature, tail), dense)


@pytest.mark.parametrize("k", [3, 11, 12])
def test_float16_labels_of_the_whole_mass_stay_finite(k):
    student, teacher = random_logits(1).requires_grad_(), random_logits(2) * 20
    ids, logprobs = top(teacher, k)
    loss = top_k_cross_entropy(student * 20, ids, logprobs.half())
    (gradient,) = torch.autograd.grad(loss.sum(), student)
    assert torch.isfinite(loss).all() and torch.isfinite(gradient).all()


def test_no_tail_on_either_side_is_finite():
    logits = torch.tensor([[200.0, 0.0, -200.0, -200.0]], requires_grad=True)
    ids, logprobs = torch.tensor([[0, 1]]), torch.tensor([[0.0, -torch.inf]])
    loss = top_k_cross_entropy(logits, ids, logprobs)
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    assert loss.item() == 0 and torch.isfinite(gradient).all()


def test_rows_without_words_cost_nothing():
    logits, (ids, logprobs) = random_logits(1), top(random_logits(2), 4)
    logprobs[2] = -torch.inf
    for tail in TAILS:
        loss = top_k_cross_entropy(logits, ids, logprobs, 2.0, tail)
        assert loss[2] == 0 and (loss[[0, 1, 3, 4, 5]] > 0).all()


temperatures = st.floats(0.5, 4.0)
seeds = st.integers(0, 10_000)


@settings(deadline=None, max_examples=50)
@given(seeds, seeds, temperatures)
def test_divergence_is_never_negative(a, b, temperature):
    divergence = kl_divergence(random_logits(a), random_logits(b).softmax(-1), temperature)
    assert (divergence >= -1e-12).all()
    assert a == b or (divergence > 1e-6).any()


@settings(deadline=None, max_examples=50)
@given(seeds, seeds, st.integers(1, 12), temperatures, st.sampled_from(["bucket", "uniform", "renormalize"]))
def test_word_divergence_is_never_negative(a, b, k, temperature, tail):
    ids, logprobs = top(random_logits(b), k)
    loss = top_k_cross_entropy(random_logits(a), ids, logprobs, temperature, tail)
    assert (loss - teacher_entropy(logprobs, temperature, tail, 12) >= -1e-9).all()


@settings(deadline=None, max_examples=50)
@given(seeds, st.integers(1, 12), temperatures, st.sampled_from(["bucket", "zero"]))
def test_x_against_x_is_zero(seed, k, temperature, tail):
    logits = random_logits(seed)
    ids, logprobs = top(logits, k)
    loss = top_k_cross_entropy(logits, ids, logprobs, temperature, tail)
    entropy = teacher_entropy(logprobs, temperature, tail, 12)
    assert (entropy > 0).any()
    torch.testing.assert_close(loss, entropy, atol=1e-9, rtol=0)


@settings(deadline=None, max_examples=50)
@given(seeds, st.floats(-100, 100), st.sampled_from(TAILS), temperatures)
def test_adding_a_constant_changes_nothing(seed, constant, tail, temperature):
    logits = random_logits(seed)
    ids, logprobs = top(random_logits(seed + 1), 5)
    for loss in (
        lambda z: top_k_cross_entropy(z, ids, logprobs, temperature, tail),
        lambda z: label_cross_entropy(z, ids[:, 0], 0.1),
        lambda z: kl_divergence(z, random_logits(seed + 2).softmax(-1), temperature),
    ):
        torch.testing.assert_close(loss(logits + constant), loss(logits), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("tail", TAILS)
def test_the_minimum_is_at_the_teacher(tail):
    teacher = random_logits(3)
    ids, logprobs = top(teacher, 4)
    logits = teacher.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(top_k_cross_entropy(logits, ids, logprobs, 1.0, tail).sum(), logits)
    if tail == "bucket":
        assert gradient.abs().max() < 1e-9
    else:
        assert gradient.abs().max() > 1e-3
