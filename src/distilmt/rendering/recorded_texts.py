"""Texts that people speak in recordings, which a student hears instead of a voice."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from distilmt.audio.decoding import read_audio
from distilmt.audio.features import SAMPLE_RATE
from distilmt.audio.recorded_sentences import RecordedSentence, opened, recorded_sentences
from distilmt.rendering.lines import line_of
from distilmt.utils.errors import UserError

RecordedTexts = Mapping[str, Sequence[RecordedSentence]]
"""The recordings of every text, by its line."""


def recorded_texts(paths: Sequence[str]) -> RecordedTexts:
    """The recordings of manifests and directories by their transcripts.

    Raises:
        UserError: one cannot be read, or has no transcript.
    """
    texts: dict[str, list[RecordedSentence]] = {}
    for path in paths:
        count = 0
        for sentence in recorded_sentences(Path(path)):
            texts.setdefault(line_of(sentence.transcript), []).append(sentence)
            count += 1
        if not count:
            raise UserError(f"{path} has no recording with a transcript: name another one, or transcribe it first")
    return texts


def fingerprint_of(texts: RecordedTexts) -> str:
    """A digest of all transcripts and of what belongs to them; of files their names and sizes."""
    digest = hashlib.sha256()
    for line, sentences in texts.items():
        for each in sentences:
            content = each.audio
            sound = f"{content}:{content.stat().st_size}".encode() if isinstance(content, Path) else content
            digest.update(repr((line, each.start, each.end, hashlib.sha256(sound).hexdigest())).encode())
    return digest.hexdigest()[:16]


def samples_of(sentence: RecordedSentence) -> np.ndarray:
    """[samples] float32 at `SAMPLE_RATE` of a sentence; none if its recording is damaged."""
    try:
        if sentence.start == 0 and sentence.end is None:
            return read_audio(opened(sentence.audio))
        whole = _whole(sentence.audio)
    except UserError:
        return np.empty(0, np.float32)
    end = None if sentence.end is None else round(sentence.end * SAMPLE_RATE)
    return whole[round(sentence.start * SAMPLE_RATE) : end]


@functools.lru_cache(maxsize=1)
def _whole(audio: Path | bytes) -> np.ndarray:
    """A long recording, of which one sentence after the other is read."""
    return read_audio(opened(audio))
