"""Model shape and training options, shared by teacher, student and baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from distilmt.config.bounds import MAX_COUNT, MAX_THREADS, bounded
from distilmt.config.choices import Metric, TrackerName
from distilmt.config.effects import config_field, no_effect


@dataclass
class ModelConfig:
    """Architecture and shape of a transformer."""

    preset: Literal["micro", "tiny", "small", "base", "teacher", "teacher-big"] | None = None
    """Named shape; the other keys override it. See `distilmt.models.presets`."""
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
    """Maximum sequence length in tokens; longer training pairs are left out, longer texts are translated in parts."""
    architecture: str = "marian"
    """Architecture of the model: a name of the table in `distilmt.models.architectures`."""
    frame_size: int | None = bounded(None, 1, 4096)
    """Numbers in a frame that the encoder of `architecture: whisper` reads, such as the pixels of some columns."""


@dataclass
class TrainingConfig:
    """Training of a model. Teacher, student and baseline share the loop."""

    max_steps: int = bounded(10_000, 1, MAX_COUNT)
    """Maximum optimizer steps; the learning-rate schedule ends here."""
    max_seconds: float | None = bounded(None, 0.1, 1e9)
    """Maximum seconds, including validations; if the machine slows down, the schedule is shortened to end in time."""
    batch_tokens: int = bounded(4096, 1, 1_000_000)
    """Maximum tokens per update on either side."""
    optimizer: Literal["muon", "adam"] = "muon"
    """Optimizer of the layers' matrices: Muon learns most in the same time; embeddings, biases and norms use Adam."""
    learning_rate: float = bounded(3e-3, 0, 10)
    """Peak learning rate of both Adam and Muon; with `adam` alone 0.001 is safer."""
    warmup_steps: int = bounded(200, 0, MAX_COUNT)
    """Updates over which the learning rate rises to its peak; at most a fifth of all updates."""
    lr_scheduler: Literal["linear", "cosine", "inverse_sqrt"] = "linear"
    """Decay of the learning rate after the warm-up: to zero at the last update, or by inverse square root."""
    label_smoothing: float = bounded(0.1, 0, 0.9999)
    """Probability that is moved from the target token to the whole vocabulary (hard targets only)."""
    dropout: float = bounded(0.1, 0, 0.9999)
    """Dropout rate of every block."""
    weight_decay: float = bounded(0.0, 0, 10)
    """Decoupled weight decay."""
    max_grad_norm: float = bounded(1.0, 0, 1e6)
    """Maximum gradient norm; 0 turns clipping off."""
    ema_decay: float = bounded(0.998, 0, 0.9999)
    """Decay of the moving average of the weights, which is validated and saved; 0 turns it off."""
    eval_steps: int = bounded(1000, 1, MAX_COUNT)
    """Updates between validations (greedy decoding of validation sentences)."""
    eval_sentences: int = bounded(500, 1, MAX_COUNT)
    """Number of validation sentences to decode."""
    metric: Metric = "bleu"
    """Metric that selects the best checkpoint."""
    patience: int = bounded(10, 0, MAX_COUNT)
    """Validations without a better score before training stops early; 0 never stops early."""
    save_interval_seconds: float = bounded(45.0, 0, 1e9, no_effect())
    """Seconds between checkpoints to resume from: an interruption loses at most this much work."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """`auto` uses bf16 if the processor or GPU supports it natively."""
    threads: int = bounded(0, 0, MAX_THREADS, no_effect())
    """CPU threads; 0: one per free core, and a single thread for small models."""
    tracker: TrackerName = config_field("none", no_effect())
    """Program that shows the log of the training while it runs; each needs the extra of its name."""
