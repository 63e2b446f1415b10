"""Models that are installed with distilmt: the teacher of the demo, and a student of it."""

from __future__ import annotations

from pathlib import Path

DEMO = "demo"
"""Name of the built-in student on the command line and in Python."""
PAIR = "en-it"
_DIRECTORY = Path(__file__).resolve().parent.parent / "pretrained"
TEACHER = _DIRECTORY / "en-it-teacher"
"""A Marian model in 8 bits, which `distilmt demo` distills."""
STUDENT = _DIRECTORY / "en-it-student"
"""A CTranslate2 model in int8, which translates right after installation."""
