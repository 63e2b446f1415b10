"""Beam search, greedy search and sampling for a model of any architecture, through its interface.

Every step decodes the whole prefix again: the interface has no cache of keys and values. CTranslate2 is faster for the
architectures that it runs; this serves the others, and tests compare the two.

Shapes: B sentences, K hypotheses of each, T tokens of a prefix, V tokens that can be generated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from distilmt.models.base import Seq2SeqModel
from distilmt.models.batch import Batch, make_batch


@dataclass(frozen=True)
class ScoredTokens:
    """A hypothesis: its ids without `</s>`, and its log-probability divided by its length with `</s>`."""

    ids: list[int]
    score: float


@torch.inference_mode()
def search(
    model: Seq2SeqModel,
    sources: Sequence[Sequence[int]],
    beams: int = 1,
    num_hypotheses: int = 1,
    length_penalty: float = 1.0,
    temperature: float = 0.0,
) -> list[list[ScoredTokens]]:
    """The best translations of a batch of sentences, best first.

    Args:
        model: the model, in any precision.
        sources: ids of each sentence with `</s>`, at most as many as the model has positions.
        beams: hypotheses that are continued, at least `num_hypotheses`; 1 is greedy.
        num_hypotheses: hypotheses that are returned.
        length_penalty: exponent of the length that divides the log-probabilities.
        temperature: above 0, hypotheses are sampled from the distribution at this temperature instead of searched.
    """
    width, end = (num_hypotheses if temperature else beams), model.special_ids.end
    memory = model.encode(_batch(model, sources, width, np.zeros((len(sources) * width, 0), np.int64)))
    ids = torch.empty(len(sources), width, 0, dtype=torch.long)  # [B, K, T]
    scores = torch.zeros(len(sources), width)  # [B, K]
    if not temperature:
        scores[:, 1:] = -torch.inf  # all hypotheses begin alike: only the first is continued
    ended = torch.zeros(len(sources), width, dtype=torch.bool)
    for _ in range(model.dimensions.max_positions):
        logprobs = _next_logprobs(model, memory, sources, ids).masked_fill(ended[..., None], -torch.inf)
        logprobs[..., end].masked_fill_(ended, 0.0)  # [B, K, V]; an ended hypothesis goes on with `</s>` at no cost
        parents, tokens, scores = _continue(scores, logprobs, temperature)  # [B, K] each
        ids = torch.cat([ids.gather(1, parents[..., None].expand_as(ids)), tokens[..., None]], -1)
        ended = ended.gather(1, parents) | (tokens == end)
        if bool(ended.all()):
            break
    ranked = [_ranked(*rows, end, length_penalty) for rows in zip(ids.tolist(), scores.tolist(), strict=True)]
    return [hypotheses[:num_hypotheses] for hypotheses in ranked]


def _next_logprobs(model: Seq2SeqModel, memory: Tensor, sources: Sequence[Sequence[int]], ids: Tensor) -> Tensor:
    """Log-probabilities [B, K, V] of the token after every prefix of ids [B, K, T], on the CPU."""
    count, width, length = ids.shape
    batch = _batch(model, sources, width, ids.flatten(0, 1).numpy())
    states = model.decode(memory, batch)[: len(batch.decoder_input)]  # [B · K · (T + 1), d]
    last = states.view(count * width, length + 1, -1)[:, -1]  # [B · K, d]
    return model.logits(last).log_softmax(-1).cpu().view(count, width, -1)


def _batch(model: Seq2SeqModel, sources: Sequence[Sequence[int]], width: int, prefixes: np.ndarray) -> Batch:
    """A batch of prefixes [B · K, T], each with the sentence that it translates.

    The decoder reads a target shifted by one, so that the last of the T + 1 target tokens is not read; it is the end.
    """
    special = model.special_ids
    rows = [source for source in sources for _ in range(width)]
    lengths = np.array([len(row) for row in rows])
    targets = np.pad(prefixes, ((0, 0), (0, 1)), constant_values=special.end)  # [B · K, T + 1]
    flat = np.concatenate([np.asarray(row, np.int64) for row in rows])
    return make_batch(flat, lengths, targets.flatten(), np.full(len(rows), targets.shape[1]), special.start).to(
        model.device
    )


def _continue(scores: Tensor, logprobs: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """The next K hypotheses of every sentence: the hypotheses that they continue, their tokens and scores, [B, K].

    Args:
        scores: [B, K].
        logprobs: [B, K, V].
        temperature: above 0, every hypothesis is continued with one sampled token.
    """
    count, width, vocabulary = logprobs.shape
    if temperature:
        weights = (logprobs / temperature).softmax(-1)
        tokens = torch.multinomial(weights.view(count * width, vocabulary), 1).view(count, width)
        beams = torch.arange(width).expand(count, width)
        return beams, tokens, scores + logprobs.gather(-1, tokens[..., None])[..., 0]
    best, cells = (scores[..., None] + logprobs).view(count, width * vocabulary).topk(width)
    return cells // vocabulary, cells % vocabulary, best


def _ranked(rows: list[list[int]], scores: list[float], end: int, length_penalty: float) -> list[ScoredTokens]:
    """The hypotheses of one sentence, best first, from K rows of ids and their log-probabilities."""
    lengths = [row.index(end) if end in row else len(row) for row in rows]
    hypotheses = [
        ScoredTokens(row[:length], score / (length + 1) ** length_penalty)
        for row, length, score in zip(rows, lengths, scores, strict=True)
    ]
    return sorted(hypotheses, key=lambda each: -each.score)
