"""Local teachers: Marian directories (trained here or OPUS-MT), and any other Hugging Face seq2seq model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, MarianMTModel

from distilmt.data.tokenizer import Tokenizer
from distilmt.models.device import pick_device, pick_dtype, use_threads
from distilmt.models.marian_forward import Batch, decoder_states
from distilmt.utils.errors import UserError
from distilmt.utils.untrusted import check_configuration, loading

_CHUNK = 512


def family(path: str) -> str:
    """The architecture of a model directory or hub name (`marian`, `t5`, `m2m_100`, …).

    Raises:
        UserError: there is no model of that name.
    """
    check_configuration(path)
    with loading(path):
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
    if not config.is_encoder_decoder:
        raise UserError(f"teacher {path!r} is a {config.model_type} model: choose a sequence-to-sequence model")
    return str(config.model_type)


@dataclass
class TopKScorer:
    """Top-k log-probabilities of Marian teachers by forced decoding.

    For several teachers with the same vocabulary the probabilities are averaged (an ensemble, Freitag et al. 2017).

    Raises:
        UserError: top_k is larger than the vocabulary.
    """

    models: list[MarianMTModel]
    tokenizer: Tokenizer
    top_k: int

    def __post_init__(self) -> None:
        vocab_size = min(len(model.lm_head.weight) - 1 for model in self.models)
        if self.top_k > vocab_size:
            raise UserError(
                f"labels.top_k is {self.top_k}, but the teacher has only {vocab_size} tokens: set it to {vocab_size}"
            )
        # Both are invariants: dropout or gradients here would silently spoil all labels.
        self.device = pick_device()
        for model in self.models:
            model.eval().requires_grad_(False)
            model.to(self.device, pick_dtype("auto", self.device))  # type: ignore[arg-type]

    @property
    def max_length(self) -> int:
        """Longest sequence that all teachers accept."""
        return min(int(model.config.max_position_embeddings) for model in self.models)

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Top-k of the teachers' distribution at every target token.

        Returns:
            Ids [N, k] int64 and natural log-probabilities [N, k] float16, most likely first.
        """
        use_threads()
        hidden = [decoder_states(model, batch.to(self.device)) for model in self.models]
        chunks = [self._top([h[i : i + _CHUNK] for h in hidden]) for i in range(0, len(hidden[0]), _CHUNK)]
        ids, values = (torch.cat(parts).cpu().numpy() for parts in zip(*chunks, strict=True))
        return ids, values.astype(np.float16)

    def _top(self, hidden: list[Tensor]) -> tuple[Tensor, Tensor]:
        logits = [_logits(model, states) for model, states in zip(self.models, hidden, strict=True)]
        if len(logits) > 1:
            logits = [torch.stack([each.log_softmax(-1) for each in logits]).logsumexp(0)]
        values, ids = logits[0].topk(self.top_k)
        return ids, values - logits[0].logsumexp(-1, keepdim=True)


def _logits(model: MarianMTModel, states: Tensor) -> Tensor:
    """Float32 logits without `<pad>`, the last token, which is never predicted."""
    logits = states @ model.lm_head.weight[:-1].T
    return logits.float() + model.final_logits_bias[0, :-1].float()
