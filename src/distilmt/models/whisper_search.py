"""Greedy decoding by a `WhisperModel` with its keys and values kept: validation during training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from distilmt.models.batch import make_frame_batch
from distilmt.models.whisper import WhisperModel

_BATCH_FRAMES = 16_384
"""Frames of a batch of sources."""
_SPARE_TOKENS = 8


@torch.inference_mode()
def greedy_search(model: WhisperModel, sources: Sequence[np.ndarray]) -> list[list[int]]:
    """The most probable token after the other, for each source.

    Args:
        model: the model, in any precision.
        sources: [frames, frame size] float32 each, at least one frame and at most twice the model's positions.

    Returns:
        Ids without `</s>`; at most as many as frames and a few more, because undertrained models do not end.
    """
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    translations: list[list[int]] = [[] for _ in sources]
    begin = 0
    while begin < len(order):
        longest = begin
        while longest < len(order) and (longest + 1 - begin) * len(sources[order[longest]]) <= _BATCH_FRAMES:
            longest += 1
        part = order[begin : max(longest, begin + 1)]
        begin += len(part)
        for number, ids in zip(part, _search_batch(model, [sources[i] for i in part]), strict=True):
            translations[number] = ids
    return translations


def _search_batch(model: WhisperModel, sources: Sequence[np.ndarray]) -> list[list[int]]:
    special, count = model.special_ids, len(sources)
    batch = make_frame_batch(sources, np.full(count, special.end), np.ones(count, np.int64), special.start)
    batch = batch.to(model.device)
    memory = batch.source.padded(model.encode(batch)[: len(batch.source.ids)])  # [B, S, d]
    decoder = _CachedDecoder(model, memory, batch.source.mask())
    decoder.states(torch.full((count, 1), special.pad, device=model.device))
    tokens = torch.full((count, 1), special.pad + 1, device=model.device)  # Whisper's two first tokens
    ended = torch.zeros(count, dtype=torch.bool, device=model.device)
    columns: list[Tensor] = []
    limit = min(len(max(sources, key=len)) + _SPARE_TOKENS, model.network.config.max_target_positions - 2)
    while len(columns) < limit and not bool(ended.all()):
        best = model.logits(decoder.states(tokens)[:, 0]).argmax(-1)  # [B]
        ended = ended | (best == special.end)
        tokens = best.masked_fill(ended, special.end)[:, None]
        columns.append(tokens)
    rows = torch.cat(columns, 1).tolist() if columns else [[]] * count
    return [row[: row.index(special.end)] if special.end in row else row for row in rows]


class _CachedDecoder:
    """The decoder, one token of each source at a time."""

    def __init__(self, model: WhisperModel, memory: Tensor, memory_mask: Tensor) -> None:
        """Project the memory [B, S, d] for each layer; the mask is [B, 1, 1, S]."""
        self.decoder, self.memory_mask, self.position = model.network.model.decoder, memory_mask, 0
        layers = list(self.decoder.layers)
        self.memories = [_keys_and_values(layer.encoder_attn, memory) for layer in layers]
        self.own: list[tuple[Tensor, Tensor] | None] = [None] * len(layers)

    def states(self, tokens: Tensor) -> Tensor:
        """The last states [B, 1, d] after the next tokens [B, 1]."""
        decoder: Any = self.decoder
        x = decoder.embed_tokens(tokens) + decoder.embed_positions.weight[self.position]
        self.position += 1
        for number, layer in enumerate(decoder.layers):
            y = layer.self_attn_layer_norm(x)
            x = x + _attend(layer.self_attn, y, *self._with_past(number, layer.self_attn, y))
            y = layer.encoder_attn_layer_norm(x)
            x = x + _attend(layer.encoder_attn, y, *self.memories[number], self.memory_mask)
            x = x + layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(x))))
        normalized: Tensor = decoder.layer_norm(x)
        return normalized

    def _with_past(self, number: int, attention: Any, y: Tensor) -> tuple[Tensor, Tensor]:
        key, value = _keys_and_values(attention, y)
        past = self.own[number]
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        self.own[number] = key, value
        return key, value


def _keys_and_values(attention: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """[B, T, d] -> [B, heads, T, d / heads] each."""
    return _heads(attention, attention.k_proj(x)), _heads(attention, attention.v_proj(x))


def _heads(attention: Any, x: Tensor) -> Tensor:
    return x.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)


def _attend(attention: Any, x: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """x [B, 1, d] attends to keys and values [B, heads, T, d / heads]: [B, 1, d]."""
    heads = F.scaled_dot_product_attention(_heads(attention, attention.q_proj(x)), key, value, mask)
    attended: Tensor = attention.out_proj(heads.transpose(1, 2).flatten(2))
    return attended
