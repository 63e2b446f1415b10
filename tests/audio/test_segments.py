"""Segments of recordings: only speech, at exact times, whatever the blocks are."""

import itertools
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from helpers.noises import NOISES
from helpers.recordings import RATE, synthesized, tone

from distilmt.audio.segments import speech_segments

pytest.importorskip("faster_whisper")

SILENCE = np.zeros(RATE, np.float32)


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    """Two sentences between silence: from second 1, and a second after the first one."""
    first, second = synthesized("Two men are outside, and they wait for a bus."), synthesized("A woman reads.")
    return np.concatenate([SILENCE, first, SILENCE, second, SILENCE])


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_sentences_are_segments_at_their_times(talk, noise) -> None:
    noisy = talk + noise * np.random.default_rng(0).standard_normal(len(talk)).astype(np.float32)
    first, second = speech_segments(noisy)
    voiced = np.flatnonzero(np.abs(talk) > 0.02) / RATE
    gap = np.diff(voiced).argmax()
    for segment, start, end in ((first, voiced[0], voiced[gap]), (second, voiced[gap + 1], voiced[-1])):
        assert start - 0.3 < segment.start <= start + 0.05 and end - 0.15 < segment.end < end + 0.3
        assert np.array_equal(segment.samples, noisy[round(segment.start * RATE) : round(segment.end * RATE)])


@pytest.mark.parametrize("size", [100, 512, 5000, 20_000])
def test_blocks_of_any_length_give_the_same_segments(talk, size) -> None:
    whole = [*speech_segments(talk)]
    parts = [*speech_segments(talk[start : start + size] for start in range(0, len(talk), size))]
    assert [(each.start, each.end) for each in parts] == [(each.start, each.end) for each in whole]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(parts, whole, strict=True))


def test_a_segment_comes_when_its_pause_is_over(talk) -> None:
    read = []

    def blocks():
        for start in range(0, len(talk), 1600):
            read.append(start)
            yield talk[start : start + 1600]

    first = next(speech_segments(blocks()))
    assert read[-1] / RATE < first.end + 0.6


@pytest.mark.parametrize("name", ["nothing", "hum", *NOISES])
def test_what_is_no_speech_gives_no_segment(name) -> None:
    others = {"nothing": np.zeros(0, np.float32), "hum": tone(20, 50)}
    assert [*speech_segments(others[name] if name in others else NOISES[name](20))] == []


def test_long_speech_is_cut_within_the_limit(talk) -> None:
    speech = talk[RATE : round(3.4 * RATE)]
    parts = [*speech_segments(np.tile(speech, 4), max_seconds=5)]
    assert len(parts) >= 2 and all(each.end - each.start <= 5 for each in parts)
    assert parts[0].start < 0.2 and parts[-1].end > 4 * len(speech) / RATE - 0.3
    assert all(b.start - a.end < 0.6 for a, b in itertools.pairwise(parts))


def test_a_long_recording_needs_the_memory_of_an_utterance(talk) -> None:
    """Three minutes are 11.5 MB."""
    repeats = int(180 * RATE / len(talk))
    tracemalloc.start()
    count = sum(1 for _ in speech_segments(talk for _ in range(repeats)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2 * repeats and peak < 6e6


def test_too_short_a_limit_is_an_error() -> None:
    with pytest.raises(ValueError, match="use 2"):
        [*speech_segments(SILENCE, max_seconds=1)]


def test_without_the_extra_there_is_one_line() -> None:
    code = (
        "import sys; sys.modules['faster_whisper'] = None\n"
        "import numpy as np; from distilmt.audio.segments import speech_segments\n"
        "from distilmt.utils.errors import UserError\n"
        "try: list(speech_segments(np.zeros(1000, np.float32)))\n"
        "except UserError as error: print(error)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.startswith("finding speech needs faster_whisper, which is not installed: pip install '.[speech]'")
