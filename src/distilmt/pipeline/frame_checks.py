"""Checks of a run whose student reads pictures or hears speech, before anything is trained."""

from __future__ import annotations

from distilmt.config import RunConfig
from distilmt.config.voices import VoicesConfig
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import world_size


def check_frames(config: RunConfig) -> None:
    """Check that pictures or recordings can be rendered, and that nothing else needs a student of text.

    Raises:
        UserError: packages, fonts or voices are missing, or a setting needs a student of text.
    """
    from distilmt.losses.terms import TEACHER_IN_MEMORY, Need, keys_that_need
    from distilmt.rendering.recorded_texts import recorded_texts
    from distilmt.rendering.renderers import training_renderer

    student, frames = config.student, config.frames
    characters = keys_that_need(student.objective, frozenset([Need.CHARACTERS]))
    if frames is None:
        for key in characters:
            raise UserError(
                f"student.objective.{key} is not 0, but student.input is text, which needs no reading: set it to 0"
            )
        return
    keys = [f"objective.{key}" for key in keys_that_need(student.objective, TEACHER_IN_MEMORY)]
    keys += ["on_policy.steps"] if student.on_policy.steps else []
    if keys:
        raise UserError(
            f"student.input is {student.input}, but student.{keys[0]} is not 0: the teacher reads text, so its states "
            "and scores are of other sources: set it to 0"
        )
    if student.initialization != "random":
        raise UserError(
            f"student.input is {student.input}, but student.initialization is {student.initialization}: the teacher's "
            "layers read text: set it to random"
        )
    if world_size() > 1:
        raise UserError(f"student.input is {student.input}, which one process trains: start distilmt without torchrun")
    renderer = training_renderer(frames, config.seed)
    if isinstance(frames, VoicesConfig):
        recorded_texts(frames.held_out_recordings)
    _check_width(config, characters, renderer.outputs_per_position)


def _check_width(config: RunConfig, keys: list[str], parts: int) -> None:
    """Check that a state of the encoder has equal parts, each of which names a character."""
    from distilmt.models.presets import shape

    width = shape(config.student.model).d_model
    if keys and width % parts:
        raise UserError(
            f"student.objective.{keys[0]} is not 0, but student.model.d_model is {width}, no multiple of "
            f"student.voices.stack, {parts}: make it one"
        )


def require_text(config: RunConfig, command: str) -> None:
    """Check that a student reads text, for a command that counts or measures work on text.

    Raises:
        UserError: it reads pictures or hears speech.
    """
    if config.student.input != "text":
        raise UserError(
            f"distilmt {command} is for students that read text, but student.input is {config.student.input}: set it "
            "to text, or use distilmt run"
        )
