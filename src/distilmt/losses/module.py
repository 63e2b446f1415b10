"""The distillation loss as a module for any training loop: a plain one, or Hugging Face's `Trainer`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from distilmt.config import Divergence, ObjectiveConfig, Tail
from distilmt.config.bounds import check_bounds
from distilmt.losses.distillation import LossSettings, TokenTargets, reference_loss
from distilmt.losses.divergences import DIVERGENCES, widened
from distilmt.utils.arguments import choice, number
from distilmt.utils.errors import UserError

Reduction = Literal["mean", "sum", "none"]
_IGNORED = -1


def _set_parameters(objective: ObjectiveConfig, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        if name not in DIVERGENCES[objective.divergence].parameters:
            raise UserError(f"divergence {objective.divergence!r} has no parameter {name!r}: leave it out")
        setattr(objective, name, number(name, value, -math.inf, math.inf))


class DistillationLoss(nn.Module):
    """`alpha` · distillation from the teacher + (1 − `alpha`) · cross-entropy with the labels.

    The formulas are those of distilmt's own training (`losses.distillation.reference_loss`). Under `kl` the
    distillation term is the cross-entropy with the teacher's distribution: the divergence plus a constant, with the
    same gradients.

    Examples:
        Logits have the shape [sentences, positions, vocabulary], labels [sentences, positions].

        >>> import torch
        >>> loss_function = distilmt.DistillationLoss(alpha=0.5)
        >>> student, teacher = torch.zeros(1, 2, 3, requires_grad=True), torch.ones(1, 2, 3)
        >>> loss = loss_function(student, torch.tensor([[0, 2]]), teacher_logits=teacher)
        >>> loss.backward()
        >>> round(loss.item(), 4)
        1.0986
    """

    def __init__(
        self,
        alpha: float = 0.7,
        temperature: float = 1.0,
        divergence: Divergence = "kl",
        tail: Tail = "bucket",
        divergence_parameters: Mapping[str, float] | None = None,
        label_smoothing: float = 0.0,
        reduction: Reduction = "mean",
    ) -> None:
        """Set the weights.

        Args:
            alpha: weight of the distillation term, 0 to 1; the labels have the rest.
            temperature: softens both distributions; the term is multiplied by its square.
            divergence: divergence between the teacher's and the student's distribution.
            tail: use of the teacher's probability outside the top k; all divergences but `kl` need `bucket`.
            divergence_parameters: values by name, as in `student.objective`: `{"skew_alpha": 0.5}` for `js` and the
                skewed divergences.
            label_smoothing: share of the label's probability that is spread over the vocabulary.
            reduction: `mean` over the counted positions, their `sum`, or `none`: the loss of every position.

        Raises:
            TypeError: a number is of another type.
            UserError: a value is out of bounds, or two of them exclude each other.
        """
        super().__init__()
        for name, value in (("alpha", alpha), ("label_smoothing", label_smoothing)):
            number(name, value, 0, 1)
        number("temperature", temperature, 0, math.inf)
        choice("tail", tail, get_args(Tail))
        choice("reduction", reduction, get_args(Reduction))
        if divergence not in DIVERGENCES:
            raise UserError(f"divergence is {divergence!r}: use one of {', '.join(DIVERGENCES)}")
        objective = ObjectiveConfig(
            kd_weight=alpha, ce_weight=1 - alpha, temperature=temperature, divergence=divergence, tail=tail
        )
        _set_parameters(objective, divergence_parameters or {})
        check_bounds(objective)
        self._settings = LossSettings(objective, label_smoothing)
        self.reduction = reduction

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        teacher_logits: Tensor | None = None,
        teacher_top_k: tuple[Tensor, Tensor] | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """The loss of a batch.

        Args:
            logits: [..., V] the student's logits; any floating-point type.
            labels: [...] token ids; positions with a negative id (-100) are ignored.
            teacher_logits: [..., V] the teacher's logits over the same vocabulary.
            teacher_top_k: instead of them, the ids and log-probabilities of the teacher's most likely tokens, [..., k]
                each, most likely first and distinct. A position with only -inf has no teacher, just its label.
            mask: [...] positions that count, nonzero or true; None: all.

        Returns:
            A scalar, in at least float32; [...] under the reduction `none`, zero at ignored positions.

        Raises:
            TypeError: the labels are not whole numbers.
            UserError: shapes do not match, or the teacher's distribution is missing or given twice.
        """
        if labels.is_floating_point():
            raise TypeError(f"labels are {labels.dtype}: give token ids, such as torch.int64")
        _check_shape("labels", labels, logits.shape[:-1])
        ids = labels
        if mask is not None:
            _check_shape("mask", mask, labels.shape)
            ids = labels.masked_fill(mask == 0, _IGNORED)
        ids = ids.reshape(-1)
        targets = TokenTargets(ids, *self._teacher(logits, teacher_logits, teacher_top_k))
        losses = reference_loss(logits.reshape(-1, logits.shape[-1]), targets, self._settings)
        if self.reduction == "none":
            return losses.reshape(labels.shape)
        total = losses.sum()
        return total / (ids >= 0).sum().clamp_min(1) if self.reduction == "mean" else total

    def _teacher(
        self, logits: Tensor, teacher_logits: Tensor | None, top_k: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """Token ids and log-probabilities of the teacher, [N, k] each; with full logits k is V."""
        if self._settings.objective.kd_weight == 0:
            return None, None
        if (teacher_logits is None) == (top_k is None):
            number = "no" if top_k is None else "both"
            raise UserError(f"{number} teacher_logits and teacher_top_k are given: give one of them, or set alpha to 0")
        if top_k is not None:
            ids, logprobs = top_k
            _check_shape("teacher_top_k ids", ids, (*logits.shape[:-1], ids.shape[-1]))
            _check_shape("teacher_top_k log-probabilities", logprobs, ids.shape)
            return ids.reshape(-1, ids.shape[-1]), logprobs.detach().reshape(-1, ids.shape[-1])
        assert teacher_logits is not None
        _check_shape("teacher_logits", teacher_logits, logits.shape)
        rows = teacher_logits.detach().reshape(-1, logits.shape[-1])
        every_token = torch.arange(logits.shape[-1], device=logits.device).expand(len(rows), -1)
        return every_token, torch.log_softmax(widened(rows), dim=-1)


def _check_shape(name: str, values: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(values.shape) != tuple(shape):
        raise UserError(f"{name} have shape {tuple(values.shape)}, but the student's logits need {tuple(shape)}")
