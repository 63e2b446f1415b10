"""Checks of the models' architectures before a run trains anything."""

from __future__ import annotations

from pathlib import Path

from distilmt.config import RunConfig
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
