"""Checks of a run whose student reads pictures, before anything is trained."""

from __future__ import annotations

from distilmt.config import RunConfig
from distilmt.utils.errors import UserError
from distilmt.utils.hardware import world_size


def check_pictures(config: RunConfig) -> None:
    """Check that pictures can be rendered, and that nothing else needs a student of text.

    Raises:
        UserError: packages or fonts are missing, or a setting needs a student of text.
    """
    from distilmt.losses.terms import TEACHER_IN_MEMORY, Need, keys_that_need
    from distilmt.rendering.renderer import Renderer

    student = config.student
    if student.input == "text":
        for key in keys_that_need(student.objective, frozenset([Need.CHARACTERS])):
            raise UserError(
                f"student.objective.{key} is not 0, but student.input is text, which needs no reading: set it to 0"
            )
        return
    if student.input == "speech":
        raise UserError("student.input is speech, which distilmt does not train yet: set it to text or image")
    keys = [f"objective.{key}" for key in keys_that_need(student.objective, TEACHER_IN_MEMORY)]
    keys += ["on_policy.steps"] if student.on_policy.steps else []
    if keys:
        raise UserError(
            f"student.input is image, but student.{keys[0]} is not 0: the teacher reads text, so its states and scores "
            "are of other sources: set it to 0"
        )
    if student.initialization != "random":
        raise UserError(
            f"student.input is image, but student.initialization is {student.initialization}: the teacher's layers "
            "read text: set it to random"
        )
    if world_size() > 1:
        raise UserError("student.input is image, which one process trains: start distilmt without torchrun")
    Renderer.for_training(student.rendering, config.seed)


def refuse_pictures(config: RunConfig, command: str) -> None:
    """Check that a student reads text, for a command that counts or measures work on text.

    Raises:
        UserError: it reads pictures.
    """
    if config.student.input == "image":
        raise UserError(
            f"distilmt {command} is for students that read text, but student.input is image: set it to text, or use "
            "distilmt run"
        )
