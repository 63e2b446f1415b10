"""Models that read pictures as directories that `transformers` opens with `from_pretrained`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.config import ExportConfig, RunConfig
from distilmt.config.rendering import RenderingConfig
from distilmt.export.base import TrainedModel, require_packages
from distilmt.export.card import Form, write_card
from distilmt.export.ctranslate2_pictures import check_frames, picture_model
from distilmt.export.huggingface_frames import translations_of_frames, write_whisper
from distilmt.export.picture_cards import picture_form
from distilmt.export.picture_texts import pictures_of
from distilmt.inference.image_translator import most_tokens
from distilmt.rendering.frames import frames_of
from distilmt.rendering.ink import has_ink
from distilmt.utils.run_dir import atomic_directory

if TYPE_CHECKING:
    from distilmt.models.whisper import WhisperModel

_USE = """
```python
import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer, WhisperForConditionalGeneration

{features}

model = WhisperForConditionalGeneration.from_pretrained("DIRECTORY").eval()
model.generation_config.max_length = None  # every picture has a bound of its own
tokenizer = AutoTokenizer.from_pretrained("DIRECTORY")
positions = model.model.encoder.embed_positions.weight.data


def translate(line):
    frames = torch.from_numpy(features(line))
    length = frames.shape[-1] // 2
    # transformers accepts pictures of one length only: this sets it to the length of the picture.
    model.config.max_source_positions = length
    model.model.encoder.embed_positions = torch.nn.Embedding.from_pretrained(positions[:length])
    ids = model.generate(frames, num_beams=1, max_new_tokens=most_tokens(frames))
    return tokenizer.decode([number for number in ids[0].tolist() if number < len(tokenizer)], skip_special_tokens=True)


print(translate(Image.open("line.png")))
```
"""


@dataclass(frozen=True)
class PictureDirectoryExporter:
    """safetensors for transformers, in the type `export.huggingface_type`, of a student that reads pictures."""

    rendering: RenderingConfig
    """The pictures it reads."""
    suffix: str = "-huggingface"

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`."""
        require_packages("huggingface", ("transformers", "safetensors"))

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        whisper = picture_model(trained.model)
        check_frames(whisper, self.rendering)
        with atomic_directory(path) as temporary:
            write_whisper(whisper, trained.tokenizer, temporary, config.huggingface_type)
            write_card(temporary, trained.card, self._form(config.huggingface_type, whisper))

    def _form(self, precision: str, model: WhisperModel) -> Form:
        return picture_form(f"transformers, {precision}", "transformers", _USE, model, self.rendering)

    def translate(self, path: Path, texts: Sequence[str]) -> Mapping[str, list[str]]:
        """With transformers, pictures of the texts."""
        return {"": read_by_transformers(path, texts, self.rendering)}


def read_by_transformers(directory: Path, texts: Sequence[str], rendering: RenderingConfig) -> list[str]:
    """Translate pictures of texts with a directory in safetensors and transformers' `generate`, greedily.

    Args:
        directory: written by `PictureDirectoryExporter`, or a student of a run.
        texts: one sentence each, with a picture.
        rendering: the pictures that the model reads.
    """
    pictures = pictures_of(texts, rendering)
    sources = (frames_of(each, rendering.columns_per_frame) if has_ink(each) else None for each in pictures)
    return translations_of_frames(
        directory, sources, partial(most_tokens, rendering.columns_per_frame, rendering.height)
    )
