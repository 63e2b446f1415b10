"""Initialize a student from its teacher's layers (shrink and fine-tune: Shleifer & Rush 2020), or a whole model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from distilmt.models.base import STACKS, FeedForward, LayerView, Seq2SeqModel
from distilmt.utils.errors import UserError

Parts = Literal["all", "encoder"]
"""What of a trained student is copied."""
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
    teacher: Seq2SeqModel, student: Seq2SeqModel, choose: LayerSelector = spaced_layers
) -> dict[str, list[int]]:
    """Copy embeddings, everything else outside the layers, and some layers of the teacher into the student, in place.

    If the teacher's feed-forward blocks are wider, the units with the largest weight norms are copied.

    Args:
        teacher: the model copied from.
        student: the model copied to.
        choose: `first_layers` or `spaced_layers`.

    Returns:
        For `encoder` and `decoder`: the index of the teacher's layer for each of the student's, for the model card.

    Raises:
        UserError: the student's architecture, width or number of heads differs, or it is deeper or has wider
            feed-forward blocks.
    """
    _check_dimensions(teacher, student)
    student.copy_settings(teacher)
    maps: dict[str, list[int]] = {}
    for name in STACKS:
        from_layers, to_layers = teacher.layers(name), student.layers(name)
        if len(to_layers) > len(from_layers):
            raise UserError(
                f"student.initialization: the student's {name} is deeper than the teacher's: "
                "use fewer layers or `random`"
            )
        maps[name] = choose(len(to_layers), len(from_layers))
        for layer, index in zip(to_layers, maps[name], strict=True):
            _copy_layer(from_layers[index], layer)
    _copy_others(teacher, student)
    return maps


def copy_weights(trained: Seq2SeqModel, model: Seq2SeqModel) -> None:
    """Copy all weights and settings of a model into another one of the same architecture and shape, in place.

    Raises:
        UserError: their architectures or shapes differ.
    """
    weights, own = trained.state_dict(), model.state_dict()
    shapes, own_shapes = ({name: value.shape for name, value in state.items()} for state in (weights, own))
    if trained.architecture != model.architecture or shapes != own_shapes:
        raise UserError(
            "teacher.initialization: that model has another shape than teacher.model: make teacher.model equal to its"
            " config.json (architecture, d_model, ffn_dim, num_heads, layers, max_positions)"
        )
    model.copy_settings(trained)
    model.load_state_dict(weights)


@torch.no_grad()
def copy_pretrained(trained: Seq2SeqModel, model: Seq2SeqModel, parts: Parts) -> None:
    """Copy the weights and settings of a trained student into a new one, in place.

    Args:
        trained: the model copied from.
        model: the model copied to.
        parts: `encoder` leaves out the decoder; only for models that read frames. Encoders of different lengths may be
            copied, because their positions are computed.

    Raises:
        UserError: the architectures or shapes differ.
    """
    check_pretrained(trained, model.architecture, sizes_of(model), parts)
    model.copy_settings(trained)
    if parts == "all":
        model.load_state_dict(trained.state_dict())
        return
    encoder, own = trained.frame_encoder, model.frame_encoder
    assert encoder is not None and own is not None
    weights = encoder.state_dict()
    own.load_state_dict({n: w for n, w in weights.items() if not n.startswith("embed_positions.")}, strict=False)


def check_pretrained(trained: Seq2SeqModel, architecture: str, sizes: Mapping[str, int], parts: Parts) -> None:
    """Check that the weights of a trained student, or of its encoder, fit a new one.

    Args:
        trained: the model copied from.
        architecture: that of the new student.
        sizes: those of the new student, by the names of `sizes_of`; the sizes of the encoder are enough for `encoder`.
        parts: what is copied.

    Raises:
        UserError: they do not; the message has both values of each size.
    """
    if trained.architecture != architecture:
        raise UserError(
            f"student.pretrained is a {trained.architecture} model, but the student's architecture is {architecture}: "
            "name a student with the same student.input"
        )
    if parts == "encoder" and trained.frame_encoder is None:
        raise UserError(
            "student.pretrained_parts is encoder, but the encoder of a student of text has the vocabulary too: set it "
            "to all"
        )
    trained_sizes = sizes_of(trained)
    names = [name for name in sizes if parts == "all" or name in _ENCODER_SIZES]
    differing = [
        f"{name} is {trained_sizes[name]} there, {sizes[name]} here"
        for name in names
        if trained_sizes[name] != sizes[name]
    ]
    if differing:
        raise UserError(
            f"student.pretrained has another shape than student.model ({'; '.join(differing)}): make them equal"
        )


_ENCODER_SIZES = ("d_model", "ffn_dim", "num_heads", "encoder_layers", "frame_size")


def sizes_of(model: Seq2SeqModel) -> dict[str, int]:
    """Sizes of a model, named as the keys that set them."""
    dimensions = model.dimensions
    return {
        "d_model": dimensions.d_model,
        "ffn_dim": dimensions.encoder.ffn_dim,
        "num_heads": dimensions.encoder.heads,
        "encoder_layers": dimensions.encoder.layers,
        "decoder_layers": dimensions.decoder.layers,
        "frame_size": model.frame_size,
        "max_positions": dimensions.max_positions,
        "vocabulary": dimensions.vocabulary,
    }


def _check_dimensions(teacher: Seq2SeqModel, student: Seq2SeqModel) -> None:
    if student.architecture != teacher.architecture:
        raise UserError(
            f"student.initialization: the student's architecture is {student.architecture}, but the teacher's is "
            f"{teacher.architecture}: make them equal or use `random`"
        )
    student_sizes, teacher_sizes = _sizes(student), _sizes(teacher)
    for key, student_value in student_sizes.items():
        teacher_value = teacher_sizes[key]
        if student_value > teacher_value or (student_value != teacher_value and not key.endswith("ffn_dim")):
            raise UserError(
                f"student.initialization: the student must have the teacher's {key} "
                f"({student_value} ≠ {teacher_value}): change the student's shape or use `random`"
            )


def _sizes(model: Seq2SeqModel) -> dict[str, int]:
    d = model.dimensions
    return {
        "d_model": d.d_model,
        "encoder_ffn_dim": d.encoder.ffn_dim,
        "decoder_ffn_dim": d.decoder.ffn_dim,
        "encoder_attention_heads": d.encoder.heads,
        "vocab_size": d.vocabulary,
    }


def unit_norms(block: FeedForward) -> Tensor:
    """Importance of a feed-forward block's units, [ffn_dim]: input norm times output norm, a bound of their output."""
    # inner.weight [ffn_dim, d], outer.weight [d, ffn_dim]
    return block.inner.weight.norm(dim=1) * block.outer.weight.norm(dim=0)


def _copy_layer(source: LayerView, target: LayerView) -> None:
    """Copy a layer; of its feed-forward block, copy as many units as the target has."""
    block, other = source.feed_forward, target.feed_forward
    names = {name for name, module in source.module.named_modules() if module in (block.inner, block.outer)}
    state = source.module.state_dict()
    target.module.load_state_dict(
        {key: value for key, value in state.items() if key.rpartition(".")[0] not in names}, strict=False
    )
    units = unit_norms(block).topk(other.inner.out_features).indices.sort().values
    other.inner.weight.copy_(block.inner.weight[units])  # [ffn_dim, d]
    other.inner.bias.copy_(block.inner.bias[units])
    other.outer.weight.copy_(block.outer.weight[:, units])  # [d, ffn_dim]
    other.outer.bias.copy_(block.outer.bias)


def _copy_others(teacher: Seq2SeqModel, student: Seq2SeqModel) -> None:
    """Copy the trained weights outside the layers: embeddings, and final norms where there are any."""
    inside = {id(p) for stack in STACKS for layer in student.layers(stack) for p in layer.module.parameters()}
    state = teacher.state_dict()
    for name, parameter in student.named_parameters():
        if parameter.requires_grad and id(parameter) not in inside:
            parameter.copy_(state[name])
