"""Beam search over frames with an exported model of Whisper's architecture, for pictures and for speech."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import ctranslate2
import numpy as np
import sentencepiece as spm

from distilmt.inference.base import DecodingOptions, Hypothesis, join_hypotheses
from distilmt.inference.device import compute_type_for, usable_device
from distilmt.inference.manifest import ExportManifest, read_model_file, unpacked_files, wrap_mismatched_files
from distilmt.inference.tokenization import without_broken_bytes
from distilmt.utils import checksums
from distilmt.utils.repetition import longest_repetition

_LONGEST_PHRASE, _MAX_REPETITION = 12, 4
"""Tokens of a phrase, and how often it may occur in a row: more is a loop of the decoder."""
_NO_REPEAT = 3
"""A translation with a loop is searched again without a phrase of so many tokens twice."""
Frames: TypeAlias = "np.ndarray | None"
"""[frames, frame size] float32; None where there is nothing to translate."""


class FrameSearch:
    """A loaded model. Only sources of one length make a batch, because CTranslate2's encoder reads padding too."""

    def __init__(
        self,
        path: Path,
        manifest: ExportManifest,
        most_tokens: Callable[[int], int],
        threads: int,
        workers: int,
        device: str,
    ) -> None:
        """Load a model directory.

        Args:
            path: a CTranslate2 directory with `target.spm`.
            manifest: its manifest.
            most_tokens: how many tokens the translation of so many frames has at most. A method of an object that holds
                this one would keep the model in memory.
            threads: CPU threads per worker; 0: one per core.
            workers: batches translated in parallel.
            device: `cpu`, `cuda`, or `auto` for the GPU if one is usable.

        Raises:
            UserError: a file is missing or damaged, or CTranslate2 cannot use the device.
        """
        self.path, self._most_tokens, self._workers = path, most_tokens, workers
        self._max_tokens = int(manifest["max_positions"]) - 1
        with checksums.wrap_read_errors(path, "target.spm"):
            self._target = spm.SentencePieceProcessor(model_proto=read_model_file(path, "target.spm"))
        device = usable_device(device)
        with checksums.wrap_read_errors(path, "model.bin, config.json or the vocabulary"):
            self._model = ctranslate2.models.Whisper(
                str(path),
                device=device,
                compute_type=compute_type_for(manifest, device),
                inter_threads=workers,
                intra_threads=min(threads, os.cpu_count() or 1),
                files=unpacked_files(path),
            )

    @property
    def compute_type(self) -> str:
        """The numeric type in which the model computes, in CTranslate2's words: `float32`, `int8_float32`."""
        return str(self._model.compute_type)

    @property
    def frame_size(self) -> int:
        """Numbers of a frame that the model reads; of others CTranslate2 would read other memory."""
        return int(self._model.n_mels)

    def hypotheses_of_parts(
        self, parts: Sequence[Sequence[Frames]], options: DecodingOptions
    ) -> list[list[Hypothesis]]:
        """The best translations of sources that are cut into parts, joined; none where all parts are None."""
        ranked = iter(self.hypotheses([frames for own in parts for frames in own], options))
        joined = [[each for each in islice(ranked, len(own)) if each] for own in parts]
        return [[join_hypotheses(row) for row in zip(*own, strict=False)] for own in joined]

    def hypotheses(self, sources: Sequence[Frames], options: DecodingOptions) -> list[list[Hypothesis]]:
        """The best translations of each source, best first; none for None. Loops are searched again without them."""
        results = self._search(sources, options)
        looping = [row for row, ranked in enumerate(results) if any(_is_loop(each) for each in ranked)]
        if looping:
            again = self._search([sources[row] for row in looping], options, no_repeat_ngram_size=_NO_REPEAT)
            for row, ranked in zip(looping, again, strict=True):
                results[row] = ranked
        return results

    def _search(self, sources: Sequence[Frames], options: DecodingOptions, **settings: int) -> list[list[Hypothesis]]:
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
        tokens = min(self._max_tokens, self._most_tokens(batch.shape[1]))
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


def _batches(sources: Sequence[Frames], size: int) -> Iterator[list[int]]:
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
