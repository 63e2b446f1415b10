"""Pictures of texts for comparing exports: the same ones for the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from distilmt.config.rendering import RenderingConfig
from distilmt.rendering.renderer import Renderer

_SEED = 1


def pictures_of(texts: Sequence[str], rendering: RenderingConfig) -> list[np.ndarray]:
    """The picture of each text in the fonts for measuring, [columns, height] uint8.

    Raises:
        UserError: there is no picture of a text, or fonts are missing.
    """
    renderer = Renderer.for_measuring(rendering, _SEED)
    return [renderer.render(text, text) for text in texts]


def renderable(texts: Sequence[str], rendering: RenderingConfig, limit: int) -> list[str]:
    """The first texts of which there is a picture, at most `limit`.

    Raises:
        UserError: fonts are missing.
    """
    renderer = Renderer.for_measuring(rendering, _SEED)
    return list(islice((text for text in texts if renderer.picture_of(text, text) is not None), limit))
