"""The loss of single positions, method by method, on rows small enough to be worked out."""

import math

import pytest
import torch

from distilmt.config import ObjectiveConfig
from distilmt.config.bounds import check_bounds
from distilmt.losses.distillation import LossSettings, TokenTargets, reference_loss
from distilmt.losses.per_token import TokenLoss, teacher_targets
from distilmt.losses.ranking import ranking
from distilmt.utils.errors import UserError

# Four words. The teacher knows the first two: sure of word 0 in the first row, unsure in the second.
PROBABILITIES = torch.tensor([[0.9, 0.05], [0.4, 0.35]], dtype=torch.float64)
TOP = torch.tensor([[0, 1], [0, 1]])
IDS = torch.tensor([0, 0])
TARGETS = TokenTargets(IDS, TOP, PROBABILITIES.log())
# The student is surer than the teacher of word 0 in the second row only.
STUDENT = torch.tensor([[0.6, 0.2, 0.1, 0.1], [0.8, 0.1, 0.05, 0.05]], dtype=torch.float64).log()


def losses(**config) -> list[float]:
    return reference_loss(STUDENT, TARGETS, LossSettings(ObjectiveConfig(**config))).tolist()


def cross_entropies() -> list[float]:
    return losses(kd_weight=1.0, ce_weight=0.0)


def test_cross_entropy_by_hand():
    expected = -(0.9 * math.log(0.6) + 0.05 * math.log(0.2) + 0.05 * math.log(0.2))
    assert cross_entropies()[0] == pytest.approx(expected)


def test_hard_gate_learns_the_teacher_where_the_student_is_surer():
    result = losses(kd_weight=1.0, ce_weight=1.0, token_selection="hard_gate")
    assert result == pytest.approx([-math.log(0.6), cross_entropies()[1]])


def test_teacher_better_learns_the_teacher_where_that_is_surer():
    result = losses(kd_weight=1.0, ce_weight=1.0, token_selection="teacher_better")
    assert result == pytest.approx([cross_entropies()[0] - math.log(0.6), -math.log(0.8)])


def test_a_label_outside_the_top_words_has_an_even_share():
    recognized = teacher_targets(
        torch.tensor([3, 0]), (TOP, PROBABILITIES.log()), TokenLoss(ObjectiveConfig(), 0.0, 4, True), torch.float64
    )
    assert recognized.at_label.tolist() == pytest.approx([0.05 / 2, 0.4])


def test_the_hardest_half_of_a_batch():
    result = losses(kd_weight=1.0, ce_weight=0.0, token_selection="batch", selection_fraction=0.4)
    assert result == pytest.approx([cross_entropies()[0], 0])


def test_the_hardest_by_what_was_seen_before():
    config = ObjectiveConfig(kd_weight=1.0, ce_weight=0.0, token_selection="queue")
    for threshold, expected in ((0.1, cross_entropies()), (0.4, [cross_entropies()[0], 0]), (0.6, [0, 0])):
        result = reference_loss(STUDENT, TARGETS, LossSettings(config, 0.0, torch.tensor(threshold)))
        assert result.tolist() == pytest.approx(expected)


def entropy(*masses: float) -> float:
    return -sum(m * math.log(m) for m in masses)


@pytest.mark.parametrize("name", ["weight_high", "weight_low"])
def test_weights_by_entropy_have_a_mean_of_one(name):
    sure, unsure = (entropy(*m) / math.log(3) for m in ((0.9, 0.05, 0.05), (0.4, 0.35, 0.25)))
    raw = (sure, unsure) if name == "weight_high" else (1 - sure, 1 - unsure)
    expected = [2 * weight / sum(raw) * loss for weight, loss in zip(raw, cross_entropies(), strict=True)]
    assert losses(kd_weight=1.0, ce_weight=0.0, entropy_mode=name) == pytest.approx(expected)


def test_entropy_is_rewarded():
    result = losses(kd_weight=1.0, ce_weight=0.0, entropy_mode="penalty", entropy_weight=0.5)
    assert result[0] == pytest.approx(cross_entropies()[0] - 0.5 * entropy(0.6, 0.2, 0.2))


def test_certain_positions_are_softened_most():
    terms = TokenLoss(ObjectiveConfig(temperature=3.0, entropy_mode="temperature"), 0.0, 4, True)
    recognized = teacher_targets(IDS, (TOP, PROBABILITIES.log()), terms, torch.float64)
    sure, unsure = recognized.temperature.tolist()
    assert 1 < unsure < sure < 3
    assert sure == pytest.approx(1 + 2 * (1 - entropy(0.9, 0.05, 0.05) / math.log(3)))


def test_ranking_by_hand():
    teacher = torch.tensor([[0.5, 0.3, 0.1]])
    # In order, and every other word behind: nothing to mend.
    assert ranking(torch.tensor([[0.4, 0.3, 0.2]]), torch.tensor([0.05]), teacher).item() == 0
    # The second stands .2 above the first (counted as the first, and as a pair), the third .1 below an outsider.
    result = ranking(torch.tensor([[0.3, 0.5, 0.05]]), torch.tensor([0.15]), teacher)
    assert result.item() == pytest.approx(0.2 + 0.2 + 0.1)


@pytest.mark.parametrize(
    "method", [{}, {"divergence": "js"}, {"ranking_weight": 1.0}, {"entropy_mode": "weight_low"}], ids=str
)
def test_rows_the_teacher_was_not_scored_have_their_label_alone(method):
    targets = TokenTargets(IDS, TOP, torch.full((2, 2), -torch.inf, dtype=torch.float64))
    result = reference_loss(STUDENT, targets, LossSettings(ObjectiveConfig(kd_weight=1.0, ce_weight=0.5, **method)))
    assert result.tolist() == pytest.approx([-0.5 * math.log(0.6), -0.5 * math.log(0.8)])


def test_the_gate_leaves_rows_without_a_teacher_to_their_label():
    targets = TokenTargets(IDS, TOP, torch.full((2, 2), -torch.inf, dtype=torch.float64))
    settings = LossSettings(ObjectiveConfig(kd_weight=1.0, ce_weight=1.0, token_selection="hard_gate"))
    assert reference_loss(STUDENT, targets, settings).tolist() == pytest.approx([-math.log(0.6), -math.log(0.8)])


@pytest.mark.parametrize(
    "wrong", [{"divergence": "js", "tail": "zero"}, {"skew_alpha": 1.0}, {"selection_fraction": 0.0}]
)
def test_what_does_not_go_together_is_stated(wrong):
    with pytest.raises(UserError, match="objective"):
        check_bounds(ObjectiveConfig(**wrong), "student.objective.")
