"""The demo of speech: the same teacher and text, but the student and the baseline hear the text."""

from __future__ import annotations

from dataclasses import replace

from distilmt.config import RunConfig
from distilmt.config.voices import LANGUAGE, VoicesConfig
from distilmt.recipes.demo_frames import with_frames
from distilmt.recipes.demo_recipe import SHORT_MINUTES

VOICES = (
    *(f"espeak-ng:{LANGUAGE}{variant}" for variant in ("", "+m1", "+m2", "+m3", "+f1", "+f2", "+f3")),
    *("espeak-ng:en-us+m3", "espeak-ng:en-us+f2", "flite:kal16"),
)
"""Voices that speak a sentence in some hundredths of a second: flite's others take ten times as long."""
LABEL_SHARE = 0.015
"""Share of the time for labels: a synthesizer takes 20 times as long for a sentence as the demo's teacher."""
_TEST_SIZE = 500
_MAX_SECONDS = 8.0


def with_speech(config: RunConfig, minutes: float) -> RunConfig:
    """The run whose student hears speech, of a size for a number of minutes.

    The run's checks name the synthesizers to install if there are none.

    Args:
        config: a run whose student reads text.
        minutes: the time limit.
    """
    is_short = minutes < SHORT_MINUTES
    voices = VoicesConfig(voices=list(VOICES), max_seconds=_MAX_SECONDS, variants=1 if is_short else 4)
    student = replace(config.student, input="speech", voices=voices)
    corpus = replace(config.corpus, test_size=min(_TEST_SIZE, config.corpus.test_size))
    layers = (4, 1) if is_short else (6, 2)
    return with_frames(replace(config, corpus=corpus), student, layers, max_positions=128)
