"""A toy export format: the weights as one file of NumPy. A test adds it to a copy of distilmt as `export/npz.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, MarianConfig, MarianMTModel

from distilmt.config import ExportConfig, RunConfig
from distilmt.export.base import TrainedModel, require_packages
from distilmt.export.card import Form, write_card
from distilmt.export.consumers import greedy_translate
from distilmt.models.checkpoint import write_tokenizer
from distilmt.utils.run_dir import atomic_directory


class NpzExporter:
    """Weights in `weights.npz`."""

    suffix = "-npz"

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`."""
        require_packages("npz", ("numpy",))

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        with atomic_directory(path) as temporary:
            weights = {name: tensor.numpy() for name, tensor in trained.network.state_dict().items()}
            np.savez(temporary / "weights.npz", **weights)
            trained.network.config.save_pretrained(temporary)
            write_tokenizer(trained.tokenizer, temporary, trained.model.dimensions.max_positions)
            write_card(temporary, trained.card, Form("NumPy", "numpy", 'np.load("DIRECTORY/weights.npz")'))

    def translate(self, path: Path, texts: Sequence[str]) -> Mapping[str, list[str]]:
        """With transformers, from NumPy's file."""
        model = MarianMTModel(MarianConfig.from_pretrained(path))
        with np.load(path / "weights.npz") as weights:
            model.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
        return {"": greedy_translate(model.eval(), AutoTokenizer.from_pretrained(path), texts)}


EXPORTER = NpzExporter()
