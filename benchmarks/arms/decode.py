"""Translation on one thread: by an exported model of ours, or by Marian's decoder with the same weights."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import sentencepiece as spm

Translate = Callable[[list[str], int], list[str]]


def ours(model: Path, beam: int) -> Translate:
    from distilmt.inference.translator import Translator

    translator = Translator(model, threads=1)
    return lambda texts, size: translator.translate(texts, beam, size)


def marians(model: Path, beam: int) -> Translate:
    from pymarian import Translator

    translator = Translator(f"--config {model}/decoder.yml --cpu-threads 1 --quiet --beam-size {beam}")
    # Marian sorts texts by length and forms batches of 32, as its export specifies.
    return lambda texts, size: translator.translate(texts)


def main(system: str, model: Path, beam: int, file: Path) -> None:
    texts = file.read_text(encoding="utf-8").splitlines()
    begin = time.perf_counter()
    translate = (ours if system == "ours" else marians)(model, beam)
    translate(texts[:1], 1)
    result: dict[str, float] = {"ready_seconds": time.perf_counter() - begin}
    pieces = spm.SentencePieceProcessor(model_file=str(model / "source.spm"))
    for name, size in (("batch_32", 32), ("batch_1", 1)):
        translate(texts[:size], size)
        begin = time.perf_counter()
        output = translate(texts, size) if size > 1 else [translate([text], 1)[0] for text in texts]
        seconds = time.perf_counter() - begin
        result[name] = sum(len(row) for row in pieces.encode(output)) / seconds
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
