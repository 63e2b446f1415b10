"""Plain text, line by line."""

from __future__ import annotations

import re

from distilmt.formats import Translate
from distilmt.formats.inline import translate_units
from distilmt.formats.units import text_of


def translate_lines(text: str, translate: Translate) -> str:
    """Plain text: a line for a line, with white space and line ends as they were."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    return "".join(text_of(unit) for unit in translate_units([[line] for line in lines], translate))
