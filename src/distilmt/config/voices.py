"""Options of spoken text: voices, their speed and pitch, and what a microphone and a line do to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from distilmt.config.bounds import bounded
from distilmt.config.effects import affects, config_field
from distilmt.utils.errors import UserError

MELS = 80
"""Mel bands of a frame of 10 ms."""
LANGUAGE = "{language}"
"""What stands for the source language in the name of a voice."""
TRAINING_VOICES = (
    *(f"espeak-ng:{LANGUAGE}{variant}" for variant in ("", "+m1", "+m2", "+m3", "+m4", "+f1", "+f2", "+f3", "+f4")),
    *("espeak-ng:en-us+m3", "espeak-ng:en-us+f2", "espeak-ng:en-gb-x-rp+m1", "espeak-ng:en-gb-scotland+f3"),
    *("flite:awb", "flite:kal16", "flite:rms"),
)
"""Voices for training: those that are installed and speak the source language count."""
HELD_OUT_VOICES = (f"espeak-ng:{LANGUAGE}+m7", f"espeak-ng:{LANGUAGE}+f5", "flite:slt")
"""Voices for measuring only: a student has never heard them."""


@dataclass
class VoicesConfig:
    """The source text spoken by synthesizers, as the student hears it."""

    voices: list[str] = field(default_factory=lambda: list(TRAINING_VOICES))
    """Voices of training: `espeak-ng:NAME`, `flite:NAME`, or a command that reads text and writes a wav file."""
    held_out_voices: list[str] = field(default_factory=lambda: list(HELD_OUT_VOICES), metadata=affects("evaluation"))
    """Voices of the test set, other ones than `voices`."""
    recordings: list[str] = field(default_factory=list)
    """Corpora of recorded speech, files or directories: texts that have a recording are heard in it, not by a voice."""
    held_out_recordings: list[str] = field(default_factory=list, metadata=affects("evaluation"))
    """As `recordings`, for the test set: these are heard as they are, without added noise."""
    language: str | None = config_field(None, affects("student", "baseline", "evaluation"))
    """Language of the voices, for which `{language}` in a name stands; null: the source language."""
    stack: int = bounded(4, 1, 32)
    """Mel frames of 10 ms that make one frame, the unit that the encoder reads: a power of two."""
    max_seconds: float = bounded(12.0, 1, 60)
    """Longest utterance in seconds; text that takes longer is left out."""
    variants: int = bounded(4, 1, 10_000)
    """Recordings of each training text, by other voices and in other noise; epochs take them in turn."""
    min_speed: float = bounded(0.85, 0.25, 4)
    """Slowest speech, as a multiple of the voice's own speed."""
    max_speed: float = bounded(1.25, 0.25, 4)
    """Fastest speech, as a multiple of the voice's own speed."""
    pitch: float = bounded(0.12, 0, 0.5)
    """Maximum change of pitch and timbre, as a share of the voice's own."""
    margin: float = bounded(0.3, 0, 2)
    """Maximum silence before and after the speech, in seconds each."""
    clean_fraction: float = bounded(0.25, 0, 1)
    """Fraction of recordings without noise, reverberation and telephone; 1 turns all degradation off."""
    min_snr: float = bounded(10.0, -10, 60)
    """Smallest ratio of speech to noise in decibels; the largest is 40."""
    reverberation: float = bounded(0.4, 0, 2)
    """Longest reverberation in seconds."""
    telephone_fraction: float = bounded(0.15, 0, 1)
    """Fraction of degraded recordings in the band of a telephone."""
    quietest: float = bounded(-20.0, -60, 0)
    """Lowest level of a recording in decibels."""

    def __post_init__(self) -> None:
        if self.stack & (self.stack - 1):
            raise UserError(f"voices.stack is {self.stack}: set it to a power of two, such as 4")
        if self.min_speed > self.max_speed:
            raise UserError(f"voices.min_speed is {self.min_speed:g}, above max_speed, {self.max_speed:g}: lower it")
        if both := sorted({*self.voices} & {*self.held_out_voices}):
            raise UserError(
                f"voices.held_out_voices has {both[0]!r}, which is in voices too: remove it from one of them"
            )

    @property
    def frame_size(self) -> int:
        """Numbers of a frame."""
        return self.stack * MELS

    @property
    def outputs_per_position(self) -> int:
        """Characters that a position of the encoder can name under CTC: one every 20 ms."""
        return self.stack
