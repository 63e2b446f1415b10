"""Top-k log-probabilities of local teachers, for token-level distillation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from distilmt.data.tokenizer import Tokenizer
from distilmt.models.base import Seq2SeqModel
from distilmt.models.batch import Batch
from distilmt.models.device import pick_device, pick_dtype, use_threads
from distilmt.utils.errors import UserError

SCORING_TOKENS = 3000
"""Tokens per side of a batch in forced decoding: enough for matrix products at full speed, and little memory."""
SCORING_ROWS = 512
"""Target tokens whose logits are in memory at a time, 65 MB for a vocabulary of 32,000."""


@dataclass
class TopKScorer:
    """Top-k log-probabilities of teachers by forced decoding.

    For several teachers with the same vocabulary the probabilities are averaged (an ensemble, Freitag et al. 2017).

    Raises:
        UserError: top_k is larger than the vocabulary.
    """

    models: list[Seq2SeqModel]
    tokenizer: Tokenizer
    top_k: int

    def __post_init__(self) -> None:
        vocab_size = min(model.vocabulary_size for model in self.models)
        if self.top_k > vocab_size:
            raise UserError(
                f"labels.top_k is {self.top_k}, but the teacher has only {vocab_size} tokens: set it to {vocab_size}"
            )
        # Both are invariants: dropout or gradients here would silently spoil all labels.
        self.device = pick_device()
        for model in self.models:
            model.eval().requires_grad_(False)
            model.to(self.device, pick_dtype("auto", self.device))

    @property
    def max_length(self) -> int:
        """Longest sequence that all teachers accept."""
        return min(model.dimensions.max_positions for model in self.models)

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Top-k of the teachers' distribution at every target token.

        Returns:
            Ids [N, k] int64 and natural log-probabilities [N, k] float16, most likely first.
        """
        use_threads()
        hidden = [model.decoder_states(batch.to(self.device)) for model in self.models]
        chunks = [self._top([h[i : i + SCORING_ROWS] for h in hidden]) for i in range(0, len(hidden[0]), SCORING_ROWS)]
        ids, values = (torch.cat(parts).cpu().numpy() for parts in zip(*chunks, strict=True))
        return ids, values.astype(np.float16)

    def _top(self, hidden: list[Tensor]) -> tuple[Tensor, Tensor]:
        logits = [model.logits(states) for model, states in zip(self.models, hidden, strict=True)]
        if len(logits) > 1:
            logits = [torch.stack([each.log_softmax(-1) for each in logits]).logsumexp(0)]
        values, ids = logits[0].topk(self.top_k)
        return ids, values - logits[0].logsumexp(-1, keepdim=True)
