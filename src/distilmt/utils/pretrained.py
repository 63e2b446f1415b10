"""Models that are installed with distilmt: the teacher of the demo, and a student of it."""

from __future__ import annotations

from pathlib import Path

DEMO = "demo"
"""Name of the built-in student, and of the built-in teacher where a teacher is named."""
PAIR = "en-it"
_DIRECTORY = Path(__file__).resolve().parent.parent / "pretrained"
TEACHER = _DIRECTORY / "en-it-teacher"
"""A Marian model in 8 bits, which `distilmt demo` distills."""
STUDENT = _DIRECTORY / "en-it-student"
"""A CTranslate2 model in int8, which translates right after installation."""


def teacher_name(name: str) -> str:
    """The directory of the teacher that is installed with distilmt for `demo`; any other name unchanged."""
    return str(TEACHER) if name == DEMO and not Path(name).exists() else name
