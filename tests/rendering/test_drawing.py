"""Scaling of pictures: the same pixels with every version of Pillow."""

import hashlib

import numpy as np
import pytest

pytest.importorskip("PIL")
from PIL import Image

from distilmt.rendering.drawing import columns_of, scaled


def test_the_width_changes_before_the_height() -> None:
    """Pixels of Pillow 12. Pillow 13 changes the height of this picture first, where one call changes both."""
    noise = np.random.default_rng(3)
    pictures = [noise.integers(0, 256, shape, dtype=np.uint8) for shape in ((7, 11), (40, 90))]
    pixels = np.asarray(scaled(Image.fromarray(pictures[1]), 180, 32))
    assert pixels.shape == (32, 180)
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == "d574840d719a2779"


@pytest.mark.parametrize(("most", "columns"), [(None, 72), (50, 50)])
def test_columns_are_in_proportion_up_to_a_maximum(most: int | None, columns: int) -> None:
    picture = Image.fromarray(np.zeros((40, 90), np.uint8))
    assert columns_of(picture, 32, most).shape == (columns, 32)
