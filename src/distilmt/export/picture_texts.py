"""Pictures of texts for comparing exports: the same ones for the same texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from distilmt.config.rendering import RenderingConfig
from distilmt.rendering.renderer import Renderer, UnrenderableError

_SEED = 1


def pictures_of(texts: Sequence[str], rendering: RenderingConfig) -> list[np.ndarray]:
    """The picture of each text in the fonts for measuring, [columns, height] uint8.

    Raises:
        UserError: there is no picture of a text, or fonts are missing.
    """
    renderer = Renderer.for_measuring(rendering, _SEED)
    return [renderer.render(text, text) for text in texts]


def renderable(texts: Sequence[str], rendering: RenderingConfig) -> list[str]:
    """The texts of which there is a picture.

    Raises:
        UserError: fonts are missing.
    """
    return list(_renderable(texts, Renderer.for_measuring(rendering, _SEED)))


def _renderable(texts: Sequence[str], renderer: Renderer) -> Iterator[str]:
    for text in texts:
        try:
            renderer.render(text, text)
        except UnrenderableError:
            continue
        yield text
