"""The Marian transformer's forward pass, written for training on short sequences.

It computes what `MarianMTModel` computes (a test holds them equal) from the same modules' weights, and differs in
what makes training slow on CPUs: dropout masks come from a pool of random numbers instead of one Bernoulli draw per
element, attention is plain matrix products (SDPA's CPU backward is slow on short sequences), and the states that
are returned are packed, so that no projection is ever computed for padding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import MarianMTModel

_POOL_UPDATES = 25
Dropout = Callable[[Tensor], Tensor] | None


@dataclass
class Batch:
    """Padded sequences of a batch.

    `source` [B, S] and `target` [B, T] hold ids with `</s>` at the end and `<pad>` behind it; `decoder_input` [B, T]
    is the target shifted right behind `<pad>`. `keep` [N] are the positions in the flattened target that count.
    """

    source: Tensor
    source_mask: Tensor
    decoder_input: Tensor
    target: Tensor
    keep: Tensor


class DropoutPool:
    """Dropout whose masks are windows into a pool of random masks, drawn anew every 25 updates.

    Drawing a random number per element takes a fifth of a CPU training step; a window at a random offset costs
    nothing. Everything drawn depends on seed and update alone, so that a resumed training draws the same masks.
    """

    def __init__(self, p: float, size: int, dtype: torch.dtype, device: torch.device) -> None:
        """Make a pool; `size` is the number of elements of the biggest tensor it will be used on."""
        self.p, self.dtype, self.device = p, dtype, device
        self._size, self._block, self._seed = max(1 << 21, 2 * size), -1, 0
        self._pool = torch.empty(0)
        self._offsets = torch.Generator()

    def begin(self, seed: int, update: int) -> None:
        """Get ready for an update."""
        if self.p == 0:
            return
        self._offsets.manual_seed(hash((seed, update)) & 0x7FFFFFFF)
        block = update // _POOL_UPDATES
        if (self._block, self._seed) != (block, seed):
            masks = torch.Generator(self.device).manual_seed(hash((seed, block, 1)) & 0x7FFFFFFF)
            kept = torch.rand(self._size, device=self.device, generator=masks) >= self.p
            self._pool, self._block, self._seed = kept.to(self.dtype).div_(1 - self.p), block, seed

    def __call__(self, x: Tensor) -> Tensor:
        """Zero elements with probability p and scale the others by 1/(1-p)."""
        if self.p == 0:
            return x
        offset = int(torch.randint(self._size - x.numel() + 1, (), generator=self._offsets).item())
        return x * self._pool[offset : offset + x.numel()].view_as(x)


def no_dropout(x: Tensor) -> Tensor:
    """Leave everything as it is (evaluation)."""
    return x


def decoder_states(model: MarianMTModel, batch: Batch, dropout: Dropout = None) -> Tensor:
    """The decoder's last states at the positions that count, teacher-forced.

    Args:
        model: a Marian model; only its modules' weights are used, its own mode and dropout settings are not.
        batch: the sequences.
        dropout: applied where Marian applies dropout; None for evaluation.

    Returns:
        [N, d_model] in the model's dtype, N = len(batch.keep).
    """
    drop = dropout or no_dropout
    memory = encode(model, batch.source, batch.source_mask, drop)
    memory_bias = _key_bias(batch.source_mask, memory.dtype)
    decoder = model.model.decoder
    x = drop(_embed(decoder, batch.decoder_input))
    length = x.shape[1]
    # Padding stands behind the real words, so the causal mask alone hides it from every position that counts.
    causal = torch.full((length, length), torch.finfo(x.dtype).min, dtype=x.dtype, device=x.device).triu_(1)
    for layer in decoder.layers:
        x = layer.self_attn_layer_norm(x + drop(_attend(layer.self_attn, x, x, causal)))
        x = layer.encoder_attn_layer_norm(x + drop(_attend(layer.encoder_attn, x, memory, memory_bias)))
        x = layer.final_layer_norm(x + drop(_feed_forward(layer, x)))
    return x.flatten(0, 1).index_select(0, batch.keep)


def encode(model: MarianMTModel, source: Tensor, mask: Tensor, drop: Dropout = None) -> Tensor:
    """The encoder's last states, [B, S, d_model]; `mask` [B, S] is true at words."""
    drop = drop or no_dropout
    encoder = model.model.encoder
    x = drop(_embed(encoder, source))
    bias = _key_bias(mask, x.dtype)
    for layer in encoder.layers:
        x = layer.self_attn_layer_norm(x + drop(_attend(layer.self_attn, x, x, bias)))
        x = layer.final_layer_norm(x + drop(_feed_forward(layer, x)))
    return x


def projection(model: MarianMTModel) -> Tensor:
    """The output matrix, [V-1, d_model]: without the row of `<pad>`, which is last and must never be generated."""
    return model.lm_head.weight[:-1]


def _embed(stack: Any, ids: Tensor) -> Tensor:
    embedding = stack.embed_tokens
    words = F.embedding(ids, embedding.weight, padding_idx=embedding.padding_idx) * stack.embed_scale
    return words + stack.embed_positions.weight[: ids.shape[1]].to(words.dtype)


def _key_bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """[B, 1, 1, S]: zero at words, the most negative number at padding."""
    bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return bias.masked_fill_(~mask, torch.finfo(dtype).min)[:, None, None, :]


def _attend(attention: Any, x: Tensor, memory: Tensor, bias: Tensor) -> Tensor:
    """Multi-head attention of x [B, T, d] over memory [B, S, d]."""
    heads = attention.num_heads
    query = _split(attention.q_proj(x) * attention.scaling, heads)
    key, value = _split(attention.k_proj(memory), heads), _split(attention.v_proj(memory), heads)
    weights = torch.softmax(query @ key.transpose(2, 3) + bias, dim=-1)
    return attention.out_proj((weights @ value).transpose(1, 2).flatten(2))


def _split(x: Tensor, heads: int) -> Tensor:
    """[B, T, d] to [B, heads, T, d/heads]."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _feed_forward(layer: Any, x: Tensor) -> Tensor:
    return layer.fc2(layer.activation_fn(layer.fc1(x)))
