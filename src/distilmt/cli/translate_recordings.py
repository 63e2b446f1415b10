"""`distilmt translate` with a student that reads speech: recordings, and live speech on standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.cli.output import Output, standard_output
from distilmt.config.translate import TranslateConfig
from distilmt.utils.errors import UserError
from distilmt.utils.extras import explained

if TYPE_CHECKING:
    from distilmt.recordings.files import Recording
    from distilmt.recordings.translate import SpeechModel


def has_recordings(options: TranslateConfig) -> bool:
    """Whether only a student that reads speech can translate this."""
    from distilmt.audio.decoding import is_recording

    return options.live or any(map(is_recording, options.files))


def check_no_recordings(options: TranslateConfig, model: Path) -> None:
    """Check that a model of text is given no speech.

    Raises:
        UserError: it is.
    """
    from distilmt.audio.decoding import is_recording

    remedy = "name a student that reads speech (student.input: speech)"
    if recording := next(filter(is_recording, options.files), None):
        raise UserError(f"{recording} is a recording, and {model} reads text: {remedy}, or translate a transcript")
    if options.live:
        raise UserError(f"--live is for speech, and {model} reads text: {remedy}, or leave --live out")


def translate_recordings(options: TranslateConfig, model: Path, output: Output) -> int:
    """Translate recordings or live speech with a student that reads speech; returns the exit status."""
    from distilmt.inference.speech_translator import SpeechTranslator

    with explained("translating speech"):
        from distilmt.recordings import files

        if options.live:
            _check_live(options, output.is_json)
            _translate_live(options, SpeechTranslator(model, threads=options.threads), output.is_json)
            return 0
        files.recording_targets(options, output.is_json)  # errors in them are raised before a model is loaded
        translator = SpeechTranslator(model, threads=options.threads)
        with output.progress():
            for recording in files.translate_files(options, translator, output.is_json):
                _write_recording(recording, output)
    return 0


def _write_recording(recording: Recording, output: Output) -> None:
    """Write a recording to its file, or to standard output while it is translated."""
    from distilmt.recordings.files import NO_SPEECH

    if recording.target is None:
        _write_texts(recording.texts())
        has_speech = recording.has_speech
    elif has_speech := recording.write():
        output.result({"file": str(recording.target)}, str(recording.target))
    if not has_speech:
        print(f"distilmt: {recording.source}: {NO_SPEECH}", file=sys.stderr, flush=True)


def _check_live(options: TranslateConfig, is_json: bool) -> None:
    from distilmt.recordings.files import check_options
    from distilmt.recordings.live import COMMAND

    check_options(options, is_json)
    if options.files not in ([], ["-"]):
        raise UserError(f"--live reads standard input: leave out {options.files[0]}, or leave out --live")
    if options.output is not None:
        raise UserError(f"--live writes to standard output as it goes: use > {options.output} instead of --output")
    if sys.stdin.isatty():
        raise UserError(
            f"--live reads sound from standard input, which is a terminal: {COMMAND} | distilmt translate …"
        )


def _translate_live(options: TranslateConfig, model: SpeechModel, is_json: bool) -> None:
    """Write every segment as soon as the pause behind it is over."""
    from distilmt.recordings.files import NO_SPEECH, streamed
    from distilmt.recordings.live import live_blocks
    from distilmt.recordings.translate import translate_recording

    # A reader of its own: that of `sys.stdin` would be locked by its thread when the program ends.
    stream = open(sys.stdin.fileno(), "rb", closefd=False)  # noqa: SIM115 - its thread reads to the end
    segments = translate_recording(live_blocks(stream), model, options.beam_size, batch=1)
    if not _write_texts(streamed(segments, "json" if is_json else options.format or "txt")):
        print(f"distilmt: standard input: {NO_SPEECH}", file=sys.stderr, flush=True)


def _write_texts(texts: Iterable[str]) -> bool:
    """Write parts of a translation as they come; whether there was one."""
    is_written = False
    for text in texts:
        with standard_output():
            sys.stdout.buffer.write(text.encode("utf-8", "replace"))
            sys.stdout.buffer.flush()
        is_written = True
    return is_written
