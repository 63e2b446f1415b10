"""Whisper's forward pass for training, packed as Marian's: no frame, position or token of padding but in attention.

It computes the function of `WhisperForConditionalGeneration` for every source as if it were alone (a test compares
them). The convolutions are matrix products over neighboring frames, because sources have different lengths.

Shapes: P positions of the encoder, 2 · P frames, N target tokens, B sentences, d the model's width; `rows` is P or
N + B, rounded up (see `Packing`). Behind the N target tokens, the decoder has B first tokens, one of each sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import WhisperForConditionalGeneration

from distilmt.models.batch import Batch, States
from distilmt.models.dropout import NO_DROPOUT, DropoutPool
from distilmt.models.frames import Frames
from distilmt.models.marian_layers import attend, project
from distilmt.models.packing import Packing


def encode(
    network: WhisperForConditionalGeneration,
    batch: Batch,
    frames: Frames,
    drop: DropoutPool = NO_DROPOUT,
    states: States | None = None,
) -> Tensor:
    """The encoder's last states [source rows, d]: positions first, then padding rows. Fills `states`."""
    encoder, packing = network.model.encoder, batch.source_packing
    x = _convolved(encoder, frames, packing)  # [source rows, d]
    # Transformers keeps the table of positions as a parameter that is not trained: its type does not change.
    x = drop(x + F.embedding(packing.positions, encoder.embed_positions.weight).to(x.dtype))
    biases = packing.attention_biases(packing, x.dtype)
    for layer in encoder.layers:
        x = x + drop(_attend_self(layer, x, biases, packing))
        x = x + drop(_feed_forward(layer, x))
        if states is not None:
            states.encoder.append(x[: packing.tokens])
    normalized: Tensor = encoder.layer_norm(x)
    return normalized


def decode(
    network: WhisperForConditionalGeneration,
    memory: Tensor,
    batch: Batch,
    start: int,
    drop: DropoutPool = NO_DROPOUT,
    states: States | None = None,
) -> Tensor:
    """The decoder's last states by forced decoding: [target rows, d], the N target tokens first.

    Args:
        network: only its weights are used.
        memory: [source rows, d], the result of `encode`.
        batch: the sequences.
        start: `<pad>`, the first token of each sentence; the second one is the next id.
        drop: dropout.
        states: filled with the decoder's states, if given.
    """
    decoder, source, target = network.model.decoder, batch.source_packing, batch.prompted_packing
    ids, count = batch.decoder_input, len(batch.decoder_input)
    ids = torch.cat([torch.where(ids == start, start + 1, ids), ids.new_full((target.tokens - count,), start)])
    x = F.embedding(target.pad(ids), decoder.embed_tokens.weight)
    x = drop(x + F.embedding(target.positions, decoder.embed_positions.weight))  # [target rows, d]
    own, cross = target.attention_biases(target, x.dtype, causal=True), target.attention_biases(source, x.dtype)
    heads = network.config.decoder_attention_heads
    # Keys and values of all layers: one matrix product.
    linears = [p for layer in decoder.layers for p in (layer.encoder_attn.k_proj, layer.encoder_attn.v_proj)]
    memories = _project(memory, linears, source, heads)
    for layer, key, value in zip(decoder.layers, memories[::2], memories[1::2], strict=True):
        x = x + drop(_attend_self(layer, x, own, target))
        y = layer.encoder_attn_layer_norm(x)
        query = _project(y, [layer.encoder_attn.q_proj], target, heads)[0]
        x = x + drop(_attended(layer.encoder_attn, (query, key, value), cross, target))
        x = x + drop(_feed_forward(layer, x))
        if states is not None:
            states.decoder.append(x[:count])
    normalized: Tensor = decoder.layer_norm(x)
    return normalized


def _convolved(encoder: Any, frames: Frames, packing: Packing) -> Tensor:
    """Both convolutions with their activations: frames -> [source rows, d]. What is beside a source is zero."""
    first = packing.positions == 0  # [rows]; each padding row is a source of its own
    last, none = first.roll(-1), torch.zeros_like(first)
    padding = 2 * (packing.rows - packing.tokens)
    values = F.pad(frames.values.to(encoder.conv1.weight.dtype), (0, 0, 0, padding))  # [2 · rows, frame size]
    starts, ends = torch.stack([first, none], 1).flatten(), torch.stack([none, last], 1).flatten()
    neighbors = torch.cat([_before(values, starts), values, _after(values, ends)], 1)  # [2 · rows, 3 · frame size]
    present = F.pad(frames.present, (0, padding))[:, None]
    x = F.gelu(_convolution(encoder.conv1, neighbors)) * present  # [2 · rows, d]
    even, odd = x.view(packing.rows, 2, -1).unbind(1)  # [rows, d] each
    return F.gelu(_convolution(encoder.conv2, torch.cat([_before(odd, first), even, odd], 1)))


def _before(x: Tensor, starts: Tensor) -> Tensor:
    """Each row's predecessor in x [n, m]; zeros where a source starts."""
    return torch.cat([x[:1], x[:-1]]).masked_fill(starts[:, None], 0)


def _after(x: Tensor, ends: Tensor) -> Tensor:
    """Each row's successor in x [n, m]; zeros where a source ends."""
    return torch.cat([x[1:], x[-1:]]).masked_fill(ends[:, None], 0)


def _convolution(conv: Any, neighbors: Tensor) -> Tensor:
    """A convolution over three neighbors, [n, 3 · m] -> [n, d], from its weight [d, m, 3]."""
    return F.linear(neighbors, conv.weight.transpose(1, 2).flatten(1), conv.bias)


def _attend_self(layer: Any, x: Tensor, biases: list[Tensor], packing: Packing) -> Tensor:
    """Self-attention of x [rows, d] after its norm: [rows, d]."""
    attention = layer.self_attn
    linears = [attention.q_proj, attention.k_proj, attention.v_proj]
    cells = _project(layer.self_attn_layer_norm(x), linears, packing, attention.num_heads)
    return _attended(attention, cells, biases, packing)


def _attended(attention: Any, cells: Sequence[Tensor], biases: list[Tensor], packing: Packing) -> Tensor:
    """Attention of query over key and value, [cells · heads, d / heads] each, then the output projection: [rows, d]."""
    query, key, value = cells
    heads, scale = attention.num_heads, attention.head_dim**-0.5
    projected: Tensor = attention.out_proj(attend(query, key, value, biases, packing, heads, scale))
    return projected


def _project(x: Tensor, linears: list[Any], packing: Packing, heads: int) -> Sequence[Tensor]:
    """Several projections of x [rows, d] in one matrix product; those of keys have no bias."""
    weight = torch.cat([linear.weight for linear in linears])
    absent = x.new_zeros(x.shape[1])
    bias = torch.cat([absent if linear.bias is None else linear.bias for linear in linears])
    return project(x, weight, bias, packing, len(linears), heads)


def _feed_forward(layer: Any, x: Tensor) -> Tensor:
    """The feed-forward block of x [rows, d] after its norm: [rows, d]."""
    fed: Tensor = layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(x))))
    return fed
