"""The Marian transformer's forward pass, written for training on short sequences.

It computes the same function as `MarianMTModel` from the same weights (a test compares them). It avoids what makes
training slow on CPUs: tokens are packed without padding, so that only attention is computed for padding; dropout masks
come from a pool of random numbers instead of one Bernoulli sample per element; attention is plain matrix products
(SDPA's CPU backward is slow on short sequences); projections of the same states are one product.

Shapes: N target tokens, d the model's width; `rows` is N or the number of source tokens, rounded up (see `Packing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import MarianMTModel

from distilmt.models.batch import Attention, Batch, States
from distilmt.models.dropout import NO_DROPOUT, DropoutPool
from distilmt.models.marian_layers import attend, normed_sum, project, relu_feed_forward
from distilmt.models.packing import Packing


def decode(
    model: MarianMTModel, memory: Tensor, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None
) -> Tensor:
    """The decoder's last states by forced decoding: [target rows, d], tokens first, then padding rows.

    Args:
        model: only its weights are used, not its mode and dropout settings.
        memory: [source rows, d], the result of `encode`.
        batch: the sequences.
        drop: applied where Marian applies dropout.
        states: filled with the decoder's states, if given.
    """
    source, target = batch.source_packing, batch.target_packing
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


def encode(model: MarianMTModel, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None) -> Tensor:
    """The encoder's last states [source rows, d]: tokens first, then padding rows. Fills `states`."""
    encoder, source = model.model.encoder, batch.source_packing
    x = drop(_embed(encoder, batch.source.ids, source))  # [source rows, d]
    biases = source.attention_biases(source, x.dtype)
    record = _attention_record(states, "encoder", biases)
    for layer in encoder.layers:
        x = _add(layer.self_attn_layer_norm, x, _attend_self(layer.self_attn, x, biases, source, record), drop)
        x = _add(layer.final_layer_norm, x, _feed_forward(layer, x), drop)
        if states is not None:
            states.encoder.append(x[: source.tokens])  # [source tokens, d]
    return x


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
