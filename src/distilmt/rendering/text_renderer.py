"""The interface of renderers: what training, exports and evaluation need of pictures and of speech alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Protocol

import numpy as np

from distilmt.utils.json_types import JsonMapping


class Absence(IntEnum):
    """Why a text has no picture or sound; it stands instead of a length."""

    UNRENDERABLE = -1
    """No font has its characters, or no voice makes a sound of it."""
    TOO_LONG = -2


class TextRenderer(Protocol):
    """Turns texts into what a student perceives of them.

    A rendered text depends on the configuration, the fonts or voices, the seed, the id of the text and the epoch, but
    not on which texts were rendered before.
    """

    noun: str
    """What a text becomes, in the plural: `pictures`."""
    remedy: str
    """What a user does if no text at all can be rendered."""

    @property
    def names(self) -> list[str]:
        """The families of fonts, or the voices."""

    @property
    def variants(self) -> int:
        """How many pictures or recordings a training text has."""

    @property
    def row_size(self) -> int:
        """Numbers of a row: pixels of a column, or bands of a mel frame."""

    def sources(self, texts: Sequence[str], ids: Sequence[str], epoch: int = 0) -> Iterator[np.ndarray | Absence]:
        """What a translator of exports takes: [columns, height] uint8 of a picture, [samples] float32 of speech.

        Args:
            texts: the texts; line breaks become spaces.
            ids: an id of each, of its row in the label store.
            epoch: number of the pass over the data: each has others.
        """

    def rows(self, source: np.ndarray) -> np.ndarray:
        """A source in the form that is kept on disk: [length, row size] uint8."""

    def frame_count(self, length: int) -> int:
        """How many frames rows of a length become."""

    def frames(self, rows: np.ndarray) -> np.ndarray:
        """Rows [length, row size] uint8 as the encoder reads them: [frames, frame size] float32."""

    def transcript(self, text: str) -> str:
        """The characters of a text that the encoder is to name under `objective.ctc_weight`."""

    @property
    def outputs_per_position(self) -> int:
        """Characters that a position of the encoder can name."""

    def absence_reason(self, absence: Absence) -> str:
        """The end of a sentence about texts that are left out."""

    def fingerprint(self) -> JsonMapping:
        """All that a rendered text depends on, but for the text and its id."""


def present(sources: Iterator[np.ndarray | Absence]) -> list[np.ndarray | None]:
    """Sources; None for a text that has none."""
    return [None if isinstance(source, Absence) else source for source in sources]
