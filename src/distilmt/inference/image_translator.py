"""Translation of pictures of text lines with an exported model; imports no torch."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import sentencepiece as spm

from distilmt.inference.base import DEFAULT_DECODING, DecodingOptions, Hypothesis, join_hypotheses
from distilmt.inference.device import compute_type_for, usable_device
from distilmt.inference.manifest import (
    ExportManifest,
    check_input,
    read_manifest,
    read_model_file,
    unpacked_files,
    wrap_mismatched_files,
)
from distilmt.inference.tokenization import without_broken_bytes
from distilmt.rendering.frames import frames_of
from distilmt.rendering.ink import has_ink, split_columns
from distilmt.utils import checksums
from distilmt.utils.errors import UserError
from distilmt.utils.repetition import longest_repetition

_LONGEST_PHRASE, _MAX_REPETITION = 12, 4
"""Tokens of a phrase, and how often it may occur in a row: more is a loop of the decoder."""
_NO_REPEAT = 3
"""A translation with a loop is searched again without a phrase of so many tokens twice."""
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
        self._max_tokens = int(manifest["max_positions"]) - 1
        self._workers = workers
        with checksums.wrap_read_errors(self.path, "target.spm"):
            self._target = spm.SentencePieceProcessor(model_proto=read_model_file(self.path, "target.spm"))
        device = usable_device(device)
        with checksums.wrap_read_errors(self.path, "model.bin, config.json or the vocabulary"):
            self._model = ctranslate2.models.Whisper(
                str(self.path),
                device=device,
                compute_type=compute_type_for(manifest, device),
                inter_threads=workers,
                intra_threads=min(threads, os.cpu_count() or 1),
                files=unpacked_files(self.path),
            )
        if self._model.n_mels != self.height * self.columns_per_frame:  # CTranslate2 would read other memory
            raise UserError(
                f"{self.path}: the model reads frames of {self._model.n_mels} numbers, but distilmt.json has "
                f"{self.columns_per_frame} columns of {self.height} pixels: copy or export the model again"
            )

    @property
    def compute_type(self) -> str:
        """The numeric type in which the model computes, in CTranslate2's words: `float32`, `int8_float32`."""
        return str(self._model.compute_type)

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
        sources = [self._frames(part) for per_line in parts for part in per_line]
        results = self._search(sources, options)
        looping = [row for row, ranked in enumerate(results) if any(_is_loop(each) for each in ranked)]
        if looping:
            again = self._search([sources[row] for row in looping], options, no_repeat_ngram_size=_NO_REPEAT)
            for row, ranked in zip(looping, again, strict=True):
                results[row] = ranked
        iterator = iter(results)
        own = [[ranked for ranked in islice(iterator, len(per_line)) if ranked] for per_line in parts]
        return [[join_hypotheses(ranked) for ranked in zip(*per_line, strict=False)] for per_line in own]

    def _checked(self, line: np.ndarray, number: int) -> np.ndarray:
        if not isinstance(line, np.ndarray) or line.dtype != np.uint8 or line.shape[1:] != (self.height,):
            kind = f"{line.dtype} {line.shape}" if isinstance(line, np.ndarray) else type(line).__name__
            raise UserError(f"lines[{number}] is {kind}: give [columns, {self.height}] of uint8")
        return line

    def _frames(self, columns: np.ndarray) -> np.ndarray | None:
        """[frames, frame size] float32; None for a picture without text."""
        return frames_of(columns, self.columns_per_frame) if has_ink(columns) else None

    def _search(
        self, sources: Sequence[np.ndarray | None], options: DecodingOptions, **settings: int
    ) -> list[list[Hypothesis]]:
        """The translations of frames; none for None."""
        results: list[list[Hypothesis]] = [[] for _ in sources]
        running: deque[tuple[list[int], list[Any]]] = deque()
        for rows in _batches(sources, options.batch_size):
            batch = np.stack([frames for row in rows if (frames := sources[row]) is not None])
            running.append((rows, self._started(batch, options, settings)))
            if len(running) > self._workers:
                self._collect(*running.popleft(), results)
        for rows, pending in running:
            self._collect(rows, pending, results)
        return results

    def _started(self, batch: np.ndarray, options: DecodingOptions, settings: Mapping[str, int]) -> list[Any]:
        """Start the translation of a batch of frames [B, frames, frame size]."""
        features = np.ascontiguousarray(batch.transpose(0, 2, 1))  # [B, frame size, frames]
        tokens = min(self._max_tokens, most_tokens(batch.shape[1] * self.columns_per_frame, self.height))
        with wrap_mismatched_files(self.path):
            pending = self._model.generate(
                ctranslate2.StorageView.from_array(features),
                [["<|startoftranscript|>", "<|notimestamps|>"]] * len(batch),
                asynchronous=True,
                beam_size=options.beams,
                num_hypotheses=options.num_hypotheses,
                length_penalty=options.length_penalty,
                sampling_topk=0 if options.sampling_temperature else 1,
                sampling_temperature=options.sampling_temperature or 1.0,
                return_scores=options.has_scores,
                suppress_blank=False,
                max_length=max(2 * tokens, tokens + 2),  # CTranslate2 generates half of it, and counts the prompt
                **settings,
            )
        return list(pending)

    def _collect(self, rows: list[int], pending: list[Any], results: list[list[Hypothesis]]) -> None:
        for row, future in zip(rows, pending, strict=True):
            with wrap_mismatched_files(self.path):
                result = future.result()
            scores = result.scores or [0.0] * len(result.sequences)
            pairs = zip(result.sequences, scores, strict=True)
            results[row] = [Hypothesis(self._text(tokens), list(tokens), score) for tokens, score in pairs]

    def _text(self, tokens: Sequence[str]) -> str:
        written = [token for token in tokens if token != "<unk>" and not token.startswith("<unused")]
        return str(self._target.decode(without_broken_bytes(written)))


def most_tokens(columns: int, height: int) -> int:
    """How many tokens the translation of a picture of a size has at most."""
    return _FEWEST_TOKENS + _TOKENS_PER_SQUARE * columns // height


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


def _batches(sources: Sequence[np.ndarray | None], size: int) -> Iterator[list[int]]:
    """Rows of sources of equal length, longest first, at most `size` together; empty sources are left out."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for row, frames in enumerate(sources):
        if frames is not None:
            by_length[len(frames)].append(row)
    for length in sorted(by_length, reverse=True):
        rows = iter(by_length[length])
        while batch := list(islice(rows, size)):
            yield batch


def _is_loop(hypothesis: Hypothesis) -> bool:
    return longest_repetition(hypothesis.tokens, _LONGEST_PHRASE) > _MAX_REPETITION
