"""Sound, and a tiny model that reads speech, made in code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from distilmt.audio.features import MELS, SAMPLE_RATE
from distilmt.config.voices import VoicesConfig
from distilmt.export.ctranslate2_speech import export_speech
from helpers.pictures import SHAPE, new_picture_model

STACK, MAX_SECONDS = 4, 5.0
SPEECH_SHAPE = replace(SHAPE, frame_size=STACK * MELS, max_positions=64)


def export_speech_model(tokenizer, directory: Path, seed: int = 1) -> None:
    """A model of random weights that reads speech."""
    voices = VoicesConfig(stack=STACK, max_seconds=MAX_SECONDS)
    export_speech(new_picture_model(tokenizer, seed, shape=SPEECH_SHAPE), tokenizer, directory, "float32", voices)


def utterance(seconds: float, seed: int = 1) -> np.ndarray:
    """A sound like a voice's: pulses through changing filters, [samples] float32."""
    generator = np.random.default_rng(seed)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 2 * np.pi * (110 + 20 * seed % 80) * time
    samples = np.zeros_like(time)
    for harmonic in range(1, 25):
        level = np.interp(time, np.linspace(0, seconds, 12), generator.random(12) ** 3)
        samples += level * np.sin(harmonic * pitch + generator.random()) / harmonic
    return (0.3 * samples / max(1e-6, np.abs(samples).max(initial=0))).astype(np.float32)
