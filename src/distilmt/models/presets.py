"""Named shapes, and new Marian models with these shapes.

`tiny`, `small` and `base` are the shapes deployed in Firefox and by Bergamot (deep encoder, shallow decoder;
browsermt/students, mozilla/translations), with a self-attention decoder instead of SSRU so that they run everywhere.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from transformers import MarianConfig, MarianMTModel

from distilmt.config import ModelConfig
from distilmt.data.tokenizer import EOS, Tokenizer
from distilmt.utils.errors import UserError


@dataclass(frozen=True)
class ModelShape:
    """Widths and depths of a Marian transformer."""

    d_model: int
    ffn_dim: int
    num_heads: int
    encoder_layers: int
    decoder_layers: int


PRESETS = {
    "micro": ModelShape(128, 512, 4, 3, 1),
    "tiny": ModelShape(256, 1536, 8, 6, 2),
    "small": ModelShape(384, 1536, 8, 6, 2),
    "base": ModelShape(512, 2048, 8, 6, 2),
    "teacher": ModelShape(256, 1024, 4, 4, 3),
    "teacher-big": ModelShape(512, 2048, 8, 6, 6),
}


def shape(config: ModelConfig) -> ModelShape:
    """The preset's shape, overridden by the keys that are set.

    Raises:
        UserError: keys are missing without a preset, or the width is not a multiple of the heads.
    """
    values = asdict(PRESETS[config.preset]) if config.preset else {}
    values |= {key: getattr(config, key) for key in ModelShape.__annotations__ if getattr(config, key) is not None}
    missing = [key for key in ModelShape.__annotations__ if key not in values]
    if missing:
        raise UserError(f"model: {', '.join(missing)} not set: set them or name a preset ({', '.join(PRESETS)})")
    model_shape = ModelShape(**values)
    for key, value in values.items():
        if value < 1:
            raise UserError(f"model: {key} is {value}: it must be ≥ 1")
    if model_shape.d_model % model_shape.num_heads or model_shape.d_model % 2:
        raise UserError(
            f"model: d_model is {model_shape.d_model}: it must be even and a multiple of num_heads, "
            f"{model_shape.num_heads}"
        )
    return model_shape


def marian_config(config: ModelConfig, tokenizer: Tokenizer, dropout: float) -> MarianConfig:
    """Marian's configuration for a shape and a tokenizer."""
    s = shape(config)
    return MarianConfig(
        vocab_size=len(tokenizer.source.tokens),
        decoder_vocab_size=len(tokenizer.target.tokens),
        share_encoder_decoder_embeddings=tokenizer.shared,
        tie_word_embeddings=True,
        d_model=s.d_model,
        encoder_layers=s.encoder_layers,
        decoder_layers=s.decoder_layers,
        encoder_attention_heads=s.num_heads,
        decoder_attention_heads=s.num_heads,
        encoder_ffn_dim=s.ffn_dim,
        decoder_ffn_dim=s.ffn_dim,
        activation_function="relu",
        dropout=dropout,
        attention_dropout=0.0,
        activation_dropout=0.0,
        scale_embedding=True,
        max_position_embeddings=config.max_positions,
        **_special_ids(tokenizer),
    )


def _special_ids(tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "pad_token_id": tokenizer.pad,
        "eos_token_id": EOS,
        "bos_token_id": EOS,
        "decoder_start_token_id": tokenizer.pad,
        "forced_eos_token_id": EOS,
    }


def new_model(config: ModelConfig, tokenizer: Tokenizer, dropout: float, seed: int) -> MarianMTModel:
    """A model with fresh weights, float32, in train mode."""
    torch.manual_seed(seed)
    model = MarianMTModel(marian_config(config, tokenizer, dropout))
    # Marian's and fairseq's initialization: learns faster than BERT's normal(0.02) when updates are few.
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module is not model.lm_head:
            torch.nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
    _scale_by_depth(model)
    for embedding in (model.model.encoder.embed_tokens, model.model.decoder.embed_tokens):
        torch.nn.init.normal_(embedding.weight, std=model.config.d_model**-0.5)
    zero_pad(model)
    return model.train()


@torch.no_grad()
def _scale_by_depth(model: MarianMTModel) -> None:
    """Scale layer l's matrices by 1/√l: post-norm stacks then train at any depth (Zhang et al. 2019)."""
    for stack in (model.model.encoder, model.model.decoder):
        for depth, layer in enumerate(stack.layers, 1):
            for matrix in (p for p in layer.parameters() if p.dim() == 2):
                matrix.mul_(depth**-0.5)


@torch.no_grad()
def zero_pad(model: MarianMTModel) -> None:
    """Make the embedding of `<pad>` zero: Marian's decoders start from a zero vector (CTranslate2 relies on it)."""
    model.model.encoder.embed_tokens.weight[-1] = 0
    model.model.decoder.embed_tokens.weight[-1] = 0


def parameter_count(model: torch.nn.Module) -> int:
    """Number of trainable parameters; shared ones count once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
