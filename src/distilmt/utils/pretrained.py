"""Models that are installed with distilmt: the teacher of the demo, and students of it."""

from __future__ import annotations

from pathlib import Path

DEMO = "demo"
"""Name of the built-in student, and of the built-in teacher where a teacher is named."""
DEMO_IMAGES = "demo-images"
"""Name of the built-in student that reads pictures of text."""
PAIR = "en-it"
_DIRECTORY = Path(__file__).resolve().parent.parent / "pretrained"
TEACHER = _DIRECTORY / "en-it-teacher"
"""A Marian model in 8 bits, which `distilmt demo` distills."""
STUDENT = _DIRECTORY / "en-it-student"
"""A CTranslate2 model in int8, which translates right after installation."""
PICTURE_STUDENT = _DIRECTORY / "en-it-picture-student"
"""The same for pictures; `distilmt demo --task images` starts from its encoder."""
STUDENTS = {DEMO: STUDENT, DEMO_IMAGES: PICTURE_STUDENT}


def teacher_name(name: str) -> str:
    """The directory of the teacher that is installed with distilmt for `demo`; any other name unchanged."""
    return str(TEACHER) if name == DEMO and not Path(name).exists() else name
