"""The Marian transformer's forward pass, written for training on short sequences.

It computes the same function as `MarianMTModel` from the same weights (a test compares them). It avoids what makes
training slow on CPUs: tokens are packed without padding, so that only attention is computed for padding; dropout masks
come from a pool of random numbers instead of one Bernoulli sample per element; attention is plain matrix products
(SDPA's CPU backward is slow on short sequences); projections of the same states are one product.

Shapes: N target tokens, d the model's width; `rows` is N or the number of source tokens, rounded up (see `Packing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import MarianMTModel

from distilmt.models.marian_layers import attend, normed_sum, project, relu_feed_forward
from distilmt.models.packing import BlockShape, PackedTokens, Packing

_POOL_UPDATES = 25


@dataclass
class Batch:
    """Sentences of a batch, each with `</s>` at its end."""

    source: PackedTokens
    target: PackedTokens
    decoder_input: Tensor
    """[N]: each target sentence shifted right by one, with `<pad>` first."""
    blocks: list[BlockShape]
    """Rows and width of each attention block; source and target share them."""

    def to(self, device: torch.device) -> Batch:
        """This batch on `device`."""
        if device == self.decoder_input.device:
            return self
        shifted = self.decoder_input.to(device, non_blocking=True)
        return Batch(self.source.to(device), self.target.to(device), shifted, self.blocks)


@dataclass
class Attention:
    """Attention of one kind: encoder self-attention, decoder self-attention or cross-attention."""

    biases: list[Tensor]
    """Mask that separates sentences: for every block [rows, 1, width, width]."""
    scores: list[list[Tensor]] = field(default_factory=list)
    """For every layer and block [rows, heads, width, width]: scores before the bias is added and before the softmax."""


@dataclass
class States:
    """Hidden states and attention scores that a forward pass records."""

    encoder: list[Tensor] = field(default_factory=list)
    """[source tokens, d] after every layer."""
    decoder: list[Tensor] = field(default_factory=list)
    """[N, d] after every layer."""
    attention: dict[str, Attention] | None = None
    """By kind: `encoder`, `decoder` and `cross` (cross-attention). None: attention is not recorded."""


class DropoutPool:
    """Dropout whose masks are windows into a pool of random masks. The pool is replaced every 25 updates.

    One random number per element takes a fifth of a CPU training step; a window at a random offset costs nothing.
    Pool and offsets depend only on seed and update, so that a resumed training uses the same masks.
    """

    def __init__(self, p: float, size: int, dtype: torch.dtype, device: torch.device) -> None:
        """Configure the pool; `size` is the number of elements of the largest tensor that gets dropout."""
        self.p, self.dtype, self.device = p, dtype, device
        self._size, self._block, self._seed = max(1 << 21, 2 * size), -1, 0
        self._pool = torch.empty(0)
        self._offsets = torch.Generator()

    def begin(self, seed: int, update: int) -> None:
        """Seed the offsets for an update, and replace the pool if it is due."""
        if self.p == 0:
            return
        self._offsets.manual_seed(hash((seed, update)) & 0x7FFFFFFF)
        block = update // _POOL_UPDATES
        if (self._block, self._seed) != (block, seed):
            masks = torch.Generator(self.device).manual_seed(hash((seed, block, 1)) & 0x7FFFFFFF)
            keep_mask = torch.rand(self._size, device=self.device, generator=masks) >= self.p
            self._pool, self._block, self._seed = keep_mask.to(self.dtype).div_(1 - self.p), block, seed

    def mask(self, like: Tensor) -> Tensor | None:
        """Mask of the shape of `like` (any shape): 0 with probability p, else 1/(1-p). None without dropout."""
        if self.p == 0:
            return None
        offset = int(torch.randint(self._size - like.numel() + 1, (), generator=self._offsets).item())
        return self._pool[offset : offset + like.numel()].view_as(like)

    def __call__(self, x: Tensor) -> Tensor:
        """Zero elements of x (any shape) with probability p and scale the others by 1/(1-p)."""
        mask = self.mask(x)
        return x if mask is None else x * mask


NO_DROPOUT = DropoutPool(0.0, 0, torch.float32, torch.device("cpu"))


def decoder_states(model: MarianMTModel, batch: Batch, drop: DropoutPool = NO_DROPOUT) -> Tensor:
    """The decoder's last states, teacher-forced.

    Args:
        model: a Marian model; only its weights are used, not its mode and dropout settings.
        batch: the sequences.
        drop: applied where Marian applies dropout; by default there is no dropout.

    Returns:
        [N, d] in the model's dtype, a row for every target token.
    """
    return decoder_rows(model, batch, drop)[: len(batch.decoder_input)]


def decoder_rows(
    model: MarianMTModel, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None
) -> Tensor:
    """`decoder_states` [N, d] followed by padding rows (see `Packing`): [target rows, d]. Fills `states`."""
    source, target = Packing(batch.source, batch.blocks), Packing(batch.target, batch.blocks)
    memory = encode(model, batch, source, drop, states)  # [source rows, d]
    decoder = model.model.decoder
    x = drop(_embed(decoder, batch.decoder_input, target))  # [target rows, d]
    self_biases, cross_biases = (
        target.attention_biases(target, x.dtype, causal=True),
        target.attention_biases(source, x.dtype),
    )
    self_record, cross_record = (
        _attention_record(states, "decoder", self_biases),
        _attention_record(states, "cross", cross_biases),
    )
    heads = model.config.decoder_attention_heads
    # Keys and values of all layers, [cells · heads, d / heads] each: one matrix product.
    source_projections = _project(
        memory, [p for layer in decoder.layers for p in _keys_and_values(layer.encoder_attn)], source, heads
    )
    for layer, key, value in zip(decoder.layers, source_projections[::2], source_projections[1::2], strict=True):
        x = _add(
            layer.self_attn_layer_norm, x, _attend_self(layer.self_attn, x, self_biases, target, self_record), drop
        )
        query = _project(x, [layer.encoder_attn.q_proj], target, heads)[0]
        context = _attend(layer.encoder_attn, query, key, value, cross_biases, target, cross_record)
        x = _add(layer.encoder_attn_layer_norm, x, context, drop)
        x = _add(layer.final_layer_norm, x, _feed_forward(layer, x), drop)
        if states is not None:
            states.decoder.append(x[: target.tokens])  # [N, d]
    return x


def encode(
    model: MarianMTModel,
    batch: Batch,
    source: Packing,
    drop: DropoutPool = NO_DROPOUT,
    states: States | None = None,
) -> Tensor:
    """The encoder's last states [source.rows, d]: tokens first, then padding rows. Fills `states`."""
    encoder = model.model.encoder
    x = drop(_embed(encoder, batch.source.ids, source))
    biases = source.attention_biases(source, x.dtype)
    record = _attention_record(states, "encoder", biases)
    for layer in encoder.layers:
        x = _add(layer.self_attn_layer_norm, x, _attend_self(layer.self_attn, x, biases, source, record), drop)
        x = _add(layer.final_layer_norm, x, _feed_forward(layer, x), drop)
        if states is not None:
            states.encoder.append(x[: source.tokens])  # [source tokens, d]
    return x


