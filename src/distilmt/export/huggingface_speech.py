"""Models that hear speech as directories that `transformers` opens with `from_pretrained`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from transformers import WhisperFeatureExtractor

from distilmt.audio.features import FRAMES_PER_SECOND, HOP, MELS, SAMPLE_RATE, STEP, frames_of, log_mel
from distilmt.config import ExportConfig, RunConfig
from distilmt.config.voices import VoicesConfig
from distilmt.export.base import TrainedModel, require_packages
from distilmt.export.card import Form, write_card
from distilmt.export.ctranslate2_speech import longest_utterance, speech_model
from distilmt.export.huggingface_frames import translations_of_frames, write_whisper
from distilmt.export.speech_texts import utterances_of
from distilmt.inference.speech_translator import most_tokens
from distilmt.utils.run_dir import atomic_directory

_USE = """
The model hears one sentence of at most `{max_seconds:g}` seconds. A frame is `{stack}` frames of Whisper's feature
extractor, side by side. Silence is appended up to whole steps of {step_seconds} seconds.

```python
import numpy as np
import torch
from transformers import AutoTokenizer, WhisperFeatureExtractor, WhisperForConditionalGeneration

STACK, STEP = {stack}, {step}
model = WhisperForConditionalGeneration.from_pretrained("DIRECTORY").eval()
model.generation_config.max_length = None  # every recording has a bound of its own
tokenizer = AutoTokenizer.from_pretrained("DIRECTORY")
extractor = WhisperFeatureExtractor.from_pretrained("DIRECTORY")
positions = model.model.encoder.embed_positions.weight.data


def features(samples):  # float32 from -1 to 1, mono, {sample_rate} a second
    samples = np.pad(samples, (0, -len(samples) % ({hop} * STEP)))
    mel = extractor(samples, sampling_rate={sample_rate}, padding=False, truncation=False).input_features[0]
    stacked = mel.T.reshape(-1, STACK * {mels}).T  # [STACK · {mels}, frames]
    return torch.from_numpy(stacked.copy()[None])


def translate(samples):
    frames = features(samples)
    length = frames.shape[-1] // 2
    # transformers accepts recordings of one length only: this sets it to the length of the recording.
    model.config.max_source_positions = length
    model.model.encoder.embed_positions = torch.nn.Embedding.from_pretrained(positions[:length])
    most = min({most}, {fewest} + {per_second} * frames.shape[-1] * STACK // {frames_per_second})
    ids = model.generate(frames, num_beams=1, max_new_tokens=most)
    return tokenizer.decode([number for number in ids[0].tolist() if number < len(tokenizer)], skip_special_tokens=True)


pcm = np.memmap("sentence.wav", "<i2", "r", offset=44)  # a mono file of 16 bits, {sample_rate} samples a second
print(translate(pcm.astype(np.float32) / 32768))
```
"""


@dataclass(frozen=True)
class SpeechDirectoryExporter:
    """safetensors for transformers, in the type `export.huggingface_type`, of a student that hears speech."""

    voices: VoicesConfig
    """What it was trained on."""
    suffix: str = "-huggingface"

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`."""
        require_packages("huggingface", ("transformers", "safetensors"))

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        whisper = speech_model(trained.model, self.voices)
        with atomic_directory(path) as temporary:
            write_whisper(whisper, trained.tokenizer, temporary, config.huggingface_type)
            WhisperFeatureExtractor(MELS, SAMPLE_RATE, HOP).save_pretrained(temporary)
            longest = longest_utterance(whisper, self.voices)
            form = self._form(config.huggingface_type, whisper.dimensions.max_positions, longest)
            write_card(temporary, trained.card, form)

    def _form(self, precision: str, positions: int, max_seconds: float) -> Form:
        values: dict[str, Any] = {
            "stack": self.voices.stack,
            "step": STEP,
            "step_seconds": STEP / FRAMES_PER_SECOND,
            "hop": HOP,
            "mels": MELS,
            "sample_rate": SAMPLE_RATE,
            "frames_per_second": FRAMES_PER_SECOND,
            "max_seconds": max_seconds,
            "most": positions - 1,
            "fewest": most_tokens(1, 0),
            "per_second": most_tokens(1, FRAMES_PER_SECOND) - most_tokens(1, 0),
        }
        return Form(f"transformers, {precision}, hears speech", "transformers", _USE.format(**values))

    def translate(self, path: Path, texts: Sequence[str]) -> Mapping[str, list[str]]:
        """With transformers, recordings of the texts."""
        return {"": translations_by_transformers(path, texts, self.voices)}


def translations_by_transformers(directory: Path, texts: Sequence[str], voices: VoicesConfig) -> list[str]:
    """Translate recordings of texts with a directory in safetensors and transformers' `generate`, greedily.

    Args:
        directory: written by `SpeechDirectoryExporter`, or a student of a run.
        texts: one sentence each, that can be spoken.
        voices: what the model hears.
    """
    sources = (frames_of(log_mel(samples), voices.stack) for samples in utterances_of(texts, voices))
    return translations_of_frames(directory, sources, partial(most_tokens, voices.stack))
