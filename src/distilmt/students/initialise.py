"""Students that start from their teacher's layers (shrink and fine-tune: Shleifer & Rush 2020)."""

from __future__ import annotations

import torch
from transformers import MarianMTModel

from distilmt.errors import UserError


def evenly(count: int, total: int) -> list[int]:
    """Indices of `count` of `total` layers, first and last among them, evenly spaced."""
    if count == 1:
        return [total - 1]
    return [round(i * (total - 1) / (count - 1)) for i in range(count)]


@torch.no_grad()
def copy_layers(teacher: MarianMTModel, student: MarianMTModel) -> dict[str, list[int]]:
    """Copy embeddings and evenly spaced layers of the teacher into the student, in place.

    Returns:
        Which of the teacher's layers went into the student's, for the model card.

    Raises:
        UserError: the student is wider, narrower or deeper than the teacher.
    """
    ours, theirs = student.config, teacher.config
    for key in ("d_model", "encoder_ffn_dim", "decoder_ffn_dim", "encoder_attention_heads", "vocab_size"):
        if getattr(ours, key) != getattr(theirs, key):
            raise UserError(
                f"student.initialise: teacher needs the student to have the teacher's {key} "
                f"({getattr(ours, key)} ≠ {getattr(theirs, key)}): change the student's shape or use `random`"
            )
    # What layers have learnt, they have learnt with their activation (OPUS-MT: swish) and scale.
    ours.activation_function, ours.scale_embedding = theirs.activation_function, theirs.scale_embedding
    maps = {}
    for name in ("encoder", "decoder"):
        from_stack, to_stack = getattr(teacher.model, name), getattr(student.model, name)
        if len(to_stack.layers) > len(from_stack.layers):
            raise UserError(f"student.initialise: teacher: the student's {name} is deeper than the teacher's")
        maps[name] = evenly(len(to_stack.layers), len(from_stack.layers))
        for layer, index in zip(to_stack.layers, maps[name], strict=True):
            layer.load_state_dict(from_stack.layers[index].state_dict())
            layer.activation_fn = from_stack.layers[index].activation_fn
        to_stack.embed_tokens.load_state_dict(from_stack.embed_tokens.state_dict())
        to_stack.embed_scale = from_stack.embed_scale
    return maps
