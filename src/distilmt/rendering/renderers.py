"""The renderer of a configuration: of pictures or of speech."""

from __future__ import annotations

from distilmt.config.rendering import RenderingConfig
from distilmt.config.student import FrameConfig
from distilmt.rendering.renderer import Renderer
from distilmt.rendering.speech_renderer import SpeechRenderer
from distilmt.rendering.text_renderer import TextRenderer


def training_renderer(config: FrameConfig, seed: int) -> TextRenderer:
    """A renderer in the fonts or with the voices for training.

    Raises:
        UserError: none is installed, or a package is missing.
    """
    if isinstance(config, RenderingConfig):
        return Renderer.for_training(config, seed)
    return SpeechRenderer.for_training(config, seed)


def measuring_renderer(config: FrameConfig, seed: int) -> TextRenderer:
    """A renderer in the held-out fonts or with the held-out voices; errors as `training_renderer`."""
    if isinstance(config, RenderingConfig):
        return Renderer.for_measuring(config, seed)
    return SpeechRenderer.for_measuring(config, seed)
