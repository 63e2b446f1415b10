"""Teachers on this machine: Marian directories (trained here or OPUS-MT), and any other Hugging Face seq2seq model."""

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
        raise UserError(f"teacher {path!r} is a {config.model_type} model: name a sequence-to-sequence model")
    return str(config.model_type)


@dataclass
class TopKScorer:
    """Asks Marian teachers how likely every word was: top-k log-probabilities with teacher forcing.

    Of several teachers with the same pieces the probabilities are averaged (an ensemble, Freitag et al. 2017).

    Raises:
        UserError: more words are wanted than the teachers have.
    """

    models: list[MarianMTModel]
    tokenizer: Tokenizer
    top_k: int

    def __post_init__(self) -> None:
        vocab_size = min(len(model.lm_head.weight) - 1 for model in self.models)
        if self.top_k > vocab_size:
            raise UserError(
                f"labels.top_k is {self.top_k}, but the teacher has only {vocab_size} words: set it to {vocab_size}"
            )
        # Both are invariants of every answer: dropout or gradients here would silently spoil all labels.
        self.device = pick_device()
        for model in self.models:
            model.eval().requires_grad_(False)
            model.to(self.device, pick_dtype("auto", self.device))  # type: ignore[arg-type, call-overload]

    @property
    def max_length(self) -> int:
        """Longest sequence all teachers can read."""
        return min(int(model.config.max_position_embeddings) for model in self.models)

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Top-k of the teachers' distribution at every target word.

        Returns:
            Ids [N, k] int64 and natural log-probabilities [N, k] float16, likeliest first.
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
    """Float32 logits without the row of <pad>, which is last: it can be no word's answer."""
    logits = states @ model.lm_head.weight[:-1].T
    return logits.float() + model.final_logits_bias[0, :-1].float()
