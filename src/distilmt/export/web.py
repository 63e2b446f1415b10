"""A student as a web page: a directory for any static web server, which translates offline in the browser.

    index.html, app.js, worker.js, text.js, shared/, offline/    the page
    runtime/                                                     ONNX Runtime and tokenizers, from npm
    student.gz                                                   the student, its tokenizer and facts: one file

`student.gz` is a compressed safetensors file. Its tensors are the bytes of files: the graphs of the ONNX export with
weights in int8, and its tokenizers. Ten lines of JavaScript read it. The page decompresses files itself, so that
servers need no settings.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save
from transformers import MarianMTModel

import distilmt
from distilmt.config import ExportConfig, RunConfig
from distilmt.data.sentence_splitter import ABBREVIATIONS
from distilmt.data.tokenizer import Tokenizer
from distilmt.export import npm, onnx
from distilmt.export.base import NotRun, TrainedModel, require_marian
from distilmt.export.card import Form, ModelCard, write_card
from distilmt.export.graphs import DECODER, ENCODER
from distilmt.export.npm import PACKAGES, runtime_files
from distilmt.export.onnx import export_onnx
from distilmt.export.quantize import quantize_weights
from distilmt.utils.run_dir import atomic_directory

PAGES = Path(distilmt.__file__).parent / "web"
_USE = f"""
```bash
python -m http.server --directory DIRECTORY 8080
```

and open http://localhost:8080. Any static web server works; what you type or show it never leaves the browser.

`runtime/` contains third-party code (MIT, Apache-2.0): {", ".join(map(" ".join, PACKAGES.items()))}.
"""


def export_web(
    model: MarianMTModel, tokenizer: Tokenizer, directory: Path, card: ModelCard, node_modules: str | None = None
) -> None:
    """Write the page's directory atomically.

    Args:
        model: a Marian model in float32, in eval mode.
        tokenizer: the tokenizer it was trained with.
        directory: the export directory; an older export there is replaced.
        card: facts for the model card.
        node_modules: the directory of the installed runtime; None: npm downloads it.

    Raises:
        UserError: the extra `onnx` is not installed, or the runtime is not available.
    """
    check_installed(node_modules)
    write_page("browser", _student(model, tokenizer, card), directory, card, node_modules)


def write_page(page: str, student: bytes, directory: Path, card: ModelCard, node_modules: str | None) -> None:
    """Write a page with its student and its runtime atomically.

    Args:
        page: directory of the page in `PAGES`.
        student: content of `student.gz` before its compression.
        directory: the export directory; an older export there is replaced.
        card: facts for the model card.
        node_modules: as in `export_web`.
    """
    runtime = runtime_files(node_modules)
    with atomic_directory(directory) as temporary:
        shutil.copytree(PAGES / page, temporary, dirs_exist_ok=True)
        for shared in ("shared", "offline"):
            shutil.copytree(PAGES / shared, temporary / shared)
        (temporary / "runtime").mkdir()
        for name, content in runtime.items():
            _write(temporary / "runtime" / name, content)
        _write(temporary / "student.gz", student)
        write_card(temporary, card, Form("web page", "distilmt", _USE))


def check_installed(node_modules: str | None) -> None:
    """Check that the packages for writing a page and its runtime are available, without a download.

    Raises:
        UserError: one is missing.
    """
    onnx.check_installed("web")
    npm.check_installed(node_modules)


def _write(path: Path, content: bytes) -> None:
    """Write a file; binary files are compressed and get the suffix `.gz`."""
    text = path.suffix == ".mjs"
    path = path if text or path.suffix == ".gz" else path.with_name(f"{path.name}.gz")
    path.write_bytes(content if text else gzip.compress(content, 9, mtime=0))


def _student(model: MarianMTModel, tokenizer: Tokenizer, card: ModelCard) -> bytes:
    with tempfile.TemporaryDirectory(prefix="distilmt-web-") as temporary:
        directory = Path(temporary) / "onnx"
        export_onnx(model, tokenizer, directory, card)
        tokenizers = {"source": directory / "tokenizer.json", "target": directory / "target" / "tokenizer.json"}
        return packed(directory, tokenizers, _facts(model, card))


def packed(export: Path, tokenizers: Mapping[str, Path], facts: Mapping[str, object]) -> bytes:
    """The files of an ONNX export that a page needs, as tensors of one safetensors file, with facts about the model.

    Args:
        export: a directory of `export_onnx`; the weights of its float32 graphs become int8.
        tokenizers: the tokenizers by the names of their tensors; those that do not exist are left out.
        facts: what the page needs to decode.
    """
    graphs = {name: export / "onnx" / f"{file}.onnx" for name, file in (("encoder", ENCODER), ("decoder", DECODER))}
    for path in graphs.values():
        quantize_weights(path, path)
    files = {n: np.fromfile(path, np.uint8) for n, path in {**graphs, **tokenizers}.items() if path.exists()}
    return save(files, {"facts": json.dumps(facts)})


def _facts(model: MarianMTModel, card: ModelCard) -> dict[str, object]:
    facts = model_facts(model.config, model.config.max_position_embeddings, card)
    return {**facts, "abbreviations": sorted(ABBREVIATIONS)}


def model_facts(config: Any, positions: int, card: ModelCard) -> dict[str, object]:
    """What every page needs to decode; `config` is the model's, of transformers."""
    return {
        "source": card.source,
        "target": card.target,
        "parameters": card.parameters,
        "layers": config.decoder_layers,
        "heads": config.decoder_attention_heads,
        "width": config.d_model // config.decoder_attention_heads,
        "positions": positions,
        "pad": config.pad_token_id,
        "end": config.eos_token_id,
    }


class WebExporter:
    """A web page that translates in the browser."""

    suffix = "-web"

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`."""
        require_marian("web", config)
        check_installed(config.export.node_modules)

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        export_web(trained.network, trained.tokenizer, path, trained.card, config.node_modules)

    def translate(self, path: Path, texts: Sequence[str]) -> NotRun:
        """Not here: it needs a browser."""
        return NotRun("it runs in a browser")


EXPORTER = WebExporter()
