"""Voices: programs that speak a text. They are started for every text, so that no sound depends on an earlier one."""

from __future__ import annotations

import functools
import io
import re
import shlex
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distilmt.audio.decoding import read_audio
from distilmt.audio.resampling import resampled
from distilmt.audio.tracks import AudioLimits
from distilmt.config.voices import LANGUAGE, VoicesConfig
from distilmt.utils.errors import UserError
from distilmt.utils.program_output import run_bounded

ESPEAK, FLITE = "espeak-ng", "flite"
_ENGINES: Mapping[str, Sequence[str]] = {
    ESPEAK: ("espeak-ng", "-v", "{voice}", "-s", "{words}", "--stdin", "--stdout"),
    FLITE: ("flite", "-voice", "{voice}", "--setf", "duration_stretch={stretch}", "-t", "{text}", "-o", "{wav}"),
}
"""Command lines of the synthesizers that distilmt knows."""
_WORDS_PER_MINUTE = 175
"""Speed of espeak-ng's voices."""
_ESPEAK_NAMES = {"zh": "cmn", "no": "nb"}
"""Names of languages in espeak-ng, where they differ from those of corpora."""
_SECONDS, _BYTES_PER_SECOND = 120.0, 48_000 * 8
"""How long a program may take for a text, and how much it may write for a second of sound."""
_PROBE = "One, two."


@dataclass(frozen=True)
class Voice:
    """A voice of a synthesizer, or a command as voice."""

    name: str
    """As in the configuration, with the language."""
    arguments: tuple[str, ...]
    """Program and arguments with `{text}`, `{wav}` and what depends on the speed."""

    def synthesize(self, text: str, speed: float, max_seconds: float) -> np.ndarray:
        """A text spoken by this voice.

        Args:
            text: one sentence or several.
            speed: 1 is the voice's own; a command takes it as `{speed}`, or has no other.
            max_seconds: how long the sound may be; what exceeds it makes no difference.

        Returns:
            [samples] float32 from -1 to 1, mono, at 16 kHz; none if the program writes no sound.

        Raises:
            UserError: the program is missing, fails, or writes something else than a recording.
        """
        values = {"text": text, "words": f"{_WORDS_PER_MINUTE * speed:.0f}", "stretch": f"{1 / speed:.3f}"}
        values["speed"] = f"{speed:.3f}"
        with tempfile.TemporaryDirectory(prefix="distilmt-voice-") as directory:
            wav = Path(directory) / "speech.wav"
            arguments = [_filled(argument, values | {"wav": str(wav)}) for argument in self.arguments]
            has_text = any("{text}" in argument for argument in self.arguments)
            output = self._run(arguments, "" if has_text else f"{text}\n", max_seconds)
            content = wav.read_bytes() if wav.exists() else output
        return self._samples(content, max_seconds) if content else np.empty(0, np.float32)

    def _run(self, arguments: Sequence[str], text: str, max_seconds: float) -> bytes:
        most = 1 << 20 | int(_BYTES_PER_SECOND * max_seconds)
        try:
            done = run_bounded(arguments, text.encode("utf-8", "replace"), _SECONDS, most)
        except OSError as error:
            raise UserError(f"voice {self.name!r} cannot be started ({error.strerror}): install it") from None
        if done.too_long:
            return done.stdout  # the text is too long: its end is not needed
        if done.timed_out or done.returncode:
            reason = "it takes too long" if done.timed_out else _last_line(done.stderr) or f"status {done.returncode}"
            raise UserError(f"voice {self.name!r} cannot speak {text[:40]!r}: {reason}")
        return done.stdout

    def _samples(self, content: bytes, max_seconds: float) -> np.ndarray:
        pcm = _plain_wav(content)
        if pcm is not None:
            return pcm
        try:
            return read_audio(io.BytesIO(content), AudioLimits(max_seconds=60 + 2 * max_seconds))
        except UserError as error:
            raise UserError(f"voice {self.name!r} writes no recording ({error}): let it write a wav file") from None


def training_voices(config: VoicesConfig) -> list[Voice]:
    """The voices for training.

    Raises:
        UserError: none is installed and speaks the language, or one of them cannot speak.
    """
    return voices_of(config.voices, config.language or "en", "voices")


