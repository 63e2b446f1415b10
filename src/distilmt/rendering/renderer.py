"""Text to columns of pixels: fonts, sizes, degradation, the same ones for the same seed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from distilmt.config.rendering import RenderingConfig
from distilmt.rendering.degradations import degrade
from distilmt.rendering.drawing import MAX_PICTURE_WIDTH, LineBox, columns_of, draw_line, line_box
from distilmt.rendering.fonts import Face, held_out_faces, training_faces
from distilmt.rendering.frames import frame_count, frames_of
from distilmt.rendering.lines import line_of, required_glyphs
from distilmt.rendering.styles import Style, sample_style
from distilmt.rendering.text_renderer import Absence
from distilmt.utils.errors import UserError
from distilmt.utils.extras import explained
from distilmt.utils.json_types import JsonMapping
from distilmt.utils.seeds import SeedStream

if TYPE_CHECKING:
    from PIL import Image


class UnrenderableError(UserError):
    """A text of which there is no picture: no font has all its characters, or it is too long."""


class Renderer:
    """Renders texts in the fonts and within the bounds of a configuration.

    A picture depends on the configuration, the fonts, the seed, the id of its text and the epoch, but not on which
    pictures were rendered before: any order, process or machine with the same fonts and Pillow makes the same ones.
    """

    noun = "pictures"
    remedy = (
        "install fonts of the script (`apt-get install fonts-dejavu-core`; for Chinese `fonts-noto-cjk`), or name font "
        "files in student.rendering.fonts"
    )

    def __init__(self, config: RenderingConfig, faces: Sequence[Face], seed: int) -> None:
        """Render in these faces.

        Raises:
            UserError: Pillow is not installed.
        """
        with explained("rendering text"):
            import PIL.Image  # noqa: F401
        self.config, self.faces, self.seed = config, list(faces), seed

    @property
    def outputs_per_position(self) -> int:
        """As `TextRenderer.outputs_per_position`."""
        return self.config.outputs_per_position

    @classmethod
    def for_training(cls, config: RenderingConfig, seed: int) -> Renderer:
        """A renderer in the fonts for training.

        Raises:
            UserError: none of them is installed, or a Python package is missing.
        """
        return cls(config, training_faces(config), seed)

    @classmethod
    def for_measuring(cls, config: RenderingConfig, seed: int) -> Renderer:
        """A renderer in the held-out fonts; errors as `for_training`."""
        return cls(config, held_out_faces(config), seed)

    @property
    def names(self) -> list[str]:
        """As `TextRenderer.names`: the families of the faces."""
        return sorted({face.family for face in self.faces})

    @property
    def variants(self) -> int:
        """As `TextRenderer.variants`."""
        return self.config.variants

    @property
    def row_size(self) -> int:
        """As `TextRenderer.row_size`: pixels of a column."""
        return self.config.height

    def sources(self, texts: Sequence[str], ids: Sequence[str], epoch: int = 0) -> Iterator[np.ndarray | Absence]:
        """As `TextRenderer.sources`: pictures as of `render`."""
        for text, text_id in zip(texts, ids, strict=True):
            picture = self.picture_of(text, text_id, epoch)
            yield _absence(self.covers(text)) if picture is None else picture

    def rows(self, source: np.ndarray) -> np.ndarray:
        """As `TextRenderer.rows`: the columns of pixels."""
        return source

    def frame_count(self, length: int) -> int:
        """As `TextRenderer.frame_count`."""
        return frame_count(length, self.config.height, self.config.columns_per_frame)

    def frames(self, rows: np.ndarray) -> np.ndarray:
        """As `TextRenderer.frames`."""
        return frames_of(rows, self.config.columns_per_frame)

    def transcript(self, text: str) -> str:
        """As `TextRenderer.transcript`: what is drawn."""
        return line_of(text)

    def absence_reason(self, absence: Absence) -> str:
        """As `TextRenderer.absence_reason`."""
        if absence is Absence.TOO_LONG:
            return f"are wider than {self.config.max_columns:,} columns"
        families = self.names
        named = ", ".join(families[:3]) + (f" and {len(families) - 3} more" if len(families) > 3 else "")
        return f"have characters that no font has ({named})"

    def fingerprint(self) -> JsonMapping:
        """As `TextRenderer.fingerprint`."""
        from PIL import __version__ as pillow

        faces = [(str(face.path), face.index, face.path.stat().st_size) for face in self.faces]
        return {"config": asdict(self.config), "seed": self.seed, "faces": faces, "pillow": pillow}

    def render(self, text: str, text_id: str, epoch: int = 0) -> np.ndarray:
        """The picture of a text in one line.

        Args:
            text: the text; line breaks become spaces.
            text_id: id of its row in the label store.
            epoch: number of the pass over the data: each has other pictures.

        Returns:
            [columns, height] uint8: the columns of pixels from left to right, 0 is black. At most `max_columns`.

        Raises:
            UnrenderableError: no font has all its characters, or it is too long.
        """
        return columns_of(self.line_image(text, text_id, epoch), self.config.height, self.config.max_columns)

    def line_image(self, text: str, text_id: str, epoch: int = 0) -> Image.Image:
        """The picture of a text in shades of gray before it is scaled to `height`; as `render`."""
        line = line_of(text)
        generator = np.random.default_rng((self.seed, epoch, text_number(text_id), SeedStream.RENDERING))
        style = sample_style(self.config, self._sample_face(line, generator), generator)
        image = draw_line(line, style, self._checked_box(line, style))
        return image if style.degradation is None else degrade(image, style.background, style.degradation)

    def picture_of(self, text: str, text_id: str, epoch: int = 0) -> np.ndarray | None:
        """As `render`; None if there is no picture of the text."""
        try:
            return self.render(text, text_id, epoch)
        except UnrenderableError:
            return None

    def covers(self, text: str) -> bool:
        """Whether a font has all characters of a text."""
        return bool(self._covering(line_of(text)))

    def _covering(self, line: str) -> list[Face]:
        required = required_glyphs(line)
        return [face for face in self.faces if required <= face.characters]

    def _sample_face(self, line: str, generator: np.random.Generator) -> Face:
        """A face of a family: families are equally frequent, however many faces they have."""
        families: dict[str, list[Face]] = defaultdict(list)
        for face in self._covering(line):
            families[face.family].append(face)
        if not families:
            raise UnrenderableError(f"no font has all characters of {_shortened(line)}: {self._missing(line)}")
        family = list(families.values())[generator.integers(len(families))]
        return family[generator.integers(len(family))]

    def _missing(self, line: str) -> str:
        """Characters that no font has, and the remedy."""
        missing = required_glyphs(line).difference(*(face.characters for face in self.faces))
        characters = " ".join(f"{chr(code)} (U+{code:04X})" for code in sorted(missing)[:3])
        absent = f"none has {characters}" if missing else "each lacks some"
        return f"{absent}: add a font of its script to the fonts"

    def _checked_box(self, line: str, style: Style) -> LineBox:
        # A glyph that takes no space of its own is rare: more characters than columns are not measured at all.
        box = line_box(line, style) if len(line) <= self.config.max_columns else None
        widest = self.config.max_columns
        if box is None or box.width > MAX_PICTURE_WIDTH or box.width * self.config.height > widest * box.height:
            raise UnrenderableError(
                f"{_shortened(line)} is wider than {widest} columns: raise max_columns or shorten it"
            )
        return box


def _absence(has_font: bool) -> Absence:
    return Absence.TOO_LONG if has_font else Absence.UNRENDERABLE


def text_number(text_id: str) -> int:
    """A number of an id, the same in every process."""
    return int.from_bytes(hashlib.sha256(text_id.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def _shortened(line: str) -> str:
    return repr(line if len(line) <= 40 else f"{line[:39]}…")
