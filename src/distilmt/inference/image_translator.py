"""Translation of pictures of text lines with an exported model; imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from distilmt.inference.base import DEFAULT_DECODING, DecodingOptions, Hypothesis
from distilmt.inference.frame_search import FrameSearch
from distilmt.inference.manifest import ExportManifest, check_input, read_manifest
from distilmt.rendering.frames import frames_of
from distilmt.rendering.ink import has_ink, split_columns
from distilmt.utils import checksums
from distilmt.utils.errors import UserError

_FEWEST_TOKENS, _TOKENS_PER_SQUARE = 16, 4
"""Most tokens of a translation: so many, and so many more for every square of the picture (a Chinese character)."""


class ImageTranslator:
    """A loaded exported model of a student that reads pictures.

    A picture has the same translation alone and among others: only pictures of equal length make a batch, because
    CTranslate2's encoder reads padding too.
    """

    def __init__(self, path: str | Path, threads: int = 0, workers: int = 1, device: str = "cpu") -> None:
        """Load a model directory.

        Args:
            path: a CTranslate2 directory written by distilmt, of a student with `student.input: image`.
            threads: CPU threads per worker; 0: one per core.
            workers: batches translated in parallel.
            device: `cpu`, `cuda`, or `auto` for the GPU if one is usable.

        Raises:
            UserError: the directory is not such a model, a file is missing or damaged, or CTranslate2 cannot use the
                device.
        """
        self.path = Path(path)
        checksums.check_checksums(self.path)
        manifest = read_manifest(self.path)
        check_input(self.path, manifest, "image")
        self.height, self.columns_per_frame, self.max_columns = _sizes(self.path, manifest)
        self.beam_size = int(manifest.get("beam_size", 4))
        limit = partial(most_tokens, self.columns_per_frame, self.height)
        self._search = FrameSearch(self.path, manifest, limit, threads, workers, device)
        if self._search.frame_size != self.height * self.columns_per_frame:
            raise UserError(
                f"{self.path}: the model reads frames of {self._search.frame_size} numbers, but distilmt.json has "
                f"{self.columns_per_frame} columns of {self.height} pixels: copy or export the model again"
            )

    @property
    def compute_type(self) -> str:
        """The numeric type in which the model computes, in CTranslate2's words: `float32`, `int8_float32`."""
        return self._search.compute_type

    def translate_lines(
        self, lines: Sequence[np.ndarray], beam_size: int | None = None, batch_size: int = 64
    ) -> list[str]:
        """The translation of every picture, in order; an empty picture gives an empty one.

        A picture wider than `max_columns` is cut where the least ink is, and its parts are translated.

        Args:
            lines: [columns, height] uint8 each, one line of text from left to right.
            beam_size: 1 is greedy; None: that of the export.
            batch_size: pictures per batch.

        Raises:
            UserError: a picture has another type or height.
            ValueError: as `DecodingOptions`.
        """
        beam = self.beam_size if beam_size is None else beam_size
        ranked = self.hypotheses(lines, DecodingOptions(beam_size=beam, batch_size=batch_size))
        return [hypotheses[0].text if hypotheses else "" for hypotheses in ranked]

    def hypotheses(
        self, lines: Sequence[np.ndarray], options: DecodingOptions = DEFAULT_DECODING
    ) -> list[list[Hypothesis]]:
        """The best translations of each picture, best first; none for an empty picture. As `translate_lines`."""
        parts = [split_columns(self._checked(line, number), self.max_columns) for number, line in enumerate(lines)]
        return self._search.hypotheses_of_parts([[*map(self._frames, own)] for own in parts], options)

    def _checked(self, line: np.ndarray, number: int) -> np.ndarray:
        if not isinstance(line, np.ndarray) or line.dtype != np.uint8 or line.shape[1:] != (self.height,):
            kind = f"{line.dtype} {line.shape}" if isinstance(line, np.ndarray) else type(line).__name__
            raise UserError(f"lines[{number}] is {kind}: give [columns, {self.height}] of uint8")
        return line

    def _frames(self, columns: np.ndarray) -> np.ndarray | None:
        """[frames, frame size] float32; None for a picture without text."""
        return frames_of(columns, self.columns_per_frame) if has_ink(columns) else None


def most_tokens(columns_per_frame: int, height: int, frames: int) -> int:
    """How many tokens the translation of so many frames of a picture has at most."""
    return _FEWEST_TOKENS + _TOKENS_PER_SQUARE * frames * columns_per_frame // height


def _sizes(path: Path, manifest: ExportManifest) -> tuple[int, int, int]:
    """Height, columns per frame and maximum width of the pictures that a model reads.

    Raises:
        UserError: one is missing or impossible.
    """
    values = tuple(manifest.get(name) for name in ("height", "columns_per_frame", "max_columns"))
    height, columns, widest = (value if type(value) is int else 0 for value in values)
    if not (0 < height <= 1024 and 0 < columns <= widest <= 1 << 20):
        raise UserError(
            f"{path}: distilmt.json has no valid height, columns_per_frame and max_columns: copy or export the model "
            "again"
        )
    return height, columns, widest
