"""Models of architectures that CTranslate2 does not run: their own files, translated with PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distilmt.config import ComputeType, ExportConfig, RunConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.data.tokenizer import load as load_tokenizer
from distilmt.export.base import TrainedModel
from distilmt.export.card import Form, write_card
from distilmt.inference.manifest import write_manifest
from distilmt.models.base import Seq2SeqModel
from distilmt.models.beam_search import search
from distilmt.models.checkpoint import load_model, save_model
from distilmt.utils.run_dir import atomic_directory

USE = """
```python
from distilmt.teachers.remote import load_translation_model

print(load_translation_model("DIRECTORY").translate(["Text to translate."]))
```
"""
"""Instructions for the model card."""


def export_torch(model: Seq2SeqModel, tokenizer: Tokenizer, directory: Path) -> None:
    """Write a directory that `load_translation_model` opens, atomically.

    Args:
        model: a model in float32.
        tokenizer: the tokenizer it was trained with.
        directory: the export directory; an older export there is replaced.
    """
    with atomic_directory(directory) as temporary:
        save_model(model, tokenizer, temporary)
        write_manifest(temporary, {"format": 1, "torch": model.architecture})


@dataclass(frozen=True)
class TorchExporter:
    """The export of a model that is translated with PyTorch; its only type is float32."""

    suffix: str = ""
    compute_type: ComputeType = "float32"

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`: every architecture can be written."""

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        export_torch(trained.model, trained.tokenizer, path)
        write_card(path, trained.card, self.form)

    @property
    def form(self) -> Form:
        """The format as model cards name it."""
        return Form("PyTorch, float32", "pytorch", USE)

    def translate(self, path: Path, texts: Sequence[str]) -> Mapping[str, list[str]]:
        """With the model's own search."""
        model, tokenizer = load_model(path), load_tokenizer(path)
        best = [search(model, tokenizer.source.encode([text]))[0][0].ids for text in texts]
        return {"": tokenizer.target.decode(best)}
