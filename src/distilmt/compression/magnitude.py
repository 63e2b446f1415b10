"""Single weights set to zero, the smallest first: for the record, because nothing here gets faster by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import MarianMTModel

from distilmt.compression.pruning import rebuild
from distilmt.utils.errors import UserError

_INDEX_BYTES, _ROW_BYTES = 2, 4


@torch.no_grad()
def magnitude(model: MarianMTModel, share: float, scope: Literal["model", "matrix"] = "model") -> MarianMTModel:
    """A model whose smallest weights are zero, in every matrix that is learnt, embeddings too; biases and norms stay.

    Trained on with `Job.keep_zeros` they stay zero: pruning and retraining, of See et al. 2016 and Kim & Rush 2016.

    Args:
        model: stays as it is.
        share: of the weights of all matrices, 0 to below 1.
        scope: `model` compares all weights with each other (See et al.: class-blind, which they found best), `matrix`
            takes the share of every matrix for itself.

    Raises:
        UserError: the share is not between 0 and 1.
    """
    if not 0 <= share < 1:
        raise UserError(f"a share of {share:g} of the weights cannot be pruned: choose 0 or more, and less than 1")
    pruned = rebuild(model, {}, model.state_dict())
    parameters = matrices(pruned)
    for group in [parameters] if scope == "model" else [[matrix] for matrix in parameters]:
        _prune(group, share)
    return pruned


def matrices(model: MarianMTModel) -> list[nn.Parameter]:
    """The matrices that training changes; tied ones once."""
    return [p for name, p in model.named_parameters() if p.dim() == 2 and "embed_positions" not in name]


def _prune(group: list[nn.Parameter], share: float) -> None:
    """Set the smallest share of the weights of some matrices to zero, exactly so many."""
    sizes = torch.cat([matrix.detach().abs().flatten() for matrix in group])
    keep = torch.ones_like(sizes)
    keep[sizes.argsort()[: int(share * len(sizes))]] = 0
    for matrix, mask in zip(group, keep.split([m.numel() for m in group]), strict=True):
        matrix.mul_(mask.view_as(matrix))


@dataclass(frozen=True)
class Storage:
    """Bytes of a model's matrices, stored in three ways. Nothing in this project stores or computes the sparse ones."""

    zeros: float
    """Share of zeros."""
    dense: int
    """Every weight."""
    indexed: int
    """Weights that are not zero, each with its column in two bytes, and four bytes a row (CSR)."""
    bitmap: int
    """Weights that are not zero, and a bit for every weight."""


def storage(model: MarianMTModel, weight_bytes: int = 4) -> Storage:
    """What a model's learnt matrices would take, at so many bytes a weight (4: float32, 1: int8)."""
    weights: list[Tensor] = [matrix.detach() for matrix in matrices(model)]
    total, left = sum(m.numel() for m in weights), sum(int(m.count_nonzero()) for m in weights)
    rows = sum(len(m) + 1 for m in weights)
    return Storage(
        zeros=1 - left / total,
        dense=weight_bytes * total,
        indexed=(weight_bytes + _INDEX_BYTES) * left + _ROW_BYTES * rows,
        bitmap=weight_bytes * left + -(-total // 8),
    )
