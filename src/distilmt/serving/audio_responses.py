"""Responses of the audio endpoints in OpenAI's formats."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Literal, TypedDict

from fastapi.responses import JSONResponse, Response

from distilmt.inference.base import Hypothesis, join_translations
from distilmt.recordings.records import TranslatedSegment, one_line, plain_text
from distilmt.recordings.subtitles import VTT_HEADER, srt, vtt
from distilmt.serving import language_codes
from distilmt.serving.recording_job import RecordingResult

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
Task = Literal["translate", "transcribe"]
_FRAMES_PER_SECOND = 100


class AudioSegment(TypedDict):
    """A segment of `verbose_json`."""

    id: int
    seek: int
    """Where the segment begins, in frames of 10 ms."""
    start: float
    end: float
    text: str
    tokens: list[int]
    """Always empty: ids of a student's own vocabulary are of no use to clients."""
    temperature: float
    """Always 0: nothing is sampled."""
    avg_logprob: float
    """Mean log-probability per token, at most 0."""
    compression_ratio: float
    """Bytes of the text by its bytes when compressed."""
    no_speech_prob: float
    """Always 0: what has no speech is no segment."""


class VerboseResponse(TypedDict):
    """Response in the format `verbose_json`."""

    task: Task
    language: str
    """English name of the text's language, in lower case."""
    duration: float
    """Seconds of the recording."""
    text: str
    segments: list[AudioSegment]


def audio_response(
    form: str, result: RecordingResult, hypotheses: Sequence[Hypothesis], language: str, task: Task
) -> Response:
    """A translated recording in one of `FORMATS`.

    Args:
        form: the format.
        result: the segments.
        hypotheses: the translation of every segment, with its score.
        language: code of the text's language.
        task: what was done.
    """
    segments = result.segments
    if form == "text":
        return _plain(plain_text(segments))
    if form == "srt":
        return _plain("".join(srt(segments)))
    if form == "vtt":
        return Response("".join(vtt(segments)) or VTT_HEADER, media_type="text/vtt; charset=utf-8")
    text = join_translations([one_line(each.translation) for each in segments])
    if form == "json":
        return JSONResponse({"text": text})
    return JSONResponse(
        VerboseResponse(
            task=task,
            language=language_codes.name(language).lower(),
            duration=result.seconds,
            text=text,
            segments=[_segment(number, *pair) for number, pair in enumerate(zip(segments, hypotheses, strict=True))],
        )
    )


def _plain(text: str) -> Response:
    return Response(text, media_type="text/plain; charset=utf-8")


def _segment(number: int, segment: TranslatedSegment, hypothesis: Hypothesis) -> AudioSegment:
    text = one_line(segment.translation)
    raw = text.encode()
    return {
        "id": number,
        "seek": round(_FRAMES_PER_SECOND * segment.start),
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(hypothesis.score, 4),
        "compression_ratio": round(len(raw) / len(zlib.compress(raw)), 4),
        "no_speech_prob": 0.0,
    }
