"""Marian's encoder and decoder for `torch.export`: tensors in, tensors out, any length, one graph each.

They compute the same as `MarianMTModel` from the same weights (a test compares them). transformers' own forward pass
builds caches and masks in Python code that exporters do not support reliably.

Shapes: B sentences, S source tokens, T new target tokens, P cached target tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import MarianMTModel

ENCODER, DECODER = "encoder_model", "decoder_model_merged"
"""Names of the files, as optimum has them."""
MASK_VALUE = -1e4
"""Added to logits and attention scores that must never be selected."""


def cache_names(layers: int) -> Sequence[str]:
    """Names of the cache's tensors, in the order of `Decoder`."""
    return [f"{i}.{side}.{kind}" for i in range(layers) for side in ("decoder", "encoder") for kind in ("key", "value")]


class Encoder(nn.Module):
    """Token ids to the encoder's last states."""

    def __init__(self, model: MarianMTModel) -> None:
        super().__init__()
        self.stack: Any = model.model.encoder
        self.words = nn.Parameter(self.stack.embed_tokens.weight.T.contiguous(), requires_grad=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """States [B, S, d] of ids [B, S]; mask [B, S] int64, 0 where there is padding."""
        x = _embed(self.words, self.stack, input_ids, 0)
        bias = _padding_bias(attention_mask, x)
        for layer in self.stack.layers:
            own = layer.self_attn
            keys, values = split_heads(own.k_proj(x), own), split_heads(own.v_proj(x), own)
            x = layer.self_attn_layer_norm(x + attend(own, x, keys, values, bias))
            x = layer.final_layer_norm(x + layer.fc2(layer.activation_fn(layer.fc1(x))))
        return x


class Decoder(nn.Module):
    """Logits of the next tokens, given keys and values of the previous ones.

    The first step and later steps use the same graph: it projects the encoder states that are not in the cache of
    cross-attention yet and appends them. These are all states if the cache is empty, and none afterwards.
    """

    def __init__(self, model: MarianMTModel) -> None:
        super().__init__()
        self.stack: Any = model.model.decoder
        self.words = nn.Parameter(model.lm_head.weight.T.contiguous(), requires_grad=False)
        bias = model.final_logits_bias[0].clone()
        bias[-1] = MASK_VALUE  # <pad> is never generated
        self.bias = nn.Parameter(bias, requires_grad=False)

    def forward(
        self, input_ids: Tensor, encoder_attention_mask: Tensor, encoder_hidden_states: Tensor, past: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Decode one or more tokens.

        Args:
            input_ids: [B, T]; the first token of a sentence is `<pad>`.
            encoder_attention_mask: [B, S] int64.
            encoder_hidden_states: [B, S, d].
            past: for every layer keys and values of the previous tokens [B, heads, P, d/heads], then those of the
                encoder's states [B, heads, S or 0, d/heads].

        Returns:
            Logits [B, T, V], and `past` extended by the T tokens.
        """
        past_length = past[0].shape[2]
        x = _embed(self.words, self.stack, input_ids, past_length)
        own_bias, cross_bias = causal_bias(input_ids, past_length, x), _padding_bias(encoder_attention_mask, x)
        present = []
        for index, layer in enumerate(self.stack.layers):
            cells = extended_cache(layer, x, encoder_hidden_states, past[4 * index : 4 * index + 4])
            x = layer.self_attn_layer_norm(x + attend(layer.self_attn, x, cells[0], cells[1], own_bias))
            x = layer.encoder_attn_layer_norm(x + attend(layer.encoder_attn, x, cells[2], cells[3], cross_bias))
            x = layer.final_layer_norm(x + layer.fc2(layer.activation_fn(layer.fc1(x))))
            present += cells
        return x @ self.words + self.bias, present


def _embed(words: Tensor, stack: Any, ids: Tensor, past_length: int) -> Tensor:
    """Embeddings [B, T, d] of ids [B, T], from the output matrix [d, V], so that it is stored once."""
    positions = position_rows(stack.embed_positions.weight, ids.shape[1], past_length)
    return token_columns(words, ids) * stack.embed_scale + positions


def token_columns(words: Tensor, ids: Tensor) -> Tensor:
    """Columns [B, T, d] of a matrix [d, V] for ids [B, T]."""
    return words.index_select(1, ids.flatten()).T.reshape(*ids.shape, len(words))


def position_rows(table: Tensor, length: int, past_length: int = 0) -> Tensor:
    """Rows [T, d] of a table of positions; what is after its last position shares that.

    Programs without a length limit therefore do not fail.
    """
    return table.index_select(0, (torch.arange(length) + past_length).clamp(max=len(table) - 1))


def _padding_bias(mask: Tensor, like: Tensor) -> Tensor:
    """Bias of attention scores that masks padding, [B, 1, 1, S], from mask [B, S]."""
    return (1 - mask[:, None, None, :].to(like.dtype)) * MASK_VALUE


def causal_bias(ids: Tensor, past_length: int, like: Tensor) -> Tensor:
    """Bias of attention scores that masks later tokens, [T, P + T], from ids [B, T]."""
    now = torch.arange(ids.shape[1]) + past_length
    return (torch.arange(past_length + ids.shape[1])[None, :] > now[:, None]).to(like.dtype) * MASK_VALUE


def extended_cache(layer: Any, x: Tensor, memory: Tensor, past: list[Tensor]) -> list[Tensor]:
    """A layer's cache with the keys and values of new tokens, and of the encoder's states that it does not have yet.

    Args:
        layer: of a decoder.
        x: what its self-attention reads, [B, T, d].
        memory: the encoder's states [B, S, d].
        past: keys and values of tokens [B, heads, P, d/heads], then of states [B, heads, S or 0, d/heads].
    """
    own, over = layer.self_attn, layer.encoder_attn
    new = memory[:, past[2].shape[2] :]
    cells = [own.k_proj(x), own.v_proj(x), over.k_proj(new), over.v_proj(new)]
    return [torch.cat([cached, split_heads(cell, own)], 2) for cached, cell in zip(past, cells, strict=True)]


def split_heads(x: Tensor, attention: Any) -> Tensor:
    """[B, T, d] -> [B, heads, T, d/heads]."""
    return x.unflatten(2, (attention.num_heads, attention.head_dim)).transpose(1, 2)


def attend(attention: Any, x: Tensor, keys: Tensor, values: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    """Attention of x [B, T, d] over keys and values [B, heads, S, d/heads]: [B, T, d]."""
    scores = split_heads(attention.q_proj(x), attention) @ keys.transpose(2, 3) * attention.scaling + bias
    return attention.out_proj((scores.softmax(-1) @ values).transpose(1, 2).flatten(2))
