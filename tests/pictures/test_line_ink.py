"""The ink of a line: its letters alone, whatever the background is."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")
from helpers.pages_of_text import text_picture, texture

from distilmt.pictures.line_ink import ink_of

STRIP = np.asarray(text_picture(["Two men play outside."], (330, 48), 28, 12, 6))


def test_letters_are_cut_out_with_baseline_and_words() -> None:
    ink = ink_of(STRIP)
    assert ink is not None
    rows, columns = np.flatnonzero((STRIP < 128).any(1)), np.flatnonzero((STRIP < 128).any(0))
    assert abs(ink.height - (rows[-1] + 1 - rows[0])) <= 2 and abs(ink.width - (columns[-1] + 1 - columns[0])) <= 2
    assert len(ink.gaps) == 3
    # p and y reach below the baseline, T and l above the small letters.
    assert 0.6 * ink.height < ink.baseline < 0.9 * ink.height and 0.4 * ink.height < ink.x_height < 0.75 * ink.height


@pytest.mark.parametrize("change", ["dark", "shaded", "pale", "red on green"])
def test_the_background_does_not_matter(change: str) -> None:
    clean = ink_of(STRIP)
    shading = np.linspace(0, 90, STRIP.shape[1])
    strip = {
        "dark": 255 - STRIP,
        "shaded": (STRIP * 0.6 + shading).astype(np.uint8),
        "pale": (STRIP * 0.2 + 180).astype(np.uint8),
        "red on green": np.stack([255 - STRIP, STRIP // 2, np.zeros_like(STRIP)], -1),
    }[change]
    ink = ink_of(strip)
    assert clean is not None and ink is not None and len(ink.gaps) == 3
    assert abs(ink.baseline - clean.baseline) <= 1 and abs(ink.width - clean.width) <= 2


@pytest.mark.parametrize("part", [np.s_[:3, 40:60], np.s_[-3:, 100:130], np.s_[43:45], np.s_[:, :2]])
def test_what_belongs_to_other_lines_is_left_out(part) -> None:
    """The feet of a line above, the heads of a line below, an underline, the border of a table."""
    strip = STRIP.copy()
    strip[part] = 0
    clean, ink = ink_of(STRIP), ink_of(strip)
    assert clean is not None and ink is not None
    assert ink.pixels.shape == clean.pixels.shape


@pytest.mark.parametrize("kind", ["white", "black"])
def test_a_strip_without_letters_has_no_ink(kind: str) -> None:
    assert ink_of(np.asarray(texture(kind, (200, 40)))) is None
    assert ink_of(np.zeros((1, 1), np.uint8)) is None
