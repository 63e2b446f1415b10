"""Parts taken out of a Marian model. What comes back is a Marian model of a smaller shape, or with zeros in it.

Nothing here is learnt: what is kept, keeps its weights. Which parts to take is measured in `importance`.
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
KINDS = ("encoder", "decoder", "across")
"""Of attention: of the encoder and the decoder over themselves, and of the decoder over the encoder."""
Units = dict[str, list[Tensor]]
"""For `encoder` and `decoder` a tensor [units] of every layer: the higher, the more a feed-forward unit matters."""
Heads = Mapping[str, Sequence[Sequence[int]]]
"""For every kind of attention the heads chosen in every layer."""


def layers(model: MarianMTModel, stack: str) -> list[Any]:
    """The layers of a stack, lowest first."""
    return list(getattr(model.model, stack).layers)


def drop_layers(model: MarianMTModel, encoder_keep: Sequence[int], decoder_keep: Sequence[int]) -> MarianMTModel:
    """A model of some of the layers, in their order, with their weights as they are.

    Args:
        model: stays as it is.
        encoder_keep: indices of the encoder layers that are kept, ascending.
        decoder_keep: the same of the decoder.

    Raises:
        UserError: nothing is kept, or the indices are not layers of the model in ascending order.
    """
    retained_layers = dict(zip(STACKS, (list(encoder_keep), list(decoder_keep)), strict=True))
    for stack, keep in retained_layers.items():
        total = len(layers(model, stack))
        if not keep or keep != sorted(set(keep)) or keep[0] < 0 or keep[-1] >= total:
            raise UserError(f"{stack} layers {keep} cannot be kept: name some of 0 to {total - 1}, in ascending order")
    state = {}
    for name, value in model.state_dict().items():
        match = re.fullmatch(r"model\.(encoder|decoder)\.layers\.(\d+)(\..*)", name)
        if match is None:
            state[name] = value
        elif int(match[2]) in retained_layers[match[1]]:
            state[f"model.{match[1]}.layers.{retained_layers[match[1]].index(int(match[2]))}{match[3]}"] = value
    return rebuild(model, {f"{stack}_layers": len(keep) for stack, keep in retained_layers.items()}, state)


def narrow_ffn(model: MarianMTModel, encoder_width: int, decoder_width: int, importance: Units) -> MarianMTModel:
    """A model with fewer units in its feed-forward blocks, the most important of every layer.

    A Marian configuration knows one width for all layers of a stack, so that each layer keeps as many units.

    Args:
        model: stays as it is.
        encoder_width: units of every encoder layer (`round_width` rounds to what multiplies fast).
        decoder_width: the same of the decoder.
        importance: which units matter, by layer.

    Raises:
        UserError: a width is below 1 or above what the model has.
    """
    state, widths = model.state_dict(), dict(zip(STACKS, (encoder_width, decoder_width), strict=True))
    for stack, width in widths.items():
        total = layers(model, stack)[0].fc1.out_features
        if not 1 <= width <= total:
            raise UserError(f"{stack} feed-forward width {width} is impossible: choose 1 to {total}")
        for number, scores in enumerate(importance[stack]):
            units = scores.topk(width).indices.sort().values.to(model.device)
            prefix = f"model.{stack}.layers.{number}"
            for name in ("fc1.weight", "fc1.bias"):
                state[f"{prefix}.{name}"] = state[f"{prefix}.{name}"][units]
            state[f"{prefix}.fc2.weight"] = state[f"{prefix}.fc2.weight"][:, units]
    return rebuild(model, {f"{stack}_ffn_dim": width for stack, width in widths.items()}, state)


def round_width(width: float, multiple: int = 16) -> int:
    """The nearest width, and at least one, of which vector units of a processor fill whole registers."""
    return max(1, round(width / multiple)) * multiple


@torch.no_grad()
def mask_heads(model: MarianMTModel, heads: Heads) -> MarianMTModel:
    """A model in which some attention heads say nothing: what leaves them is multiplied by zero.

    It is as big and as slow as before. A Marian configuration ties the heads' width to `d_model / heads`, so that no
    head can be left out; this tells what they are worth (Michel et al. 2019).

    Args:
        model: stays as it is.
        heads: which heads, by kind and layer; kinds that are missing keep all.
    """
    masked = rebuild(model, {}, model.state_dict())
    for kind, by_layer in heads.items():
        for attention, chosen in zip(attentions(masked, kind), by_layer, strict=True):
            width = attention.head_dim
            for head in chosen:
                attention.out_proj.weight[:, head * width : (head + 1) * width] = 0
    return masked


def attentions(model: MarianMTModel, kind: str) -> list[Any]:
    """The attention of a kind, layer by layer."""
    if kind == "across":
        return [layer.encoder_attn for layer in layers(model, "decoder")]
    return [layer.self_attn for layer in layers(model, kind)]


def lowest_heads(scores: Mapping[str, Tensor], count: int) -> dict[str, list[list[int]]]:
    """The `count` heads with the lowest scores [layers, heads] of all kinds, as `mask_heads` takes them."""
    order = sorted((float(value), kind, place) for kind, s in scores.items() for place, value in _cells(s))
    chosen = {(kind, *place) for _, kind, place in order[:count]}
    return {
        kind: [[h for h in range(s.shape[1]) if (kind, layer, h) in chosen] for layer in range(len(s))]
        for kind, s in scores.items()
    }


def _cells(scores: Tensor) -> Iterable[tuple[tuple[int, int], Tensor]]:
    return (((layer, head), value) for layer, row in enumerate(scores) for head, value in enumerate(row))


def rebuild(model: MarianMTModel, changes: Mapping[str, Any], state: Mapping[str, Tensor]) -> MarianMTModel:
    """A model like another but for some keys of its configuration and its weights; float32, ready to be trained."""
    new_model = MarianMTModel(type(model.config).from_dict(model.config.to_dict() | dict(changes)))
    new_model.load_state_dict(dict(state))
    new_model.generation_config = copy.deepcopy(model.generation_config)
    return new_model.to(model.device).eval()  # type: ignore[arg-type]
