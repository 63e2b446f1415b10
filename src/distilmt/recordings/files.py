"""Recordings to files of text, subtitles or JSON, and what `distilmt translate` writes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from distilmt.audio.decoding import SUFFIXES, audio_blocks, duration
from distilmt.audio.features import SAMPLE_RATE
from distilmt.config.translate import TEXT_OPTIONS, TranslateConfig, given_flags
from distilmt.recordings.records import TranslatedSegment, one_line, segment_records
from distilmt.recordings.subtitles import srt, vtt
from distilmt.recordings.translate import BLOCK_SECONDS, SpeechModel, translate_recording
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.output_files import output_files, source_files
from distilmt.utils.run_dir import write_text

OUTPUT_SUFFIXES = (".txt", ".srt", ".vtt", ".json")
NO_SPEECH = "no speech found, nothing is written"


@dataclass
class Recording:
    """A recording that is translated while `segments` is read."""

    source: Path
    target: Path | None
    """The file that has the translation at the end; None: standard output."""
    format: str
    """`txt`, `srt`, `vtt` or `json`."""
    segments: Iterator[TranslatedSegment]
    samples: int = field(default=0, init=False)
    """Samples decoded so far."""
    has_speech: bool = field(default=False, init=False)
    """Whether a segment was translated so far."""

    def texts(self) -> Iterator[str]:
        """The parts of the translation in its format, each as soon as its segment is translated."""
        if self.format == "json":
            yield self._json_line()
        else:
            yield from streamed(self.segments, self.format)

    def write(self) -> bool:
        """Write the whole translation to `target`; False if there is no speech, and no file is written."""
        assert self.target is not None
        segments = list(self.segments)
        if segments:
            self.segments = iter(segments)
            write_text(self.target, "".join(self.texts()))
        return bool(segments)

    def _json_line(self) -> str:
        """The recording as a JSON object on a line."""
        records = segment_records(self.segments)  # first: it counts the samples
        seconds = round(self.samples / SAMPLE_RATE, 3)
        record = {"file": str(self.source), "seconds": seconds, "segments": records}
        return json.dumps(record, ensure_ascii=False) + "\n"


def streamed(segments: Iterable[TranslatedSegment], form: str) -> Iterator[str]:
    """Parts of a text, of subtitles, or of JSON lines, each as soon as its segment is there."""
    return _STREAMS[form](segments)


def _lines(segments: Iterable[TranslatedSegment]) -> Iterator[str]:
    return (f"{one_line(segment.translation)}\n" for segment in segments)


def _json_lines(segments: Iterable[TranslatedSegment]) -> Iterator[str]:
    for segment in segments:
        yield from (json.dumps(record, ensure_ascii=False) + "\n" for record in segment_records([segment]))


_STREAMS: dict[str, Callable[[Iterable[TranslatedSegment]], Iterator[str]]] = {
    "txt": _lines,
    "srt": srt,
    "vtt": vtt,
    "json": _json_lines,
}


def recording_targets(config: TranslateConfig, is_json: bool = False) -> dict[Path, Path | None]:
    """Where the translation of every recording is written, None for standard output; nothing is read.

    Raises:
        UserError: a file is missing or no recording, an option is for text or pictures, or a file would be overwritten.
    """
    check_options(config, is_json)
    if not config.files:
        raise UserError(f"{config.path} reads speech: name recordings after it ({' '.join(SUFFIXES)}), or add --live")
    sources = source_files(config.files, SUFFIXES, "recordings", "speech")
    if config.output is None:
        if len(sources) > 1 and config.format in ("srt", "vtt"):
            raise UserError(f"subtitles of {len(sources)} files need an output directory: add --output DIR")
        return dict.fromkeys(sources)
    suffix = ".json" if is_json else f".{config.format or 'txt'}"
    names = [f"{source.stem}{suffix}" for source in sources]
    targets = output_files("--output", config.output, sources, names, OUTPUT_SUFFIXES)
    written = targets[0].suffix.lower()
    if written not in OUTPUT_SUFFIXES:
        raise UserError(f"--output {config.output}: use {', '.join(OUTPUT_SUFFIXES)}, or a directory with /")
    if written != suffix and (is_json or config.format):
        flag = "--json" if is_json else f"--format {config.format}"
        raise UserError(f"--output {config.output}: {flag} writes {suffix} files: use that extension")
    return dict[Path, Path | None](zip(sources, targets, strict=True))


def check_options(config: TranslateConfig, is_json: bool = False) -> None:
    """Check that no option is for other models than those that read speech.

    Raises:
        UserError: one is.
    """
    if given := given_flags(config, (*TEXT_OPTIONS, "overlay", "overlay_font")):
        raise UserError(f"{config.path} reads speech: {given[0]} is for other models, leave it out")
    if config.format is not None and f".{config.format}" not in OUTPUT_SUFFIXES:
        raise UserError(f"--format {config.format} is for models of text: of speech use txt, srt, vtt or json")
    if is_json and config.format not in (None, "json"):
        raise UserError(f"--json and --format {config.format} exclude each other: give only one")


def translate_files(config: TranslateConfig, model: SpeechModel, is_json: bool = False) -> Iterator[Recording]:
    """The recordings, one by one: each is translated while its segments are read.

    Raises:
        UserError: as `recording_targets`; a file cannot be decoded, or a package is missing.
    """
    for source, target in recording_targets(config, is_json).items():
        form = target.suffix.lower()[1:] if target else "json" if is_json else config.format or "txt"
        with progress.task(f"translating {source.name}", duration(source), "seconds of audio") as task:
            recording = Recording(source, target, form, iter(()))
            recording.segments = _noted(recording, task, model, config.beam_size)
            yield recording


def _noted(
    recording: Recording, task: progress.Task, model: SpeechModel, beam_size: int | None
) -> Iterator[TranslatedSegment]:
    """The segments of a recording, which remembers that there are some."""
    for segment in translate_recording(_counted(recording, task), model, beam_size):
        recording.has_speech = True
        yield segment


def _counted(recording: Recording, task: progress.Task) -> Iterator[np.ndarray]:
    """The blocks of a recording, which are counted as they are decoded."""
    for block in audio_blocks(recording.source, BLOCK_SECONDS):
        yield block
        recording.samples += len(block)
        task.advance(len(block) / SAMPLE_RATE)
