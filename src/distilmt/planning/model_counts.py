"""Parameters and multiply-adds of a Marian transformer, computed from its dimensions.

Only matrix products are counted (orders as in Vaswani et al. 2017, table 1; a multiply-add is two FLOPs). Norms,
softmax and the optimizer are limited by memory bandwidth; the fit in `planning.calibration` covers them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path

from distilmt.config import ModelConfig
from distilmt.models.presets import shape

BACKWARD = 2
"""Backward products per forward product: one for the gradient of the states, one for that of the weights."""


@dataclass(frozen=True)
class ModelDims:
    """Dimensions of a model."""

    d_model: int
    encoder_layers: int
    decoder_layers: int
    encoder_ffn: int
    decoder_ffn: int
    heads: int
    vocabulary: int
    """Vocabulary size of each side, with `<pad>`."""
    shared: bool
    """Whether both sides share one vocabulary and one embedding matrix."""
    positions: int

    @classmethod
    def of(cls, model: ModelConfig, vocabulary: int, shared: bool) -> ModelDims:
        """Dimensions of a configured model.

        Raises:
            UserError: the dimensions are incomplete or impossible.
        """
        s = shape(model)
        depths = s.d_model, s.encoder_layers, s.decoder_layers
        return cls(*depths, s.ffn_dim, s.ffn_dim, s.num_heads, vocabulary, shared, model.max_positions)

    @classmethod
    def read(cls, directory: Path) -> ModelDims | None:
        """Dimensions of a Marian model directory; None if it is not one."""
        try:
            config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if config.get("model_type") != "marian":
            return None
        return cls(
            config["d_model"],
            config["encoder_layers"],
            config["decoder_layers"],
            config["encoder_ffn_dim"],
            config["decoder_ffn_dim"],
            config["encoder_attention_heads"],
            config.get("decoder_vocab_size") or config["vocab_size"],
            config.get("share_encoder_decoder_embeddings", True),
            config["max_position_embeddings"],
        )


@dataclass(frozen=True)
class TokenCounts:
    """Input size of a model: tokens, and token pairs of the attention."""

    source: float
    target: float
    encoder_pairs: float
    """Token pairs of the encoder's self-attention."""
    causal_pairs: float
    """Token pairs of the decoder's self-attention."""
    cross_pairs: float
    """Token pairs of the cross-attention."""

    def __mul__(self, factor: float) -> TokenCounts:
        return TokenCounts(*(getattr(self, field.name) * factor for field in fields(self)))


@dataclass(frozen=True)
class Macs:
    """Multiply-adds."""

    encoder_attention: float
    encoder_feed_forward: float
    decoder_attention: float
    decoder_feed_forward: float
    vocabulary: float

    @property
    def encoder(self) -> float:
        """Parameters of the encoder."""
        return self.encoder_attention + self.encoder_feed_forward

    @property
    def decoder(self) -> float:
        """Parameters of the decoder's layers, without embeddings."""
        return self.decoder_attention + self.decoder_feed_forward

    @property
    def layers(self) -> float:
        """Of all layers."""
        return self.encoder + self.decoder

    @property
    def total(self) -> float:
        """Of everything."""
        return self.layers + self.vocabulary


def parameters(dims: ModelDims) -> int:
    """Trainable parameters, shared ones counted once; positions are sinusoidal and not trained."""
    return dims.d_model * dims.vocabulary * (1 if dims.shared else 2) + layer_matrices(dims) + _vectors(dims)


def layer_matrices(dims: ModelDims) -> int:
    """Parameters of the layers' matrices: four per attention, two per feed-forward block."""
    d = dims.d_model
    encoder = dims.encoder_layers * (4 * d * d + 2 * d * dims.encoder_ffn)
    return encoder + dims.decoder_layers * (8 * d * d + 2 * d * dims.decoder_ffn)


def _vectors(dims: ModelDims) -> int:
    """Parameters of the biases and norms."""
    d = dims.d_model
    encoder = dims.encoder_layers * (4 * d + dims.encoder_ffn + d + 2 * 2 * d)
    return encoder + dims.decoder_layers * (8 * d + dims.decoder_ffn + d + 3 * 2 * d)


def forward(dims: ModelDims, load: TokenCounts) -> Macs:
    """Multiply-adds of a teacher-forced forward pass with logits of every target token.

    Keys and values of the cross-attention count for the decoder, once per source token.
    """
    d = dims.d_model
    source_projections = dims.decoder_layers * 2 * d * d * load.source
    return Macs(
        dims.encoder_layers * (4 * d * d * load.source + 2 * d * load.encoder_pairs),
        dims.encoder_layers * 2 * d * dims.encoder_ffn * load.source,
        source_projections
        + dims.decoder_layers * (6 * d * d * load.target + 2 * d * (load.causal_pairs + load.cross_pairs)),
        dims.decoder_layers * 2 * d * dims.decoder_ffn * load.target,
        d * dims.vocabulary * load.target,
    )


def decoding(dims: ModelDims, load: TokenCounts, beam: int) -> Macs:
    """Multiply-adds of beam search: the decoder runs for every hypothesis of the beam.

    A token attends only to earlier ones, half of the pairs; keys and values of the source are computed once.
    """
    d, once = dims.d_model, forward(dims, load)
    source_projections = dims.decoder_layers * 2 * d * d * load.source
    later = dims.decoder_layers * d * load.causal_pairs
    return Macs(
        once.encoder_attention,
        once.encoder_feed_forward,
        source_projections + beam * (once.decoder_attention - source_projections - later),
        beam * once.decoder_feed_forward,
        beam * once.vocabulary,
    )


def per_token(dims: ModelDims, load: TokenCounts) -> dict[str, dict[str, float]]:
    """Multiply-adds of a forward pass: of the encoder per source token, of decoder and logits per target token."""
    macs = forward(dims, load)
    return {
        "encoder": {
            "attention": macs.encoder_attention / load.source,
            "feed_forward": macs.encoder_feed_forward / load.source,
        },
        "decoder": {
            "attention": macs.decoder_attention / load.target,
            "feed_forward": macs.decoder_feed_forward / load.target,
            "vocabulary": macs.vocabulary / load.target,
        },
    }
