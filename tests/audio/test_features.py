"""Mel frames equal those of Whisper's feature extractor, and do not depend on the silence after an utterance."""

import numpy as np
import pytest

from distilmt.audio.features import MELS, SAMPLE_RATE, STEP, frame_count, frames_of, log_mel, mel_filters


def voice(seconds: float, seed: int = 0) -> np.ndarray:
    """A buzz with moving loudness and some noise."""
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 120 * n * times) / n for n in range(1, 30)) * (1.2 + np.sin(11 * times))
    noise = np.random.default_rng(seed).standard_normal(len(times))
    return (0.05 * buzz + 0.002 * noise).astype(np.float32)


@pytest.fixture(scope="module")
def extractor():
    pytest.importorskip("transformers")
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor()


@pytest.mark.parametrize("samples", [voice(2.5), voice(0.997), voice(0.011), voice(1.0) * 1e-4, np.zeros(1600)])
def test_frames_are_those_of_whisper(extractor, samples) -> None:
    expected = extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="np").input_features[0].T
    mel = log_mel(samples)
    assert mel.shape == (-(-len(samples) // 160), MELS) and mel.dtype == np.float32
    np.testing.assert_allclose(mel, expected[: len(mel)], atol=2e-4)
    after = frames_of(mel, 1)[len(mel) + 2 :]  # the last windows of the utterance reach into two frames more
    np.testing.assert_allclose(after, expected[len(mel) + 2 :][: len(after)], atol=2e-4)


def test_filters_are_those_of_whisper(extractor) -> None:
    np.testing.assert_allclose(mel_filters(), extractor.mel_filters, atol=1e-8)


def test_silence_after_an_utterance_changes_nothing() -> None:
    alone = voice(1.3)
    padded = np.concatenate([alone, np.zeros(4000, np.float32)])
    np.testing.assert_array_equal(log_mel(alone), log_mel(padded)[:130])


@pytest.mark.parametrize("stack", [1, 2, 4, 32])
def test_frames_are_whole_steps_that_end_with_silence(stack) -> None:
    mel = log_mel(voice(1.3))
    frames = frames_of(mel, stack)
    assert frames.shape == (3 * STEP // stack, stack * MELS) == (frame_count(130, stack), stack * MELS)
    assert len(frames) % 2 == 0
    flat = frames.reshape(-1, MELS)
    np.testing.assert_array_equal(flat[:130], mel)
    assert (flat[130:] == mel.max() - 2).all()


def test_nothing_has_no_frames() -> None:
    mel = log_mel(np.zeros(0, np.float32))
    assert mel.shape == (0, MELS) and frames_of(mel, 4).shape == (0, 4 * MELS)


@pytest.mark.parametrize("stack", [0, -1, 3, 64])
def test_a_stack_that_makes_no_even_number_is_refused(stack) -> None:
    with pytest.raises(ValueError, match="power of two from 1 to 32"):
        frames_of(np.zeros((10, MELS), np.float32), stack)
