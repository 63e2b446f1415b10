"""The browser export in Chromium, against CTranslate2 and ONNX Runtime: agreement, speed and size.

    python benchmarks/browser.py RUN_DIR [--sentences 50] [--rounds 5] [--chromium PATH]

RUN_DIR has a trained student, its tokenizer and its corpus. The texts are the first of the test set that are a single
sentence. All decode greedily, one by one, on one thread. Every round is a new page. Needs pip's `playwright`.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from turns import middle, write

from distilmt.config import ComputeType
from distilmt.data import prepare, tokenizer
from distilmt.data.cleaning import normalize
from distilmt.data.sentence_splitter import sentences
from distilmt.export.card import ModelCard
from distilmt.export.consumers import by_onnxruntime
from distilmt.export.ctranslate2 import export
from distilmt.export.onnx import export_onnx
from distilmt.export.quantize import quantize_weights
from distilmt.export.web import export_web
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.models.marian_checkpoint import load_marian
from distilmt.models.presets import parameter_count
from distilmt.utils.run_dir import read_json

TYPES: tuple[ComputeType, ...] = ("float32", "int8")
# Block all hosts except this machine.
FLAGS = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def exported(root: Path, place: Path) -> None:
    """The student in every compared format."""
    model, pieces = load_marian(root / "student"), tokenizer.load(root / "tokenizer")
    corpus = read_json(root / "corpus" / "step.json")["settings"]
    card = ModelCard(corpus["source"], corpus["target"], parameters=parameter_count(model))
    for compute_type in TYPES:
        export(model, pieces, place / compute_type, compute_type)
    export_onnx(model, pieces, place / "onnx", card)
    for graph in ("encoder_model", "decoder_model_merged"):
        path = place / "onnx" / "onnx" / f"{graph}.onnx"
        quantize_weights(path, path)
    export_web(model, pieces, place / "page", card)


def turn(page: Page, address: str, texts: list[str]) -> tuple[dict[str, float], list[str]]:
    """Load the page and type one sentence after another; return the page's own figures and its translations."""
    output, result = page.locator("#said"), []
    begun = time.perf_counter()
    page.goto(address)
    page.get_by_text("Translates as you type").wait_for()
    figures = {"ready": time.perf_counter() - begun, "milliseconds": 0.0, "tokens": 0.0}
    for number, text in enumerate(texts, start=2):  # the page counts its own empty text as the first
        page.locator("#text").fill(text)
        page.locator(f"#said[data-id='{number}']").wait_for()
        result.append(output.text_content() or "")
        for key in ("milliseconds", "tokens"):
            figures[key] += float(output.get_attribute(f"data-{key}") or 0)
    return figures, result


def in_chromium(path: str, directory: Path, texts: list[str], rounds: int) -> tuple[list[dict[str, float]], list[str]]:
    handler = functools.partial(_Silent, directory=str(directory))
    with sync_playwright() as running, http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        turns, output = [], list[str]()
        for _ in range(rounds):
            browser = running.chromium.launch(executable_path=path, args=FLAGS)
            page = browser.new_page(locale="en")
            figures, output = turn(page, f"http://127.0.0.1:{server.server_port}/", texts)
            turns.append(figures)
            browser.close()
        server.shutdown()
    return turns, output


def by_ctranslate2(path: Path, texts: list[str], rounds: int) -> tuple[list[float], list[str]]:
    """Tokens per second of every round after a warm-up round, and the translations."""
    translator, rates = Translator(path, threads=1), []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        result = translator.hypotheses(texts, DecodingOptions(beam_size=1, batch_size=1))
        rates.append(sum(len(each[0].tokens) for each in result) / (time.perf_counter() - begun))
    return rates[1:], [each[0].text for each in result]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--sentences", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    given = parser.parse_args()
    test = map(normalize, prepare.load_split(given.run_dir / "corpus", "test")["source"].to_pylist())
    texts = [text for text in dict.fromkeys(test) if text and sentences(text) == [text]][: given.sentences]
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        exported(given.run_dir, place)
        turns, page = in_chromium(given.chromium, place / "page", texts, given.rounds)
        rates, output = {}, {"ONNX Runtime, the same graphs": by_onnxruntime(place / "onnx", texts)}
        for compute_type in TYPES:
            name = f"CTranslate2, {compute_type}"
            rates[name], output[name] = by_ctranslate2(place / compute_type, texts, given.rounds)
        sizes = {path.name: path.stat().st_size for path in (place / "page").rglob("*") if path.is_file()}
    report(texts, turns, page, output, rates, sizes)


def report(
    texts: list[str],
    turns: list[dict[str, float]],
    page: list[str],
    output: dict[str, list[str]],
    rates: dict[str, list[float]],
    sizes: dict[str, int],
) -> None:
    apart = {
        name: [i for i, text in enumerate(page) if text.strip() != result[i].strip()] for name, result in output.items()
    }
    between = sum(a.strip() != b.strip() for a, b in zip(*(output[f"CTranslate2, {t}"] for t in TYPES), strict=True))
    speeds = {"the page in Chromium": [1000 * t["tokens"] / t["milliseconds"] for t in turns]} | rates
    lines = [f"{len(texts)} sentences, greedily. Translations of the page that differ from:", ""]
    lines += [f"- {name}: {len(rows)}" for name, rows in apart.items()]
    lines += ["", f"CTranslate2's own two types differ in {between}.", "", "| arm | tokens/s, alone |", "|---|---:|"]
    lines += [f"| {name} | {middle(result)} |" for name, result in speeds.items()]
    wait = [t["milliseconds"] / len(texts) for t in turns]
    lines += ["", f"Milliseconds of a sentence in the page, mean: {middle(wait, 1)}."]
    lines += ["", f"From a new browser's first request to a loaded model, s: {middle([t['ready'] for t in turns], 2)}."]
    total, model, runtime = (sum(v for k, v in sizes.items() if part in k) for part in ("", "student", "ort.wasm"))
    lines += ["", f"Size: {total / 1e6:.2f} MB in all; the model {model / 1e6:.2f}, ONNX Runtime {runtime / 1e6:.2f}."]
    examples = [
        {"source": texts[i], "page": page[i], name: result[i]}
        for name, result in output.items()
        for i in apart[name][:3]
    ]
    data = {"page": turns, "tokens_per_second": speeds, "bytes": sizes, "different": apart, "examples": examples}
    write("browser", f"python benchmarks/browser.py {' '.join(sys.argv[1:])}", ["\n".join(lines)], data)


if __name__ == "__main__":
    main()
