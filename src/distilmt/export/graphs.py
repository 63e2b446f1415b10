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
            keys, values = _heads(own.k_proj(x), own), _heads(own.v_proj(x), own)
            x = layer.self_attn_layer_norm(x + _attend(own, x, keys, values, bias))
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
        causal_bias, cross_bias = _causal_bias(input_ids, past_length, x), _padding_bias(encoder_attention_mask, x)
        present = []
        for index, layer in enumerate(self.stack.layers):
            own, over = layer.self_attn, layer.encoder_attn
            key, value, cross_key, cross_value = past[4 * index : 4 * index + 4]
            key = torch.cat([key, _heads(own.k_proj(x), own)], 2)
            value = torch.cat([value, _heads(own.v_proj(x), own)], 2)
            new = encoder_hidden_states[:, cross_key.shape[2] :]
            cross_key = torch.cat([cross_key, _heads(over.k_proj(new), over)], 2)
            cross_value = torch.cat([cross_value, _heads(over.v_proj(new), over)], 2)
            x = layer.self_attn_layer_norm(x + _attend(own, x, key, value, causal_bias))
            x = layer.encoder_attn_layer_norm(x + _attend(over, x, cross_key, cross_value, cross_bias))
            x = layer.final_layer_norm(x + layer.fc2(layer.activation_fn(layer.fc1(x))))
            present += [key, value, cross_key, cross_value]
        return x @ self.words + self.bias, present


def _embed(words: Tensor, stack: Any, ids: Tensor, past_length: int) -> Tensor:
    """Embeddings [B, T, d] of ids [B, T], from the output matrix [d, V], so that it is stored once."""
    table = stack.embed_positions.weight
    # Tokens after the last position share it, so that programs without a length limit do not fail.
    positions = table.index_select(0, (torch.arange(ids.shape[1]) + past_length).clamp(max=len(table) - 1))
    chosen = words.index_select(1, ids.flatten()).T.reshape(*ids.shape, len(words))
    return chosen * stack.embed_scale + positions


def _padding_bias(mask: Tensor, like: Tensor) -> Tensor:
    """Bias of attention scores that masks padding, [B, 1, 1, S], from mask [B, S]."""
    return (1 - mask[:, None, None, :].to(like.dtype)) * MASK_VALUE


def _causal_bias(ids: Tensor, past_length: int, like: Tensor) -> Tensor:
    """Bias of attention scores that masks later tokens, [T, P + T], from ids [B, T]."""
    now = torch.arange(ids.shape[1]) + past_length
    return (torch.arange(past_length + ids.shape[1])[None, :] > now[:, None]).to(like.dtype) * MASK_VALUE


def _heads(x: Tensor, attention: Any) -> Tensor:
    """[B, T, d] -> [B, heads, T, d/heads]."""
    return x.unflatten(2, (attention.num_heads, attention.head_dim)).transpose(1, 2)


def _attend(attention: Any, x: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Attention of x [B, T, d] over keys and values [B, heads, S, d/heads]: [B, T, d]."""
    scores = _heads(attention.q_proj(x), attention) @ keys.transpose(2, 3) * attention.scaling + bias
    return attention.out_proj((scores.softmax(-1) @ values).transpose(1, 2).flatten(2))
