"""Text recognition of pictures of lines as users have it: Tesseract's program and RapidOCR's recognizer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from distilmt.rendering.ink import split_columns
from distilmt.utils.run_dir import peak_rss

TESSERACT_LANGUAGES = {"en": "eng", "de": "deu", "it": "ita", "es": "spa", "fr": "fra", "zh": "chi_sim"}
_WIDEST = 20
"""Width to height from which RapidOCR gets a picture in parts: of longer ones its recognizer loses most letters."""
_WARM_UP = 3


@dataclass(frozen=True)
class Reading:
    """What a program has read in pictures of lines."""

    texts: list[str]
    ms: float
    """Milliseconds per picture on one thread, one picture after the other."""
    peak_bytes: int


def tesseract(files: Sequence[Path], language: str) -> Reading:
    """Recognize with one process that loads its model once, each picture as a single line (`--psm 7`)."""
    if shutil.which("tesseract") is None:
        sys.exit("tesseract is not installed: apt-get install tesseract-ocr")
    with tempfile.TemporaryDirectory() as directory:
        names = Path(directory) / "files.txt"
        names.write_text("".join(f"{file.resolve()}\n" for file in files))
        command = ["tesseract", str(names), f"{directory}/out", "-l", language, "--psm", "7"]
        begin = time.perf_counter()
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_THREAD_LIMIT": "1"})
        peak = _peak_of(process)
        seconds = time.perf_counter() - begin
        if process.returncode:
            sys.exit(f"{' '.join(command)} failed with {process.returncode}")
        pages = (Path(directory) / "out.txt").read_text(encoding="utf-8").split("\f")[: len(files)]
    return Reading([" ".join(page.split()) for page in pages], 1000 * seconds / len(files), peak)


def _peak_of(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process; its peak memory in bytes."""
    peak, status = 0, Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        # The usage that the kernel reports at the end includes the memory of the parent that it was forked from.
        if size := re.search(r"VmHWM:\s+(\d+)", status.read_text() if status.exists() else ""):
            peak = int(size[1]) * 1024
        time.sleep(0.02)
    return peak


def tesseract_bytes(language: str) -> int:
    """Size of a language's model."""
    shown = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=True).stdout
    directory = re.search(r'"(.+)"', shown)
    assert directory is not None, shown
    return (Path(directory[1]) / f"{language}.traineddata").stat().st_size


def rapidocr(files: Sequence[Path]) -> Reading:
    """Recognize with the network that RapidOCR's package contains."""
    from rapidocr import RapidOCR

    parameters = {
        **{f"Global.use_{each}": each == "rec" for each in ("det", "cls", "rec")},
        "Global.log_level": "critical",
        "Global.use_preprocess_img": False,
        "Global.use_vertical_padding": False,
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    }
    engine = RapidOCR(params=parameters)
    pictures = [np.asarray(Image.open(file).convert("L")) for file in files]
    for picture in pictures[:_WARM_UP]:
        _recognized(engine, picture)
    begin = time.perf_counter()
    texts = [_recognized(engine, picture) for picture in pictures]
    return Reading(texts, 1000 * (time.perf_counter() - begin) / len(files), peak_rss())


def _recognized(engine: object, picture: np.ndarray) -> str:
    assert callable(engine)
    texts = []
    for part in split_columns(np.ascontiguousarray(picture.T), _WIDEST * picture.shape[0]):
        result = engine(np.repeat(np.ascontiguousarray(part.T)[..., None], 3, axis=2))
        texts += result.txts or []
    return " ".join(" ".join(texts).split())


def rapidocr_bytes() -> int:
    """Size of the recognizer's network."""
    import rapidocr as package

    (network,) = (Path(package.__file__).parent / "models").glob("*_rec_*.onnx")
    return network.stat().st_size


def character_errors(texts: Sequence[str], references: Sequence[str]) -> float:
    """Character error rate: insertions, deletions and substitutions per character of the references, in percent."""
    errors = sum(edit_distance(text, reference) for text, reference in zip(texts, references, strict=True))
    return 100 * errors / max(1, sum(map(len, references)))


def edit_distance(a: str, b: str) -> int:
    """Levenshtein's distance, a row of its table at a time."""
    codes = np.array([ord(character) for character in b], dtype=np.int64)
    places = np.arange(len(b) + 1)
    row = places.copy()
    for character in a:
        best = np.minimum(row[1:] + 1, row[:-1] + (codes != ord(character)))
        candidates = np.concatenate([row[:1] + 1, best])
        # An insertion costs one per place: the minimum over all places before.
        row = np.minimum.accumulate(candidates - places) + places
    return int(row[-1])
