"""Named shapes of models.

`tiny`, `small` and `base` are the shapes deployed in Firefox and by Bergamot (deep encoder, shallow decoder;
browsermt/students, mozilla/translations), with a self-attention decoder instead of SSRU so that they run everywhere.
`micro` has half of `tiny`'s width and depth. `teacher` can be trained on a CPU; its decoder is shallower than its
encoder, because the beam search that labels runs the decoder at every step. `teacher-big` is the base model of Vaswani
et al. 2017.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from distilmt.config import ModelConfig
from distilmt.utils.errors import UserError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ModelShape:
    """Widths and depths of a transformer."""

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


def parameter_count(model: torch.nn.Module) -> int:
    """Number of trainable parameters; shared ones count once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
