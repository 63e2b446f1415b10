"""The export step: CTranslate2 directories of every model, and the student in other formats."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import MarianMTModel

from distilmt.config import ExportFormat, RunConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.data.tokenizer import load as load_tokenizer
from distilmt.evaluation import speed
from distilmt.export.argos import export_argos
from distilmt.export.card import FACTS, Form, ModelCard, write_card
from distilmt.export.ctranslate2 import export
from distilmt.export.foreign import export_foreign
from distilmt.export.huggingface import export_huggingface
from distilmt.export.marian import export_marian
from distilmt.export.onnx import export_onnx
from distilmt.export.web import export_web
from distilmt.models.checkpoint import load_marian
from distilmt.pipeline.steps.export_agreement import compare_exports, comparison_sentences, summary
from distilmt.pipeline.steps.signature import signature
from distilmt.teachers import existing
from distilmt.utils.run_dir import read_json, read_step, write_json

logger = logging.getLogger(__name__)

MODELS = ("teacher", "student", "baseline")
USE = """
```python
from distilmt.translator import Translator

print(Translator("DIRECTORY").translate(["Text to translate."]))
```

or `distilmt translate DIRECTORY < source.txt`.
"""
"""Usage of a CTranslate2 export, for its model card."""
PACKED = """
Its files are compressed; distilmt decompresses them in memory. After `unxz DIRECTORY/*.xz`, CTranslate2 and every
program built on it can load the directory.
"""


def system_name(model: str, compute_type: str) -> str:
    """`student` for float32, `student-int8` for int8."""
    return model if compute_type == "float32" else f"{model}-{compute_type}"


def ctranslate2_exports(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Models and their CTranslate2 compute types; a teacher that is not a model has one entry, `float32`."""
    teacher = config.teacher
    is_external = teacher.command or teacher.url or (teacher.path and existing.is_ctranslate2(teacher.path))
    types = {"teacher": ["float32"] if is_external else config.export.teacher}
    for model in MODELS:
        if model != "baseline" or config.student.baseline:
            yield from ((model, compute_type) for compute_type in types.get(model, config.export.student))


def format_name(name: ExportFormat) -> str:
    """Path of a format of the student within `exports`."""
    return "student.argosmodel" if name == "argos" else f"student-{name}"


def export_models(config: RunConfig, directory: Path) -> dict[str, Any]:
    """Export every model in every type and the student in every configured format; compare their translations."""
    root = directory.parent
    tokenizer = load_tokenizer(root / "tokenizer")
    for model, compute_type in ctranslate2_exports(config):
        path = directory / system_name(model, compute_type)
        pointer = existing.read_pointer(root / model)
        scores = _test_scores(path)
        if path.exists():
            pass  # complete, from an earlier call or from exports with other formats
        elif pointer:
            facts = existing.with_endpoint(pointer, config.teacher.endpoint)
            export_foreign(facts, path, compute_type, config.corpus.source, config.corpus.target)
        else:
            export(load_marian(root / model), tokenizer, path, compute_type)
        model_card = card(config, model)
        model_card = replace(model_card, scores={**model_card.scores, **scores})
        write_card(path, model_card, Form(f"CTranslate2, {compute_type}", "ctranslate2", USE))
    for name in (name for name in config.export.formats if not (directory / format_name(name)).exists()):
        export_format(name, load_marian(root / "student"), tokenizer, directory / format_name(name), config)
    if config.export.formats:
        _compare(config, directory, tokenizer)
    names = [
        *(system_name(*system) for system in ctranslate2_exports(config)),
        *map(format_name, config.export.formats),
    ]
    return {name: _bytes(directory / name) for name in names}


def _test_scores(path: Path) -> dict[str, float]:
    """The section that the evaluation added to the card of an export, once."""
    scores = read_json(path / FACTS)["scores"] if (path / FACTS).exists() else {}
    return {name: score for name, score in scores.items() if name.startswith("test ")}


def export_format(
    name: ExportFormat, model: MarianMTModel, tokenizer: Tokenizer, path: Path, config: RunConfig
) -> None:
    """Write a student in a format other than CTranslate2's."""
    model_card = card(config, "student")
    if name == "huggingface":
        export_huggingface(model, tokenizer, path, model_card, config.export.huggingface_type)
    elif name == "onnx":
        export_onnx(model, tokenizer, path, model_card)
    elif name == "argos":
        export_argos(model, tokenizer, path, model_card)
    elif name == "web":
        export_web(model, tokenizer, path, model_card, config.export.node_modules)
    else:
        export_marian(model, tokenizer, path, model_card)


def card(config: RunConfig, model: str) -> ModelCard:
    """Facts of one of a run's models."""
    record = read_step(Path(config.run_dir) / model)
    result = record.result if record else {}
    metric = (config.teacher if model == "teacher" else config.student).training.metric
    best = result.get("best_score")
    return ModelCard(
        config.corpus.source,
        config.corpus.target,
        model,
        signature(config),
        result.get("parameters"),
        {} if best is None else {f"validation {metric}": best},
        config.export.licenses.teacher,
        config.export.licenses.data,
    )


def _compare(config: RunConfig, directory: Path, tokenizer: Tokenizer) -> None:
    root = directory.parent
    ctranslate2 = [system_name("student", compute_type) for compute_type in config.export.student]
    texts = comparison_sentences(
        root / "corpus", tokenizer, load_marian(root / "student").config.max_position_embeddings
    )
    report = compare_exports(
        root / "student", directory, [*ctranslate2, *map(format_name, config.export.formats)], texts
    )
    write_json(directory / "agreement.json", report)
    logger.info(summary(report))


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else speed.file_bytes(path)
