"""One part of a cascade over pictures of lines, in a new process on one thread: a line of JSON.

A reader (`tesseract`, `rapidocr`) recognizes text, `image` translates pictures, `text` translates the texts of a file.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import ocr
from PIL import Image

from distilmt.rendering.drawing import columns_of
from distilmt.utils.run_dir import peak_rss

Input = TypeVar("Input")
_WARM_UP, _BATCH = 3, 64


@dataclass
class Part:
    """What this process does."""

    kind: str
    """`tesseract`, `rapidocr`, `image` or `text`."""
    source: str
    """Directory of pictures, or a JSON list of texts."""
    model: str = ""
    """Export, or the language of Tesseract."""
    beam_size: int = 4
    timed: int = 50
    """So many inputs are translated one by one on the clock, the others in batches."""


def main(part: Part) -> ocr.Reading:
    sys.modules["torch"] = None  # type: ignore[assignment]  # deployments have none; CTranslate2 would import it
    from distilmt.inference.image_translator import ImageTranslator
    from distilmt.inference.translator import Translator

    source = Path(part.source)
    if part.kind == "text":
        return _translated(Translator(part.model, threads=1).translate, json.loads(source.read_text()), part)
    files = sorted(source.glob("*.png"))
    if part.kind != "image":
        return ocr.tesseract(files, part.model) if part.kind == "tesseract" else ocr.rapidocr(files)
    translator = ImageTranslator(part.model, threads=1)

    def translate(images: Sequence[Image.Image], beam_size: int) -> list[str]:
        lines = [columns_of(image, translator.height) for image in images]
        return translator.translate_lines(lines, beam_size)

    return _translated(translate, [Image.open(file).convert("L") for file in files], part)


def _translated(translate: Callable[[Sequence[Input], int], list[str]], inputs: list[Input], part: Part) -> ocr.Reading:
    for each in inputs[:_WARM_UP]:
        translate([each], part.beam_size)
    begin = time.perf_counter()
    texts = [translate([each], part.beam_size)[0] for each in inputs[: part.timed]]
    ms = 1000 * (time.perf_counter() - begin) / len(texts)
    peak = peak_rss()  # one picture at a time
    for start in range(len(texts), len(inputs), _BATCH):
        texts += translate(inputs[start : start + _BATCH], part.beam_size)
    return ocr.Reading(texts, ms, peak)


if __name__ == "__main__":
    print(json.dumps(asdict(main(Part(**json.loads(sys.argv[1]))))))
