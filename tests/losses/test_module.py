"""The loss for other training loops."""

import pytest
import torch

from distilmt import DistillationLoss, UserError
from distilmt.config import ObjectiveConfig
from distilmt.losses.distillation import LossSettings, TokenTargets, reference_loss
from distilmt.losses.divergences import kl_divergence

ROWS, LENGTH, VOCABULARY, K = 3, 5, 11, 4


@pytest.fixture
def batch():
    torch.manual_seed(1)
    logits = torch.randn(ROWS, LENGTH, VOCABULARY, requires_grad=True)
    labels = torch.randint(0, VOCABULARY, (ROWS, LENGTH))
    labels[1, 3:] = -100
    return logits, labels, torch.randn(ROWS, LENGTH, VOCABULARY)


def top_k_of(teacher):
    logprobs, ids = teacher.log_softmax(-1).topk(K)
    return ids, logprobs


@pytest.mark.parametrize("divergence", ["kl", "reverse_kl", "js", "tv", "skewed_kl"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_equals_the_reference_loss(batch, divergence, smoothing):
    logits, labels, teacher = batch
    ids, logprobs = top_k_of(teacher)
    objective = ObjectiveConfig(kd_weight=0.6, ce_weight=0.4, temperature=2.0, divergence=divergence)
    targets = TokenTargets(labels.flatten(), ids.flatten(0, 1), logprobs.flatten(0, 1))
    expected = reference_loss(logits.flatten(0, 1), targets, LossSettings(objective, smoothing))
    loss = DistillationLoss(alpha=0.6, temperature=2.0, divergence=divergence, label_smoothing=smoothing)
    each = DistillationLoss(0.6, 2.0, divergence, label_smoothing=smoothing, reduction="none")
    assert torch.allclose(loss(logits, labels, teacher_top_k=(ids, logprobs)), expected.sum() / (labels >= 0).sum())
    values = each(logits, labels, teacher_top_k=(ids, logprobs))
    assert values.shape == labels.shape
    assert torch.allclose(values.flatten(), expected)
    assert (values[labels < 0] == 0).all()


def test_a_divergence_has_its_parameters(batch):
    logits, labels, teacher = batch
    values = [
        DistillationLoss(divergence="js", divergence_parameters={"skew_alpha": skew})(logits, labels, teacher)
        for skew in (0.1, 0.5)
    ]
    assert torch.allclose(values[0], DistillationLoss(divergence="js")(logits, labels, teacher))
    assert not torch.allclose(*values)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_full_logits_give_the_divergence_over_the_vocabulary(batch, temperature):
    """The gradient is that of KL(teacher ‖ student) over all tokens, as PyTorch differentiates it."""
    logits, labels, teacher = batch
    loss = DistillationLoss(alpha=1.0, temperature=temperature, reduction="sum")
    (gradient,) = torch.autograd.grad(loss(logits, labels, teacher_logits=teacher), logits)
    counted = labels >= 0
    divergence = kl_divergence(logits[counted], teacher[counted].softmax(-1), temperature).sum()
    (expected,) = torch.autograd.grad(divergence, logits)
    assert torch.allclose(gradient, expected, atol=1e-6)


def test_without_teacher_it_is_cross_entropy(batch):
    logits, labels, _ = batch
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=0.1)
    assert torch.allclose(DistillationLoss(alpha=0, label_smoothing=0.1)(logits, labels), expected)


def test_the_mask_takes_positions_out(batch):
    logits, labels, teacher = batch
    mask = torch.ones_like(labels)
    mask[0] = 0
    loss = DistillationLoss()
    assert torch.allclose(
        loss(logits, labels, teacher, mask=mask), loss(logits[1:], labels[1:], teacher_logits=teacher[1:])
    )
    assert float(loss(logits, labels, teacher, mask=mask * 0).detach()) == 0


def test_half_precision_gives_float32(batch):
    logits, labels, teacher = batch
    loss = DistillationLoss()(logits.bfloat16(), labels, teacher.bfloat16())
    assert loss.dtype == torch.float32
    assert torch.allclose(loss, DistillationLoss()(logits, labels, teacher), rtol=0.02)


def test_no_gradient_reaches_the_teacher(batch):
    logits, labels, teacher = batch
    teacher.requires_grad_()
    DistillationLoss()(logits, labels, teacher).backward()
    assert teacher.grad is None
    assert logits.grad is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "no teacher_logits and teacher_top_k are given: give one"),
        ({"teacher_logits": "x", "teacher_top_k": "x"}, "both teacher_logits and teacher_top_k"),
        ({"teacher_logits": "short"}, r"teacher_logits have shape \(3, 5, 10\).*need \(3, 5, 11\)"),
        ({"mask": "short"}, r"mask have shape \(3, 4\)"),
    ],
)
def test_wrong_inputs_are_one_line(batch, arguments, message):
    logits, labels, teacher = batch
    values = {"x": teacher, "short": teacher[..., :-1]}
    given = {name: values[value] for name, value in arguments.items()}
    if "mask" in given:
        given |= {"mask": labels[:, :-1] >= 0, "teacher_logits": teacher}
    if given.get("teacher_top_k") is not None:
        given["teacher_top_k"] = top_k_of(teacher)
    with pytest.raises(UserError, match=message):
        DistillationLoss()(logits, labels, **given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 1.5}, "alpha is 1.5: it must be at least 0 and at most 1"),
        ({"temperature": 0}, "temperature is 0: it must be at least 0.01"),
        ({"divergence": "js", "tail": "zero"}, "needs tail: bucket"),
        ({"divergence": "hellinger"}, "divergence is 'hellinger': use one of kl, reverse_kl"),
        ({"divergence_parameters": {"skew_alpha": 0.5}}, "divergence 'kl' has no parameter 'skew_alpha': leave it out"),
        ({"divergence": "js", "divergence_parameters": {"skew_alpha": 1.5}}, "skew_alpha is 1.5: it must be at least"),
    ],
)
def test_wrong_settings_are_one_line(arguments, message):
    with pytest.raises(UserError, match=message):
        DistillationLoss(**arguments)
