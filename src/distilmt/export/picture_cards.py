"""Instructions for the model cards of students that read pictures: code that turns a picture into frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distilmt.config.rendering import RenderingConfig
from distilmt.export.card import Form
from distilmt.export.ctranslate2_pictures import widest_picture
from distilmt.inference.image_translator import most_tokens
from distilmt.rendering.frames import frame_count

if TYPE_CHECKING:
    from distilmt.models.whisper import WhisperModel

_INTRODUCTION = """
The model reads pictures of one line of text, `{height}` pixels high and at most `{max_columns}` wide. A frame is
`{columns_per_frame}` columns of pixels, side by side: 0 is the background, 1 the strongest ink, for dark and for light
text.
"""
_FEATURES = """HEIGHT, COLUMNS = {height}, {columns_per_frame}


def features(line):
    width = max(1, round(line.width * HEIGHT / line.height))
    line = line.convert("L").resize((width, line.height)).resize((width, HEIGHT))  # in this order
    pixels = np.asarray(line, np.float32).T / 255  # [columns, HEIGHT]
    ink = np.median(pixels) - pixels
    ink = (-ink if ink.sum() < 0 else ink) / max(np.abs(ink).max(), 0.1)
    ink = np.pad(ink, ((0, -len(ink) % {square}), (0, 0)))  # background up to whole squares
    return ink.reshape(-1, COLUMNS * HEIGHT).T.copy()[None]  # [1, frame size, frames] float32


def most_tokens(frames):  # a picture holds no more
    return min({most}, {fewest} + {per_square} * frames.shape[-1] * COLUMNS // HEIGHT)
"""


def picture_form(name: str, library: str, use: str, model: WhisperModel, rendering: RenderingConfig) -> Form:
    """A format as the model cards of students that read pictures name it.

    Args:
        name: name of the format.
        library: library that opens it.
        use: Markdown with `{features}` where the functions `features` and `most_tokens` stand.
        model: the model.
        rendering: the pictures that it reads.
    """
    in_square = frame_count(1, rendering.height, rendering.columns_per_frame)
    values = {
        "height": rendering.height,
        "columns_per_frame": rendering.columns_per_frame,
        "max_columns": widest_picture(model, rendering),
        "square": in_square * rendering.columns_per_frame,
        "most": model.dimensions.max_positions - 1,
        "fewest": most_tokens(1, 1, 0),
        "per_square": most_tokens(1, 1, 1) - most_tokens(1, 1, 0),
    }
    code = _FEATURES.strip().format(**values)
    return Form(f"{name}, reads pictures", library, _INTRODUCTION.format(**values) + use.replace("{features}", code))
