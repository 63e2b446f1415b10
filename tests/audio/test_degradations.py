"""Noise, reverberation and telephone: their levels are those that are asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from distilmt.audio.degradations import Degradation, degrade
from distilmt.audio.features import SAMPLE_RATE

PLAIN = Degradation(snr_db=60, noise_color=0, reverberation=0, is_telephone=False, seed=1)


@pytest.fixture
def tone() -> np.ndarray:
    """A second of 1 kHz between silence of half a second."""
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    return np.pad(0.5 * np.sin(2 * np.pi * 1000 * time), SAMPLE_RATE // 2).astype(np.float32)


@pytest.mark.parametrize(("snr_db", "color"), [(20, 0), (10, 1), (0, 2)])
def test_noise_has_its_level_everywhere(tone: np.ndarray, snr_db: float, color: float) -> None:
    noise = degrade(tone, replace(PLAIN, snr_db=snr_db, noise_color=color)) - tone
    measured = 10 * np.log10((0.5**2 / 2) / (noise**2).mean())
    assert abs(measured - snr_db) < 0.5 and (noise[: SAMPLE_RATE // 2] ** 2).mean() > 0


def test_color_moves_noise_to_low_frequencies(tone: np.ndarray) -> None:
    shares = []
    for color in (0, 1, 2):
        power = np.abs(np.fft.rfft(degrade(tone, replace(PLAIN, snr_db=0, noise_color=color)) - tone)) ** 2
        shares.append(power[: len(power) // 16].sum() / power.sum())
    assert shares[0] < 0.1 < shares[1] < shares[2]


def test_reverberation_lasts_as_long_as_it_should(tone: np.ndarray) -> None:
    echoes = degrade(tone, replace(PLAIN, reverberation=0.3))[SAMPLE_RATE * 3 // 2 :]
    early, late = (np.sqrt((part**2).mean()) for part in (echoes[:800], echoes[4800:]))
    assert early > 20 * late and len(degrade(tone, replace(PLAIN, reverberation=0.3))) == len(tone)


def test_a_telephone_has_its_band() -> None:
    noise = np.random.default_rng(1).standard_normal(SAMPLE_RATE).astype(np.float32) * 0.1
    power = np.abs(np.fft.rfft(degrade(noise, replace(PLAIN, is_telephone=True)))) ** 2
    assert power[400:3300].mean() > 50 * power[4000:].mean() and power[400:3300].mean() > 50 * power[:250].mean()


def test_seeds_and_silence(tone: np.ndarray) -> None:
    noisy = replace(PLAIN, snr_db=10, reverberation=0.2)
    assert np.array_equal(degrade(tone, noisy), degrade(tone, noisy))
    assert not np.array_equal(degrade(tone, noisy), degrade(tone, replace(noisy, seed=2)))
    assert not degrade(np.zeros(100, np.float32), noisy).any()
