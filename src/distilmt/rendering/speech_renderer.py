"""Text to sound: voices, speed, pitch and noise, the same ones for the same seed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

import numpy as np

from distilmt.audio.degradations import degrade
from distilmt.audio.features import MELS, SAMPLE_RATE, frame_count, frames_of, log_mel
from distilmt.audio.resampling import resampled
from distilmt.config.voices import VoicesConfig
from distilmt.rendering.lines import line_of
from distilmt.rendering.recorded_texts import RecordedTexts, fingerprint_of, recorded_texts, samples_of
from distilmt.rendering.renderer import text_number
from distilmt.rendering.speech_styles import SpeechStyle, sample_speech_style
from distilmt.rendering.text_renderer import Absence
from distilmt.rendering.voices import Voice, held_out_voices, training_voices
from distilmt.utils.json_types import JsonMapping
from distilmt.utils.seeds import SeedStream

_LOWEST, _HIGHEST = -1.5, 2.0
"""Values of `log_mel` that the 256 codes of the disk stand for: a step is 0.5 decibels."""
_CHARACTERS_PER_SECOND = 60
"""Nobody speaks faster: what has more characters is not spoken at all."""
_AUDIBLE = 0.01
"""Share of the loudest sample below which the ends of a recording are silence."""
_FAINTEST = 1e-3
"""The loudest sample of a recording without any speech."""
_CORPORA = ("recordings", "held_out_recordings")
"""Keys whose content counts for a cache, not the names."""


class SpeechRenderer:
    """Speaks texts with the voices and within the bounds of a configuration."""

    noun = "recordings"
    remedy = "check that the voices of student.voices speak the source language, or raise student.voices.max_seconds"

    def __init__(
        self,
        config: VoicesConfig,
        voices: Sequence[Voice],
        seed: int,
        recordings: RecordedTexts = MappingProxyType({}),
        is_measuring: bool = False,
    ) -> None:
        """Speak with these voices.

        Args:
            config: bounds of what voices, rooms and lines do.
            voices: one or several.
            seed: of all that is sampled.
            recordings: what is taken instead of a voice, for the texts that it has.
            is_measuring: whether recordings are heard as they are, and not in other pitches and noises.
        """
        self.config, self.voices, self.seed = config, list(voices), seed
        self.recordings, self.is_measuring = dict(recordings), is_measuring

    @classmethod
    def for_training(cls, config: VoicesConfig, seed: int) -> SpeechRenderer:
        """A renderer with the voices for training.

        Raises:
            UserError: none of them is installed, or one cannot speak.
        """
        return cls(config, training_voices(config), seed, recorded_texts(config.recordings))

    @classmethod
    def for_measuring(cls, config: VoicesConfig, seed: int) -> SpeechRenderer:
        """A renderer with the held-out voices; errors as `for_training`."""
        recordings = recorded_texts(config.held_out_recordings)
        return cls(config, held_out_voices(config), seed, recordings, is_measuring=True)

    @property
    def names(self) -> list[str]:
        """As `TextRenderer.names`: the voices, and the names of the corpora of recordings."""
        corpora = self.config.held_out_recordings if self.is_measuring else self.config.recordings
        return sorted(voice.name for voice in self.voices) + [Path(name).name for name in corpora]

    @property
    def variants(self) -> int:
        """As `TextRenderer.variants`."""
        return self.config.variants

    @property
    def row_size(self) -> int:
        """As `TextRenderer.row_size`: mel bands."""
        return MELS

    @property
    def outputs_per_position(self) -> int:
        """As `TextRenderer.outputs_per_position`."""
        return self.config.outputs_per_position

    def sources(self, texts: Sequence[str], ids: Sequence[str], epoch: int = 0) -> Iterator[np.ndarray | Absence]:
        """As `TextRenderer.sources`: [samples] float32 at 16 kHz."""
        for text, text_id in zip(texts, ids, strict=True):
            yield self._source(line_of(text), text_id, epoch)

    def rows(self, source: np.ndarray) -> np.ndarray:
        """As `TextRenderer.rows`: a code for every value of `log_mel`."""
        return mel_codes(log_mel(source))

    def frame_count(self, length: int) -> int:
        """As `TextRenderer.frame_count`."""
        return frame_count(length, self.config.stack)

    def frames(self, rows: np.ndarray) -> np.ndarray:
        """As `TextRenderer.frames`."""
        return frames_of(mel_values(rows), self.config.stack)

    def transcript(self, text: str) -> str:
        """As `TextRenderer.transcript`: letters, digits and spaces; capitals and punctuation are not heard."""
        folded = unicodedata.normalize("NFC", text).casefold()
        return " ".join("".join(c if c.isalnum() or unicodedata.combining(c) else " " for c in folded).split())

    def absence_reason(self, absence: Absence) -> str:
        """As `TextRenderer.absence_reason`."""
        if absence is Absence.TOO_LONG:
            return f"take longer than {self.config.max_seconds:g} seconds"
        damaged = ", or a damaged recording" if self.recordings else ""
        return f"have nothing that the voices speak{damaged}"

    def fingerprint(self) -> JsonMapping:
        """As `TextRenderer.fingerprint`."""
        voices = [(voice.name, *voice.arguments) for voice in self.voices]
        config = {name: value for name, value in asdict(self.config).items() if name not in _CORPORA}
        values = {"config": config, "seed": self.seed, "voices": voices}
        return values | ({"recordings": fingerprint_of(self.recordings)} if self.recordings else {})

    def _source(self, line: str, text_id: str, epoch: int) -> np.ndarray | Absence:
        if self.is_measuring and line in self.recordings:
            return self._recording(line, text_id)
        if len(line) > _CHARACTERS_PER_SECOND * self.config.max_seconds:
            return Absence.TOO_LONG
        generator = np.random.default_rng((self.seed, epoch, text_number(text_id), SeedStream.SPEECH))
        style = sample_speech_style(self.config, self.voices, generator)
        speech = _trimmed(self._speech(line, style, generator)) if line else np.empty(0, np.float32)
        if not len(speech):
            return Absence.UNRENDERABLE
        padded = np.pad(speech, [round(seconds * SAMPLE_RATE) for seconds in style.margins])
        if len(padded) > self.config.max_seconds * SAMPLE_RATE:
            return Absence.TOO_LONG
        noisy: np.ndarray = padded if style.degradation is None else degrade(padded, style.degradation)
        scaled: np.ndarray = noisy * np.float32(10 ** (style.gain / 20) / max(float(np.abs(noisy).max()), _FAINTEST))
        return scaled

    def _speech(self, line: str, style: SpeechStyle, generator: np.random.Generator) -> np.ndarray:
        """[samples] of one of the recordings of a line in the pitch of a style, or of its voice."""
        sentences = self.recordings.get(line)
        if sentences is None:
            return _synthesized(line, style, self.config.max_seconds)
        samples = samples_of(sentences[int(generator.integers(len(sentences)))])
        return resampled(samples, round(SAMPLE_RATE * style.pitch)) if len(samples) else samples

    def _recording(self, line: str, text_id: str) -> np.ndarray | Absence:
        """One of the recordings of a line as it is."""
        sentences = self.recordings[line]
        samples = samples_of(sentences[text_number(text_id) % len(sentences)])
        if len(samples) > self.config.max_seconds * SAMPLE_RATE:
            return Absence.TOO_LONG
        return samples if len(samples) else Absence.UNRENDERABLE


def mel_codes(mel: np.ndarray) -> np.ndarray:
    """Values of `log_mel` [frames, mels] as bytes."""
    codes: np.ndarray = np.rint((mel - _LOWEST) * (255 / (_HIGHEST - _LOWEST))).clip(0, 255).astype(np.uint8)
    return codes


def mel_values(codes: np.ndarray) -> np.ndarray:
    """The values [frames, mels] float32 that codes stand for."""
    values: np.ndarray = codes.astype(np.float32) * np.float32((_HIGHEST - _LOWEST) / 255) + np.float32(_LOWEST)
    return values


def _synthesized(line: str, style: SpeechStyle, max_seconds: float) -> np.ndarray:
    """[samples]: the voice speaks slower or faster by what the change of pitch adds or takes."""
    samples = style.voice.synthesize(line, style.speed / style.pitch, max_seconds / style.pitch)
    return resampled(samples, round(SAMPLE_RATE * style.pitch))


def _trimmed(samples: np.ndarray) -> np.ndarray:
    """[samples] without the silence at both ends, which would tell the synthesizer; empty if there is nothing else."""
    level = np.abs(samples)
    loudest = float(level.max(initial=0))
    if loudest < _FAINTEST:
        return samples[:0]
    audible = np.flatnonzero(level > _AUDIBLE * loudest)
    return samples[audible[0] : audible[-1] + 1]
