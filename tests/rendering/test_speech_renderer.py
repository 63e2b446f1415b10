"""Texts become sound: by any program, reproducibly, and in the form that is kept on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
from helpers.voices import tone_config

from distilmt.audio.features import MELS, SAMPLE_RATE, frames_of, log_mel
from distilmt.config.voices import MELS as CONFIGURED_MELS
from distilmt.config.voices import VoicesConfig
from distilmt.rendering.rendering_cache import RenderingCache, remove_renderings
from distilmt.rendering.speech_renderer import SpeechRenderer, mel_codes, mel_values
from distilmt.rendering.text_renderer import Absence, present

TEXTS = ["ban der fir", "go luth man", "...", "x" * 250, "Zoë sings."]
IDS = [f"train-{number}" for number in range(len(TEXTS))]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> VoicesConfig:
    return tone_config(tmp_path_factory.mktemp("voices"))


def test_the_same_seed_makes_the_same_sounds_in_any_order(config: VoicesConfig) -> None:
    noisy = replace(config, clean_fraction=0.0, telephone_fraction=1.0)
    first, second = (SpeechRenderer.for_training(noisy, seed=3) for _ in range(2))
    sounds = present(first.sources(TEXTS, IDS))
    again = present(second.sources(TEXTS[::-1], IDS[::-1]))[::-1]
    for one, other in zip(sounds, again, strict=True):
        assert (one is None and other is None) or np.array_equal(one, other)  # type: ignore[arg-type]
    (other_epoch,) = first.sources(TEXTS[:1], IDS[:1], epoch=1)
    assert not np.array_equal(sounds[0], other_epoch)  # type: ignore[arg-type]
    (other_seed,) = SpeechRenderer.for_training(noisy, seed=4).sources(TEXTS[:1], IDS[:1])
    assert not np.array_equal(sounds[0], other_seed)  # type: ignore[arg-type]


def test_texts_without_sound_have_a_reason(config: VoicesConfig) -> None:
    renderer = SpeechRenderer.for_training(config, seed=1)
    sources = list(renderer.sources(TEXTS, IDS))
    assert sources[2] is Absence.UNRENDERABLE and sources[3] is Absence.TOO_LONG
    assert "longer than 8 seconds" in renderer.absence_reason(Absence.TOO_LONG)
    for source in (sources[0], sources[1], sources[4]):
        assert isinstance(source, np.ndarray) and source.dtype == np.float32 and 0 < np.abs(source).max() <= 1


def test_speed_pitch_margins_and_level_follow_the_configuration(config: VoicesConfig) -> None:
    """A letter takes 40 ms at the voice's own speed; a tone's frequency is that of its letter."""
    plain = replace(config, min_speed=1.0, max_speed=1.0, pitch=0.0, margin=0.0, quietest=0.0)
    (usual,) = SpeechRenderer.for_training(plain, 1).sources(["bbbbbbbbbb"], ["a"])
    assert isinstance(usual, np.ndarray) and abs(len(usual) / SAMPLE_RATE - 0.4) < 0.01
    assert abs(float(np.abs(usual).max()) - 1) < 0.01
    (slow,) = SpeechRenderer.for_training(replace(plain, min_speed=0.5, max_speed=0.5), 1).sources(["b" * 10], ["a"])
    assert isinstance(slow, np.ndarray) and abs(len(slow) / len(usual) - 2) < 0.05
    higher = replace(plain, pitch=0.4)
    pitches, lengths = set(), []
    for number in range(6):
        (each,) = SpeechRenderer.for_training(higher, 1).sources(["b" * 10], [f"id {number}"])
        assert isinstance(each, np.ndarray)
        spectrum = np.abs(np.fft.rfft(each, SAMPLE_RATE))
        pitches.add(round(int(spectrum[100:600].argmax()) + 100, -1))
        lengths.append(len(each) / len(usual))
    assert max(pitches) > 1.15 * min(pitches) and 0.95 < min(lengths) <= max(lengths) < 1.05, "tempo stays"
    (quiet,) = SpeechRenderer.for_training(replace(plain, quietest=-40.0, margin=1.0), 1).sources(["b" * 10], ["a"])
    assert isinstance(quiet, np.ndarray) and np.abs(quiet).max() < 0.9 and len(quiet) > len(usual)


def test_the_form_on_disk_is_close_to_the_sound(config: VoicesConfig) -> None:
    renderer = SpeechRenderer.for_training(config, 1)
    (source,) = renderer.sources(TEXTS[:1], IDS[:1])
    assert isinstance(source, np.ndarray) and MELS == CONFIGURED_MELS
    mel, rows = log_mel(source), renderer.rows(source)
    assert rows.dtype == np.uint8 and np.abs(mel_values(rows) - mel).max() < 0.007
    frames = renderer.frames(rows)
    assert frames.shape == (renderer.frame_count(len(rows)), config.frame_size)
    assert np.abs(frames - frames_of(mel, config.stack)).max() < 0.01
    np.testing.assert_array_equal(mel_codes(mel_values(rows)), rows)


def test_shards_are_whole_and_removed(config: VoicesConfig, tmp_path: Path, messages: list[str]) -> None:
    renderer, root = SpeechRenderer.for_training(config, 1), tmp_path / "recordings"
    variant = RenderingCache(renderer, IDS, TEXTS, root).variant(0)
    assert variant.lengths[2] == Absence.UNRENDERABLE and variant.lengths[3] == Absence.TOO_LONG
    for number in (0, 1, 4):
        (source,) = renderer.sources(TEXTS[number : number + 1], IDS[number : number + 1])
        assert isinstance(source, np.ndarray)
        np.testing.assert_array_equal(variant.rendered(number), renderer.rows(source))
    (warning,) = [line for line in messages if "left out" in line]
    assert "2 of 5 texts have no recordings: 1 have nothing that the voices speak, 1 take longer than 8" in warning
    remove_renderings(root)
    assert not root.exists()


def test_transcripts_have_letters_and_digits(config: VoicesConfig) -> None:
    renderer = SpeechRenderer.for_training(config, 1)
    assert renderer.transcript("“Zoë’s 3D-Film”, ja!") == "zoë s 3d film ja"