def held_out_voices(config: VoicesConfig) -> list[Voice]:
    """The held-out voices, as `training_voices`."""
    return voices_of(config.held_out_voices, config.language or "en", "held_out_voices")


def voices_of(names: Sequence[str], language: str, key: str) -> list[Voice]:
    """Voices by their names in a configuration, those that are installed and speak a language.

    Args:
        names: `ENGINE:VOICE`, or a command.
        language: code of the language.
        key: the key that lists them, for messages.

    Raises:
        UserError: there is none, or one of them cannot speak.
    """
    voices = [voice for name in names if (voice := _voice(name, language)) is not None]
    if voices:
        for voice in voices:
            _check(voice)
        return voices
    named = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    raise UserError(
        f"student.voices.{key} ({named or 'empty'}): none of them is installed and speaks {language!r}: install "
        "espeak-ng (`apt-get install espeak-ng flite`), or name a command that reads text and writes a wav file"
    )


def _voice(name: str, language: str) -> Voice | None:
    """A voice; None for one of another language, or of a synthesizer that is not installed."""
    engine, _, voice = name.partition(":")
    if engine not in _ENGINES:
        return Voice(name, _split(name))
    primary = language.replace("_", "-").split("-")[0].lower()
    named = _ESPEAK_NAMES.get(primary, primary if primary == language.lower() else language)
    full_name = voice.replace(LANGUAGE, named if engine == ESPEAK else language)
    own = "en" if engine == FLITE else re.split(r"[-+]", full_name)[0]
    if own not in (primary, _ESPEAK_NAMES.get(primary)) or shutil.which(engine) is None:
        return None
    arguments = tuple(argument.replace("{voice}", full_name) for argument in _ENGINES[engine])
    return Voice(f"{engine}:{full_name}", arguments)


def _split(command: str) -> tuple[str, ...]:
    try:
        arguments = tuple(shlex.split(command))
    except ValueError as error:
        raise UserError(f"voice {command!r} cannot be parsed ({error}): close its quotes") from None
    if not arguments:
        raise UserError("student.voices has an empty voice: remove it")
    if shutil.which(arguments[0]) is None:
        raise UserError(
            f"voice {command!r}: there is no program {arguments[0]!r}: install it, or name a voice as espeak-ng:en-us"
        )
    return arguments


@functools.cache
def _check(voice: Voice) -> None:
    """Check that a voice exists and makes a sound.

    Raises:
        UserError: it does not.
    """
    engine, _, name = voice.name.partition(":")
    available = _available_voices(engine) if engine in _ENGINES else None
    variant = name.partition("+")[2] if engine == ESPEAK else name
    if available is not None and variant and variant not in available:
        raise UserError(
            f"voice {voice.name!r}: {engine} has no {variant!r} (known: {', '.join(sorted(available)[:12])})"
        )
    if not len(voice.synthesize(_PROBE, 1.0, 60)):
        raise UserError(f"voice {voice.name!r} makes no sound of {_PROBE!r}: check that it writes a wav file")


@functools.cache
def _available_voices(engine: str) -> frozenset[str]:
    """Voices of flite, or variants of espeak-ng: both take an unknown name for another one."""
    arguments = ["flite", "-lv"] if engine == FLITE else ["espeak-ng", "--voices=variant"]
    output = subprocess.run(arguments, capture_output=True, text=True, check=False).stdout
    if engine == FLITE:
        return frozenset(output.partition(":")[2].split())
    return frozenset(re.findall(r"!v/(\S+)", output))


def _filled(argument: str, values: Mapping[str, str]) -> str:
    """An argument with its placeholders replaced, each once: a text may contain them."""
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), argument)


def _plain_wav(content: bytes) -> np.ndarray | None:
    """Samples of a wav file of 16 bits, which may be written as a stream, without its length; None for others."""
    try:
        with wave.open(io.BytesIO(content)) as file:
            if file.getsampwidth() != 2 or file.getcomptype() != "NONE":
                return None
            channels, rate = file.getnchannels(), file.getframerate()
            pcm = file.readframes(file.getnframes())
    except (wave.Error, EOFError):
        return None
    values = np.frombuffer(pcm[: len(pcm) // (2 * channels) * 2 * channels], "<i2").reshape(-1, channels)
    return resampled(values.mean(1).astype(np.float32) / 32768, rate)


def _last_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:120] if lines else ""
