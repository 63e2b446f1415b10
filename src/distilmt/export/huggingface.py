"""Marian models as directories that `transformers` opens with `from_pretrained`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from transformers import MarianMTModel

from distilmt.config import ExportConfig, RunConfig
from distilmt.config.choices import WeightType
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.base import TrainedModel, require_marian, require_packages
from distilmt.export.card import Form, ModelCard, write_card
from distilmt.export.consumers import by_transformers
from distilmt.models.checkpoint import write_tokenizer
from distilmt.models.marian_checkpoint import generation_config
from distilmt.utils.run_dir import atomic_directory

_USE = """
```python
from transformers import AutoTokenizer, MarianMTModel

tokenizer, model = AutoTokenizer.from_pretrained("DIRECTORY"), MarianMTModel.from_pretrained("DIRECTORY")
batch = tokenizer(["Text to translate."], return_tensors="pt", padding=True)
print(tokenizer.batch_decode(model.generate(**batch), skip_special_tokens=True))
```
"""


def export_huggingface(
    model: MarianMTModel, tokenizer: Tokenizer, directory: Path, card: ModelCard, precision: WeightType = "float32"
) -> None:
    """Write a directory for `MarianMTModel.from_pretrained` and `AutoTokenizer` atomically.

    Args:
        model: a Marian model in float32; it is not changed.
        tokenizer: the tokenizer it was trained with.
        directory: the export directory; an older export there is replaced.
        card: facts for the model card.
        precision: dtype of the weights.
    """
    model = copy.deepcopy(model).to(getattr(torch, precision))
    model.generation_config = generation_config(model, beams=4)
    with atomic_directory(directory) as temporary:
        model.save_pretrained(temporary)
        write_tokenizer(tokenizer, temporary, int(model.config.max_position_embeddings))
        write_card(temporary, card, Form(f"transformers, {precision}", "transformers", _USE))


class HuggingFaceExporter:
    """safetensors for transformers, in the type `export.huggingface_type`."""

    suffix = "-huggingface"

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`."""
        require_marian("huggingface", config)
        require_packages("huggingface", ("transformers", "safetensors"))

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        export_huggingface(trained.network, trained.tokenizer, path, trained.card, config.huggingface_type)

    def translate(self, path: Path, texts: Sequence[str]) -> Mapping[str, list[str]]:
        """With transformers."""
        return {"": by_transformers(path, texts)}


EXPORTER = HuggingFaceExporter()
