"""Neural teachers: torch modules that return logits, and Hugging Face text classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError
from scipy.sparse import issparse
from torch import Tensor, nn

from distilmt.classification.targets import softmax
from distilmt.classification.types import Rows
from distilmt.models.device import pick_device
from distilmt.utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_LONGEST = 1 << 20


@dataclass
class TorchTeacher:
    """A module that maps float rows [n, features] to logits [n, K], or [n] or [n, 1] for two classes."""

    module: nn.Module
    classes: Sequence[object] | None = None
    """The classes of its outputs, in their order; by default the sorted classes of y."""
    batch_size: int = 256
    """Rows per batch; sparse rows are made dense one batch at a time."""

    def probabilities(self, X: Rows) -> np.ndarray:
        """[n, K] float64."""
        was_training = self.module.training
        self.module.eval()
        try:
            parts = [
                self._logits(X[begin : begin + self.batch_size]) for begin in range(0, X.shape[0], self.batch_size)
            ]
        finally:
            self.module.train(was_training)
        return of_scores(torch.cat(parts).numpy())

    @torch.inference_mode()
    def _logits(self, X: Rows) -> Tensor:
        first = next(self.module.parameters(), torch.zeros(()))
        return self.module(dense(X).to(first.device, first.dtype)).double().cpu()


def dense(X: Rows) -> Tensor:
    """Rows as a float32 tensor."""
    values = X.toarray() if issparse(X) and hasattr(X, "toarray") else X
    return torch.from_numpy(np.array(values, dtype=np.float32))


def of_scores(scores: np.ndarray) -> np.ndarray:
    """Probabilities [n, K] of logits or margins: softmax over [n, K], sigmoid of [n] or [n, 1] for two classes."""
    flat = scores.reshape(len(scores), -1)
    return softmax(np.hstack([np.zeros_like(flat), flat]) if flat.shape[1] == 1 else flat)


@dataclass
class HuggingFaceTeacher:
    """A Hugging Face text classifier: maps texts to probabilities of the classes in its configuration."""

    source: str | Path | tuple[PreTrainedModel, PreTrainedTokenizerBase]
    """A directory with weights in safetensors and a tokenizer, or a model and its tokenizer."""
    classes: Sequence[object] | None = None
    """The classes of its outputs, in their order; by default `id2label` of its configuration if y has texts, else the
    indices of the outputs."""
    batch_size: int = 32
    """Texts per batch; they are sorted by length first."""
    max_length: int | None = None
    """Maximum tokens of a text; by default the model's maximum."""

    def __post_init__(self) -> None:
        """Open the directory.

        Raises:
            UserError: it cannot be opened, or the model is not a single-label classifier.
        """
        self.model, self.tokenizer = self.source if isinstance(self.source, tuple) else _open(Path(self.source))
        kind = getattr(self.model.config, "problem_type", None)
        self.class_count = int(self.model.config.num_labels or 0)
        if self.class_count < 2 or kind in ("regression", "multi_label_classification"):
            raise UserError(
                f"the Hugging Face teacher has {self.class_count} outputs (problem_type {kind}): "
                "use a single-label classifier with at least two classes"
            )

    def names(self, numeric: bool) -> np.ndarray:
        """Classes of the outputs, [K]: numbers if y is `numeric`."""
        if self.classes is not None:
            return np.asarray(self.classes)
        if numeric:
            return np.arange(self.class_count)
        names = {int(number): name for number, name in (self.model.config.id2label or {}).items()}
        return np.array([names[number] for number in range(self.class_count)])

    def probabilities(self, X: Rows) -> np.ndarray:
        """[n, K] float64 of n texts."""
        texts = [str(text) for text in np.asarray(X)]
        order = np.argsort([len(text) for text in texts], kind="stable")
        parts = [self._read([texts[i] for i in order[b : b + self.batch_size]]) for b in self._begins(texts)]
        distribution = np.empty((len(texts), self.class_count))
        distribution[order] = of_scores(torch.cat(parts).numpy())
        return distribution

    def _begins(self, texts: list[str]) -> range:
        return range(0, len(texts), self.batch_size)

    @torch.inference_mode()
    def _read(self, texts: list[str]) -> Tensor:
        self.model.eval()
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=self._longest(), return_tensors="pt")
        return self.model(**batch.to(self.model.device)).logits.double().cpu()

    def _longest(self) -> int:
        """Maximum number of tokens; models like RoBERTa number positions from after the padding index."""
        positions = getattr(self.model.config, "max_position_embeddings", 0)
        embeddings = getattr(self.model.base_model, "embeddings", None)
        padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
        usable = positions - (0 if padding is None else padding + 1)
        return self.max_length or min(self.tokenizer.model_max_length, usable if usable > 0 else _LONGEST, _LONGEST)


def _open(directory: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    if not directory.is_dir():
        raise UserError(f"teacher {str(directory)!r} is not a directory: use one with a Hugging Face text classifier")
    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            directory, use_safetensors=True, trust_remote_code=False
        )
        return model.to(pick_device()), AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    except (OSError, ValueError, SafetensorError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"teacher {str(directory)!r} cannot be loaded from safetensors: {first}") from None
