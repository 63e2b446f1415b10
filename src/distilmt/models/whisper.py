"""Whisper's transformer over frames: two convolutions, pre-norm, GELU. CTranslate2 runs no other encoder of frames.

Its files are those of transformers' `WhisperForConditionalGeneration`. The forward pass is our own: that of
transformers accepts only sources of one length, and has no mask. Here a source in a batch is computed as if alone.

Whisper's tables have one token more than ours, `<|notimestamps|>` after `<pad>`. As in Whisper, every sentence
begins with two tokens: `<pad>`, which is Whisper's `<|startoftranscript|>`, and `<|notimestamps|>`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import WhisperConfig, WhisperForConditionalGeneration

from distilmt.config import ModelConfig
from distilmt.data.tokenizer import EOS, Tokenizer
from distilmt.models.base import (
    STACKS,
    AttentionHeads,
    Dimensions,
    Embeddings,
    FeedForward,
    LayerView,
    OutputLayer,
    Seq2SeqModel,
    SpecialIds,
    StackDimensions,
    StackName,
)
from distilmt.models.batch import Batch, States
from distilmt.models.dropout import NO_DROPOUT, DropoutPool
from distilmt.models.presets import shape
from distilmt.models.whisper_checkpoint import generation_config, read_whisper
from distilmt.utils.errors import UserError

_MIN_TARGET_POSITIONS = 448
"""Whisper's; CTranslate2 takes its largest length from it."""


class WhisperModel(Seq2SeqModel):
    """A `WhisperForConditionalGeneration` behind the interface."""

    architecture = "whisper"
    reads_frames = True

    def __init__(self, network: WhisperForConditionalGeneration) -> None:
        """Wrap a model of transformers; it is not copied."""
        super().__init__()
        self.network = network

    @classmethod
    def create(cls, config: ModelConfig, tokenizer: Tokenizer, dropout: float) -> WhisperModel:
        """As `Seq2SeqModel.create`; `config.max_positions` bounds the encoder's positions and the target tokens."""
        network = WhisperForConditionalGeneration(whisper_config(config, tokenizer, dropout))
        for module in network.modules():
            if isinstance(module, nn.Linear) and module is not network.proj_out:
                nn.init.xavier_uniform_(module.weight)
        nn.init.normal_(network.model.decoder.embed_tokens.weight, std=network.config.d_model**-0.5)
        return cls(network)

    @classmethod
    def load(cls, directory: Path) -> WhisperModel:
        """As `Seq2SeqModel.load`."""
        return cls(read_whisper(directory))

    def save(self, directory: Path) -> None:
        """Write the files of transformers' `save_pretrained`."""
        self.network.generation_config = generation_config(self.network)
        self.network.save_pretrained(directory)

    @property
    def dimensions(self) -> Dimensions:
        """As `Seq2SeqModel.dimensions`."""
        c = self.network.config
        return Dimensions(
            d_model=c.d_model,
            encoder=StackDimensions(c.encoder_layers, c.encoder_attention_heads, c.encoder_ffn_dim),
            decoder=StackDimensions(c.decoder_layers, c.decoder_attention_heads, c.decoder_ffn_dim),
            vocabulary=c.vocab_size - 1,
            max_positions=c.max_source_positions,
        )

    @property
    def special_ids(self) -> SpecialIds:
        """As `Seq2SeqModel.special_ids`."""
        pad = self.network.config.vocab_size - 2
        return SpecialIds(pad=pad, end=EOS, start=pad)

    def encode(self, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None) -> Tensor:
        """As `Seq2SeqModel.encode`: [B, S, d], from `batch.frames`.

        Raises:
            UserError: the batch has tokens and no frames.
        """
        if batch.frames is None:
            raise UserError("a model of the architecture 'whisper' reads pictures, but the sources are text")
        encoder, present = self.network.model.encoder, batch.frames.mask()  # [B, 1, frames]
        frames = batch.frames.values.to(encoder.conv1.weight.dtype).transpose(1, 2)  # [B, frame size, frames]
        # What follows the end of a source stays zero, as the convolutions' own padding.
        x = F.gelu(encoder.conv2(F.gelu(encoder.conv1(frames)) * present)).transpose(1, 2)  # [B, S, d]
        # Transformers keeps the table of positions as a parameter that is not trained: its type does not change.
        x = drop(x + encoder.embed_positions.weight[: x.shape[1]].to(x.dtype))
        mask = batch.source.mask()
        for layer in encoder.layers:
            x = _encoder_layer(layer, x, mask, drop)
            if states is not None:
                states.encoder.append(batch.source.flat(x))
        return encoder.layer_norm(x)

    def decode(
        self, memory: Tensor, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None
    ) -> Tensor:
        """As `Seq2SeqModel.decode`: [N, d]."""
        decoder, ids = self.network.model.decoder, self._with_prompt(batch)  # [B, 1 + T]
        x = drop(decoder.embed_tokens(ids) + decoder.embed_positions.weight[: ids.shape[1]])  # [B, 1 + T, d]
        causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=x.device).tril()
        for layer in decoder.layers:
            x = _decoder_layer(layer, x, causal, memory, batch.source.mask(), drop)
            if states is not None:
                states.decoder.append(batch.target.flat(x[:, 1:]))
        return batch.target.flat(decoder.layer_norm(x)[:, 1:])  # [B, T, d] -> [N, d]

    def _with_prompt(self, batch: Batch) -> Tensor:
        """The decoder's inputs with Whisper's two first tokens instead of `<pad>`: [B, 1 + T]."""
        ids, pad = batch.target.padded(batch.decoder_input), self.special_ids.pad  # [B, T]
        ids = torch.where(ids == pad, pad + 1, ids)
        return torch.cat([ids.new_full((len(ids), 1), pad), ids], 1)

    def output_layer(self) -> OutputLayer:
        """As `Seq2SeqModel.output_layer`: the token embeddings up to `<pad>`."""
        return OutputLayer(self.network.model.decoder.embed_tokens.weight[:-1], None)  # [V + 2, d] -> [V + 1, d]

    def embeddings(self) -> Embeddings:
        """As `Seq2SeqModel.embeddings`: those of the target side, because frames have none; one row more than V + 1."""
        return Embeddings(self.network.model.decoder.embed_tokens, self.network.model.decoder.embed_tokens)

    def layers(self, stack: StackName) -> list[LayerView]:
        """As `Seq2SeqModel.layers`."""
        return [_view(layer) for layer in getattr(self.network.model, stack).layers]

    def resized(self, dimensions: Dimensions) -> WhisperModel:
        """As `Seq2SeqModel.resized`."""
        before = self.network.config
        changes: dict[str, Any] = {"d_model": dimensions.d_model, "max_source_positions": dimensions.max_positions}
        for stack in STACKS:
            own = dimensions.stack(stack)
            changes |= {f"{stack}_layers": own.layers, f"{stack}_ffn_dim": own.ffn_dim}
            changes |= {f"{stack}_attention_heads": own.heads}
        changes |= _special_ids(dimensions.vocabulary) | _target_positions(dimensions.max_positions)
        return WhisperModel(WhisperForConditionalGeneration(WhisperConfig.from_dict(before.to_dict() | changes)))

    def matrices(self) -> list[nn.Parameter]:
        """As `Seq2SeqModel.matrices`; transformers keeps the encoder's fixed table of positions as a parameter."""
        return [p for name, p in self.named_parameters() if p.dim() == 2 and "encoder.embed_positions" not in name]


