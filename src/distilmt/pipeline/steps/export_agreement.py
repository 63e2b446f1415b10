"""Check that all exports give the same translations: greedy decoding of the same sentences by each target program.

Nothing is asserted: rounding differs between programs, and int8 differs from float32. Differences are counted and
shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distilmt.config.rendering import RenderingConfig
from distilmt.config.student import FrameConfig
from distilmt.data import prepare
from distilmt.data.cleaning import normalize
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.base import Exporter, NotRun
from distilmt.export.consumers import by_transformers
from distilmt.export.huggingface_pictures import read_by_transformers
from distilmt.export.huggingface_speech import translations_by_transformers
from distilmt.export.picture_texts import renderable
from distilmt.export.speech_texts import speakable
from distilmt.utils.progress import task

SENTENCES, UTTERANCES, _EXAMPLES = 500, 100, 5
"""A sentence takes a synthesizer longer than a font."""


def comparison_sentences(
    corpus: Path, tokenizer: Tokenizer, max_positions: int, frames: FrameConfig | None = None
) -> list[str]:
    """Up to 500 validation sentences, normalized as by `Translator`, short enough for every program.

    With `frames`, only sentences of which there is a picture or a recording.
    """
    texts = [normalize(text) for text in prepare.load_split(corpus, "valid")["source"].to_pylist()]
    lengths = map(len, tokenizer.source.encode(texts))
    short = [text for text, length in zip(texts, lengths, strict=True) if text and length < max_positions]
    if frames is None:
        return short[:SENTENCES]
    if isinstance(frames, RenderingConfig):
        return renderable(short, frames, SENTENCES)
    return speakable(short, frames, UTTERANCES)


def compare_exports(
    student: Path,
    exports: Path,
    exporters: Mapping[str, Exporter],
    texts: list[str],
    frames: FrameConfig | None = None,
) -> dict[str, Any]:
    """Compare exports with the model itself.

    Args:
        student: the model's Hugging Face directory.
        exports: the directory of the exports.
        exporters: their formats by their names.
        texts: sentences.
        frames: the pictures or the speech of the model; None: it reads the sentences.

    Returns:
        `sentences`, their number; `reference`, the baseline of the comparison; `exports`: for each one `different`, the
        number of translations that differ, `share` and `examples`; or `not_run` with the reason.
    """
    reference = _reference(student, texts, frames)
    comparisons: dict[str, Any] = {}
    with task("comparing the exports", len(exporters), "exports") as bar:
        for name, exporter in exporters.items():
            translations = exporter.translate(exports / name, texts)
            if isinstance(translations, NotRun):
                comparisons[name] = {"not_run": translations.reason}
            else:
                for variant, lines in translations.items():
                    comparisons[f"{name}{variant}"] = _differences(texts, reference, lines)
            bar.advance(1)
    return {"sentences": len(texts), "reference": "transformers, float32, greedy", "exports": comparisons}


def _reference(student: Path, texts: list[str], frames: FrameConfig | None) -> list[str]:
    """Translations by transformers."""
    if frames is None:
        return by_transformers(student, texts)
    if isinstance(frames, RenderingConfig):
        return read_by_transformers(student, texts, frames)
    return translations_by_transformers(student, texts, frames)


def _differences(texts: list[str], reference: list[str], translations: list[str]) -> dict[str, Any]:
    rows = [i for i, (a, b) in enumerate(zip(reference, translations, strict=True)) if a.strip() != b.strip()]
    return {
        "different": len(rows),
        "share": len(rows) / max(1, len(texts)),
        "examples": [
            {"source": texts[i], "reference": reference[i], "export": translations[i]} for i in rows[:_EXAMPLES]
        ],
    }


def summary(report: dict[str, Any]) -> str:
    """One line with the number of differing translations of each export."""
    counts = [f"{name} {each['different']}" for name, each in report["exports"].items() if "different" in each]
    not_run = [name for name, each in report["exports"].items() if "not_run" in each]
    line = f"of {report['sentences']} greedy translations differ from transformers': {', '.join(counts)}"
    return line + (f"; not run: {', '.join(not_run)}" if not_run else "")
