"""The family of divergences: by hand, and what holds for any two distributions."""

import math
from typing import get_args

import pytest
import torch
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.config import Divergence, ObjectiveConfig
from distilmt.config.effects import keys_of
from distilmt.losses.divergences import DIVERGENCES, divergence, kl_divergence

KINDS = tuple(DIVERGENCES)
TEACHER = torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64)
STUDENT = torch.tensor([[0.25, 0.5, 0.25]], dtype=torch.float64)
QUARTER = 0.25 * math.log(2)  # KL both ways between these two


def with_parameters(kind: str, log_student: torch.Tensor, teacher: torch.Tensor, value: float) -> torch.Tensor:
    """The divergence with this value for each of its parameters, if it has any."""
    return divergence(kind, log_student, teacher, *[value] * len(DIVERGENCES[kind].parameters))


def middle(share: float) -> tuple[float, float]:
    """KL(q ‖ m) and KL(p ‖ m) of m = share · q + (1 − share) · p, written out for the three words above."""
    first, second = share * 0.5 + (1 - share) * 0.25, share * 0.25 + (1 - share) * 0.5
    of_teacher = 0.5 * math.log(0.5 / first) + 0.25 * math.log(0.25 / second)
    of_student = 0.25 * math.log(0.25 / first) + 0.5 * math.log(0.5 / second)
    return of_teacher, of_student


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("kl", QUARTER),
        ("reverse_kl", QUARTER),
        ("symmetric_kl", QUARTER),
        ("tv", 0.25),
        ("js", 0.3 * middle(0.3)[0] + 0.7 * middle(0.3)[1]),
        ("skewed_kl", middle(0.3)[0]),
        ("skewed_reverse_kl", middle(0.7)[1]),
    ],
)
def test_by_hand(kind, expected):
    assert with_parameters(kind, STUDENT.log(), TEACHER, 0.3).item() == pytest.approx(expected)


def test_opposite_certainties_of_bounded_divergences():
    # Nothing in common: Jensen-Shannon is log 2 at β = ½, total variation 1.
    student, teacher = torch.tensor([[0.0, -1e30]]), torch.tensor([[0.0, 1.0]])
    assert divergence("js", student, teacher, 0.5).item() == pytest.approx(math.log(2))
    assert divergence("tv", student, teacher).item() == 1


seeds = st.integers(0, 10_000)


def logits(seed: int) -> torch.Tensor:
    return torch.randn(5, 9, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2


@settings(deadline=None, max_examples=example_count(60))
@given(seeds, seeds, st.sampled_from(KINDS), st.floats(0.05, 0.95))
def test_never_negative_and_zero_only_at_the_teacher(a, b, kind, skew):
    result = with_parameters(kind, logits(a).log_softmax(-1), logits(b).softmax(-1), skew)
    assert (result >= -1e-12).all()
    if a == b:
        assert result.abs().max() < 1e-9
    else:
        assert result.sum() > 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_words_without_probability_leave_gradients_finite(kind):
    student = torch.tensor([[100.0, 0.0, -1e30], [-3.0, 1.0, 2.0]], requires_grad=True)
    teacher = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    result = with_parameters(kind, student.log_softmax(-1), teacher, 0.1)
    (gradient,) = torch.autograd.grad(result.sum(), student)
    assert torch.isfinite(result).all() and torch.isfinite(gradient).all()


@pytest.mark.parametrize("kind", KINDS)
def test_following_the_gradient_ends_at_the_teacher(kind):
    teacher = logits(1).softmax(-1)
    student = torch.zeros_like(teacher, requires_grad=True)
    begin = with_parameters(kind, student.log_softmax(-1), teacher, 0.5).sum().item()
    optimizer = torch.optim.Adam([student], 0.05)
    for _ in range(400):
        optimizer.zero_grad()
        with_parameters(kind, student.log_softmax(-1), teacher, 0.5).sum().backward()
        optimizer.step()
    assert with_parameters(kind, student.log_softmax(-1), teacher, 0.5).sum().item() < 0.02 * begin


def test_the_plain_divergence_is_one_of_the_family():
    expected = kl_divergence(logits(1), logits(2).softmax(-1))
    torch.testing.assert_close(divergence("kl", logits(1).log_softmax(-1), logits(2).softmax(-1)), expected)


def test_every_divergence_of_the_configuration_has_a_formula():
    assert set(get_args(Divergence)) == set(DIVERGENCES)


@pytest.mark.parametrize("kind", KINDS)
def test_a_parameter_matters_for_its_divergences_only(kind):
    """The configuration and the table of formulas name the same parameters: else a change of one would go unnoticed."""
    keys, values = keys_of(ObjectiveConfig), vars(ObjectiveConfig(divergence=kind))
    parameters = {name for each in DIVERGENCES.values() for name in each.parameters}
    assert {name for name in parameters if keys[name].matters(values)} == set(DIVERGENCES[kind].parameters)


def test_parameters_have_the_defaults_of_the_configuration():
    expected = divergence("js", STUDENT.log(), TEACHER, ObjectiveConfig().skew_alpha)
    assert torch.equal(divergence("js", STUDENT.log(), TEACHER), expected)