def whisper_config(config: ModelConfig, tokenizer: Tokenizer, dropout: float) -> WhisperConfig:
    """Whisper's configuration for a shape and a tokenizer.

    Raises:
        UserError: the size of the frames is missing, or dimensions do not go together.
    """
    if config.frame_size is None:
        raise UserError("model: the architecture 'whisper' reads frames, but frame_size is not set: set it")
    s = shape(config)
    sizes: dict[str, Any] = {
        "num_mel_bins": config.frame_size,
        "d_model": s.d_model,
        "encoder_layers": s.encoder_layers,
        "decoder_layers": s.decoder_layers,
        "encoder_attention_heads": s.num_heads,
        "decoder_attention_heads": s.num_heads,
        "encoder_ffn_dim": s.ffn_dim,
        "decoder_ffn_dim": s.ffn_dim,
        "max_source_positions": config.max_positions,
    }
    ids, positions = _special_ids(len(tokenizer.target.tokens)), _target_positions(config.max_positions)
    return WhisperConfig(dropout=dropout, **sizes, **ids, **positions)


def _special_ids(vocabulary: int) -> dict[str, Any]:
    """Whisper's keys for a vocabulary of V + 1 tokens, `<pad>` last, and `<|notimestamps|>` after it."""
    pad = vocabulary - 1
    ids = {"pad_token_id": pad, "decoder_start_token_id": pad, "bos_token_id": EOS, "eos_token_id": EOS}
    return {**ids, "vocab_size": vocabulary + 1}


def _target_positions(max_positions: int) -> dict[str, Any]:
    return {"max_target_positions": max(_MIN_TARGET_POSITIONS, max_positions + 1)}


def _encoder_layer(layer: Any, x: Tensor, mask: Tensor, drop: DropoutPool) -> Tensor:
    """x [B, S, d] attends to itself where mask [B, 1, 1, S] allows it."""
    y = layer.self_attn_layer_norm(x)
    x = x + drop(_attend(layer.self_attn, y, y, mask))
    return _feed_forward(layer, x, drop)


def _decoder_layer(
    layer: Any, x: Tensor, causal: Tensor, memory: Tensor, memory_mask: Tensor, drop: DropoutPool
) -> Tensor:
    """x [B, T, d] attends to what precedes it, causal [T, T], and to memory [B, S, d]."""
    y = layer.self_attn_layer_norm(x)
    x = x + drop(_attend(layer.self_attn, y, y, causal))
    x = x + drop(_attend(layer.encoder_attn, layer.encoder_attn_layer_norm(x), memory, memory_mask))
    return _feed_forward(layer, x, drop)


def _feed_forward(layer: Any, x: Tensor, drop: DropoutPool) -> Tensor:
    return x + drop(layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(x)))))


def _attend(attention: Any, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
    """x [B, T, d] attends to memory [B, S, d] where the mask, broadcast to [B, heads, T, S], allows it: [B, T, d]."""
    projected = (attention.q_proj(x), attention.k_proj(memory), attention.v_proj(memory))
    # [B, T, d] -> [B, heads, T, d / heads]
    query, key, value = (y.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for y in projected)
    heads = F.scaled_dot_product_attention(query, key, value, mask)
    return attention.out_proj(heads.transpose(1, 2).flatten(2))  # [B, heads, T, d / heads] -> [B, T, d]


def _view(layer: Any) -> LayerView:
    own, cross = layer.self_attn, getattr(layer, "encoder_attn", None)
    return LayerView(
        module=layer,
        feed_forward=FeedForward(layer.fc1, layer.fc2),
        self_attention=AttentionHeads(own.num_heads, own.out_proj),
        cross_attention=None if cross is None else AttentionHeads(cross.num_heads, cross.out_proj),
    )
