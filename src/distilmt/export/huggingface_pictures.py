"""Models that read pictures as directories that `transformers` opens with `from_pretrained`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from transformers import AutoTokenizer, WhisperForConditionalGeneration

from distilmt.config import ExportConfig, RunConfig
from distilmt.config.rendering import RenderingConfig
from distilmt.export.base import TrainedModel, require_packages
from distilmt.export.card import Form, write_card
from distilmt.export.ctranslate2_pictures import check_frames, picture_model
from distilmt.export.picture_cards import picture_form
from distilmt.export.picture_texts import pictures_of
from distilmt.inference.image_translator import most_tokens
from distilmt.models.checkpoint import write_tokenizer
from distilmt.models.frames import FRAMES_PER_POSITION
from distilmt.models.whisper_checkpoint import generation_config
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
        positions = whisper.dimensions.max_positions
        network = copy.deepcopy(whisper.network).to(getattr(torch, config.huggingface_type))
        network.generation_config = generation_config(network)
        with atomic_directory(path) as temporary:
            network.save_pretrained(temporary)
            write_tokenizer(trained.tokenizer, temporary, positions)
            write_card(temporary, trained.card, self._form(config.huggingface_type, whisper))

    def _form(self, precision: str, model: WhisperModel) -> Form:
        return picture_form(f"transformers, {precision}", "transformers", _USE, model, self.rendering)

    def translate(self, path: Path, texts: Sequence[str]) -> Mapping[str, list[str]]:
        """With transformers, pictures of the texts."""
        return {"": read_by_transformers(path, texts, self.rendering)}


@torch.inference_mode()
def read_by_transformers(directory: Path, texts: Sequence[str], rendering: RenderingConfig) -> list[str]:
    """Translate pictures of texts with a directory in safetensors and transformers' `generate`, greedily.

    Args:
        directory: written by `PictureDirectoryExporter`, or a student of a run.
        texts: one sentence each, with a picture.
        rendering: the pictures that the model reads.
    """
    model = WhisperForConditionalGeneration.from_pretrained(directory, use_safetensors=True, dtype=torch.float32).eval()
    model.generation_config.max_length = None  # every picture has a bound of its own
    tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    positions = model.model.encoder.embed_positions.weight.data
    translations = []
    for columns in pictures_of(texts, rendering):
        frames = frames_of(columns, rendering.columns_per_frame)
        most = min(len(positions) - 1, most_tokens(len(frames) * rendering.columns_per_frame, rendering.height))
        ids = _generated(model, frames, positions, most) if has_ink(columns) else []
        translations.append(str(tokenizer.decode(ids, skip_special_tokens=True)))
    return translations


def _generated(
    model: WhisperForConditionalGeneration, frames: np.ndarray, positions: torch.Tensor, most: int
) -> list[int]:
    """Greedy tokens of one picture; transformers accepts one length only, which is set to that of the picture."""
    length = -(-len(frames) // FRAMES_PER_POSITION)
    network: Any = model
    network.config.max_source_positions = length
    network.model.encoder.embed_positions = nn.Embedding.from_pretrained(positions[:length])
    features = torch.from_numpy(np.ascontiguousarray(frames.T[None]))  # [1, frame size, frames]
    ids = network.generate(features, num_beams=1, do_sample=False, max_new_tokens=most)[0].tolist()
    return [number for number in ids if number < network.config.pad_token_id]
