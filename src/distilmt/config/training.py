"""A model's shape and its training: teacher, student and baseline share both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from distilmt.config.bounds import MAX_COUNT, MAX_THREADS, bounded
from distilmt.config.effects import no_effect


@dataclass
class ModelConfig:
    """Shape of a Marian transformer."""

    preset: Literal["micro", "tiny", "small", "base", "teacher", "teacher-big"] | None = None
    """Named shape; keys set beside it override it. See `distilmt.models.presets`."""
    d_model: int | None = bounded(None, 2, 65_536)
    """Width of the embeddings and of every layer."""
    ffn_dim: int | None = bounded(None, 1, 1_000_000)
    """Width of the feed-forward blocks."""
    num_heads: int | None = bounded(None, 1, 1024)
    """Attention heads."""
    encoder_layers: int | None = bounded(None, 1, 256)
    """Layers of the encoder."""
    decoder_layers: int | None = bounded(None, 1, 256)
    """Layers of the decoder."""
    max_positions: int = bounded(256, 2, 65_536)
    """Longest sequence in tokens; longer training pairs are left out, longer texts are translated in parts."""


@dataclass
class TrainingConfig:
    """How a model is trained. Teacher, student and baseline share the loop."""

    max_steps: int = bounded(10_000, 1, MAX_COUNT)
    """Optimizer steps at most; the learning-rate schedule ends here."""
    max_seconds: float | None = bounded(None, 0.1, 1e9)
    """Most seconds, validations included; on a machine that slows down the schedule hurries to end in time."""
    batch_tokens: int = bounded(4096, 1, 1_000_000)
    """Most tokens of an update on either side."""
    optimizer: Literal["muon", "adam"] = "muon"
    """Of the layers' matrices: Muon learns most in the same time; embeddings, biases and norms always have Adam."""
    learning_rate: float = bounded(3e-3, 0, 10)
    """Peak learning rate, of Adam and Muon alike; with `adam` alone 0.001 is safer."""
    warmup_steps: int = bounded(200, 0, MAX_COUNT)
    """Updates over which the learning rate climbs to its peak; at most a fifth of all updates."""
    lr_scheduler: Literal["linear", "cosine", "inverse_sqrt"] = "linear"
    """How the learning rate falls after the warm-up: to zero at the last update, or by inverse square root."""
    label_smoothing: float = bounded(0.1, 0, 0.9999)
    """Share of the reference's probability that is spread over the vocabulary (hard targets only)."""
    dropout: float = bounded(0.1, 0, 0.9999)
    """Dropout of every block."""
    weight_decay: float = bounded(0.0, 0, 10)
    """Decoupled weight decay."""
    max_grad_norm: float = bounded(1.0, 0, 1e6)
    """Largest gradient norm; 0 turns clipping off."""
    ema_decay: float = bounded(0.998, 0, 0.9999)
    """Exponential moving average of the weights that is validated and kept; 0 turns it off."""
    eval_steps: int = bounded(1000, 1, MAX_COUNT)
    """Updates between validations (greedy decoding of validation sentences)."""
    eval_sentences: int = bounded(500, 1, MAX_COUNT)
    """Validation sentences that are decoded."""
    metric: Literal["bleu", "chrf"] = "bleu"
    """What the best checkpoint is chosen by."""
    patience: int = bounded(10, 0, MAX_COUNT)
    """Validations without a better score before training stops early; 0 never stops early."""
    save_interval_seconds: float = bounded(45.0, 0, 1e9, no_effect())
    """Seconds between checkpoints to resume from: a kill loses at most so much work."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """`auto` takes bf16 where the processor or GPU computes it natively."""
    threads: int = bounded(0, 0, MAX_THREADS, no_effect())
    """CPU threads; 0 takes one per core that is free, for small models one."""
