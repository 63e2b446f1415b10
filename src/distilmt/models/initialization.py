"""Initialize a student from its teacher's layers (shrink and fine-tune: Shleifer & Rush 2020)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import MarianMTModel

from distilmt.utils.errors import UserError

LayerSelector = Callable[[int, int], list[int]]


def first_layers(count: int, _: int) -> list[int]:
    """Indices of the first `count` layers: each layer gets the input that it was trained on."""
    return list(range(count))


def spaced_layers(count: int, total: int) -> list[int]:
    """Indices of `count` of `total` layers, evenly spaced, including the first and the last."""
    if count == 1:
        return [total - 1]
    return [round(i * (total - 1) / (count - 1)) for i in range(count)]


@torch.no_grad()
def copy_layers(
    teacher: MarianMTModel, student: MarianMTModel, choose: LayerSelector = spaced_layers
) -> dict[str, list[int]]:
    """Copy embeddings and some layers of the teacher into the student, in place.

    If the teacher's feed-forward blocks are wider, the units with the largest weight norms are copied.

    Args:
        teacher: the model copied from.
        student: the model copied to.
        choose: `first_layers` or `spaced_layers`.

    Returns:
        For `encoder` and `decoder`: the index of the teacher's layer for each of the student's, for the model card.

    Raises:
        UserError: the student's width or number of heads differs, or it is deeper or has wider feed-forward blocks.
    """
    student_config, teacher_config = student.config, teacher.config
    for key in ("d_model", "encoder_ffn_dim", "decoder_ffn_dim", "encoder_attention_heads", "vocab_size"):
        student_value, teacher_value = getattr(student_config, key), getattr(teacher_config, key)
        if student_value > teacher_value or (student_value != teacher_value and not key.endswith("ffn_dim")):
            raise UserError(
                f"student.initialization: the student must have the teacher's {key} "
                f"({student_value} ≠ {teacher_value}): change the student's shape or use `random`"
            )
    # The copied weights were trained with the teacher's activation (OPUS-MT: swish) and embedding scale.
    student_config.activation_function, student_config.scale_embedding = (
        teacher_config.activation_function,
        teacher_config.scale_embedding,
    )
    maps = {}
    for name in ("encoder", "decoder"):
        from_stack, to_stack = getattr(teacher.model, name), getattr(student.model, name)
        if len(to_stack.layers) > len(from_stack.layers):
            raise UserError(
                f"student.initialization: the student's {name} is deeper than the teacher's: "
                "use fewer layers or `random`"
            )
        maps[name] = choose(len(to_stack.layers), len(from_stack.layers))
        for layer, index in zip(to_stack.layers, maps[name], strict=True):
            _copy_layer(from_stack.layers[index], layer)
            layer.activation_fn = from_stack.layers[index].activation_fn
        to_stack.embed_tokens.load_state_dict(from_stack.embed_tokens.state_dict())
        to_stack.embed_scale = from_stack.embed_scale
    return maps


def unit_norms(layer: Any) -> Tensor:
    """Importance of a layer's feed-forward units, [ffn_dim]: input norm times output norm, a bound of their output."""
    # fc1.weight [ffn_dim, d], fc2.weight [d, ffn_dim]
    return layer.fc1.weight.norm(dim=1) * layer.fc2.weight.norm(dim=0)


def _copy_layer(source: Any, target: Any) -> None:
    """Copy a layer; of its feed-forward block, copy as many units as the target has."""
    others = {key: value for key, value in source.state_dict().items() if not key.startswith(("fc1.", "fc2."))}
    target.load_state_dict(others, strict=False)
    units = unit_norms(source).topk(target.fc1.out_features).indices.sort().values
    target.fc1.weight.copy_(source.fc1.weight[units])
    target.fc1.bias.copy_(source.fc1.bias[units])
    target.fc2.weight.copy_(source.fc2.weight[:, units])
    target.fc2.bias.copy_(source.fc2.bias)
