"""Texts with a recording are heard in it, the others by a voice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("av")
from helpers.recordings import RATE, tone, wav
from helpers.voices import tone_config

from distilmt.config.voices import VoicesConfig
from distilmt.rendering.speech_renderer import SpeechRenderer
from distilmt.rendering.text_renderer import Absence
from distilmt.utils.errors import UserError

TEXTS, IDS = ["Two men wait.", "ban der fir", "Nothing."], ["test-1", "test-2", "test-3"]


@pytest.fixture
def config(tmp_path) -> VoicesConfig:
    (tmp_path / "a.wav").write_bytes(wav(tone(2)))
    (tmp_path / "damaged.wav").write_bytes(b"RIFF")
    manifest = tmp_path / "a.tsv"
    manifest.write_text("audio\ttranscript\na.wav\tTwo men  wait.\ndamaged.wav\tNothing.\n", encoding="utf-8")
    return replace(tone_config(tmp_path), recordings=[str(manifest)], held_out_recordings=[str(manifest)])


def test_test_sets_have_the_recordings_unchanged(config) -> None:
    renderer = SpeechRenderer.for_measuring(config, seed=1)
    recording, voice, damaged = renderer.sources(TEXTS, IDS)
    np.testing.assert_allclose(recording, tone(2), atol=1e-4)
    (without,) = SpeechRenderer.for_measuring(replace(config, held_out_recordings=[]), 1).sources(TEXTS[1:2], IDS[1:2])
    assert np.array_equal(voice, without)
    assert damaged is Absence.UNRENDERABLE and "damaged" in renderer.absence_reason(damaged)
    assert renderer.names[-1] == "a.tsv"


def test_training_changes_the_pitch_of_recordings(config) -> None:
    plain = replace(config, clean_fraction=1.0, margin=0.0, pitch=0.4)
    lengths = []
    for epoch in range(3):
        (source,) = SpeechRenderer.for_training(plain, seed=1).sources(TEXTS[:1], IDS[:1], epoch)
        lengths.append(len(source) / RATE)
    assert len(set(lengths)) == 3 and all(2 / 1.4 - 0.1 < each < 2 / 0.6 + 0.1 for each in lengths)


def test_recordings_change_the_cache_and_configurations_without_them_do_not(config, tmp_path) -> None:
    alone = SpeechRenderer.for_training(replace(config, recordings=[], held_out_recordings=[]), seed=1)
    both = SpeechRenderer.for_training(config, seed=1)
    assert not {"recordings", "held_out_recordings"} & alone.fingerprint()["config"].keys()
    assert "recordings" not in alone.fingerprint() and both.fingerprint() != alone.fingerprint()
    before = both.fingerprint()
    (tmp_path / "a.wav").write_bytes(wav(tone(1)))
    assert SpeechRenderer.for_training(config, seed=1).fingerprint() != before


def test_a_corpus_without_transcripts_is_refused(config, tmp_path) -> None:
    (tmp_path / "b.tsv").write_text("audio\ttranscript\na.wav\t\n", encoding="utf-8")
    with pytest.raises(UserError, match="transcribe it first"):
        SpeechRenderer.for_training(replace(config, recordings=[str(tmp_path / "b.tsv")]), seed=1)
