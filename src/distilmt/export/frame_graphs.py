"""Whisper's encoder and decoder for `torch.export`, as `graphs` has Marian's: any number of frames and tokens.

They compute the same as `WhisperModel` (a test compares them). There is no mask: only sources of one length make a
batch. The convolutions are matrix products, which the quantization of graphs makes int8.

Shapes: B sources, F frames, S positions (half of the frames), T new target tokens, P cached target tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import WhisperForConditionalGeneration

from distilmt.export.graphs import (
    MASK_VALUE,
    attend,
    causal_bias,
    extended_cache,
    position_rows,
    split_heads,
    token_columns,
)
from distilmt.models.frames import FRAMES_PER_POSITION


class FrameEncoder(nn.Module):
    """Frames to the encoder's last states."""

    def __init__(self, network: WhisperForConditionalGeneration) -> None:
        super().__init__()
        self.stack: Any = network.model.encoder
        self.first, self.second = _matrix(self.stack.conv1), _matrix(self.stack.conv2)

    def forward(self, input_features: Tensor) -> Tensor:
        """States [B, S, d] of frames [B, frame size, F]; the last of an odd number of frames is a position too."""
        x = input_features.transpose(1, 2)
        x = F.gelu(_convolved(x, self.first, self.stack.conv1.bias, 1))
        x = F.gelu(_convolved(x, self.second, self.stack.conv2.bias, FRAMES_PER_POSITION))
        x = x + position_rows(self.stack.embed_positions.weight, x.shape[1])
        for layer in self.stack.layers:
            y, own = layer.self_attn_layer_norm(x), layer.self_attn
            x = x + attend(own, y, split_heads(own.k_proj(y), own), split_heads(own.v_proj(y), own))
            x = x + _fed(layer, x)
        states: Tensor = self.stack.layer_norm(x)
        return states


class FrameDecoder(nn.Module):
    """Logits of the next tokens, given keys and values of the previous ones: one graph for all steps."""

    def __init__(self, network: WhisperForConditionalGeneration, positions: int) -> None:
        """Of a model; `positions` is the number of input tokens that have a position of their own."""
        super().__init__()
        self.stack: Any = network.model.decoder
        self.words = nn.Parameter(self.stack.embed_tokens.weight.T.contiguous(), requires_grad=False)
        self.positions = nn.Parameter(self.stack.embed_positions.weight[:positions].clone(), requires_grad=False)
        bias = torch.zeros(self.words.shape[1])
        bias[-2:] = MASK_VALUE  # <pad> and <|notimestamps|> are never generated
        self.bias = nn.Parameter(bias, requires_grad=False)

    def forward(
        self, input_ids: Tensor, encoder_hidden_states: Tensor, past: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Decode one or more tokens.

        Args:
            input_ids: [B, T]; the first tokens of a sentence are `<pad>` and `<|notimestamps|>`.
            encoder_hidden_states: [B, S, d].
            past: as in `graphs.Decoder`.

        Returns:
            Logits [B, T, V], and `past` extended by the T tokens.
        """
        past_length = past[0].shape[2]
        x = token_columns(self.words, input_ids) + position_rows(self.positions, input_ids.shape[1], past_length)
        bias = causal_bias(input_ids, past_length, x)
        present = []
        for index, layer in enumerate(self.stack.layers):
            y = layer.self_attn_layer_norm(x)
            cells = extended_cache(layer, y, encoder_hidden_states, past[4 * index : 4 * index + 4])
            x = x + attend(layer.self_attn, y, cells[0], cells[1], bias)
            x = x + attend(layer.encoder_attn, layer.encoder_attn_layer_norm(x), cells[2], cells[3])
            x = x + _fed(layer, x)
            present += cells
        return self.stack.layer_norm(x) @ self.words + self.bias, present


def _matrix(convolution: Any) -> nn.Parameter:
    """The weight [d, m, 3] of a convolution as a matrix over three neighbors, [3 · m, d]."""
    weight = convolution.weight.transpose(1, 2).flatten(1).T.contiguous()
    return nn.Parameter(weight, requires_grad=False)


def _convolved(x: Tensor, matrix: Tensor, bias: Tensor, stride: int) -> Tensor:
    """A convolution over three neighbors of x [B, n, m], zeros beside it: [B, n / stride, d], rounded up."""
    padded = F.pad(x, (0, 0, 1, 1))
    steps = torch.arange((x.shape[1] + stride - 1) // stride) * stride
    neighbors = torch.cat([padded.index_select(1, steps + offset) for offset in range(3)], 2)
    return neighbors @ matrix + bias


def _fed(layer: Any, x: Tensor) -> Tensor:
    """The feed-forward block of x [B, n, d] after its norm."""
    fed: Tensor = layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(x))))
    return fed
