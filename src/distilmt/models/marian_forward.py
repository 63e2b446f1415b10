"""The Marian transformer's forward pass, written for training on short sequences.

It computes what `MarianMTModel` computes (a test holds them equal) from the same modules' weights, and differs in
what makes training slow on CPUs: words lie one behind the other, so that nothing but attention is computed for padding;
dropout masks come from a pool of random numbers instead of one Bernoulli draw per element; attention is plain matrix
products (SDPA's CPU backward is slow on short sequences); projections of the same states are one product.
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
    """Sentences of a batch, `</s>` at the end of each."""

    source: PackedTokens
    target: PackedTokens
    decoder_input: Tensor
    """[N]: the target shifted right behind `<pad>`, sentence by sentence."""
    blocks: list[BlockShape]
    """Shape of the cells in which both sides stand for attention."""

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        if device == self.decoder_input.device:
            return self
        shifted = self.decoder_input.to(device, non_blocking=True)
        return Batch(self.source.to(device), self.target.to(device), shifted, self.blocks)


@dataclass
class Attention:
    """Attention of one kind, block by block: [rows, heads, width, width]."""

    biases: list[Tensor]
    """What keeps sentences apart, [rows, 1, width, width]."""
    scores: list[list[Tensor]] = field(default_factory=list)
    """Of every layer, before that is added, and before the softmax."""


@dataclass
class States:
    """Filled by a forward pass: states [words, d_model] after every layer."""

    encoder: list[Tensor] = field(default_factory=list)
    decoder: list[Tensor] = field(default_factory=list)
    attention: dict[str, Attention] | None = None
    """Of the `encoder`, the `decoder` and `cross_pairs`; only a dictionary is filled."""


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
            keep_mask = torch.rand(self._size, device=self.device, generator=masks) >= self.p
            self._pool, self._block, self._seed = keep_mask.to(self.dtype).div_(1 - self.p), block, seed

    def mask(self, like: Tensor) -> Tensor | None:
        """What a tensor is multiplied by: 0 with probability p, else 1/(1-p); None where nothing is dropped."""
        if self.p == 0:
            return None
        offset = int(torch.randint(self._size - like.numel() + 1, (), generator=self._offsets).item())
        return self._pool[offset : offset + like.numel()].view_as(like)

    def __call__(self, x: Tensor) -> Tensor:
        """Zero elements with probability p and scale the others by 1/(1-p)."""
        mask = self.mask(x)
        return x if mask is None else x * mask


NO_DROPOUT = DropoutPool(0.0, 0, torch.float32, torch.device("cpu"))


def decoder_states(model: MarianMTModel, batch: Batch, drop: DropoutPool = NO_DROPOUT) -> Tensor:
    """The decoder's last states, teacher-forced.

    Args:
        model: a Marian model; only its modules' weights are used, its own mode and dropout settings are not.
        batch: the sequences.
        drop: applied where Marian applies dropout; nothing is dropped by default.

    Returns:
        [N, d_model] in the model's dtype, a row for every target word.
    """
    return decoder_rows(model, batch, drop)[: len(batch.decoder_input)]


def decoder_rows(
    model: MarianMTModel, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None
) -> Tensor:
    """`decoder_states` with the rows behind them that only fill up a matrix (see `Packing`); fills `states`."""
    source, target = Packing(batch.source, batch.blocks), Packing(batch.target, batch.blocks)
    memory = encode(model, batch, source, drop, states)
    decoder = model.model.decoder
    x = drop(_embed(decoder, batch.decoder_input, target))
    self_biases, cross_biases = (
        target.attention_biases(target, x.dtype, causal=True),
        target.attention_biases(source, x.dtype),
    )
    self_record, cross_record = (
        _attention_record(states, "decoder", self_biases),
        _attention_record(states, "across", cross_biases),
    )
    heads = model.config.decoder_attention_heads
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
            states.decoder.append(x[: target.words])
    return x


def encode(
    model: MarianMTModel,
    batch: Batch,
    source: Packing,
    drop: DropoutPool = NO_DROPOUT,
    states: States | None = None,
) -> Tensor:
    """The encoder's last states, [source.rows, d_model], words first; fills `states`."""
    encoder = model.model.encoder
    x = drop(_embed(encoder, batch.source.ids, source))
    biases = source.attention_biases(source, x.dtype)
    record = _attention_record(states, "encoder", biases)
    for layer in encoder.layers:
        x = _add(layer.self_attn_layer_norm, x, _attend_self(layer.self_attn, x, biases, source, record), drop)
        x = _add(layer.final_layer_norm, x, _feed_forward(layer, x), drop)
        if states is not None:
            states.encoder.append(x[: source.words])
    return x


def vocabulary_size(model: MarianMTModel) -> int:
    """Rows of the output matrix that are words: all but the last, `<pad>`, which must never be generated."""
    return len(model.lm_head.weight) - 1


def _embed(stack: Any, ids: Tensor, packing: Packing) -> Tensor:
    embedding = stack.embed_tokens
    embeddings = F.embedding(packing.pad(ids), embedding.weight, padding_idx=embedding.padding_idx) * stack.embed_scale
    return embeddings + F.embedding(packing.positions, stack.embed_positions.weight).to(embeddings.dtype)


def _attention_record(states: States | None, kind: str, biases: list[Tensor]) -> Attention | None:
    """Where attention of that kind is to be written down, if it is."""
    if states is None or states.attention is None:
        return None
    return states.attention.setdefault(kind, Attention(biases))


def _attend_self(attention: Any, x: Tensor, biases: list[Tensor], packing: Packing, record: Attention | None) -> Tensor:
    """Multi-head attention of x [rows, d] over itself."""
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
    heads, scale = attention.num_heads, attention.scaling
    if record is not None:  # computed once more: what trains without being watched stays as fast as it is
        blocks = zip(packing.by_block(query, heads), packing.by_block(key, heads), strict=True)
        record.scores.append([q @ k.mT * scale for q, k in blocks])
    return attention.out_proj(attend(query, key, value, biases, packing, heads, scale))  # type: ignore[no-any-return]


def _keys_and_values(attention: Any) -> list[Any]:
    return [attention.k_proj, attention.v_proj]


def _project(x: Tensor, linears: list[Any], packing: Packing, heads: int) -> Sequence[Tensor]:
    """Several projections of x [rows, d] in one matrix product, by cells and heads: [cells · heads, d/heads] each."""
    weight, bias = (torch.cat([getattr(linear, name) for linear in linears]) for name in ("weight", "bias"))
    return project(x, weight, bias, packing, len(linears), heads)


def _feed_forward(layer: Any, x: Tensor) -> Tensor:
    first, second = layer.fc1, layer.fc2
    if isinstance(layer.activation_fn, nn.ReLU):
        return relu_feed_forward(x, first.weight, first.bias, second.weight, second.bias)
    return second(layer.activation_fn(first(x)))  # type: ignore[no-any-return]


def _add(norm: Any, residual: Tensor, x: Tensor, drop: DropoutPool) -> Tensor:
    """Post-norm: the layer norm of a sublayer's input and its output, the latter with dropout."""
    return normed_sum(norm, residual, x, drop.mask(x))
