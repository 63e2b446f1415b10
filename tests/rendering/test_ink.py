"""Pictures without text, and pictures that are too wide."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.pictures import strokes
from hypothesis import given
from hypothesis import strategies as st

from distilmt.rendering.ink import has_ink, split_columns


def gray(value: int) -> np.ndarray:
    return np.full((120, 32), value, np.uint8)


def noisy(deviation: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((120, 32)) * deviation
    return (128 + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_of_one_brightness_has_none(value):
    assert not has_ink(gray(value)) and not has_ink(gray(value)[:0])


@given(st.floats(0.5, 60), st.integers(0, 99))
def test_noise_has_none(deviation, seed):
    assert not has_ink(noisy(deviation, seed))


def test_shading_has_none():
    shaded = np.linspace(110, 145, 120).astype(np.uint8)[:, None].repeat(32, 1)
    assert not has_ink(shaded)


@given(st.integers(8, 300), st.integers(0, 99))
def test_strokes_are_ink_dark_or_light_with_noise_too(width, seed):
    columns = strokes(width, seed)
    assert has_ink(columns) and has_ink(255 - columns)
    noise = np.random.default_rng(seed).standard_normal(columns.shape) * 12
    assert has_ink((columns + noise).clip(0, 255).astype(np.uint8))


@given(st.integers(1, 900), st.integers(2, 100), st.integers(0, 9))
def test_parts_are_the_whole_picture(width, widest, seed):
    columns = np.random.default_rng(seed).integers(0, 256, (width, 16)).astype(np.uint8)
    parts = split_columns(columns, widest)
    assert all(1 <= len(part) <= widest for part in parts)
    np.testing.assert_array_equal(np.concatenate(parts), columns)


def test_a_wide_picture_is_cut_in_its_gap():
    columns = np.concatenate([strokes(90), np.full((20, 16), 240, np.uint8), strokes(90)])
    first, second = split_columns(columns, 150)
    assert 90 <= len(first) <= 110 and len(first) + len(second) == 200
