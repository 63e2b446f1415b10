"""Checks of the models' architectures and shapes before a run trains anything."""

from __future__ import annotations

from pathlib import Path

from distilmt.config import ModelConfig, RunConfig
from distilmt.utils.errors import UserError


def teacher_architecture(config: RunConfig) -> str:
    """The teacher's architecture; `marian`, which everything supports, for a teacher that is not in this process."""
    from distilmt.models.architectures import architecture_of

    if not config.teacher.named:
        return config.teacher.model.architecture
    return (architecture_of(Path(config.teacher.path)) if config.teacher.path else None) or "marian"


def check_architectures(config: RunConfig) -> None:
    """Check what a run does with other architectures than Marian before it trains them."""
    from distilmt.export.formats import check_types
    from distilmt.losses.terms import Need, keys_that_need
    from distilmt.models.architectures import architecture

    student, teacher = config.student.model.architecture, teacher_architecture(config)
    if architecture(teacher).reads_frames:
        raise UserError(
            f"teacher.model.architecture {teacher!r} reads frames, but teachers read text: set it to marian"
        )
    if config.student.input == "text" and architecture(student).reads_frames:
        raise UserError(
            f"student.model.architecture {student!r} reads frames, but student.input is text: set it to marian, or "
            "student.input to image or speech"
        )
    for name in [teacher, *([student] if config.student.on_policy.steps else [])]:
        check_types(name, [config.labels.compute_type], "labels.compute_type")
    if config.student.initialization != "random" and not config.teacher.named and student != teacher:
        raise UserError(
            f"student.initialization is {config.student.initialization}, but the student's architecture {student!r} is "
            f"not the teacher's, {teacher!r}: make them equal, or set it to random"
        )
    for key in keys_that_need(config.student.objective, frozenset([Need.ATTENTION])):
        for model, name in (("student", student), ("teacher", teacher)):
            if not architecture(name).records_attention:
                raise UserError(
                    f"student.objective.{key} is not 0, but {model}.model.architecture {name!r} records no attention: "
                    "set it to 0, or the architecture to marian"
                )


def check_shapes(config: RunConfig) -> None:
    """Check that the models that are trained have valid dimensions.

    Raises:
        UserError: a dimension is missing or does not go together with another.
    """
    if not config.teacher.named:
        _check_shape("teacher", config.teacher.model)
    _check_shape("student", config.student.model)


def _check_shape(model: str, config: ModelConfig) -> None:
    from distilmt.models.architectures import check_architecture
    from distilmt.models.presets import shape

    try:
        check_architecture(config.architecture)
        shape(config)
    except UserError as error:
        raise UserError(f"{model}.{error}") from None


def check_layers(config: RunConfig) -> None:
    """Check that the student is as wide as the teacher whose layers it copies.

    Raises:
        UserError: it is not; the message has both widths.
    """
    from distilmt.models.presets import shape

    if config.student.initialization == "random" or config.teacher.named:
        return
    teacher, student = shape(config.teacher.model), shape(config.student.model)
    # Narrower blocks are copied in part: models/initialization.py.
    if (teacher.d_model, teacher.num_heads) != (
        student.d_model,
        student.num_heads,
    ) or student.ffn_dim > teacher.ffn_dim:
        raise UserError(
            f"student.initialization is {config.student.initialization}, but the student's d_model {student.d_model}, "
            f"ffn_dim {student.ffn_dim} and num_heads {student.num_heads} are not the teacher's "
            f"({teacher.d_model}, {teacher.ffn_dim}, {teacher.num_heads}): make them equal (ffn_dim "
            "may be less), or set it to random"
        )
