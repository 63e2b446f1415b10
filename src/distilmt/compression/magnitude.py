"""Magnitude pruning: the smallest weights are set to zero. For comparison only: no export gets faster by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from distilmt.compression.pruning import rebuild
from distilmt.models.base import Seq2SeqModel
from distilmt.utils.errors import UserError

_INDEX_BYTES, _ROW_BYTES = 2, 4


@torch.no_grad()
def magnitude(model: Seq2SeqModel, share: float, scope: Literal["model", "matrix"] = "model") -> Seq2SeqModel:
    """Set the smallest weights of all trained matrices, including embeddings, to zero; not biases and norms.

    In further training with `TrainingJob.keep_zeros` they stay zero: pruning and retraining, as in See et al. 2016 and
    Kim & Rush 2016.

    Args:
        model: the model; it is not changed.
        share: share of the weights of all matrices, 0 to below 1.
        scope: `model` compares all weights with each other (class-blind, the best in See et al.); `matrix` prunes the
            same share of every matrix.

    Raises:
        UserError: the share is not between 0 and 1.
    """
    if not 0 <= share < 1:
        raise UserError(f"the share {share:g} of pruned weights must be ≥ 0 and < 1")
    pruned = rebuild(model, model.dimensions, model.state_dict())
    parameters = pruned.matrices()
    for group in [parameters] if scope == "model" else [[matrix] for matrix in parameters]:
        _prune(group, share)
    return pruned


def _prune(group: list[nn.Parameter], share: float) -> None:
    """Set the smallest weights of some matrices to zero: exactly this share of all their weights."""
    sizes = torch.cat([matrix.detach().abs().flatten() for matrix in group])
    keep = torch.ones_like(sizes)
    keep[sizes.argsort()[: int(share * len(sizes))]] = 0
    for matrix, mask in zip(group, keep.split([m.numel() for m in group]), strict=True):
        matrix.mul_(mask.view_as(matrix))


@dataclass(frozen=True)
class Storage:
    """Bytes of a model's matrices in three formats. distilmt does not write or compute with the sparse formats."""

    zeros: float
    """Share of zeros."""
    dense: int
    """All weights."""
    indexed: int
    """CSR: the nonzero weights, each with a column index of two bytes, and four bytes per row."""
    bitmap: int
    """The nonzero weights, and one bit for every weight."""


def storage(model: Seq2SeqModel, weight_bytes: int = 4) -> Storage:
    """Storage of a model's trained matrices, with `weight_bytes` per weight (4: float32, 1: int8)."""
    weights: list[Tensor] = [matrix.detach() for matrix in model.matrices()]
    total, left = sum(m.numel() for m in weights), sum(int(m.count_nonzero()) for m in weights)
    rows = sum(len(m) + 1 for m in weights)
    return Storage(
        zeros=1 - left / total,
        dense=weight_bytes * total,
        indexed=(weight_bytes + _INDEX_BYTES) * left + _ROW_BYTES * rows,
        bitmap=weight_bytes * left + -(-total // 8),
    )
