"""Whisper's transformer over frames: two convolutions, pre-norm, GELU. CTranslate2 runs no other encoder of frames.

Its files are those of transformers' `WhisperForConditionalGeneration`. The forward pass is our own: that of
transformers accepts only sources of one length, and has no mask. Here a source in a batch is computed as if alone.

Whisper's tables have one token more than ours, `<|notimestamps|>` after `<pad>`. As in Whisper, every sentence
begins with two tokens: `<pad>`, which is Whisper's `<|startoftranscript|>`, and `<|notimestamps|>`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import WhisperConfig, WhisperForConditionalGeneration

from distilmt.config import ModelConfig
from distilmt.data.tokenizer import EOS, Tokenizer
from distilmt.models import whisper_forward
from distilmt.models.bart_layers import layer_views, stack_dimensions, stack_settings
from distilmt.models.base import (
    Dimensions,
    Embeddings,
    LayerView,
    OutputLayer,
    Seq2SeqModel,
    SpecialIds,
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
            encoder=stack_dimensions(c, "encoder"),
            decoder=stack_dimensions(c, "decoder"),
            vocabulary=c.vocab_size - 1,
            max_positions=c.max_source_positions,
        )

    @property
    def special_ids(self) -> SpecialIds:
        """As `Seq2SeqModel.special_ids`."""
        pad = self.network.config.vocab_size - 2
        return SpecialIds(pad=pad, end=EOS, start=pad)

    def encode(self, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None) -> Tensor:
        """As `Seq2SeqModel.encode`: [rows, d], from `batch.frames`.

        Raises:
            UserError: the batch has tokens and no frames.
        """
        if batch.frames is None:
            raise UserError("a model of the architecture 'whisper' reads frames, but the sources are text")
        return whisper_forward.encode(self.network, batch, batch.frames, drop, states)

    def decode(
        self, memory: Tensor, batch: Batch, drop: DropoutPool = NO_DROPOUT, states: States | None = None
    ) -> Tensor:
        """As `Seq2SeqModel.decode`."""
        return whisper_forward.decode(self.network, memory, batch, self.special_ids.start, drop, states)

    def output_layer(self) -> OutputLayer:
        """As `Seq2SeqModel.output_layer`: the token embeddings up to `<pad>`."""
        return OutputLayer(self.network.model.decoder.embed_tokens.weight[:-1], None)  # [V + 2, d] -> [V + 1, d]

    def embeddings(self) -> Embeddings:
        """As `Seq2SeqModel.embeddings`: those of the target side, because frames have none; one row more than V + 1."""
        return Embeddings(self.network.model.decoder.embed_tokens, self.network.model.decoder.embed_tokens)

    def layers(self, stack: StackName) -> list[LayerView]:
        """As `Seq2SeqModel.layers`."""
        return layer_views(self.network, stack)

    @property
    def frame_encoder(self) -> nn.Module:
        """As `Seq2SeqModel.frame_encoder`: the convolutions and the layers."""
        return self.network.model.encoder

    @property
    def frame_size(self) -> int:
        """As `Seq2SeqModel.frame_size`."""
        return int(self.network.config.num_mel_bins)

    def resized(self, dimensions: Dimensions) -> WhisperModel:
        """As `Seq2SeqModel.resized`."""
        before = self.network.config
        changes = stack_settings(dimensions) | {"max_source_positions": dimensions.max_positions}
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
