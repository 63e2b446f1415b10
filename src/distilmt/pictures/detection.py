"""Quadrilaterals of the lines of text on a page, by the neural detector of RapidOCR, and which way up they are."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import cv2
import numpy as np

from distilmt.pictures.geometry import lengths, strip_of
from distilmt.utils.extras import explained

if TYPE_CHECKING:
    from rapidocr import RapidOCR

_MIN_SCORE = 0.5
"""Of the detector, 0 to 1."""
_MIN_HEIGHT = 6
"""Pixels; nobody can read smaller lines."""
_SIDE, _OVERLAP = 1920, 192
"""Pixels of the longer side of what the detector sees; windows of a long page overlap."""
_SMALL_SIDE, _MAX_ENLARGEMENT = 960, 2.0
_LARGE, _CONFIRMED_AT, _CONFIRMED_AREA = 128, 48, 0.3
"""Pixels of the height of a box from which on the detector has to see it, or so much of it, at a smaller scale too:
the textures of photographs look like large letters, but not like small ones."""
_MAX_SHAPE = 2.0
"""Height to width of a page that is seen as a whole; longer ones, such as screenshots of web pages, in windows."""
_MARGIN, _GRID = 32, 32
"""Text at the very edge needs a margin; the network works on a grid."""
_TALL = 1.5
"""Height to width of a box whose text runs downward or upward."""
_VOTES, _VOTE_SHAPE = 24, 4
"""Lines that are judged for whether a page is upside down, and the width to height of what is judged."""
_UPSIDE_DOWN = 0.6
"""Mean probability from which a page is turned: most pages are upright."""


def detect_lines(page: np.ndarray, threads: int = 0) -> np.ndarray:
    """Find the lines of text of a page.

    Args:
        page: [height, width, 3] uint8.
        threads: CPU threads; 0: one per core.

    Returns:
        [lines, 4, 2] float32: corners (x, y) in pixels of the page, clockwise from the top left of the text as it is
        read, also where the page lies on its side or is upside down. Empty if there is no text.
    """
    quads = np.concatenate([_in_window(page, *rows, threads) for rows in _windows(*page.shape[:2])])
    lines: np.ndarray = quads[lengths(quads).min(1) >= _MIN_HEIGHT]
    return _upright(page, lines, threads) if len(lines) else lines


@functools.lru_cache(maxsize=4)
def _engine(task: str, threads: int) -> RapidOCR:
    """The network for one task, `det` (lines) or `cls` (upside down): two objects, as flags of a call stay set."""
    with explained("finding text in pictures"):
        from rapidocr import RapidOCR

    parameters = {
        **{f"Global.use_{each}": each == task for each in ("det", "cls", "rec")},
        "Global.log_level": "critical",
        "Global.use_preprocess_img": False,
        "Global.use_vertical_padding": False,
        "Det.limit_type": "max",
        "Det.limit_side_len": 1_000_000,  # sizes are chosen here
        "EngineConfig.onnxruntime.intra_op_num_threads": threads or -1,
    }
    return RapidOCR(params=parameters)


def _windows(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Bands of rows of a page: first and last row of each, and the part in which it counts."""
    if height <= _SIDE or height <= _MAX_SHAPE * width:
        return [(0, height, 0, height)]
    # As high as the detector's picture, when the width is scaled to at most that.
    rows = max(_SIDE, width)
    overlap = rows * _OVERLAP // _SIDE
    starts = range(0, max(height - overlap, 1), rows - overlap)
    return [
        (start, min(start + rows, height), start and start + overlap // 2, _core_end(start + rows, overlap, height))
        for start in starts
    ]


def _core_end(end: int, overlap: int, height: int) -> int:
    return height if end >= height else end - overlap // 2


def _in_window(page: np.ndarray, first: int, last: int, core: int, core_end: int, threads: int) -> np.ndarray:
    quads = _detect(page[first:last], threads) + np.array((0, first), np.float32)
    middles = quads[..., 1].mean(1)
    inside: np.ndarray = quads[(middles >= core) & (middles < core_end)]
    return inside


def _detect(picture: np.ndarray, threads: int) -> np.ndarray:
    """Quadrilaterals [lines, 4, 2] of a picture, clockwise from the corner at the top left of the picture."""
    longest = max(picture.shape[:2])
    scale = min(1.0, _SIDE / longest) if longest >= _SMALL_SIDE else min(_MAX_ENLARGEMENT, _SMALL_SIDE / longest)
    quads = _detect_at(picture, scale, threads)
    heights = lengths(quads).min(1)
    is_large = heights * scale > _LARGE
    if not is_large.any():
        return quads
    smaller = _detect_at(picture, _CONFIRMED_AT / float(heights.max()), threads)
    is_text = [not large or _is_confirmed(quad, smaller) for quad, large in zip(quads, is_large, strict=True)]
    confirmed: np.ndarray = quads[is_text]
    return confirmed


def _detect_at(picture: np.ndarray, scale: float, threads: int) -> np.ndarray:
    engine = _engine("det", threads)
    from rapidocr.ch_ppocr_det import TextDetOutput

    result = engine(_prepared(picture, scale))
    if not isinstance(result, TextDetOutput) or result.boxes is None:
        return np.zeros((0, 4, 2), np.float32)
    is_text = np.asarray(result.scores) >= _MIN_SCORE
    quads = (np.asarray(result.boxes, np.float32)[is_text] - _MARGIN) / scale
    height, width = picture.shape[:2]
    clipped: np.ndarray = np.clip(quads, 0, np.array((width, height), np.float32))
    return clipped


def _is_confirmed(quad: np.ndarray, others: np.ndarray) -> bool:
    """Whether another box has its middle in this one and is not much smaller: most of a texture is not."""
    inside = [cv2.pointPolygonTest(quad, other.mean(0).tolist(), False) >= 0 for other in others]
    areas = lengths(others).prod(1)
    return bool((np.array(inside, bool) & (areas > _CONFIRMED_AREA * lengths(quad[None]).prod())).any())


def _prepared(picture: np.ndarray, scale: float) -> np.ndarray:
    """The picture in blue, green, red at a scale, with a margin."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(picture, size, interpolation=method)[..., ::-1]
    below, right = (_MARGIN + -(length + 2 * _MARGIN) % _GRID for length in reversed(size))
    # The color of the edge goes on: a frame in one color would look like the box of a word.
    return cv2.copyMakeBorder(np.ascontiguousarray(scaled), _MARGIN, below, _MARGIN, right, cv2.BORDER_REPLICATE)


def _upright(page: np.ndarray, quads: np.ndarray, threads: int) -> np.ndarray:
    """The corners in the order in which the text is read: one direction for the whole page, as most lines have it."""
    sides = lengths(quads)
    is_tall = sides[:, 1] > _TALL * sides[:, 0]
    longest = sides.max(1)
    if longest[is_tall].sum() > longest[~is_tall].sum():
        quads = np.roll(quads, -1, 1)
    return np.roll(quads, -2, 1) if _is_upside_down(page, quads, threads) else quads


def _is_upside_down(page: np.ndarray, quads: np.ndarray, threads: int) -> bool:
    widths, heights = lengths(quads).T
    longest = np.argsort(-widths / np.maximum(heights, 1))[:_VOTES]
    return float(np.mean([_upside_down(page, quads[line], threads) for line in longest])) > _UPSIDE_DOWN


def _upside_down(page: np.ndarray, quad: np.ndarray, threads: int) -> float:
    """Probability that a line is upside down, from its middle part."""
    engine = _engine("cls", threads)
    from rapidocr.ch_ppocr_cls import TextClsOutput

    strip = strip_of(page, quad)
    width = min(strip.shape[1], _VOTE_SHAPE * strip.shape[0])
    left = (strip.shape[1] - width) // 2
    part = np.ascontiguousarray(strip[:, left : left + width, ::-1])
    result = engine(part)
    assert isinstance(result, TextClsOutput) and result.cls_res is not None
    ((label, probability),) = result.cls_res
    return float(probability) if label == "180" else 1 - float(probability)
