"""Pictures or recordings as the sources of a training set."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from distilmt.models.frames import FRAMES_PER_POSITION, Transcript
from distilmt.rendering.rendering_cache import RenderingCache, Variant


@dataclass
class FrameSources:
    """The pictures or recordings of n training sentences."""

    cache: RenderingCache
    texts: np.ndarray
    """[n]: the number of each sentence's text in the cache."""

    def __post_init__(self) -> None:
        self._positions: tuple[Variant, np.ndarray] | None = None
        lines = [self.cache.renderer.transcript(text) for text in self.cache.texts]
        codes = np.frombuffer("".join(lines).encode("utf-32-le", "surrogatepass"), "<u4")
        occurs = np.zeros(sys.maxunicode + 1, dtype=bool)
        occurs[codes] = True
        classes = occurs.cumsum(dtype=np.int32)
        self.alphabet = "".join(map(chr, occurs.nonzero()[0].tolist()))
        """The characters of all texts, each once, in the order of code points; their classes count from 1."""
        self._classes = classes[codes]
        self._ends = np.cumsum([len(line) for line in lines])

    def positions(self, epoch: int) -> np.ndarray:
        """Encoder positions of each sentence's picture or recording in an epoch, [n] int64; 0 without one."""
        variant = self.cache.variant(epoch)
        if self._positions is None or self._positions[0] is not variant:
            lengths, inverse = np.unique(variant.lengths.clip(0)[self.texts], return_inverse=True)
            frames = [self.cache.renderer.frame_count(length) for length in lengths.tolist()]
            positions = [-(-count // FRAMES_PER_POSITION) for count in frames]
            self._positions = variant, np.array(positions, dtype=np.int64)[inverse]
        return self._positions[1]

    def frames(self, rows: np.ndarray, epoch: int) -> list[np.ndarray]:
        """Frames of the sentences `rows` in an epoch: [frames, frame size] float32 each."""
        variant, renderer = self.cache.variant(epoch), self.cache.renderer
        return [renderer.frames(variant.rendered(number)) for number in self.texts[rows].tolist()]

    def transcript(self, rows: np.ndarray) -> Transcript:
        """The characters of the sentences `rows` that are drawn or spoken."""
        texts = self.texts[rows]
        ends = self._ends[texts]
        begins = np.where(texts > 0, self._ends[texts - 1], 0)
        characters = [self._classes[begin:end] for begin, end in zip(begins, ends, strict=True)]
        flat = np.concatenate(characters).astype(np.int64)
        return Transcript(torch.from_numpy(flat), torch.from_numpy(ends - begins))


def frame_sources(cache: RenderingCache, ids: Sequence[str]) -> FrameSources:
    """The pictures or recordings of training sentences by their ids.

    Args:
        cache: those of all labeled texts.
        ids: an id of the cache each; `ID#2` is the second hypothesis of `ID`, which has the same one.
    """
    numbers = {text_id: number for number, text_id in enumerate(cache.ids)}
    rows = [numbers[each] if each in numbers else numbers[each.rpartition("#")[0]] for each in ids]
    return FrameSources(cache, np.array(rows, dtype=np.int64))