def vocabulary_size(model: MarianMTModel) -> int:
    """Rows of the output matrix that can be generated: all but the last, `<pad>`."""
    return len(model.lm_head.weight) - 1


def _embed(stack: Any, ids: Tensor, packing: Packing) -> Tensor:
    """Token plus position embeddings of ids [tokens]: [rows, d]."""
    embedding = stack.embed_tokens
    embeddings = F.embedding(packing.pad(ids), embedding.weight, padding_idx=embedding.padding_idx) * stack.embed_scale
    return embeddings + F.embedding(packing.positions, stack.embed_positions.weight).to(embeddings.dtype)


def _attention_record(states: States | None, kind: str, biases: list[Tensor]) -> Attention | None:
    """The record for attention of that kind; None if attention is not recorded."""
    if states is None or states.attention is None:
        return None
    return states.attention.setdefault(kind, Attention(biases))


def _attend_self(attention: Any, x: Tensor, biases: list[Tensor], packing: Packing, record: Attention | None) -> Tensor:
    """Multi-head self-attention of x [rows, d]: [rows, d]."""
    projections = [attention.q_proj, *_keys_and_values(attention)]
    query, key, value = _project(x, projections, packing, attention.num_heads)
    return _attend(attention, query, key, value, biases, packing, record)


def _attend(
    attention: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    biases: list[Tensor],
    packing: Packing,
    record: Attention | None,
) -> Tensor:
    """Attention of query over key and value, [cells · heads, d / heads] each, then the output projection: [rows, d]."""
    heads, scale = attention.num_heads, attention.scaling
    if record is not None:  # the scores are computed a second time, so that training without a record stays fast
        blocks = zip(packing.by_block(query, heads), packing.by_block(key, heads), strict=True)
        record.scores.append([q @ k.mT * scale for q, k in blocks])  # [rows, heads, width, width]
    return attention.out_proj(attend(query, key, value, biases, packing, heads, scale))


def _keys_and_values(attention: Any) -> list[Any]:
    return [attention.k_proj, attention.v_proj]


def _project(x: Tensor, linears: list[Any], packing: Packing, heads: int) -> Sequence[Tensor]:
    """Several projections of x [rows, d] in one matrix product, by cell and head: [cells · heads, d / heads] each."""
    weight, bias = (torch.cat([getattr(linear, name) for linear in linears]) for name in ("weight", "bias"))
    return project(x, weight, bias, packing, len(linears), heads)


def _feed_forward(layer: Any, x: Tensor) -> Tensor:
    """The feed-forward block of x [rows, d]: [rows, d]."""
    first, second = layer.fc1, layer.fc2
    if isinstance(layer.activation_fn, nn.ReLU):
        return relu_feed_forward(x, first.weight, first.bias, second.weight, second.bias)
    return second(layer.activation_fn(first(x)))


def _add(norm: Any, residual: Tensor, x: Tensor, drop: DropoutPool) -> Tensor:
    """Post-norm: layer norm of a sublayer's input plus its output with dropout; all [rows, d]."""
    return normed_sum(norm, residual, x, drop.mask(x))
