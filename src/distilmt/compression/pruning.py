"""Structured pruning of Marian models. The result is a Marian model of a smaller shape, or one with zeros.

Nothing is trained here: the retained parts keep their weights. `importance` measures which parts to remove.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import MarianMTModel

from distilmt.utils.errors import UserError

STACKS = ("encoder", "decoder")
KINDS = ("encoder", "decoder", "cross")
"""Kinds of attention: self-attention of encoder and decoder, and cross-attention (`cross`)."""
Units = dict[str, list[Tensor]]
"""For `encoder` and `decoder`, the importance of the feed-forward units of every layer: tensors [units]."""
Heads = Mapping[str, Sequence[Sequence[int]]]
"""For every kind of attention, the selected heads of every layer."""


def layers(model: MarianMTModel, stack: str) -> list[Any]:
    """The layers of a stack, lowest first."""
    return list(getattr(model.model, stack).layers)


def drop_layers(model: MarianMTModel, encoder_keep: Sequence[int], decoder_keep: Sequence[int]) -> MarianMTModel:
    """A model with some of the layers, in their order and with unchanged weights.

    Args:
        model: the model; it is not changed.
        encoder_keep: indices of the retained encoder layers, ascending.
        decoder_keep: indices of the retained decoder layers, ascending.

    Raises:
        UserError: no layer is retained, or the indices are not layers of the model in ascending order.
    """
    retained_layers = dict(zip(STACKS, (list(encoder_keep), list(decoder_keep)), strict=True))
    for stack, keep in retained_layers.items():
        total = len(layers(model, stack))
        if not keep or keep != sorted(set(keep)) or keep[0] < 0 or keep[-1] >= total:
            raise UserError(f"{stack} layers {keep} are not valid: list some of 0 to {total - 1}, in ascending order")
    state = {}
    for name, value in model.state_dict().items():
        match = re.fullmatch(r"model\.(encoder|decoder)\.layers\.(\d+)(\..*)", name)
        if match is None:
            state[name] = value
        elif int(match[2]) in retained_layers[match[1]]:
            state[f"model.{match[1]}.layers.{retained_layers[match[1]].index(int(match[2]))}{match[3]}"] = value
    return rebuild(model, {f"{stack}_layers": len(keep) for stack, keep in retained_layers.items()}, state)


def narrow_ffn(model: MarianMTModel, encoder_width: int, decoder_width: int, importance: Units) -> MarianMTModel:
    """A model with narrower feed-forward blocks, which retain the most important units of every layer.

    A Marian configuration has one width for all layers of a stack, so that all layers retain equal numbers of units.

    Args:
        model: the model; it is not changed.
        encoder_width: units of every encoder layer (`round_width` rounds to fast widths).
        decoder_width: units of every decoder layer.
        importance: importance of the units, by layer.

    Raises:
        UserError: a width is below 1 or above the model's width.
    """
    state, widths = model.state_dict(), dict(zip(STACKS, (encoder_width, decoder_width), strict=True))
    for stack, width in widths.items():
        total = layers(model, stack)[0].fc1.out_features
        if not 1 <= width <= total:
            raise UserError(f"{stack} feed-forward width is {width}: it must be from 1 to {total}")
        for number, scores in enumerate(importance[stack]):
            units = scores.topk(width).indices.sort().values.to(model.device)
            prefix = f"model.{stack}.layers.{number}"
            for name in ("fc1.weight", "fc1.bias"):
                state[f"{prefix}.{name}"] = state[f"{prefix}.{name}"][units]
            state[f"{prefix}.fc2.weight"] = state[f"{prefix}.fc2.weight"][:, units]
    return rebuild(model, {f"{stack}_ffn_dim": width for stack, width in widths.items()}, state)


def round_width(width: float, multiple: int = 16) -> int:
    """The nearest positive multiple of `multiple`, so that the processor's vector registers are filled."""
    return max(1, round(width / multiple)) * multiple


@torch.no_grad()
def mask_heads(model: MarianMTModel, heads: Heads) -> MarianMTModel:
    """A model with some attention heads masked: their output is multiplied by zero.

    Size and speed do not change. A Marian configuration ties the heads' width to `d_model / heads`, so that heads
    cannot be removed; this measures their importance (Michel et al. 2019).

    Args:
        model: the model; it is not changed.
        heads: the masked heads, by kind and layer; missing kinds retain all heads.
    """
    masked = rebuild(model, {}, model.state_dict())
    for kind, by_layer in heads.items():
        for attention, chosen in zip(attentions(masked, kind), by_layer, strict=True):
            width = attention.head_dim
            for head in chosen:
                attention.out_proj.weight[:, head * width : (head + 1) * width] = 0
    return masked


def attentions(model: MarianMTModel, kind: str) -> list[Any]:
    """The attention modules of a kind, layer by layer."""
    if kind == "cross":
        return [layer.encoder_attn for layer in layers(model, "decoder")]
    return [layer.self_attn for layer in layers(model, kind)]


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


def rebuild(model: MarianMTModel, changes: Mapping[str, Any], state: Mapping[str, Tensor]) -> MarianMTModel:
    """A new float32 model with a changed configuration and the weights `state`, in eval mode."""
    new_model = MarianMTModel(type(model.config).from_dict(model.config.to_dict() | dict(changes)))
    new_model.load_state_dict(dict(state))
    new_model.generation_config = copy.deepcopy(model.generation_config)
    return new_model.to(model.device).eval()  # type: ignore[arg-type]
