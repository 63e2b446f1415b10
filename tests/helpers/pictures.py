"""Pictures of text and a tiny model that reads them, made in code."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import torch

from distilmt.config import ModelConfig
from distilmt.config.rendering import RenderingConfig
from distilmt.models.architectures import new_model
from distilmt.models.whisper import WhisperModel

HEIGHT, COLUMNS_PER_FRAME = 16, 4
RENDERING = RenderingConfig(height=HEIGHT, columns_per_frame=COLUMNS_PER_FRAME, max_columns=512)
SHAPE = ModelConfig(
    d_model=32,
    ffn_dim=64,
    num_heads=2,
    encoder_layers=1,
    decoder_layers=1,
    max_positions=64,
    architecture="whisper",
    frame_size=HEIGHT * COLUMNS_PER_FRAME,
)


def new_picture_model(tokenizer, seed: int = 1, loops: bool = False, shape: ModelConfig = SHAPE) -> WhisperModel:
    """Random weights far apart, biases and norms too, so that translations differ and a swapped weight shows.

    With `loops` the model repeats tokens without end.
    """
    model = new_model(shape, tokenizer, 0.0, seed).eval()
    assert isinstance(model, WhisperModel)
    for name, parameter in model.named_parameters():
        if "encoder.embed_positions" not in name:
            parameter.data = 2 * parameter.data + 0.1 * torch.randn_like(parameter)
    if not loops:
        positions = model.network.model.decoder.embed_positions.weight
        positions.data = 2 * torch.randn_like(positions)  # else a token follows itself
        _without_bytes(model, tokenizer)
    return model


def _without_bytes(model: WhisperModel, tokenizer) -> None:
    """Texts instead of broken bytes, and sentences that end."""
    words = model.network.model.decoder.embed_tokens.weight.data
    for number, token in enumerate(tokenizer.target.tokens):
        if token.startswith(("<0x", "<un", "<pad>")):
            words[number] = 0
    words[0] *= 2


def strokes(width: int, seed: int = 1) -> np.ndarray:
    """Dark strokes on a light page with gaps between them, [width, height] uint8."""
    generator = np.random.default_rng(seed)
    columns = np.full((width, HEIGHT), 240, np.uint8)
    for left in range(1, width - 3, 4):
        if generator.random() < 0.6:
            top = int(generator.integers(1, HEIGHT // 2))
            columns[left : left + int(generator.integers(2, 4)), top : top + HEIGHT // 2] = generator.integers(0, 60)
    columns[1:3, 4:10] = 20  # at least one stroke
    return columns


def write_fonts(directory: Path) -> tuple[str, str]:
    """Pillow's own font as two files of different families: one for training, one held out."""
    from fontTools.ttLib import TTFont
    from PIL import ImageFont

    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    paths = [directory / f"{name}.ttf" for name in ("training", "held-out")]
    for path in paths:
        opened = TTFont(BytesIO(font.font_bytes))
        for record in opened["name"].names:
            if record.nameID in (1, 16):
                record.string = path.stem
        opened.save(path)
    return str(paths[0]), str(paths[1])
