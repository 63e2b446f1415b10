"""Structured pruning. The result is a model of the same architecture and a smaller shape, or one with zeros.

Nothing is trained here: the retained parts keep their weights. `importance` measures which parts to remove.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from distilmt.models.base import STACKS, Dimensions, Seq2SeqModel
from distilmt.utils.errors import UserError

Units = dict[str, list[Tensor]]
"""For `encoder` and `decoder`, the importance of the feed-forward units of every layer: tensors [units]."""
Heads = Mapping[str, Sequence[Sequence[int]]]
"""For every kind of attention, the selected heads of every layer."""


def drop_layers(model: Seq2SeqModel, encoder_keep: Sequence[int], decoder_keep: Sequence[int]) -> Seq2SeqModel:
    """A model with some of the layers, in their order and with unchanged weights.

    Args:
        model: the model; it is not changed.
        encoder_keep: indices of the retained encoder layers, ascending.
        decoder_keep: indices of the retained decoder layers, ascending.

    Raises:
        UserError: no layer is retained, or the indices are not layers of the model in ascending order.
    """
    retained_layers = dict(zip(STACKS, (list(encoder_keep), list(decoder_keep)), strict=True))
    dimensions = model.dimensions
    for stack, keep in retained_layers.items():
        total = dimensions.stack(stack).layers
        if not keep or keep != sorted(set(keep)) or keep[0] < 0 or keep[-1] >= total:
            raise UserError(f"{stack} layers {keep} are not valid: list some of 0 to {total - 1}, in ascending order")
        dimensions = dimensions.with_stack(stack, replace(dimensions.stack(stack), layers=len(keep)))
    pruned = model.resized(dimensions)
    state = _state_outside_layers(model)
    for stack, keep in retained_layers.items():
        old_layers, new_layers = model.layers(stack), pruned.layers(stack)
        for new, index in zip(new_layers, keep, strict=True):
            prefix = _name(pruned, new.module)
            values = old_layers[index].module.state_dict()
            state |= {f"{prefix}.{name}": value for name, value in values.items()}
    return _loaded(pruned, state, model.device)


def _state_outside_layers(model: Seq2SeqModel) -> dict[str, Tensor]:
    prefixes = tuple(f"{_name(model, layer.module)}." for stack in STACKS for layer in model.layers(stack))
    return {name: value for name, value in model.state_dict().items() if not name.startswith(prefixes)}


def narrow_ffn(model: Seq2SeqModel, encoder_width: int, decoder_width: int, importance: Units) -> Seq2SeqModel:
    """A model with narrower feed-forward blocks, which retain the most important units of every layer.

    All layers of a stack have one width, so that they retain equal numbers of units.

    Args:
        model: the model; it is not changed.
        encoder_width: units of every encoder layer (`round_width` rounds to fast widths).
        decoder_width: units of every decoder layer.
        importance: importance of the units, by layer.

    Raises:
        UserError: a width is below 1 or above the model's width.
    """
    state, dimensions = model.state_dict(), model.dimensions
    for stack, width in zip(STACKS, (encoder_width, decoder_width), strict=True):
        own = dimensions.stack(stack)
        if not 1 <= width <= own.ffn_dim:
            raise UserError(f"{stack} feed-forward width is {width}: it must be from 1 to {own.ffn_dim}")
        dimensions = dimensions.with_stack(stack, replace(own, ffn_dim=width))
        for layer, scores in zip(model.layers(stack), importance[stack], strict=True):
            units = scores.topk(width).indices.sort().values.to(model.device)  # [width]
            inner, outer = (_name(model, part) for part in (layer.feed_forward.inner, layer.feed_forward.outer))
            for name in (f"{inner}.weight", f"{inner}.bias"):
                state[name] = state[name][units]  # [ffn_dim, d] -> [width, d]; [ffn_dim] -> [width]
            state[f"{outer}.weight"] = state[f"{outer}.weight"][:, units]  # [d, ffn_dim] -> [d, width]
    return rebuild(model, dimensions, state)


def round_width(width: float, multiple: int = 16) -> int:
    """The nearest positive multiple of `multiple`, so that the processor's vector registers are filled."""
    return max(1, round(width / multiple)) * multiple


@torch.no_grad()
def mask_heads(model: Seq2SeqModel, heads: Heads) -> Seq2SeqModel:
    """A model with some attention heads masked: their output is multiplied by zero.

    Size and speed do not change. In most architectures a head's width is `d_model / heads`, so that heads cannot be
    removed; this measures their importance (Michel et al. 2019).

    Args:
        model: the model; it is not changed.
        heads: the masked heads, by kind and layer; missing kinds retain all heads.
    """
    masked = rebuild(model, model.dimensions, model.state_dict())
    for kind, by_layer in heads.items():
        for attention, chosen in zip(masked.attentions(kind), by_layer, strict=True):
            for head in chosen:
                attention.output.weight[:, attention.columns(head)] = 0
    return masked


def lowest_heads(scores: Mapping[str, Tensor], count: int) -> dict[str, list[list[int]]]:
    """The `count` heads with the lowest scores of all kinds, from scores [layers, heads], for `mask_heads`."""
    order = sorted((float(value), kind, place) for kind, s in scores.items() for place, value in _cells(s))
    chosen = {(kind, *place) for _, kind, place in order[:count]}
    return {
        kind: [[h for h in range(s.shape[1]) if (kind, layer, h) in chosen] for layer in range(len(s))]
        for kind, s in scores.items()
    }


def _cells(scores: Tensor) -> Iterable[tuple[tuple[int, int], Tensor]]:
    return (((layer, head), value) for layer, row in enumerate(scores) for head, value in enumerate(row))


def rebuild(model: Seq2SeqModel, dimensions: Dimensions, state: Mapping[str, Tensor]) -> Seq2SeqModel:
    """A new float32 model with these dimensions and the weights `state`, in eval mode."""
    return _loaded(model.resized(dimensions), state, model.device)


def _loaded(model: Seq2SeqModel, state: Mapping[str, Tensor], device: torch.device) -> Seq2SeqModel:
    model.load_state_dict(dict(state))
    return model.to(device).eval()


def _name(model: nn.Module, part: nn.Module) -> str:
    """The name of a module within a model."""
    return next(name for name, module in model.named_modules() if module is part)
